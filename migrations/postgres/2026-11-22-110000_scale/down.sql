DROP INDEX identity_providers_own;
