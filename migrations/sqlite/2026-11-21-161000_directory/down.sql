DROP TABLE provider_links;
DROP TABLE user_keys;
