-- What Forebay stores. Times are BIGINT seconds since 1970; JSON is TEXT; codes, tokens and session ids are SHA-256
-- hashes; secrets are sealed (src/seal.rs).

CREATE TABLE user_pools (
  id TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  settings TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);

CREATE TABLE signing_keys (
  kid TEXT PRIMARY KEY NOT NULL,
  user_pool_id TEXT NOT NULL REFERENCES user_pools (id) ON DELETE CASCADE,
  usage TEXT NOT NULL,
  state TEXT NOT NULL,
  public_jwk TEXT NOT NULL,
  private_sealed BYTEA NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX signing_keys_by_pool ON signing_keys (user_pool_id);

CREATE TABLE resource_servers (
  user_pool_id TEXT NOT NULL REFERENCES user_pools (id) ON DELETE CASCADE,
  identifier TEXT NOT NULL,
  name TEXT NOT NULL,
  scopes TEXT NOT NULL,
  PRIMARY KEY (user_pool_id, identifier)
);

CREATE TABLE app_clients (
  id TEXT PRIMARY KEY NOT NULL,
  user_pool_id TEXT NOT NULL REFERENCES user_pools (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  settings TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX app_clients_by_pool ON app_clients (user_pool_id, name, id);

CREATE TABLE client_secrets (
  id TEXT PRIMARY KEY NOT NULL,
  client_id TEXT NOT NULL REFERENCES app_clients (id) ON DELETE CASCADE,
  hash BYTEA NOT NULL,
  sealed BYTEA NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX client_secrets_by_client ON client_secrets (client_id);

CREATE TABLE identity_providers (
  id TEXT PRIMARY KEY NOT NULL,
  user_pool_id TEXT NOT NULL REFERENCES user_pools (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  issuer TEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  settings TEXT NOT NULL,
  client_secret_sealed BYTEA,
  private_key_sealed BYTEA,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (user_pool_id, name)
);
CREATE INDEX identity_providers_by_issuer ON identity_providers (issuer);

CREATE TABLE provider_identifiers (
  user_pool_id TEXT NOT NULL REFERENCES user_pools (id) ON DELETE CASCADE,
  identifier TEXT NOT NULL,
  provider_id TEXT NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
  PRIMARY KEY (user_pool_id, identifier)
);
CREATE INDEX provider_identifiers_by_provider ON provider_identifiers (provider_id);

CREATE TABLE mappings (
  provider_id TEXT NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
  version BIGINT NOT NULL,
  rules TEXT NOT NULL,
  author TEXT NOT NULL,
  note TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (provider_id, version)
);

CREATE TABLE users (
  sub TEXT PRIMARY KEY NOT NULL,
  user_pool_id TEXT NOT NULL REFERENCES user_pools (id) ON DELETE CASCADE,
  username TEXT NOT NULL,
  status TEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  attributes TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (user_pool_id, username)
);

CREATE TABLE identities (
  provider_id TEXT NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
  issuer TEXT NOT NULL CHECK (issuer <> ''),
  subject TEXT NOT NULL CHECK (subject <> ''),
  user_sub TEXT NOT NULL REFERENCES users (sub) ON DELETE CASCADE,
  provider_name TEXT NOT NULL,
  is_primary BOOLEAN NOT NULL,
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (provider_id, issuer, subject)
);
CREATE INDEX identities_by_user ON identities (user_sub);

CREATE TABLE user_groups (
  user_pool_id TEXT NOT NULL REFERENCES user_pools (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  description TEXT,
  precedence BIGINT,
  role_arn TEXT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (user_pool_id, name)
);

-- Who put a user into a group is part of the key: what a mapping gave, a mapping may take, and nothing else.
CREATE TABLE memberships (
  user_sub TEXT NOT NULL REFERENCES users (sub) ON DELETE CASCADE,
  user_pool_id TEXT NOT NULL,
  group_name TEXT NOT NULL,
  source TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (user_sub, group_name, source),
  FOREIGN KEY (user_pool_id, group_name) REFERENCES user_groups (user_pool_id, name) ON DELETE CASCADE
);
CREATE INDEX memberships_by_group ON memberships (user_pool_id, group_name);

CREATE TABLE sessions (
  hash BYTEA PRIMARY KEY NOT NULL,
  user_pool_id TEXT NOT NULL REFERENCES user_pools (id) ON DELETE CASCADE,
  user_sub TEXT NOT NULL REFERENCES users (sub) ON DELETE CASCADE,
  provider_id TEXT NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
  login_hash BYTEA NOT NULL UNIQUE,
  facts TEXT NOT NULL,
  id_token_sealed BYTEA,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_sub);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE authorization_codes (
  hash BYTEA PRIMARY KEY NOT NULL,
  client_id TEXT NOT NULL REFERENCES app_clients (id) ON DELETE CASCADE,
  user_sub TEXT NOT NULL REFERENCES users (sub) ON DELETE CASCADE,
  origin_jti TEXT NOT NULL,
  request TEXT NOT NULL,
  expires_at BIGINT NOT NULL,
  consumed_at BIGINT
);
CREATE INDEX authorization_codes_by_client ON authorization_codes (client_id);
CREATE INDEX authorization_codes_by_user ON authorization_codes (user_sub);
CREATE INDEX authorization_codes_by_expiry ON authorization_codes (expires_at);

CREATE TABLE token_families (
  origin_jti TEXT PRIMARY KEY NOT NULL,
  user_pool_id TEXT NOT NULL,
  client_id TEXT NOT NULL REFERENCES app_clients (id) ON DELETE CASCADE,
  user_sub TEXT NOT NULL REFERENCES users (sub) ON DELETE CASCADE,
  session_hash BYTEA,
  granted TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  revoked_at BIGINT
);
CREATE INDEX token_families_by_user ON token_families (user_sub);
CREATE INDEX token_families_by_client ON token_families (client_id);
CREATE INDEX token_families_by_session ON token_families (session_hash);
CREATE INDEX token_families_by_expiry ON token_families (expires_at);

CREATE TABLE refresh_tokens (
  hash BYTEA PRIMARY KEY NOT NULL,
  origin_jti TEXT NOT NULL REFERENCES token_families (origin_jti) ON DELETE CASCADE,
  created_at BIGINT NOT NULL,
  rotated_at BIGINT
);
CREATE INDEX refresh_tokens_by_family ON refresh_tokens (origin_jti);
CREATE INDEX refresh_tokens_by_rotation ON refresh_tokens (rotated_at);

CREATE TABLE login_traces (
  code TEXT PRIMARY KEY NOT NULL,
  user_pool_id TEXT,
  provider_id TEXT,
  client_id TEXT,
  user_sub TEXT,
  outcome TEXT NOT NULL,
  cause TEXT NOT NULL,
  reached_provider BOOLEAN NOT NULL,
  story TEXT NOT NULL,
  started_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX login_traces_by_pool ON login_traces (user_pool_id, started_at);
CREATE INDEX login_traces_by_expiry ON login_traces (expires_at);

CREATE TABLE audit_events (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at BIGINT NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  user_pool_id TEXT,
  target TEXT NOT NULL,
  difference TEXT NOT NULL,
  request_id TEXT NOT NULL
);
CREATE INDEX audit_events_by_pool ON audit_events (user_pool_id, at);
