-- A pool's own connections, among those of its tenants, which may be thousands.
CREATE INDEX identity_providers_own ON identity_providers (user_pool_id, name) WHERE tenant_id IS NULL;
