-- When a click on an Okta tile was first and last seen to begin a sign-in, by connection.
CREATE TABLE tile_starts (
  provider_id TEXT PRIMARY KEY NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
  first_at BIGINT NOT NULL,
  last_at BIGINT NOT NULL
);

-- Tenants whose people sign in through their own connections only.
CREATE TABLE enforcements (
  tenant_id TEXT PRIMARY KEY NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  user_pool_id TEXT NOT NULL REFERENCES user_pools (id) ON DELETE CASCADE,
  provider_id TEXT NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
  actor TEXT NOT NULL,
  since BIGINT NOT NULL,
  -- Unless it is confirmed before, it has ended by then.
  confirm_by BIGINT NOT NULL,
  confirmed_at BIGINT
);
CREATE INDEX enforcements_of_pool ON enforcements (user_pool_id);
CREATE INDEX enforcements_to_confirm ON enforcements (confirm_by) WHERE confirmed_at IS NULL;

-- Which administrator last tested which configuration of a connection with success.
CREATE TABLE passed_tests (
  provider_id TEXT NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
  actor TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (provider_id, actor)
);
