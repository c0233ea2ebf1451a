-- Set-up links, by which a customer connects their own Okta, and moves of a tenant's users from one connection to another.

-- Whoever has the link's token may bring one connection of this tenant to being live, until the link ends.
CREATE TABLE setup_links (
  id TEXT PRIMARY KEY NOT NULL,
  user_pool_id TEXT NOT NULL REFERENCES user_pools (id) ON DELETE CASCADE,
  tenant_id TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  -- SHA-256 of the token.
  hash BLOB NOT NULL UNIQUE,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  opened_at BIGINT,
  revoked_at BIGINT,
  done_at BIGINT,
  -- What went live by it.
  provider_id TEXT,
  -- An administrator has taken note that it is done.
  noted_at BIGINT
);
CREATE INDEX setup_links_by_tenant ON setup_links (tenant_id, created_at, id);
CREATE INDEX setup_links_done ON setup_links (done_at) WHERE noted_at IS NULL;

CREATE TABLE setup_sessions (
  hash BLOB PRIMARY KEY NOT NULL,
  link_id TEXT NOT NULL REFERENCES setup_links (id) ON DELETE CASCADE,
  id TEXT NOT NULL UNIQUE,
  address TEXT NOT NULL,
  user_agent TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  last_seen_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX setup_sessions_by_link ON setup_sessions (link_id);
CREATE INDEX setup_sessions_by_expiry ON setup_sessions (expires_at);

-- The people of one connection become people of another one, each at their next sign-in.
CREATE TABLE identity_moves (
  id TEXT PRIMARY KEY NOT NULL,
  user_pool_id TEXT NOT NULL REFERENCES user_pools (id) ON DELETE CASCADE,
  tenant_id TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  from_provider_id TEXT NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
  to_provider_id TEXT NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
  -- How old and new accounts were paired.
  pairing TEXT NOT NULL,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  -- The old way is closed for everybody in the move.
  closed_at BIGINT,
  undone_at BIGINT
);
CREATE INDEX identity_moves_by_tenant ON identity_moves (tenant_id, created_at, id);
CREATE INDEX identity_moves_by_old ON identity_moves (from_provider_id);

-- The move that a link was made by; an administrator's own has none.
ALTER TABLE provider_links ADD COLUMN move_id TEXT;
CREATE INDEX provider_links_by_move ON provider_links (move_id, user_sub);
