-- When a click on an Okta tile was first and last seen to begin a sign-in, by connection.
CREATE TABLE tile_starts (
  provider_id TEXT PRIMARY KEY NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
  first_at BIGINT NOT NULL,
  last_at BIGINT NOT NULL
);
