-- Hooks: which address answers for an ARN-shaped id of a pool's LambdaConfig.

CREATE TABLE hook_bindings (
  id TEXT PRIMARY KEY NOT NULL,
  arn TEXT NOT NULL,
  -- The one pool it is for; every pool when there is none.
  user_pool_id TEXT REFERENCES user_pools (id) ON DELETE CASCADE,
  url TEXT NOT NULL,
  secret_sealed BLOB NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
-- Nulls are never equal: one index for the bindings of a pool, one for those of all.
CREATE UNIQUE INDEX hook_bindings_of_pool ON hook_bindings (user_pool_id, arn) WHERE user_pool_id IS NOT NULL;
CREATE UNIQUE INDEX hook_bindings_of_all ON hook_bindings (arn) WHERE user_pool_id IS NULL;
