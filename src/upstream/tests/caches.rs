//! Metadata and keys: fetched once, kept, refreshed, outlived and refetched as the rules say (musts C-R11, C-R12, C-R14;
//! attacks; faults F16 to F18).

use super::*;
use crate::demo::okta::{Endpoint, IdTokenFault, KeysFault, MetadataFault, TokenFault, Transport, Trouble};

impl Stage {
    /// The cause of a sign-in that begins now.
    pub async fn cause_at(&self, now: UnixTime) -> &'static str {
        let (result, _) = self.sign_in_expecting(|e| e.begun_at = now).await;
        result.err().map_or("", |failure| failure.cause.name())
    }

    fn fetches(&self) -> (usize, usize) {
        (
            self.requests_to("openid-configuration").len(),
            self.requests_to("/keys").len(),
        )
    }
}

#[actix_web::test]
async fn one_fetch_serves_many_sign_ins_also_at_once() {
    let stage = Stage::new().await;
    let request = request();
    let all = (0..20).map(|_| stage.upstream.authorize_url(&stage.connection, &request));
    assert!(
        futures_util::future::join_all(all)
            .await
            .iter()
            .all(Result::is_ok)
    );
    assert_eq!(stage.fetches(), (1, 0));
    for _ in 0..3 {
        assert_eq!(stage.cause().await, "");
    }
    assert_eq!(stage.fetches(), (1, 1));
}

#[actix_web::test]
async fn a_failed_fetch_is_shared_and_not_remembered() {
    let stage = Stage::new().await;
    stage.okta.set_faults(|faults| {
        let mut transport = Transport::trouble(Trouble::ServerError);
        transport.delay_ms = 100;
        faults.transport = [(Endpoint::Discovery, transport)].into_iter().collect();
    });
    let requests: Vec<_> = (0..10).map(|_| request()).collect();
    let together = futures_util::future::join_all(
        requests
            .iter()
            .map(|r| stage.upstream.authorize_url(&stage.connection, r)),
    );
    for result in together.await {
        assert_eq!(result.unwrap_err().cause.name(), "provider_unavailable");
    }
    assert_eq!(stage.fetches().0, 1, "ten waited for one");
    stage.okta.set_faults(|faults| faults.transport.clear());
    assert_eq!(stage.cause().await, "");
}

#[actix_web::test]
async fn a_rotated_key_costs_one_fetch() {
    let stage = Stage::new().await;
    assert_eq!(stage.cause().await, "");
    stage.okta.rotate_keys(false);
    assert_eq!(stage.cause().await, "", "rotated between sign-ins");
    assert_eq!(stage.fetches(), (1, 2));
    stage.clock.advance(31);
    stage
        .okta
        .set_faults(|faults| faults.token = vec![TokenFault::RotateKeys { keep_old: false }]);
    assert_eq!(
        stage.cause_at(NOW.plus(31)).await,
        "",
        "rotated between authorize and token"
    );
    assert_eq!(stage.fetches(), (1, 3));
}

#[actix_web::test]
async fn a_flood_of_unknown_keys_costs_one_fetch_per_cool_down() {
    let stage = Stage::new().await;
    assert_eq!(stage.cause().await, "");
    stage
        .okta
        .set_faults(|faults| faults.id_token = vec![IdTokenFault::KidUnknown]);
    for _ in 0..10 {
        assert_eq!(stage.cause().await, "UNKNOWN_KID");
    }
    assert_eq!(stage.fetches().1, 2);
    stage.okta.set_faults(|faults| faults.id_token.clear());
    assert_eq!(stage.cause().await, "", "an honest sign-in in the middle works");
    stage.okta.set_faults(|faults| {
        faults.id_token = vec![IdTokenFault::KidUnknown];
        faults.keys = vec![KeysFault::Empty];
    });
    stage.clock.advance(30);
    for _ in 0..5 {
        assert_eq!(stage.cause_at(NOW.plus(30)).await, "UNKNOWN_KID");
    }
    assert_eq!(stage.fetches().1, 3, "an empty set does not reset the cool-down");
    stage.okta.set_faults(|faults| {
        faults.transport = [(Endpoint::Keys, Transport::trouble(Trouble::ServerError))]
            .into_iter()
            .collect();
        faults.id_token = vec![IdTokenFault::KidUnknown];
    });
    stage.clock.advance(30);
    for _ in 0..5 {
        assert_eq!(stage.cause_at(NOW.plus(60)).await, "UNKNOWN_KID");
    }
    assert_eq!(stage.fetches().1, 4, "neither does a failure");
}

