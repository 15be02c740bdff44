{{- define "samvirke.labels" -}}
app.kubernetes.io/part-of: samvirke
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/name: {{ .name }}
{{- end }}

{{/* What the port speaks, and its name. */}}
{{- define "samvirke.protocol" -}}
{{ if eq .name "gateway" }}https{{ else }}grpc{{ end }}
{{- end }}

{{/* The port at which a service answers the kubelet's probes. */}}
{{- define "samvirke.probes" -}}8081{{- end }}

{{/* Where another service of the suite listens. */}}
{{- define "samvirke.address" -}}
{{ .root.Release.Name }}-{{ .name }}:{{ (index .root.Values.services .name).port }}
{{- end }}

{{/* The configuration file of a service: what the chart knows, and over it what the values say. */}}
{{- define "samvirke.config" -}}
{{- $root := .root -}}
{{- $v := .root.Values -}}
{{- $name := .name -}}
{{- $own := dict
    "trust_domain" $v.trustDomain
    "listen" (printf "0.0.0.0:%v" .service.port)
    "vault" (dict "address" $v.vault.address "ca_file" "/etc/samvirke/vault-ca/ca.pem" "role_id_file" "/run/samvirke/approle/role-id" "secret_id_file" "/run/samvirke/approle/secret-id")
    "telemetry" (dict "endpoint" $v.telemetry.endpoint) -}}
{{- if eq $name "gateway" -}}
  {{- $services := dict -}}
  {{- range $other, $called := $v.services -}}
    {{- if has "gateway" (default list $called.calledBy) -}}
      {{- $_ := set $services $other (include "samvirke.address" (dict "root" $root "name" $other)) -}}
    {{- end -}}
  {{- end -}}
  {{- $_ := set $own "services" $services -}}
  {{- $_ := set $own "public" (dict "listen" (printf "0.0.0.0:%v" .service.ports.public.port)) -}}
  {{- $_ := set $own "token" (dict "key" "gateway-token") -}}
{{- else -}}
  {{- $_ := set $own "environment" $v.environment -}}
  {{- $_ := set $own "probes" (printf "0.0.0.0:%s" (include "samvirke.probes" .)) -}}
  {{- $_ := set $own "database" (dict
      "url" (printf "postgres://%s@%s:%v/samvirke_%s?sslmode=%s&sslrootcert=/etc/samvirke/postgres-ca/ca.pem" $v.postgres.user $v.postgres.host $v.postgres.port $name $v.postgres.sslmode)
      "password_file" "/run/samvirke/postgres/password") -}}
  {{- $_ := set $own "agreements" (dict "dir" "/etc/samvirke/agreements") -}}
  {{- if and (hasKey $v.services "audit") (has $name (default list $v.services.audit.calledBy)) -}}
    {{- $_ := set $own "shipping" (dict "address" (include "samvirke.address" (dict "root" $root "name" "audit"))) -}}
  {{- end -}}
{{- end -}}
{{- if and (has $name (list "insurance" "transfer")) (hasKey $v.services "identity") -}}
  {{- $identity := dict "address" (include "samvirke.address" (dict "root" $root "name" "identity")) -}}
  {{- if eq $name "transfer" -}}
    {{- $_ := set $identity "service" (printf "spiffe://%s/svc/identity" $v.trustDomain) -}}
  {{- end -}}
  {{- $_ := set $own "identity" $identity -}}
{{- end -}}
{{- if eq $name "audit" -}}
  {{- $asked := list -}}
  {{- range $other, $called := $v.services -}}
    {{- if has "audit" (default list $called.calledBy) -}}
      {{- $asked = append $asked (printf "%s=%s" $other (include "samvirke.address" (dict "root" $root "name" $other))) -}}
    {{- end -}}
  {{- end -}}
  {{- $_ := set $own "usage" (dict "services" $asked) -}}
  {{- $_ := set $own "ledger" (dict "dir" "/data/ledger" "origin" (printf "%s/ledger" $v.trustDomain)) -}}
  {{- $_ := set $own "checkpoints" (dict "dir" "/checkpoints") -}}
  {{- range $port, $p := .service.ports -}}
    {{- $_ := set $own $port (dict "listen" (printf "0.0.0.0:%v" $p.port)) -}}
  {{- end -}}
{{- end -}}
{{- mergeOverwrite $own (deepCopy (default dict .service.config)) | toYaml -}}
{{- end }}
