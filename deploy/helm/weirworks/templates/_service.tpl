{{/* One service: ServiceAccount, Deployment and headless Service. Takes root, name, and what is its own:
     replicas (left out where the autoscaler owns the count), env, initContainers, volumes, mounts. */}}
{{- define "weirworks.service" -}}
{{- $root := .root -}}
{{- $values := index $root.Values .name -}}
{{- $prefix := printf "WEIRWORKS_%s" (upper .name) -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $root.Release.Name }}-{{ .name }}
  labels: {{- include "weirworks.labels" . | nindent 4 }}
automountServiceAccountToken: {{ .token | default false }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $root.Release.Name }}-{{ .name }}
  labels: {{- include "weirworks.labels" . | nindent 4 }}
spec:
  {{- if .replicas }}
  replicas: {{ .replicas }}
  {{- end }}
  selector:
    matchLabels: {{- include "weirworks.selector" . | nindent 6 }}
  template:
    metadata:
      labels: {{- include "weirworks.labels" . | nindent 8 }}
      annotations:
        prometheus.io/scrape: "true"
        prometheus.io/port: "9100"
    spec:
      serviceAccountName: {{ $root.Release.Name }}-{{ .name }}
      terminationGracePeriodSeconds: 40
      securityContext:
        runAsNonRoot: true
        runAsUser: 10001
        fsGroup: 10001
        seccompProfile: {type: RuntimeDefault}
      {{- with .initContainers }}
      initContainers: {{- . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ .name }}
          image: {{ $root.Values.imagePrefix }}-{{ .name }}:{{ $root.Values.imageTag }}
          imagePullPolicy: {{ $root.Values.imagePullPolicy }}
          ports:
            - {name: grpc, containerPort: 8001}
            - {name: metrics, containerPort: 9100}
          env:
            - {name: {{ $prefix }}_HOST, value: "0.0.0.0"}
            - {name: {{ $prefix }}_PORT, value: "8001"}
            - {name: {{ $prefix }}_METRICS_PORT, value: "9100"}
            - {name: {{ $prefix }}_DATA_DIR, value: /data}
            - {name: {{ $prefix }}_HASH_SECRET_FILE, value: /secrets/hash-secret}
            {{- with .env }}{{ . | nindent 12 }}{{ end }}
            {{- with $values.extraEnv }}{{ toYaml . | nindent 12 }}{{ end }}
          startupProbe:
            grpc: {port: 8001}
            periodSeconds: 2
            failureThreshold: 60
          readinessProbe:
            grpc: {port: 8001}
            periodSeconds: 2
          livenessProbe:
            # Draining and a database that is away say NOT_SERVING; only a process that accepts nothing is dead.
            tcpSocket: {port: grpc}
            periodSeconds: 10
            failureThreshold: 6
          lifecycle:
            preStop:
              # Callers see the endpoint leave before it stops taking calls.
              exec: {command: [sleep, "5"]}
          resources: {{- toYaml $values.resources | nindent 12 }}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
          volumeMounts:
            - {name: data, mountPath: /data}
            - {name: tmp, mountPath: /tmp}
            - {name: secrets, mountPath: /secrets, readOnly: true}
            {{- with .mounts }}{{ . | nindent 12 }}{{ end }}
      volumes:
        - {name: data, emptyDir: {}}
        - {name: tmp, emptyDir: {}}
        - name: secrets
          secret: {secretName: {{ $root.Release.Name }}-hash}
        {{- with .volumes }}{{ . | nindent 8 }}{{ end }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $root.Release.Name }}-{{ .name }}
  labels: {{- include "weirworks.labels" . | nindent 4 }}
spec:
  # Headless: gRPC clients hold connections, so they must see every pod.
  clusterIP: None
  selector: {{- include "weirworks.selector" . | nindent 4 }}
  ports:
    - {name: grpc, port: 8001, targetPort: grpc, appProtocol: kubernetes.io/h2c}
    - {name: metrics, port: 9100, targetPort: metrics}
{{- end }}

{{- define "weirworks.selector" -}}
app.kubernetes.io/name: weirworks
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end }}

{{- define "weirworks.labels" -}}
{{ include "weirworks.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{/* The environment entry of the database's URL. */}}
{{- define "weirworks.postgres" -}}
- name: {{ .variable }}
  valueFrom:
    secretKeyRef:
      name: {{ .root.Values.postgres.existingSecret | default (printf "%s-postgres" .root.Release.Name) }}
      key: url
{{- end }}
