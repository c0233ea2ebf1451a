//! The tables as Diesel sees them, the same for both backends; a test compares them with both migrated databases.

diesel::table! {
    user_pools (id) { id -> Text, name -> Text, settings -> Text, created_at -> BigInt, updated_at -> BigInt, }
}

diesel::table! {
    signing_keys (kid) {
        kid -> Text, user_pool_id -> Text, usage -> Text, state -> Text, public_jwk -> Text,
        private_sealed -> Binary, created_at -> BigInt,
        state_since -> BigInt,
    }
}

diesel::table! {
    resource_servers (user_pool_id, identifier) { user_pool_id -> Text, identifier -> Text, name -> Text, scopes -> Text, }
}

diesel::table! {
    app_clients (id) {
        id -> Text, user_pool_id -> Text, name -> Text, enabled -> Bool, settings -> Text,
        created_at -> BigInt, updated_at -> BigInt,
    }
}

diesel::table! {
    client_secrets (id) { id -> Text, client_id -> Text, hash -> Binary, sealed -> Binary, created_at -> BigInt, }
}

diesel::table! {
    registered_clients (client_id) {
        client_id -> Text, token_hash -> Binary, created_at -> BigInt, expires_at -> BigInt,
    }
}

diesel::table! {
    identity_providers (id) {
        id -> Text, user_pool_id -> Text, name -> Text, issuer -> Text, enabled -> Bool, settings -> Text,
        client_secret_sealed -> Nullable<Binary>, private_key_sealed -> Nullable<Binary>,
        created_at -> BigInt, updated_at -> BigInt,
        tenant_id -> Nullable<Text>, tested_at -> Nullable<BigInt>, live_since -> Nullable<BigInt>,
        next_secret_sealed -> Nullable<Binary>, secret_expires_at -> Nullable<BigInt>,
        next_secret_expires_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    provider_identifiers (user_pool_id, identifier) { user_pool_id -> Text, identifier -> Text, provider_id -> Text, }
}

diesel::table! {
    mappings (provider_id, version) {
        provider_id -> Text, version -> BigInt, rules -> Text, author -> Text, note -> Text, created_at -> BigInt,
    }
}

diesel::table! {
    users (sub) {
        sub -> Text, user_pool_id -> Text, username -> Text, status -> Text, enabled -> Bool, attributes -> Text,
        created_at -> BigInt, updated_at -> BigInt,
    }
}

diesel::table! {
    identities (provider_id, issuer, subject) {
        provider_id -> Text, issuer -> Text, subject -> Text, user_sub -> Text, provider_name -> Text,
        is_primary -> Bool, created_ms -> BigInt,
    }
}

diesel::table! {
    user_groups (user_pool_id, name) {
        user_pool_id -> Text, name -> Text, description -> Nullable<Text>, precedence -> Nullable<BigInt>,
        role_arn -> Nullable<Text>, created_at -> BigInt, updated_at -> BigInt,
    }
}

diesel::table! {
    memberships (user_sub, group_name, source) {
        user_sub -> Text, user_pool_id -> Text, group_name -> Text, source -> Text, created_at -> BigInt,
    }
}

diesel::table! {
    sessions (hash) {
        hash -> Binary, user_pool_id -> Text, user_sub -> Text, provider_id -> Nullable<Text>, login_hash -> Binary,
        facts -> Text,
        id_token_sealed -> Nullable<Binary>, created_at -> BigInt, expires_at -> BigInt,
    }
}

diesel::table! {
    authorization_codes (hash) {
        hash -> Binary, client_id -> Text, user_sub -> Text, origin_jti -> Text, request -> Text,
        expires_at -> BigInt, consumed_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    token_families (origin_jti) {
        origin_jti -> Text, user_pool_id -> Text, client_id -> Text, user_sub -> Text, session_hash -> Nullable<Binary>,
        granted -> Text, created_at -> BigInt, expires_at -> BigInt, revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    refresh_tokens (hash) { hash -> Binary, origin_jti -> Text, created_at -> BigInt, rotated_at -> Nullable<BigInt>, }
}

diesel::table! {
    login_traces (code) {
        code -> Text, user_pool_id -> Nullable<Text>, provider_id -> Nullable<Text>, client_id -> Nullable<Text>,
        user_sub -> Nullable<Text>, outcome -> Text, cause -> Text, reached_provider -> Bool, story -> Text,
        started_at -> BigInt, expires_at -> BigInt,
        person_hash -> Nullable<Binary>,
    }
}

diesel::table! {
    audit_events (id) {
        id -> BigInt, at -> BigInt, actor -> Text, action -> Text, user_pool_id -> Nullable<Text>, target -> Text,
        difference -> Text, request_id -> Text,
        tenant_id -> Nullable<Text>,
    }
}

diesel::table! {
    tenants (id) {
        id -> Text, user_pool_id -> Text, name -> Text, settings -> Text, created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    tenant_looks (tenant_id) {
        tenant_id -> Text, content -> Text, logo -> Nullable<Binary>, updated_at -> BigInt,
    }
}

diesel::table! {
    tenant_domains (tenant_id, domain) {
        tenant_id -> Text, domain -> Text, user_pool_id -> Text, subdomains -> Bool, token -> Text, proof -> Text,
        proven_at -> Nullable<BigInt>, checked_at -> Nullable<BigInt>, seen_at -> Nullable<BigInt>,
        lost_since -> Nullable<BigInt>, finding -> Text, created_at -> BigInt, updated_at -> BigInt,
    }
}

diesel::table! {
    administrators (id) {
        id -> Text, email -> Text, name -> Text, password_hash -> Nullable<Text>,
        user_sub -> Nullable<Text>, enabled -> Bool, created_at -> BigInt, updated_at -> BigInt,
        last_seen_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    administrator_roles (administrator_id, role, scope) {
        administrator_id -> Text, role -> Text, user_pool_id -> Nullable<Text>, tenant_id -> Nullable<Text>,
        scope -> Text,
    }
}

diesel::table! {
    administrator_rules (id) {
        id -> Text, user_pool_id -> Text, group_name -> Text, provider_id -> Nullable<Text>, role -> Text, scope_pool_id -> Nullable<Text>,
        scope_tenant_id -> Nullable<Text>, created_at -> BigInt,
    }
}

diesel::table! {
    passkeys (id) {
        id -> Text, administrator_id -> Text, name -> Text, credential -> Text, created_at -> BigInt,
        last_used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    admin_sessions (hash) {
        hash -> Binary, administrator_id -> Text, id -> Text, method -> Text, provider_id -> Nullable<Text>, address -> Text,
        user_agent -> Text, created_at -> BigInt, last_seen_at -> BigInt, expires_at -> BigInt,
        authenticated_at -> BigInt, values_open_until -> Nullable<BigInt>,
    }
}

diesel::table! {
    single_uses (hash) {
        hash -> Binary, purpose -> Text, subject -> Text, sealed -> Nullable<Binary>, created_at -> BigInt,
        expires_at -> BigInt, used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    mapper_inputs (id) {
        id -> BigInt, provider_id -> Text, client_id -> Text, user_sub -> Nullable<Text>,
        trace_code -> Text, mapping_version -> BigInt, sealed -> Binary, at -> BigInt, expires_at -> BigInt,
    }
}

diesel::table! {
    provider_probes (provider_id) {
        provider_id -> Text, stages -> Text, passed -> Bool, facts -> Text, at -> BigInt,
    }
}

diesel::table! {
    provider_notices (provider_id, kind, subject) {
        provider_id -> Text, kind -> Text, subject -> Text, detail -> Text, since -> BigInt,
    }
}

diesel::table! {
    webhooks (id) {
        id -> Text, user_pool_id -> Text, tenant_id -> Nullable<Text>, url -> Text, secret_sealed -> Binary,
        enabled -> Bool, failing_since -> Nullable<BigInt>, stopped -> Text, created_at -> BigInt, updated_at -> BigInt,
    }
}

diesel::table! {
    webhook_deliveries (id) {
        id -> Text, webhook_id -> Text, payload -> Text, attempts -> BigInt, last_answer -> Text,
        created_at -> BigInt, next_at -> BigInt, done_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    claim_sightings (id) { id -> BigInt, provider_id -> Text, shape -> Text, at -> BigInt, }
}

diesel::table! {
    claim_profiles (provider_id) { provider_id -> Text, profile -> Text, at -> BigInt, }
}

diesel::table! {
    schema_floor (version) { version -> Text, }
}

diesel::table! {
    job_leases (name) {
        name -> Text, locked_until -> BigInt, done_at -> BigInt,
    }
}

diesel::table! {
    management_credentials (id) {
        id -> Text, secret_sealed -> Binary, role -> Text, user_pool_id -> Nullable<Text>, description -> Text,
        enabled -> Bool, created_at -> BigInt, last_used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    hook_bindings (id) {
        id -> Text, arn -> Text, user_pool_id -> Nullable<Text>, url -> Text, secret_sealed -> Binary,
        created_at -> BigInt, updated_at -> BigInt,
    }
}

diesel::table! {
    user_terms (user_pool_id, term, user_sub) { user_pool_id -> Text, term -> Text, user_sub -> Text, }
}

diesel::table! {
    user_passwords (user_sub) {
        user_sub -> Text, hash -> Text, srp_salt -> Binary, srp_verifier_sealed -> Binary,
        temporary_until -> Nullable<BigInt>, failures -> BigInt, locked_until -> BigInt, updated_at -> BigInt,
    }
}

diesel::table! {
    auth_challenges (hash) {
        hash -> Binary, user_pool_id -> Text, client_id -> Text, user_sub -> Nullable<Text>, name -> Text,
        state_sealed -> Binary, expires_at -> BigInt, consumed_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    user_keys (user_sub, name) { user_pool_id -> Text, name -> Text, value -> Text, user_sub -> Text, }
}

diesel::table! {
    provider_links (provider_id, attribute, value) {
        provider_id -> Text, attribute -> Text, value -> Text, user_sub -> Text, subject -> Nullable<Text>,
        created_at -> BigInt, move_id -> Nullable<Text>,
    }
}

diesel::table! {
    setup_links (id) {
        id -> Text, user_pool_id -> Text, tenant_id -> Text, hash -> Binary, created_by -> Text, created_at -> BigInt,
        expires_at -> BigInt, opened_at -> Nullable<BigInt>, revoked_at -> Nullable<BigInt>, done_at -> Nullable<BigInt>,
        provider_id -> Nullable<Text>, noted_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    setup_sessions (hash) {
        hash -> Binary, link_id -> Text, id -> Text, address -> Text, user_agent -> Text, created_at -> BigInt,
        last_seen_at -> BigInt, expires_at -> BigInt,
    }
}

diesel::table! {
    identity_moves (id) {
        id -> Text, user_pool_id -> Text, tenant_id -> Text, from_provider_id -> Text, to_provider_id -> Text,
        pairing -> Text, created_by -> Text, created_at -> BigInt, closed_at -> Nullable<BigInt>,
        undone_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    pool_domains (name) {
        name -> Text, user_pool_id -> Text, settings -> Text, created_at -> BigInt, updated_at -> BigInt,
    }
}

diesel::table! {
    ui_customizations (scope) {
        scope -> Text, user_pool_id -> Text, client_id -> Nullable<Text>, css -> Text, image -> Nullable<Binary>,
        created_at -> BigInt, updated_at -> BigInt,
    }
}

diesel::table! {
    login_brandings (id) {
        id -> Text, user_pool_id -> Text, client_id -> Text, content -> Text, created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    login_terms (id) {
        id -> Text, user_pool_id -> Text, client_id -> Text, name -> Text, links -> Text, created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    enforcements (tenant_id) {
        tenant_id -> Text, user_pool_id -> Text, provider_id -> Text, actor -> Text, since -> BigInt,
        confirm_by -> BigInt, confirmed_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    passed_tests (provider_id, actor) { provider_id -> Text, actor -> Text, fingerprint -> Text, at -> BigInt, }
}

diesel::table! {
    tile_starts (provider_id) { provider_id -> Text, first_at -> BigInt, last_at -> BigInt, }
}

diesel::table! {
    upstream_grants (provider_id) { provider_id -> Text, scopes -> Text, at -> BigInt, }
}

diesel::table! {
    upstream_tokens (provider_id, administrator_id) {
        provider_id -> Text, administrator_id -> Text, scopes -> Text, sealed -> Binary, access_ends -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::joinable!(identities -> users (user_sub));
diesel::joinable!(memberships -> users (user_sub));
diesel::joinable!(user_terms -> users (user_sub));
diesel::joinable!(user_passwords -> users (user_sub));
diesel::joinable!(refresh_tokens -> token_families (origin_jti));
diesel::joinable!(token_families -> users (user_sub));

// The pairs that queries join: for all pairs of fifty tables the compiler takes a good part of a minute longer.
diesel::allow_tables_to_appear_in_same_query!(administrator_roles, administrators);
diesel::allow_tables_to_appear_in_same_query!(administrator_roles, tenants);
diesel::allow_tables_to_appear_in_same_query!(administrator_roles, users);
diesel::allow_tables_to_appear_in_same_query!(administrator_rules, tenants);
diesel::allow_tables_to_appear_in_same_query!(administrator_rules, user_pools);
diesel::allow_tables_to_appear_in_same_query!(administrators, passkeys);
diesel::allow_tables_to_appear_in_same_query!(administrators, tenants);
diesel::allow_tables_to_appear_in_same_query!(administrators, users);
diesel::allow_tables_to_appear_in_same_query!(identities, identity_providers);
diesel::allow_tables_to_appear_in_same_query!(identities, user_keys);
diesel::allow_tables_to_appear_in_same_query!(identities, user_terms);
diesel::allow_tables_to_appear_in_same_query!(identities, users);
diesel::allow_tables_to_appear_in_same_query!(identity_providers, provider_notices);
diesel::allow_tables_to_appear_in_same_query!(identity_providers, provider_probes);
diesel::allow_tables_to_appear_in_same_query!(memberships, user_groups);
diesel::allow_tables_to_appear_in_same_query!(memberships, user_terms);
diesel::allow_tables_to_appear_in_same_query!(memberships, users);
diesel::allow_tables_to_appear_in_same_query!(provider_links, users);
diesel::allow_tables_to_appear_in_same_query!(refresh_tokens, token_families);
diesel::allow_tables_to_appear_in_same_query!(token_families, users);
diesel::allow_tables_to_appear_in_same_query!(signing_keys, user_pools);
diesel::allow_tables_to_appear_in_same_query!(user_keys, users);
diesel::allow_tables_to_appear_in_same_query!(user_passwords, user_terms);
diesel::allow_tables_to_appear_in_same_query!(user_passwords, users);
diesel::allow_tables_to_appear_in_same_query!(user_terms, users);
diesel::allow_tables_to_appear_in_same_query!(webhook_deliveries, webhooks);
