-- The management API: who may call it.

CREATE TABLE management_credentials (
  -- The access key id.
  id TEXT PRIMARY KEY NOT NULL,
  -- SigV4 needs the secret itself: it is sealed, not hashed.
  secret_sealed BLOB NOT NULL,
  role TEXT NOT NULL,
  -- The one pool it reaches; all when there is none.
  user_pool_id TEXT REFERENCES user_pools (id) ON DELETE CASCADE,
  description TEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  last_used_at BIGINT
);
CREATE INDEX management_credentials_by_pool ON management_credentials (user_pool_id);
