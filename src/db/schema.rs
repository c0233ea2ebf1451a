//! The tables as Diesel sees them, the same for both backends; a test compares them with both migrated databases.

diesel::table! {
    user_pools (id) { id -> Text, name -> Text, settings -> Text, created_at -> BigInt, updated_at -> BigInt, }
}

diesel::table! {
    signing_keys (kid) {
        kid -> Text, user_pool_id -> Text, usage -> Text, state -> Text, public_jwk -> Text,
        private_sealed -> Binary, created_at -> BigInt,
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
    identity_providers (id) {
        id -> Text, user_pool_id -> Text, name -> Text, issuer -> Text, enabled -> Bool, settings -> Text,
        client_secret_sealed -> Nullable<Binary>, private_key_sealed -> Nullable<Binary>,
        created_at -> BigInt, updated_at -> BigInt,
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
        hash -> Binary, user_pool_id -> Text, user_sub -> Text, provider_id -> Text, login_hash -> Binary, facts -> Text,
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
    }
}

diesel::table! {
    audit_events (id) {
        id -> BigInt, at -> BigInt, actor -> Text, action -> Text, user_pool_id -> Nullable<Text>, target -> Text,
        difference -> Text, request_id -> Text,
    }
}

diesel::joinable!(identities -> users (user_sub));
diesel::joinable!(memberships -> users (user_sub));
diesel::joinable!(refresh_tokens -> token_families (origin_jti));
diesel::joinable!(client_secrets -> app_clients (client_id));
diesel::allow_tables_to_appear_in_same_query!(
    user_pools,
    signing_keys,
    resource_servers,
    app_clients,
    client_secrets,
    identity_providers,
    provider_identifiers,
    mappings,
    users,
    identities,
    user_groups,
    memberships,
    sessions,
    authorization_codes,
    token_families,
    refresh_tokens,
    login_traces,
    audit_events,
);
