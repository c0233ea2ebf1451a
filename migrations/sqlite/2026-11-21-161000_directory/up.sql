-- The directory: users by one of the attributes that the management API searches, and upstream identities that an
-- administrator has linked to a user by an attribute, before anybody has come with them.

-- What users are searched by, in the form in which it is compared; the username stands in its own column. At most 256
-- characters of a value are kept, more than a filter can have.
CREATE TABLE user_keys (
  user_pool_id TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  user_sub TEXT NOT NULL REFERENCES users (sub) ON DELETE CASCADE,
  PRIMARY KEY (user_sub, name)
) WITHOUT ROWID;
INSERT INTO user_keys
  SELECT u.user_pool_id, a.key, substr(lower(a.value), 1, 256), u.sub FROM users u, json_each(u.attributes) a
  WHERE a.key IN ('email', 'phone_number', 'name', 'given_name', 'family_name', 'preferred_username')
    AND a.type = 'text' AND a.value <> '';
INSERT INTO user_keys SELECT user_pool_id, 'sub', lower(sub), sub FROM users;
INSERT INTO user_keys SELECT user_pool_id, 'cognito:user_status', lower(status), sub FROM users;
INSERT INTO user_keys SELECT user_pool_id, 'status', CASE WHEN enabled THEN 'Enabled' ELSE 'Disabled' END, sub FROM users;
CREATE INDEX user_keys_in_order ON user_keys (user_pool_id, name, value, user_sub);

CREATE TABLE provider_links (
  provider_id TEXT NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
  -- The pool attribute to which the connection maps the claim, and the value that leads to the user.
  attribute TEXT NOT NULL,
  value TEXT NOT NULL,
  user_sub TEXT NOT NULL REFERENCES users (sub) ON DELETE CASCADE,
  -- Who came first with that value: nobody else is linked by it after that.
  subject TEXT,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (provider_id, attribute, value)
);
CREATE INDEX provider_links_by_user ON provider_links (user_sub);
