-- Which versions of which models there are, which one answers, and who said so.
CREATE TABLE model_versions (
  model text NOT NULL,
  version text NOT NULL,
  task text NOT NULL,
  status text NOT NULL CHECK (status IN ('active', 'inactive', 'testing')),
  digest text NOT NULL,
  path text NOT NULL,
  domain text NOT NULL DEFAULT '',
  inputs text[] NOT NULL,
  outputs text[] NOT NULL,
  accuracy double precision CHECK (accuracy BETWEEN 0 AND 1),
  create_time timestamptz NOT NULL DEFAULT now(),
  promote_time timestamptz,
  -- Order of promotions; 0 for a version that never answered, or was rolled back.
  promotion bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (model, version)
);
CREATE UNIQUE INDEX model_versions_one_active ON model_versions (model) WHERE status = 'active';
CREATE SEQUENCE model_promotions;
CREATE TABLE model_changes (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  model text NOT NULL,
  version text NOT NULL,
  action text NOT NULL,
  detail text NOT NULL,
  actor text NOT NULL,
  change_time timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX model_changes_by_model ON model_changes (model, id DESC);
