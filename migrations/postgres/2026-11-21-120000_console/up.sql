-- The console: tenants, administrators and how they sign in, what a mapping saw at past sign-ins, the watch over
-- connections. Tokens and links are hashed; claims, second secrets and webhook keys are sealed.

-- A customer organisation inside a pool.
CREATE TABLE tenants (
  id TEXT PRIMARY KEY NOT NULL,
  user_pool_id TEXT NOT NULL REFERENCES user_pools (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  settings TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX tenants_by_pool ON tenants (user_pool_id, name, id);

ALTER TABLE identity_providers ADD COLUMN tenant_id TEXT REFERENCES tenants (id) ON DELETE SET NULL;
-- Draft until tested_at, tested until live_since, then live while enabled, else disabled.
ALTER TABLE identity_providers ADD COLUMN tested_at BIGINT;
ALTER TABLE identity_providers ADD COLUMN live_since BIGINT;
ALTER TABLE identity_providers ADD COLUMN next_secret_sealed BYTEA;
ALTER TABLE identity_providers ADD COLUMN secret_expires_at BIGINT;
ALTER TABLE identity_providers ADD COLUMN next_secret_expires_at BIGINT;
UPDATE identity_providers SET live_since = created_at;
CREATE INDEX identity_providers_by_tenant ON identity_providers (tenant_id);

ALTER TABLE signing_keys ADD COLUMN state_since BIGINT NOT NULL DEFAULT 0;
UPDATE signing_keys SET state_since = created_at;
-- Whatever races with whatever: of each use, one key signs and one at most waits.
CREATE UNIQUE INDEX signing_keys_one_active ON signing_keys (user_pool_id, usage) WHERE state = 'active';
CREATE UNIQUE INDEX signing_keys_one_pending ON signing_keys (user_pool_id, usage) WHERE state = 'pending';

CREATE TABLE administrators (
  id TEXT PRIMARY KEY NOT NULL,
  email TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  -- Argon2id in PHC form; none for those who come by passkey or through a pool's sign-in alone.
  password_hash TEXT,
  -- The user of a pool who signs in here through that pool.
  user_sub TEXT UNIQUE REFERENCES users (sub) ON DELETE CASCADE,
  enabled BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  last_seen_at BIGINT
);

-- What an administrator may do where: the scope is '' for everything, else a pool's or a tenant's id.
CREATE TABLE administrator_roles (
  administrator_id TEXT NOT NULL REFERENCES administrators (id) ON DELETE CASCADE,
  role TEXT NOT NULL,
  user_pool_id TEXT REFERENCES user_pools (id) ON DELETE CASCADE,
  tenant_id TEXT REFERENCES tenants (id) ON DELETE CASCADE,
  scope TEXT NOT NULL,
  PRIMARY KEY (administrator_id, role, scope)
);
CREATE INDEX administrator_roles_by_pool ON administrator_roles (user_pool_id);
CREATE INDEX administrator_roles_by_tenant ON administrator_roles (tenant_id);

-- Members of a pool's group are administrators with this role, if an administrator here put them into the group or, where
-- one is named, this connection did.
CREATE TABLE administrator_rules (
  id TEXT PRIMARY KEY NOT NULL,
  user_pool_id TEXT NOT NULL REFERENCES user_pools (id) ON DELETE CASCADE,
  group_name TEXT NOT NULL,
  provider_id TEXT REFERENCES identity_providers (id) ON DELETE CASCADE,
  role TEXT NOT NULL,
  scope_pool_id TEXT REFERENCES user_pools (id) ON DELETE CASCADE,
  scope_tenant_id TEXT REFERENCES tenants (id) ON DELETE CASCADE,
  created_at BIGINT NOT NULL
);
CREATE INDEX administrator_rules_by_pool ON administrator_rules (user_pool_id);

CREATE TABLE passkeys (
  id TEXT PRIMARY KEY NOT NULL,
  administrator_id TEXT NOT NULL REFERENCES administrators (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  credential TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  last_used_at BIGINT
);
CREATE INDEX passkeys_by_administrator ON passkeys (administrator_id);

CREATE TABLE admin_sessions (
  hash BYTEA PRIMARY KEY NOT NULL,
  administrator_id TEXT NOT NULL REFERENCES administrators (id) ON DELETE CASCADE,
  -- Names the session in lists; says nothing about the cookie.
  id TEXT NOT NULL UNIQUE,
  method TEXT NOT NULL,
  -- The connection by which an administrator came who signs in through a pool.
  provider_id TEXT REFERENCES identity_providers (id) ON DELETE CASCADE,
  address TEXT NOT NULL,
  user_agent TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  last_seen_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  -- When the administrator last proved who they are.
  authenticated_at BIGINT NOT NULL,
  -- Until when claims of own users are shown as they came.
  values_open_until BIGINT
);
CREATE INDEX admin_sessions_by_administrator ON admin_sessions (administrator_id);
CREATE INDEX admin_sessions_by_expiry ON admin_sessions (expires_at);

-- What lives for minutes and is used once: challenges of passkeys, set-up and invitation links, test sign-ins.
CREATE TABLE single_uses (
  hash BYTEA PRIMARY KEY NOT NULL,
  purpose TEXT NOT NULL,
  subject TEXT NOT NULL,
  sealed BYTEA,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at BIGINT
);
CREATE INDEX single_uses_by_subject ON single_uses (purpose, subject);
CREATE INDEX single_uses_by_expiry ON single_uses (expires_at);

-- What the mapping was given at a past sign-in, and what it made of it; for replays.
CREATE TABLE mapper_inputs (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  provider_id TEXT NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
  client_id TEXT NOT NULL,
  user_sub TEXT,
  trace_code TEXT NOT NULL,
  mapping_version BIGINT NOT NULL,
  sealed BYTEA NOT NULL,
  at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX mapper_inputs_by_provider ON mapper_inputs (provider_id, id);
CREATE INDEX mapper_inputs_by_trace ON mapper_inputs (trace_code);
CREATE INDEX mapper_inputs_by_expiry ON mapper_inputs (expires_at);

-- A keyed hash of the person's address, so that an administrator finds the sign-ins of somebody who never got in.
ALTER TABLE login_traces ADD COLUMN person_hash BYTEA;
CREATE INDEX login_traces_by_person ON login_traces (person_hash, started_at);
CREATE INDEX login_traces_by_provider ON login_traces (provider_id, started_at);
CREATE INDEX login_traces_by_user ON login_traces (user_sub, started_at);
CREATE INDEX login_traces_by_start ON login_traces (started_at);
-- What did not end in a sign-in is little, and what administrators look for: nothing else is in these.
CREATE INDEX login_traces_unsuccessful ON login_traces (started_at) WHERE outcome <> 'signed_in';
CREATE INDEX login_traces_unsuccessful_by_pool ON login_traces (user_pool_id, started_at)
  WHERE outcome <> 'signed_in';
CREATE INDEX login_traces_unsuccessful_by_provider ON login_traces (provider_id, started_at)
  WHERE outcome <> 'signed_in';

-- Whose own thing the event is about, as it was then.
ALTER TABLE audit_events ADD COLUMN tenant_id TEXT;
CREATE INDEX audit_events_by_target ON audit_events (target, at);
CREATE INDEX audit_events_by_tenant ON audit_events (tenant_id, at);
CREATE INDEX audit_events_by_time ON audit_events (at);
-- Sign-ins are most of the log; what else happened is found without walking through them.
CREATE INDEX audit_changes_by_time ON audit_events (at) WHERE action <> 'user.sign_in';
CREATE INDEX audit_changes_by_pool ON audit_events (user_pool_id, at) WHERE action <> 'user.sign_in';
CREATE INDEX audit_changes_by_tenant ON audit_events (tenant_id, at) WHERE action <> 'user.sign_in';

CREATE INDEX users_by_pool ON users (user_pool_id, created_at, sub);

-- The latest look at a connection.
CREATE TABLE provider_probes (
  provider_id TEXT PRIMARY KEY NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
  stages TEXT NOT NULL,
  passed BOOLEAN NOT NULL,
  facts TEXT NOT NULL,
  at BIGINT NOT NULL
);

-- What needs attention, while it does.
CREATE TABLE provider_notices (
  provider_id TEXT NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  -- The claim or whatever else the notice is about; '' when it needs no name.
  subject TEXT NOT NULL,
  detail TEXT NOT NULL,
  since BIGINT NOT NULL,
  PRIMARY KEY (provider_id, kind, subject)
);

CREATE TABLE webhooks (
  id TEXT PRIMARY KEY NOT NULL,
  user_pool_id TEXT NOT NULL REFERENCES user_pools (id) ON DELETE CASCADE,
  tenant_id TEXT REFERENCES tenants (id) ON DELETE CASCADE,
  url TEXT NOT NULL,
  secret_sealed BYTEA NOT NULL,
  enabled BOOLEAN NOT NULL,
  -- Since when every delivery has failed; none when the last one went well.
  failing_since BIGINT,
  -- Why we have switched it off ourselves; '' otherwise.
  stopped TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX webhooks_by_pool ON webhooks (user_pool_id);

CREATE TABLE webhook_deliveries (
  id TEXT PRIMARY KEY NOT NULL,
  webhook_id TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
  payload TEXT NOT NULL,
  attempts BIGINT NOT NULL,
  last_answer TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  next_at BIGINT NOT NULL,
  done_at BIGINT
);
CREATE INDEX webhook_deliveries_by_webhook ON webhook_deliveries (webhook_id, created_at);
CREATE INDEX webhook_deliveries_by_due ON webhook_deliveries (next_at);

-- One node at a time does a job.
CREATE TABLE job_leases (
  name TEXT PRIMARY KEY NOT NULL,
  locked_until BIGINT NOT NULL,
  done_at BIGINT NOT NULL
);

-- Which claims came at a sign-in, by name and type; read into the connection's profile within minutes and then deleted.
CREATE TABLE claim_sightings (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  provider_id TEXT NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
  shape TEXT NOT NULL,
  at BIGINT NOT NULL
);

-- What usually comes at a connection's sign-ins: names, types and counts, no values.
CREATE TABLE claim_profiles (
  provider_id TEXT PRIMARY KEY NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
  profile TEXT NOT NULL,
  at BIGINT NOT NULL
);

-- What an administrator's search finds a user by, in lower case: address, name, last name, username, upstream subject, sub.
CREATE TABLE user_terms (
  user_pool_id TEXT NOT NULL,
  -- Compared byte by byte: what begins alike stands together.
  term TEXT COLLATE "C" NOT NULL,
  user_sub TEXT NOT NULL REFERENCES users (sub) ON DELETE CASCADE,
  PRIMARY KEY (user_pool_id, term, user_sub)
);
CREATE INDEX user_terms_by_user ON user_terms (user_sub);
INSERT INTO user_terms SELECT DISTINCT user_pool_id, substr(lower(term), 1, 100), sub FROM (
  SELECT user_pool_id, sub, attributes::json ->> 'email' AS term FROM users
  UNION ALL SELECT user_pool_id, sub, attributes::json ->> 'name' FROM users
  UNION ALL SELECT user_pool_id, sub, attributes::json ->> 'family_name' FROM users
  UNION ALL SELECT user_pool_id, sub, username FROM users
  UNION ALL SELECT user_pool_id, sub, sub FROM users
) AS terms WHERE term IS NOT NULL AND term <> '';
INSERT INTO user_terms SELECT DISTINCT u.user_pool_id, substr(lower(i.subject), 1, 100), u.sub
  FROM identities i JOIN users u ON u.sub = i.user_sub ON CONFLICT DO NOTHING;

CREATE INDEX memberships_in_order ON memberships (user_pool_id, group_name, user_sub);
