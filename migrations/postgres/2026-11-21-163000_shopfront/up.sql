-- What customers see of a pool: the hosts at which it is reached, and how its login page looks.

CREATE TABLE pool_domains (
  -- A prefix, or a host name with dots.
  name TEXT PRIMARY KEY NOT NULL,
  user_pool_id TEXT NOT NULL REFERENCES user_pools (id) ON DELETE CASCADE,
  settings TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX pool_domains_by_pool ON pool_domains (user_pool_id);

CREATE TABLE ui_customizations (
  -- The client's id; the pool's, for all its clients.
  scope TEXT PRIMARY KEY NOT NULL,
  user_pool_id TEXT NOT NULL REFERENCES user_pools (id) ON DELETE CASCADE,
  client_id TEXT REFERENCES app_clients (id) ON DELETE CASCADE,
  -- As it was set; what is shown is written anew from it.
  css TEXT NOT NULL,
  image BYTEA,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX ui_customizations_by_pool ON ui_customizations (user_pool_id);

CREATE TABLE login_brandings (
  id TEXT PRIMARY KEY NOT NULL,
  user_pool_id TEXT NOT NULL REFERENCES user_pools (id) ON DELETE CASCADE,
  client_id TEXT NOT NULL UNIQUE REFERENCES app_clients (id) ON DELETE CASCADE,
  content TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);

CREATE TABLE login_terms (
  id TEXT PRIMARY KEY NOT NULL,
  user_pool_id TEXT NOT NULL REFERENCES user_pools (id) ON DELETE CASCADE,
  client_id TEXT NOT NULL REFERENCES app_clients (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  -- Where they can be read, by language.
  links TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (client_id, name)
);
CREATE INDEX login_terms_by_pool ON login_terms (user_pool_id);
