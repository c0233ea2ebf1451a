-- How login pages look that are a tenant's own: colours and words (JSON), and a picture.
CREATE TABLE tenant_looks (
  tenant_id TEXT PRIMARY KEY NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  content TEXT NOT NULL,
  logo BYTEA,
  updated_at BIGINT NOT NULL
);
