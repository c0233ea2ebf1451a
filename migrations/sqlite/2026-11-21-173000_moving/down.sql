DROP INDEX provider_links_by_move;
ALTER TABLE provider_links DROP COLUMN move_id;
DROP TABLE identity_moves;
DROP TABLE setup_sessions;
DROP TABLE setup_links;
