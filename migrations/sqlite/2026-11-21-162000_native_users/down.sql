CREATE TABLE sessions_anew (
  hash BLOB PRIMARY KEY NOT NULL,
  user_pool_id TEXT NOT NULL REFERENCES user_pools (id) ON DELETE CASCADE,
  user_sub TEXT NOT NULL REFERENCES users (sub) ON DELETE CASCADE,
  provider_id TEXT NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
  login_hash BLOB NOT NULL UNIQUE,
  facts TEXT NOT NULL,
  id_token_sealed BLOB,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
INSERT INTO sessions_anew
  (hash, user_pool_id, user_sub, provider_id, login_hash, facts, id_token_sealed, created_at, expires_at)
  SELECT hash, user_pool_id, user_sub, provider_id, login_hash, facts, id_token_sealed, created_at, expires_at
  FROM sessions WHERE provider_id IS NOT NULL;
DROP TABLE sessions;
ALTER TABLE sessions_anew RENAME TO sessions;
CREATE INDEX sessions_by_user ON sessions (user_sub);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
DROP TABLE auth_challenges;
DROP TABLE user_passwords;