#[actix_web::test]
async fn what_is_past_its_time_is_refreshed_by_the_job_and_outlived_when_that_fails() {
    const DAY: i64 = 24 * 3600;
    let stage = Stage::new().await;
    assert_eq!(stage.cause().await, "");
    stage.upstream.refresh_due().await;
    assert_eq!(stage.fetches(), (1, 1), "nothing is due");
    stage.clock.advance(DAY);
    stage.upstream.refresh_due().await;
    assert_eq!(stage.fetches(), (2, 2));
    stage.upstream.refresh_due().await;
    assert_eq!(stage.fetches(), (2, 2));

    stage.okta.set_faults(|faults| {
        for endpoint in [Endpoint::Discovery, Endpoint::Keys] {
            faults
                .transport
                .insert(endpoint, Transport::trouble(Trouble::ServerError));
        }
    });
    stage.clock.advance(DAY + 3600);
    stage.upstream.refresh_due().await;
    assert_eq!(
        stage.cause_at(NOW.plus(2 * DAY + 3600)).await,
        "",
        "served from the cache"
    );
    stage.clock.advance(DAY);
    assert_eq!(
        stage.cause_at(NOW.plus(3 * DAY + 3600)).await,
        "JWKS_FETCH_FAILED",
        "keys last a day longer"
    );
    stage.okta.set_faults(|faults| faults.transport.clear());
    stage.clock.advance(61);
    assert_eq!(
        stage.cause_at(NOW.plus(3 * DAY + 3661)).await,
        "",
        "and come back"
    );
}

#[actix_web::test]
async fn metadata_of_another_issuer_is_not_used_and_stops_a_connection_that_worked() {
    let other = "https://globex.okta.example";
    for (fault, expected) in [
        (MetadataFault::Issuer(other.into()), "ISSUER_MISMATCH"),
        (MetadataFault::IssuerTrailingSlash, "ISSUER_MISMATCH"),
        (MetadataFault::IssuerOtherServer, "ISSUER_MISMATCH"),
        (MetadataFault::Remove(vec!["issuer".into()]), "ISSUER_MISMATCH"),
        (MetadataFault::HttpEndpoints, "ENDPOINT_REFUSED"),
        (
            MetadataFault::TokenEndpoint("https://169.254.169.254/token".into()),
            "ENDPOINT_REFUSED",
        ),
        (
            MetadataFault::JwksUri("https://[::ffff:127.0.0.1]/keys".into()),
            "ENDPOINT_REFUSED",
        ),
        (
            MetadataFault::Remove(vec!["token_endpoint".into()]),
            "DISCOVERY_FAILED",
        ),
    ] {
        let stage = Stage::new().await;
        stage
            .okta
            .set_faults(|faults| faults.discovery = vec![fault.clone()]);
        let refused = stage
            .upstream
            .authorize_url(&stage.connection, &request())
            .await
            .unwrap_err();
        assert_eq!(refused.cause.name(), expected, "{fault:?}");
        stage.okta.set_faults(|faults| faults.discovery.clear());
        assert_eq!(stage.cause().await, "");
        stage
            .okta
            .set_faults(|faults| faults.discovery = vec![fault.clone()]);
        stage.clock.advance(24 * 3600);
        stage.upstream.refresh_due().await;
        let later = stage.upstream.authorize_url(&stage.connection, &request()).await;
        // A document that is merely broken is outlived; one that speaks of somebody else is not.
        assert_eq!(later.is_ok(), expected == "DISCOVERY_FAILED", "{fault:?}");
    }
}

#[actix_web::test]
async fn an_endpoint_that_moved_takes_effect_with_the_refresh() {
    let stage = Stage::new().await;
    assert_eq!(stage.cause().await, "");
    let moved = format!("{}/oauth2/default/v1/token", stage.okta.issuer());
    stage
        .okta
        .set_faults(|faults| faults.discovery = vec![MetadataFault::TokenEndpoint(moved)]);
    assert_eq!(stage.cause().await, "");
    stage.clock.advance(24 * 3600);
    stage.upstream.refresh_due().await;
    stage.okta.forget_requests();
    let _ = stage.cause_at(NOW.plus(24 * 3600)).await;
    assert_eq!(stage.requests_to("/oauth2/default/v1/token").len(), 1);
}

#[actix_web::test]
async fn issuers_do_not_share_keys() {
    // Both servers of the organisation: the same kid scheme, different keys; each refuses the other's token.
    let stage = Stage::new().await;
    assert_eq!(stage.cause().await, "");
    let mut other = stage.connection.clone();
    other.provider.id = "acme-default".into();
    other.provider.issuer = stage.okta.default_issuer();
    let code = stage.code().await;
    let mut steps = Vec::new();
    let result = stage
        .upstream
        .identity(&other, &expectation(), &code, None, &mut steps)
        .await;
    assert!(result.is_err(), "a code of the org server at the custom server");
    assert_eq!(
        stage.cause().await,
        "",
        "the circuit of one connection is not the other's"
    );
}
