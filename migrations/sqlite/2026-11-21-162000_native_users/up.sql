-- Native users: their passwords, and what waits between two steps of their sign-in.

CREATE TABLE user_passwords (
  user_sub TEXT PRIMARY KEY NOT NULL REFERENCES users (sub) ON DELETE CASCADE,
  -- Argon2id, PHC form.
  hash TEXT NOT NULL,
  srp_salt BLOB NOT NULL,
  -- Guessing against the verifier is cheaper than against the hash: it is sealed.
  srp_verifier_sealed BLOB NOT NULL,
  -- A temporary password is good until then; a permanent one has no end.
  temporary_until BIGINT,
  failures BIGINT NOT NULL,
  locked_until BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);

CREATE TABLE auth_challenges (
  hash BLOB PRIMARY KEY NOT NULL,
  user_pool_id TEXT NOT NULL REFERENCES user_pools (id) ON DELETE CASCADE,
  client_id TEXT NOT NULL REFERENCES app_clients (id) ON DELETE CASCADE,
  -- None where somebody unknown is led through the steps.
  user_sub TEXT REFERENCES users (sub) ON DELETE CASCADE,
  name TEXT NOT NULL,
  state_sealed BLOB NOT NULL,
  expires_at BIGINT NOT NULL,
  consumed_at BIGINT
);
CREATE INDEX auth_challenges_by_pool ON auth_challenges (user_pool_id);
CREATE INDEX auth_challenges_by_client ON auth_challenges (client_id);
CREATE INDEX auth_challenges_by_user ON auth_challenges (user_sub);
CREATE INDEX auth_challenges_by_expiry ON auth_challenges (expires_at);

-- A native user's session came by no connection.
CREATE TABLE sessions_anew (
  hash BLOB PRIMARY KEY NOT NULL,
  user_pool_id TEXT NOT NULL REFERENCES user_pools (id) ON DELETE CASCADE,
  user_sub TEXT NOT NULL REFERENCES users (sub) ON DELETE CASCADE,
  provider_id TEXT REFERENCES identity_providers (id) ON DELETE CASCADE,
  login_hash BLOB NOT NULL UNIQUE,
  facts TEXT NOT NULL,
  id_token_sealed BLOB,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
INSERT INTO sessions_anew
  (hash, user_pool_id, user_sub, provider_id, login_hash, facts, id_token_sealed, created_at, expires_at)
  SELECT hash, user_pool_id, user_sub, provider_id, login_hash, facts, id_token_sealed, created_at, expires_at
  FROM sessions;
DROP TABLE sessions;
ALTER TABLE sessions_anew RENAME TO sessions;
CREATE INDEX sessions_by_user ON sessions (user_sub);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
