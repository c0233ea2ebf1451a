-- App clients that were registered by API (RFC 7591): until when they live, and the hash of the token that administers them.

CREATE TABLE registered_clients (
  client_id TEXT PRIMARY KEY NOT NULL REFERENCES app_clients (id) ON DELETE CASCADE,
  token_hash BYTEA NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX registered_clients_expire ON registered_clients (expires_at);
