//! From the user's error page to the remedy: whatever an organisation gets wrong, its tenant's administrator finds the
//! sign-in by the code on the page and reads what failed and how to mend it.

use forebay::demo::okta::{
    AuthorizeFault, Endpoint, Faults, GroupsFault, IdTokenFault, KeysFault, MetadataFault, OddKey,
    TokenFault, Transport, Trouble, UserinfoFault,
};

use crate::support::{Answer, Browser, Form, Stage, links, unescape};
use crate::upstream::{attempt, failing};

/// What is wrong, the cause, the check that fails, and a word of the remedy.
type Row = (Faults, &'static str, &'static str, &'static str);

fn fault(change: impl FnOnce(&mut Faults)) -> Faults {
    let mut faults = Faults::default();
    change(&mut faults);
    faults
}

fn says(error: &str, description: &str) -> Faults {
    fault(|faults| {
        faults.authorize = vec![AuthorizeFault::Error {
            error: error.into(),
            description: Some(description.into()),
        }];
    })
}

fn at_callback() -> Vec<Row> {
    let authorize = |one: AuthorizeFault| fault(|faults| faults.authorize = vec![one]);
    vec![
        (
            authorize(AuthorizeFault::Unassigned),
            "user_not_assigned",
            "callback",
            "Assignments",
        ),
        (
            authorize(AuthorizeFault::PolicyFailed),
            "policy_denied",
            "callback",
            "Access Policies",
        ),
        (
            says("access_denied", ""),
            "access_denied",
            "callback",
            "System Log",
        ),
        (
            says("access_denied", "Some of the requested scopes were denied"),
            "scopes_denied",
            "callback",
            "scopes",
        ),
        (
            says("access_denied", "User canceled the request."),
            "sign_in_cancelled",
            "callback",
            "cancelled",
        ),
        (
            says("access_denied", "outside the network zone"),
            "network_zone",
            "callback",
            "network zones",
        ),
        (
            says("access_denied", "Invalid session."),
            "session_invalid",
            "callback",
            "sign in again",
        ),
        (
            says("access_denied", "password is expired"),
            "password_expired",
            "callback",
            "password",
        ),
        (
            says("login_required", ""),
            "login_required",
            "callback",
            "prompt=none",
        ),
        (
            says("consent_required", ""),
            "consent_required",
            "callback",
            "consent",
        ),
        (
            says("unmet_authentication_requirements", ""),
            "acr_not_met",
            "callback",
            "acr_values",
        ),
        (
            says("invalid_scope", ""),
            "invalid_scope",
            "callback",
            "'groups' scope",
        ),
        (
            says("invalid_request", "PKCE is required"),
            "pkce_refused",
            "callback",
            "PKCE",
        ),
        (
            says("invalid_request", ""),
            "authorize_request_refused",
            "callback",
            "OIDC Web Application",
        ),
        (
            says("unauthorized_client", ""),
            "client_not_allowed",
            "callback",
            "Authorization Code",
        ),
        (
            says("server_error", "The groups claim matched too many"),
            "groups_overflow",
            "callback",
            "100 groups",
        ),
        (
            says("server_error", "The claim could not be evaluated."),
            "claim_failed",
            "callback",
            "claim expressions",
        ),
        (
            says("server_error", ""),
            "provider_error",
            "callback",
            "System Log",
        ),
        (
            says("temporarily_unavailable", ""),
            "provider_unavailable",
            "callback",
            "status page",
        ),
        (
            says("never_heard_of", ""),
            "upstream_error",
            "callback",
            "not in the standards",
        ),
        (
            authorize(AuthorizeFault::Iss("https://evil.example".into())),
            "CALLBACK_ISSUER_MISMATCH",
            "callback.iss",
            "RFC 9207",
        ),
        (
            authorize(AuthorizeFault::CodeMissing),
            "callback_empty",
            "callback",
            "strip the query",
        ),
        (
            authorize(AuthorizeFault::Code("made-up".into())),
            "CODE_REJECTED",
            "token",
            "authorization code",
        ),
        (
            authorize(AuthorizeFault::StateMissing),
            "login_unknown",
            "callback",
            "cookies blocked",
        ),
        (
            fault(|faults| faults.groups = Some(GroupsFault::TooMany)),
            "groups_overflow",
            "callback",
            "narrow its filter",
        ),
    ]
}

fn at_tokens() -> Vec<Row> {
    let token = |one: TokenFault| fault(|faults| faults.token = vec![one]);
    let refuses = |status: u16, error: &str, description: &str| {
        token(TokenFault::Error {
            status,
            error: error.into(),
            description: description.into(),
        })
    };
    vec![
        (
            refuses(401, "invalid_client", "Client authentication failed."),
            "CLIENT_AUTH_FAILED",
            "token",
            "secret",
        ),
        (
            refuses(400, "invalid_grant", "The authorization code is invalid."),
            "CODE_REJECTED",
            "token",
            "code",
        ),
        (
            refuses(400, "invalid_grant", "PKCE verification failed."),
            "PKCE_FAILED",
            "token",
            "another login",
        ),
        (
            refuses(400, "invalid_grant", "The 'redirect_uri' does not match."),
            "REDIRECT_URI_MISMATCH",
            "token",
            "redirect URI",
        ),
        (
            refuses(400, "unauthorized_client", ""),
            "GRANT_NOT_ALLOWED",
            "token",
            "Authorization Code grant",
        ),
        (
            refuses(400, "invalid_dpop_proof", ""),
            "DPOP_REQUIRED",
            "token",
            "DPoP",
        ),
        (
            refuses(400, "invalid_request", ""),
            "TOKEN_REQUEST_REFUSED",
            "token",
            "refused the token request",
        ),
        (
            token(TokenFault::NoIdToken),
            "ID_TOKEN_MISSING",
            "token",
            "'openid'",
        ),
        (
            token(TokenFault::NoAccessToken),
            "RESPONSE_MALFORMED",
            "token",
            "JSON",
        ),
        (
            fault(|faults| faults.clock_ahead = 7_200),
            "CLOCK_SKEW",
            "clock",
            "NTP",
        ),
        (
            fault(|faults| faults.userinfo = vec![UserinfoFault::SomeoneElse]),
            "USERINFO_SUBJECT_MISMATCH",
            "userinfo.sub",
            "another user",
        ),
        (
            fault(|faults| faults.userinfo = vec![UserinfoFault::Unauthorized]),
            "USERINFO_FAILED",
            "userinfo",
            "userinfo endpoint",
        ),
    ]
}

fn at_id_token() -> Vec<Row> {
    use IdTokenFault::*;
    [
        (NonceWrong, "NONCE_MISMATCH", "id_token.nonce", "another login"),
        (IssOtherServer, "BAD_ID_TOKEN_ISSUER", "id_token.iss", "Dynamic"),
        (AudOther, "AUDIENCE_MISMATCH", "id_token.aud", "another client"),
        (AzpOther, "AZP_MISMATCH", "id_token.azp", "authorized party"),
        (SubMissing, "SUBJECT_INVALID", "id_token.sub", "255"),
        (IatAhead(4 * 3_600), "ISSUED_AT_INVALID", "id_token.iat", "clock"),
        (ExpAgo(360), "TOKEN_EXPIRED", "id_token.exp", "clock"),
        (NbfAhead(600), "NOT_YET_VALID", "id_token.nbf", "clock"),
        (
            AtHashWrong,
            "AT_HASH_MISMATCH",
            "id_token.at_hash",
            "belong together",
        ),
        (
            SignatureAltered,
            "SIGNATURE_INVALID",
            "id_token.signature",
            "signature is wrong",
        ),
        (KidUnknown, "UNKNOWN_KID", "id_token.signature", "client_id"),
        (Alg("PS256".into()), "ALGORITHM_MISMATCH", "id_token.alg", "RS256"),
        (AlgNone, "ID_TOKEN_MALFORMED", "id_token.form", "encrypted"),
        (Crit, "ID_TOKEN_MALFORMED", "id_token.header", "encrypted"),
    ]
    .into_iter()
    .map(|(one, cause, check, word)| (fault(|faults| faults.id_token = vec![one]), cause, check, word))
    .collect()
}

/// Those that are looked at once per sign-in or less, so each needs an organisation that nobody has asked before.
fn of_the_organisation() -> Vec<Row> {
    let metadata = |one: MetadataFault| fault(|faults| faults.discovery = vec![one]);
    let trouble = |endpoint: Endpoint, trouble: Trouble| {
        fault(|faults| faults.transport = [(endpoint, Transport::trouble(trouble))].into())
    };
    vec![
        (
            metadata(MetadataFault::IssuerTrailingSlash),
            "ISSUER_MISMATCH",
            "authorize",
            "Dynamic",
        ),
        (
            metadata(MetadataFault::HttpEndpoints),
            "ENDPOINT_REFUSED",
            "authorize",
            "https",
        ),
        (
            metadata(MetadataFault::Remove(vec!["token_endpoint".into()])),
            "DISCOVERY_FAILED",
            "authorize",
            "well-known",
        ),
        (
            metadata(MetadataFault::AnnounceIss),
            "CALLBACK_ISSUER_MISSING",
            "callback.iss",
            "RFC 9207",
        ),
        (
            trouble(Endpoint::Token, Trouble::ServerError),
            "provider_unavailable",
            "token",
            "status page",
        ),
        (
            trouble(Endpoint::Token, Trouble::RateLimited { reset_in: 30 }),
            "rate_limited",
            "token",
            "rate limit",
        ),
        (
            trouble(Endpoint::Token, Trouble::Html),
            "RESPONSE_MALFORMED",
            "token",
            "HTML page",
        ),
        (
            trouble(Endpoint::Token, Trouble::Cut),
            "CONNECTION_LOST",
            "token",
            "broke",
        ),
        (
            trouble(Endpoint::Token, Trouble::Huge { bytes: 1 << 24 }),
            "RESPONSE_TOO_LARGE",
            "token",
            "1 MiB",
        ),
        (
            trouble(
                Endpoint::Token,
                Trouble::Redirect {
                    location: "https://elsewhere.example/".into(),
                },
            ),
            "REDIRECT_REFUSED",
            "token",
            "never followed",
        ),
        (
            trouble(Endpoint::Keys, Trouble::Html),
            "JWKS_FETCH_FAILED",
            "jwks",
            "jwks_uri",
        ),
        (
            fault(|faults| faults.keys = vec![KeysFault::Withhold]),
            "UNKNOWN_KID",
            "id_token.signature",
            "does not publish",
        ),
        (
            fault(|faults| faults.keys = vec![KeysFault::Replaced(OddKey::ModulusZero)]),
            "UNKNOWN_KID",
            "id_token.signature",
            "does not publish",
        ),
    ]
}

/// What was sent in confidence during the last sign-in.
fn confidences(stage: &Stage) -> Vec<String> {
    let names = [
        "state",
        "nonce",
        "code",
        "code_verifier",
        "code_challenge",
        "client_secret",
    ];
    stage
        .acme
        .requests()
        .iter()
        .flat_map(|seen| seen.query.iter().chain(&seen.form))
        .filter(|(name, value)| names.contains(&name.as_str()) && value.len() > 6)
        .map(|(_, value)| value.clone())
        .collect()
}

/// The user's way: the page, its code, and the message that they send.
#[track_caller]
fn told_by_the_user(page: &Answer, cause: &str) -> String {
    let code = page
        .trace_code()
        .unwrap_or_else(|| panic!("{cause}: no code on {page:?}"));
    assert!(
        page.body.contains(&format!("<code>{cause}</code>")),
        "{cause}: {page:?}"
    );
    let message = unescape(
        page.body
            .split("<textarea")
            .nth(1)
            .expect("a message")
            .split("</textarea>")
            .next()
            .unwrap(),
    );
    for word in [
        code.as_str(),
        cause,
        "2026-11-21T",
        &format!("http://localhost:8080/console/traces/{code}"),
    ] {
        assert!(message.contains(word), "{cause}: no {word} in {message}");
    }
    code
}

/// The administrator's way: types the code as people do, lands on the story, reads.
async fn read_by_the_admin(admin: &mut Browser<'_>, code: &str) -> Answer {
    let page = admin.open("/console/traces").await.expect(200);
    let typed = code.to_lowercase().replace('-', " ");
    let found = admin
        .submit(&Form::to(&page.body, "/console/traces"), &[("q", &typed)])
        .await;
    assert_eq!(admin.url.path(), format!("/console/traces/{code}"));
    found.expect(200)
}

async fn walk(stage: &Stage, admin: &mut Browser<'_>, row: &Row) {
    let (faults, cause, check, word) = row;
    stage.acme.set_faults(|now| *now = faults.clone());
    stage.acme.forget_requests();
    let page = attempt(stage, "ada@acme.test").await;
    let code = told_by_the_user(&page, cause);
    let story = read_by_the_admin(admin, &code).await;
    let trace = stage.trace(&code);
    assert_eq!(trace.cause, *cause);
    assert_eq!(failing(&trace), Some(*check), "{cause}: {trace:?}");
    for shown in [cause, check, word, trace.story.remedy.as_str(), "What to do"] {
        assert!(story.shows(shown), "{cause}: no {shown:?} on {}", story.body);
    }
    assert!(story.shows("acme-okta"), "{cause}: the connection is named");
    for secret in confidences(stage) {
        assert!(
            !story.body.contains(&secret),
            "{cause}: {secret} on {}",
            story.body
        );
        assert!(
            !page.body.contains(&secret) || back_to_app_has(&page, &secret),
            "{cause}: {secret} on {page:?}"
        );
    }
}

/// The user's page may hold what the app itself sent, in its links.
fn back_to_app_has(page: &Answer, text: &str) -> bool {
    let without: String = links(&page.body)
        .iter()
        .fold(unescape(&page.body), |body, link| body.replace(link.as_str(), ""));
    !without.contains(text)
}

#[actix_web::test]
async fn each_fault_at_the_callback_is_found_by_its_code_with_its_cause_and_remedy() {
    let stage = Stage::new().await;
    let mut admin = stage.console("admin@acme.test");
    for row in at_callback() {
        walk(&stage, &mut admin, &row).await;
    }
}

#[actix_web::test]
async fn each_fault_of_tokens_is_found_by_its_code_with_its_cause_and_remedy() {
    let stage = Stage::new().await;
    let mut admin = stage.console("admin@acme.test");
    for row in at_tokens().iter().chain(&at_id_token()) {
        walk(&stage, &mut admin, row).await;
    }
}

#[actix_web::test]
async fn each_fault_of_the_organisation_is_found_by_its_code_with_its_cause_and_remedy() {
    for row in of_the_organisation() {
        let stage = Stage::new().await;
        let mut admin = stage.console("admin@acme.test");
        walk(&stage, &mut admin, &row).await;
    }
}
