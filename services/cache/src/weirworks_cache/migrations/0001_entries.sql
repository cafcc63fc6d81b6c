CREATE TABLE cache_entries (
  key bytea PRIMARY KEY,
  sealed bytea NOT NULL,
  expire_time timestamptz NOT NULL
);
CREATE INDEX cache_entries_expire_time ON cache_entries (expire_time);
