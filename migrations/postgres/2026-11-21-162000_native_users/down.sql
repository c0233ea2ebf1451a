DELETE FROM sessions WHERE provider_id IS NULL;
ALTER TABLE sessions ALTER COLUMN provider_id SET NOT NULL;
DROP TABLE auth_challenges;
DROP TABLE user_passwords;
