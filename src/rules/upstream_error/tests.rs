//! Okta's errors and our own findings, as tables.

use super::*;

#[test]
fn oktas_callback_errors_have_their_causes() {
    for (error, description, expected) in [
        (
            "access_denied",
            "User is not assigned to the client application.",
            "user_not_assigned",
        ),
        (
            "access_denied",
            "Policy evaluation failed for this request, please check the policy configurations.",
            "policy_denied",
        ),
        (
            "access_denied",
            "The resource owner or authorization server denied the request.",
            "access_denied",
        ),
        (
            "access_denied",
            "Some of the requested scopes were denied by the policy. Denied scopes: [x].",
            "scopes_denied",
        ),
        (
            "access_denied",
            "Policy evaluation succeeded, but all the requested scopes were rejected.",
            "scopes_denied",
        ),
        (
            "access_denied",
            "User canceled the social login request.",
            "sign_in_cancelled",
        ),
        (
            "access_denied",
            "The request is made from outside the client's permitted network zones.",
            "network_zone",
        ),
        ("access_denied", "Invalid session.", "session_invalid"),
        (
            "access_denied",
            "The user's password is expired.",
            "password_expired",
        ),
        ("access_denied", "", "access_denied"),
        (
            "login_required",
            "The client specified not to prompt, but the user is not logged in.",
            "login_required",
        ),
        (
            "login_required",
            "Request expired, please start over and try again.",
            "login_required",
        ),
        (
            "consent_required",
            "The following scopes require user consent: [x].",
            "consent_required",
        ),
        (
            "consent_required",
            "You are not allowed any of the requested scopes.",
            "invalid_scope",
        ),
        (
            "invalid_scope",
            "One or more scopes are not configured for the authorization server resource.",
            "invalid_scope",
        ),
        (
            "invalid_request",
            "The authentication request has an invalid 'state' parameter.",
            "authorize_request_refused",
        ),
        (
            "invalid_request",
            "PKCE code challenge is required by the application.",
            "pkce_refused",
        ),
        (
            "invalid_request",
            "Identity provider is not valid.",
            "authorize_request_refused",
        ),
        (
            "unmet_authentication_requirements",
            "Unable to meet the authentication requirements imposed by 'acr_values' parameter.",
            "acr_not_met",
        ),
        ("unsupported_response_type", "", "authorize_request_refused"),
        (
            "unauthorized_client",
            "This client cannot use a custom authorization server.",
            "client_not_allowed",
        ),
        (
            "server_error",
            "The groups claim matched too many groups and must be configured to match fewer groups.",
            "groups_overflow",
        ),
        (
            "server_error",
            "The 'x' system claim could not be evaluated.",
            "claim_failed",
        ),
        ("server_error", "", "provider_error"),
        ("temporarily_unavailable", "", "provider_unavailable"),
        ("something_new", "", "upstream_error"),
        ("", "", "upstream_error"),
    ] {
        assert_eq!(
            of_callback(error, Some(description)).name(),
            expected,
            "{error}: {description}"
        );
    }
}

#[test]
fn an_unassigned_user_is_told_what_to_do_and_may_be_someone_else() {
    let refusal = Cause::UserNotAssigned.refusal("acme-okta", None, None);
    assert!(
        refusal
            .next
            .starts_with("Ask your administrator to assign you to this app")
    );
    assert!(refusal.other_account && !refusal.failed && !refusal.retry);
    assert_eq!(refusal.oauth_error, "access_denied");
}

#[test]
fn a_limit_with_a_stated_end_is_told_with_its_time() {
    let refusal = Cause::RateLimited.refusal("acme-okta", Some(429), Some(UnixTime(1_790_000_030)));
    assert_eq!(refusal.next, "Wait until 14:13:50 UTC, then try again.");
    assert!(refusal.retry);
}

#[test]
fn nothing_that_the_upstream_wrote_is_repeated() {
    let script = "<script>alert(1)</script>".repeat(200);
    let cause = of_callback(&script, Some(&script));
    let refusal = cause.refusal("acme-okta", None, None);
    assert_eq!(refusal.cause, "upstream_error");
    for text in [
        refusal.what,
        &refusal.next,
        refusal.remedy,
        &refusal.oauth_description,
    ] {
        assert!(!text.contains("<script") && !text.contains("alert"));
    }
    assert_eq!(plain(&script, 40).len(), 43);
    assert!(!plain(&script, 5000).contains(['<', '>']));
}

#[test]
fn plain_text_is_bounded_and_on_one_line() {
    for (text, expected) in [
        ("a\r\n\tb", "a b"),
        ("say \"hi\"", "say 'hi'"),
        ("caf\u{e9}\u{202e}", "caf??"),
        ("", ""),
        ("  x  ", "x"),
        ("abcdefghijkl", "abcdefghij..."),
    ] {
        assert_eq!(plain(text, 10), expected);
    }
}

#[test]
fn apps_get_standard_codes_and_cognitos_words() {
    for (cause, status, error, description) in [
        (
            Cause::Timeout,
            None,
            "temporarily_unavailable",
            "Timeout occurred in calling IdP token endpoint",
        ),
        (
            Cause::ClientAuthFailed,
            Some(401),
            "server_error",
            "Okta Error - 401 error getting token",
        ),
        (
            Cause::ProviderUnavailable,
            Some(500),
            "temporarily_unavailable",
            "Okta Error - 500 error getting token",
        ),
        (Cause::LoginRequired, None, "login_required", "Login required"),
        (
            Cause::NonceMismatch,
            None,
            "server_error",
            "Okta answer refused: NONCE_MISMATCH",
        ),
        (
            Cause::RateLimited,
            None,
            "temporarily_unavailable",
            "Okta is unavailable: rate_limited",
        ),
        (
            Cause::PolicyDenied,
            None,
            "access_denied",
            "Okta refused the sign-in: policy_denied",
        ),
    ] {
        let refusal = cause.refusal("Okta", status, None);
        assert_eq!(
            (refusal.oauth_error, refusal.oauth_description.as_str()),
            (error, description)
        );
    }
}
