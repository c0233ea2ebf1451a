//! The examination of a connection: each thing that can be wrong is named, with a remedy (setups: Cortex 16 and 17).

use super::*;
use crate::demo::okta::{Endpoint, KeysFault, MetadataFault, Transport, Trouble};
use crate::upstream::{Stage as Result, Verdict};

impl Stage {
    async fn examine(&self) -> Vec<Result> {
        let mut seen = Vec::new();
        let stages = self
            .upstream
            .examine(&self.connection, CALLBACK, |stage| seen.push(stage.clone()))
            .await;
        assert_eq!(stages, seen, "each stage is told as it ends");
        for stage in &stages {
            assert_eq!(
                stage.verdict == Verdict::Failed,
                !stage.code.is_empty(),
                "{stage:?}"
            );
            assert!(
                stage.verdict != Verdict::Failed || stage.remedy.len() > 20,
                "{stage:?}"
            );
            assert!(!stage.detail.contains(SECRET));
        }
        stages
    }

    /// Codes of the stages that failed.
    async fn codes(&self) -> Vec<&'static str> {
        let stages = self.examine().await;
        stages
            .iter()
            .filter(|stage| stage.verdict == Verdict::Failed)
            .map(|stage| stage.code)
            .collect()
    }
}

#[actix_web::test]
async fn a_sound_connection_passes_every_stage() {
    let stage = Stage::new().await;
    let stages = stage.examine().await;
    let verdicts: Vec<(&str, &str)> = stages
        .iter()
        .map(|stage| (stage.name, stage.verdict.name()))
        .collect();
    assert_eq!(
        verdicts,
        [
            ("dns", "passed"),
            ("tcp", "passed"),
            ("tls", "skipped"),
            ("discovery", "passed"),
            ("issuer", "passed"),
            ("jwks", "passed"),
            ("client_id", "passed"),
            ("client_auth", "passed"),
            ("redirect_uri", "passed"),
            ("clock", "passed"),
        ],
        "{stages:?}"
    );
}

#[actix_web::test]
async fn each_mistake_of_a_registration_is_named() {
    let mut stage = Stage::new().await;
    stage.okta.change_app(CLIENT, |app| {
        app.redirect_uris = vec!["https://elsewhere.test/callback".into()]
    });
    assert_eq!(stage.codes().await, ["REDIRECT_URI_NOT_ALLOWED"]);
    stage
        .okta
        .change_app(CLIENT, |app| app.redirect_uris = vec![CALLBACK.into()]);

    stage.connection.client_secret = Some(Zeroizing::new("another-secret-of-sufficient-length".into()));
    assert_eq!(stage.codes().await, ["CLIENT_AUTH_FAILED"]);
    stage.connection.client_secret = Some(Zeroizing::new(SECRET.into()));

    stage.settings(|settings| settings.scopes.push("no-such-scope".into()));
    assert_eq!(stage.codes().await, ["invalid_scope"]);
    stage.settings(|settings| settings.scopes.retain(|scope| scope != "no-such-scope"));

    stage.settings(|settings| settings.client_id = "0oa1nobody0000000000".into());
    assert_eq!(
        stage.codes().await,
        ["CLIENT_UNKNOWN", "CLIENT_AUTH_FAILED", "REDIRECT_URI_NOT_ALLOWED"]
    );
}

#[actix_web::test]
async fn each_mistake_of_an_issuer_is_named() {
    let mut stage = Stage::new().await;
    let origin = stage.okta.issuer();
    for (issuer, expected) in [
        (format!("{origin}/oauth2/nope"), "DISCOVERY_404"),
        (format!("{origin}/"), "ISSUER_MISMATCH"),
        ("https://no-such-host.invalid".into(), "DNS_FAILED"),
        ("https://10.1.2.3".into(), "ADDRESS_REFUSED"),
        (origin.replace("http:", "https:"), "TLS_HANDSHAKE_FAILED"),
    ] {
        stage.connection.provider.issuer = issuer.clone();
        assert_eq!(stage.codes().await, [expected], "{issuer}");
    }
}

#[actix_web::test]
async fn each_trouble_of_the_provider_is_named() {
    let stage = Stage::new().await;
    for (discovery, keys, expected) in [
        (
            vec![MetadataFault::Issuer("https://other.test".into())],
            vec![],
            vec!["ISSUER_MISMATCH"],
        ),
        (
            vec![MetadataFault::HttpEndpoints],
            vec![],
            vec!["ENDPOINT_REFUSED"],
        ),
        (vec![], vec![KeysFault::Empty], vec!["JWKS_FETCH_FAILED"]),
    ] {
        stage.okta.set_faults(|faults| {
            faults.discovery = discovery;
            faults.keys = keys;
        });
        assert_eq!(stage.codes().await, expected);
    }
    for (endpoint, trouble, expected) in [
        (Endpoint::Discovery, Trouble::Html, "DISCOVERY_FAILED"),
        (Endpoint::Discovery, Trouble::ServerError, "provider_unavailable"),
        (
            Endpoint::Discovery,
            Trouble::Redirect {
                location: "https://x.test".into(),
            },
            "REDIRECT_REFUSED",
        ),
        (Endpoint::Keys, Trouble::ServerError, "JWKS_FETCH_FAILED"),
        (
            Endpoint::Token,
            Trouble::RateLimited { reset_in: 30 },
            "rate_limited",
        ),
    ] {
        stage.okta.set_faults(|faults| {
            faults.discovery.clear();
            faults.keys.clear();
            faults.transport = [(endpoint, Transport::trouble(trouble.clone()))]
                .into_iter()
                .collect();
        });
        assert_eq!(stage.codes().await, [expected], "{endpoint:?} {trouble:?}");
    }
}

#[actix_web::test]
async fn a_wrong_clock_is_seen() {
    let stage = Stage::at(Server::Org, 300).await;
    assert_eq!(stage.codes().await, ["CLOCK_SKEW"]);
}
