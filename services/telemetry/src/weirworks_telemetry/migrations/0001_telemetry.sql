-- Every table of events is partitioned by day; the partitions are made and dropped by the service.
-- The time is part of each key because a partitioned table asks for it; a service that sends an event
-- again sends the same time, so the pair is unique all the same.
CREATE TABLE decision_events (
  event_time timestamptz NOT NULL,
  id uuid NOT NULL,
  tenant text NOT NULL,
  operation text NOT NULL,
  model text NOT NULL,
  backend text NOT NULL,
  kind text NOT NULL,
  reason text NOT NULL,
  error text NOT NULL,
  latency_seconds double precision NOT NULL,
  cost_usd double precision NOT NULL,
  score double precision NOT NULL,
  input_hash bytea NOT NULL,
  fallbacks integer NOT NULL,
  PRIMARY KEY (event_time, id)
) PARTITION BY RANGE (event_time);

CREATE TABLE inference_events (
  event_time timestamptz NOT NULL,
  id uuid NOT NULL,
  tenant text NOT NULL,
  model text NOT NULL,
  model_version text NOT NULL,
  endpoint text NOT NULL,
  row_count integer NOT NULL,
  queue_seconds double precision NOT NULL,
  run_seconds double precision NOT NULL,
  error text NOT NULL,
  PRIMARY KEY (event_time, id)
) PARTITION BY RANGE (event_time);

CREATE TABLE scaling_events (
  event_time timestamptz NOT NULL,
  id uuid NOT NULL,
  tenant text NOT NULL,
  scaler text NOT NULL,
  from_replicas integer NOT NULL,
  to_replicas integer NOT NULL,
  reason text NOT NULL,
  load double precision NOT NULL,
  forecast double precision NOT NULL,
  PRIMARY KEY (event_time, id)
) PARTITION BY RANGE (event_time);

CREATE TABLE spans (
  event_time timestamptz NOT NULL,
  tenant text NOT NULL,
  service text NOT NULL,
  trace_id bytea NOT NULL,
  span_id bytea NOT NULL,
  parent_span_id bytea NOT NULL,
  name text NOT NULL,
  kind smallint NOT NULL,
  duration_seconds double precision NOT NULL,
  status smallint NOT NULL,
  attributes jsonb NOT NULL
) PARTITION BY RANGE (event_time);
CREATE INDEX spans_trace ON spans (trace_id);

CREATE TABLE metric_points (
  event_time timestamptz NOT NULL,
  tenant text NOT NULL,
  service text NOT NULL,
  name text NOT NULL,
  unit text NOT NULL,
  kind text NOT NULL,
  value double precision NOT NULL,
  count bigint NOT NULL,
  attributes jsonb NOT NULL
) PARTITION BY RANGE (event_time);
CREATE INDEX metric_points_name ON metric_points (name, event_time);

CREATE TABLE log_records (
  event_time timestamptz NOT NULL,
  tenant text NOT NULL,
  service text NOT NULL,
  severity smallint NOT NULL,
  body text NOT NULL,
  trace_id bytea NOT NULL,
  span_id bytea NOT NULL,
  attributes jsonb NOT NULL
) PARTITION BY RANGE (event_time);

-- One row per model and step in which something happened.
CREATE TABLE load_history (
  model text NOT NULL,
  start_time timestamptz NOT NULL,
  arrivals double precision NOT NULL,
  cache_hits double precision NOT NULL,
  errors double precision NOT NULL,
  latency_seconds double precision NOT NULL,
  PRIMARY KEY (model, start_time)
);
CREATE INDEX load_history_start_time ON load_history (start_time);
