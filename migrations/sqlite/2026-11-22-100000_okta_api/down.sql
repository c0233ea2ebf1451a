DROP TABLE upstream_tokens;
DROP TABLE upstream_grants;
