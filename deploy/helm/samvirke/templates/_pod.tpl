{{/* The pod of a service. The gateway keeps nothing: it has neither database nor agreements. */}}
{{- define "samvirke.pod" -}}
{{- $v := .root.Values -}}
{{- $name := .name -}}
{{- $service := .service -}}
{{- $secret := printf "%s/%s" $v.vault.agent.credentialsPath $name -}}
metadata:
  labels: {{- include "samvirke.labels" . | nindent 4 }}
  annotations:
    checksum/config: {{ include "samvirke.config" . | sha256sum }}
    {{- if eq $v.vault.login "agent" }}
    vault.hashicorp.com/agent-inject: "true"
    vault.hashicorp.com/agent-run-as-user: "65532"
    vault.hashicorp.com/agent-run-as-group: "65532"
    vault.hashicorp.com/role: {{ $v.vault.agent.role | quote }}
    vault.hashicorp.com/secret-volume-path: /run/samvirke/approle
    vault.hashicorp.com/agent-inject-secret-role-id: {{ $secret | quote }}
    vault.hashicorp.com/agent-inject-template-role-id: {{ printf "{{- with secret \"%s\" }}{{ .Data.data.role_id }}{{ end -}}" $secret | quote }}
    vault.hashicorp.com/agent-inject-secret-secret-id: {{ $secret | quote }}
    vault.hashicorp.com/agent-inject-template-secret-id: {{ printf "{{- with secret \"%s\" }}{{ .Data.data.secret_id }}{{ end -}}" $secret | quote }}
    {{- end }}
spec:
  serviceAccountName: {{ .root.Release.Name }}-{{ $name }}
  {{- if ne $v.vault.login "agent" }}
  automountServiceAccountToken: false
  {{- end }}
  enableServiceLinks: false
  {{- with $v.image.pullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  # Longer than the service's own drain of 15 s.
  terminationGracePeriodSeconds: 45
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile: {type: RuntimeDefault}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{- include "samvirke.labels" . | nindent 10 }}
  containers:
    - name: {{ $name }}
      image: "{{ $v.image.repository }}/{{ $name }}:{{ $v.image.tag }}"
      imagePullPolicy: {{ $v.image.pullPolicy }}
      ports:
        - {name: {{ include "samvirke.protocol" . }}, containerPort: {{ $service.port }}, protocol: TCP}
        {{- if ne $name "gateway" }}
        - {name: probes, containerPort: {{ include "samvirke.probes" . }}, protocol: TCP}
        {{- end }}
        {{- range $port, $p := $service.ports }}
        - {name: {{ $port }}, containerPort: {{ $p.port }}, protocol: TCP}
        {{- end }}
      env:
        - name: SAMVIRKE_{{ upper $name }}_INSTANCE
          valueFrom: {fieldRef: {fieldPath: metadata.name}}
      {{- if eq $name "gateway" }}
      # The listener without client certificates tells more than an open port. Ready means that one service behind it serves at least, and
      # every one that is required: a service that is away does not take the routes of the others along.
      startupProbe:
        httpGet: {scheme: HTTPS, port: public, path: /livez}
        periodSeconds: 1
        failureThreshold: 60
      readinessProbe:
        httpGet: {scheme: HTTPS, port: public, path: /readyz}
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 12
      livenessProbe:
        httpGet: {scheme: HTTPS, port: public, path: /livez}
        periodSeconds: 20
        failureThreshold: 6
      {{- else }}
      # The kubelet has no certificate, and its gRPC probe can't speak mutual TLS: the service answers its probes on a port of their own, which
      # no network policy opens to other pods. Ready means that database, keys and certificate are well.
      startupProbe:
        httpGet: {port: probes, path: /livez}
        periodSeconds: 1
        failureThreshold: 60
      readinessProbe:
        httpGet: {port: probes, path: /readyz}
        periodSeconds: 5
        timeoutSeconds: 3
      livenessProbe:
        httpGet: {port: probes, path: /livez}
        periodSeconds: 20
        failureThreshold: 6
      {{- end }}
      resources: {{- toYaml $service.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      volumeMounts:
        - {name: config, mountPath: /etc/samvirke/config.yaml, subPath: config.yaml, readOnly: true}
        - {name: vault-ca, mountPath: /etc/samvirke/vault-ca, readOnly: true}
        {{- if ne $name "gateway" }}
        - {name: agreements, mountPath: /etc/samvirke/agreements, readOnly: true}
        - {name: postgres-ca, mountPath: /etc/samvirke/postgres-ca, readOnly: true}
        - {name: postgres, mountPath: /run/samvirke/postgres, readOnly: true}
        {{- end }}
        {{- if ne $v.vault.login "agent" }}
        - {name: approle, mountPath: /run/samvirke/approle, readOnly: true}
        {{- end }}
        {{- range $file, $f := $service.files }}
        - {name: {{ $file }}, mountPath: {{ $f.path }}, readOnly: true}
        {{- end }}
        {{- if $service.storage }}
        - {name: data, mountPath: /data}
        - {name: checkpoints, mountPath: /checkpoints}
        {{- end }}
        - {name: tmp, mountPath: /tmp}
  volumes:
    - {name: config, configMap: {name: {{ .root.Release.Name }}-{{ $name }}}}
    - {name: vault-ca, configMap: {name: {{ $v.vault.caConfigMap }}}}
    {{- if ne $name "gateway" }}
    - {name: agreements, configMap: {name: {{ $v.agreementsConfigMap }}}}
    - {name: postgres-ca, configMap: {name: {{ $v.postgres.caConfigMap }}}}
    - {name: postgres, secret: {secretName: {{ $v.postgres.passwordSecret }}, defaultMode: 0440}}
    {{- end }}
    {{- if ne $v.vault.login "agent" }}
    - {name: approle, secret: {secretName: {{ .root.Release.Name }}-{{ $name }}-approle, defaultMode: 0440}}
    {{- end }}
    {{- range $file, $f := $service.files }}
    {{- if $f.secret }}
    - {name: {{ $file }}, secret: {secretName: {{ $f.secret }}, defaultMode: 0440}}
    {{- else }}
    - {name: {{ $file }}, configMap: {name: {{ $f.configMap }}}}
    {{- end }}
    {{- end }}
    {{- if $service.storage }}
    - {name: checkpoints, persistentVolumeClaim: {claimName: {{ $service.storage.checkpointsClaim }}}}
    {{- end }}
    - {name: tmp, emptyDir: {medium: Memory, sizeLimit: 64Mi}}
{{- end }}
