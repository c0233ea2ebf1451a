-- The email domains of tenants, each with the proof that it is the tenant's.

CREATE TABLE tenant_domains (
  tenant_id TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  -- Lower case, A-labels.
  domain TEXT NOT NULL,
  user_pool_id TEXT NOT NULL REFERENCES user_pools (id) ON DELETE CASCADE,
  subdomains BOOLEAN NOT NULL,
  -- Part of what a TXT record of the domain has to say; everybody may know it.
  token TEXT NOT NULL,
  proof TEXT NOT NULL,
  proven_at BIGINT,
  -- When the record was last looked for, last seen, and since when it has been gone.
  checked_at BIGINT,
  seen_at BIGINT,
  lost_since BIGINT,
  -- What the last look found.
  finding TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, domain)
);
-- Anybody may claim a domain, one tenant of a pool owns it.
CREATE UNIQUE INDEX tenant_domains_owner ON tenant_domains (user_pool_id, domain) WHERE proof <> 'none';
CREATE INDEX tenant_domains_to_check ON tenant_domains (checked_at) WHERE proof = 'dns';
