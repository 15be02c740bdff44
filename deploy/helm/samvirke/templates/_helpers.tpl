{{- define "samvirke.labels" -}}
app.kubernetes.io/part-of: samvirke
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/name: {{ .name }}
{{- end }}

{{/* The configuration file of a service: what the chart knows, and over it what the values say. */}}
{{- define "samvirke.config" -}}
{{- $v := .root.Values -}}
{{- $database := dict
    "url" (printf "postgres://%s@%s:%v/samvirke_%s?sslmode=%s&sslrootcert=/etc/samvirke/postgres-ca/ca.pem" $v.postgres.user $v.postgres.host $v.postgres.port .name $v.postgres.sslmode)
    "password_file" "/run/samvirke/postgres/password" -}}
{{- $own := dict
    "environment" $v.environment
    "trust_domain" $v.trustDomain
    "listen" (printf "0.0.0.0:%v" .service.port)
    "database" $database
    "vault" (dict "address" $v.vault.address "ca_file" "/etc/samvirke/vault-ca/ca.pem" "role_id_file" "/run/samvirke/approle/role-id" "secret_id_file" "/run/samvirke/approle/secret-id")
    "agreements" (dict "dir" "/etc/samvirke/agreements")
    "telemetry" (dict "endpoint" $v.telemetry.endpoint) -}}
{{- if .service.calledBy -}}
{{- $_ := set $own "accept" (dict "services" .service.calledBy) -}}
{{- end -}}
{{- if and (eq .name "insurance") (hasKey $v.services "identity") -}}
{{- $_ := set $own "identity" (dict "address" (printf "%s-identity:%v" .root.Release.Name $v.services.identity.port)) -}}
{{- end -}}
{{- mergeOverwrite $own (deepCopy (default dict .service.config)) | toYaml -}}
{{- end }}
