DROP TABLE provider_links;
DROP TABLE user_keys;
ALTER TABLE users ALTER COLUMN username TYPE TEXT COLLATE "default";
