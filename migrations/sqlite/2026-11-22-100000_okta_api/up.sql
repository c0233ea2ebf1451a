-- Okta's own API: what each connection was last granted of it, and the tokens of administrators who made a test sign-in.

CREATE TABLE upstream_grants (
  provider_id TEXT PRIMARY KEY NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
  -- JSON: the granted ones of the scopes that were asked for.
  scopes TEXT NOT NULL,
  -- Since when it is these.
  at BIGINT NOT NULL
);

-- What an administrator's import of Okta's mapping comes with: their own token, of nobody else.
CREATE TABLE upstream_tokens (
  provider_id TEXT NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
  -- Of the administrator, or of the set-up link by which a guest came.
  administrator_id TEXT NOT NULL,
  scopes TEXT NOT NULL,
  -- JSON with the tokens, sealed for this very row.
  sealed BLOB NOT NULL,
  -- Until then the access token is good.
  access_ends BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (provider_id, administrator_id)
);
CREATE INDEX upstream_tokens_by_administrator ON upstream_tokens (administrator_id);
CREATE INDEX upstream_tokens_by_expiry ON upstream_tokens (expires_at);
