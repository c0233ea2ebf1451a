//! Callbacks of preview deployments: one label below a suffix that the operator admits, for clients that are no production
//! app, with PKCE.

use forebay::actions::clients::{self, ClientChange};
use forebay::actions::pools::{self, PoolChange};
use forebay::demo::{POOL, SPA_CLIENT};
use forebay::model::client::{self, Flow};
use forebay::model::pool;

use crate::support::{OTHER_SECRET, Stage, VERIFIER, query_of};

const PATTERN: &str = "https://*.preview.example.com/callback";
const HOST: &str = "https://pr-42.preview.example.com/callback";

/// What becomes of the public client when its settings are changed like this.
fn changed(stage: &Stage, id: &str, change: impl FnOnce(&mut client::Settings)) -> Result<(), String> {
    let ctx = stage.ctx();
    stage.act(|conn| {
        let mut settings = client::find(conn, id).unwrap().unwrap().settings.0;
        change(&mut settings);
        let change = ClientChange {
            settings: Some(settings),
            ..ClientChange::default()
        };
        clients::update(conn, &ctx, id, change)
            .map(drop)
            .map_err(|error| error.to_string())
    })
}

#[actix_web::test]
async fn reflex_3_a_preview_signs_people_in_at_a_host_that_nobody_knew() {
    let stage = Stage::new().await;
    let wants = |settings: &mut client::Settings| {
        settings.non_production = true;
        settings.preview_redirect_uris = vec![PATTERN.into()];
    };
    let refused = changed(&stage, SPA_CLIENT, wants).unwrap_err();
    assert!(
        refused.contains("none of the pool's preview suffixes"),
        "{refused}"
    );
    stage.change_pool(|settings| settings.preview_suffixes = vec!["preview.example.com".into()]);
    changed(&stage, SPA_CLIENT, wants).unwrap();

    let asked = [("client_id", SPA_CLIENT), ("redirect_uri", HOST)];
    let mut browser = stage.browser();
    let back = browser.sign_in("ada@acme.test", &stage.authorize(&asked)).await;
    assert!(back.location().starts_with(&format!("{HOST}?code=")), "{back:?}");
    let code = query_of(back.location(), "code").unwrap();
    let fields = |redirect_uri| {
        [
            ("grant_type", "authorization_code"),
            ("client_id", SPA_CLIENT),
            ("code", code.as_str()),
            ("redirect_uri", redirect_uri),
            ("code_verifier", VERIFIER),
        ]
    };
    // A sibling's code is nobody else's.
    let sibling = "https://pr-43.preview.example.com/callback";
    assert_eq!(
        stage.token(None, &fields(sibling)).await.expect(400).error(),
        "invalid_grant"
    );
    let code = stage.code_for("ada@acme.test", &asked).await;
    let fields = fields(HOST).map(|(name, value)| (name, if name == "code" { code.as_str() } else { value }));
    stage.token(None, &fields).await.expect(200);

    for elsewhere in [
        "https://a.b.preview.example.com/callback",
        "https://preview.example.com/callback",
        "https://pr-42.preview.example.com/other",
        "https://pr-42.preview.example.com.evil.test/callback",
        PATTERN,
    ] {
        let asked = [("client_id", SPA_CLIENT), ("redirect_uri", elsewhere)];
        stage
            .get(&stage.authorize(&asked))
            .await
            .is_page(400, "redirect_mismatch");
    }
    // Whoever becomes a production app loses its previews.
    let refused = changed(&stage, SPA_CLIENT, |settings| settings.non_production = false).unwrap_err();
    assert!(refused.contains("no production app"), "{refused}");
    stage.change_spa_client(|settings| settings.non_production = false);
    stage
        .get(&stage.authorize(&asked))
        .await
        .is_page(400, "redirect_mismatch");
}

/// What becomes of the pool with these suffixes.
fn admitted(stage: &Stage, suffixes: &[&str]) -> Result<(), String> {
    let ctx = stage.ctx();
    stage.act(|conn| {
        let mut settings = pool::find(conn, POOL).unwrap().unwrap().settings.0;
        settings.preview_suffixes = suffixes.iter().map(|suffix| (*suffix).to_owned()).collect();
        let change = PoolChange {
            settings: Some(settings),
            ..PoolChange::default()
        };
        pools::update(conn, &ctx, POOL, change)
            .map(drop)
            .map_err(|error| error.to_string())
    })
}

#[actix_web::test]
async fn hosts_below_which_everybody_has_one_are_no_preview_suffix() {
    let stage = Stage::new().await;
    for shared in ["co.uk", "github.io", "vercel.app", "s3.amazonaws.com"] {
        let refused = admitted(&stage, &["preview.example.com", shared]).unwrap_err();
        assert!(refused.contains(shared), "{refused}");
    }
    admitted(&stage, &["preview.example.com", "acme.pages.dev"]).unwrap();
}

#[actix_web::test]
async fn a_suffix_stays_for_as_long_as_callbacks_lie_below_it() {
    let stage = Stage::new().await;
    admitted(&stage, &["preview.example.com"]).unwrap();
    changed(&stage, SPA_CLIENT, |settings| {
        settings.non_production = true;
        settings.preview_redirect_uris = vec![PATTERN.into()];
    })
    .unwrap();
    for without in [&[][..], &["other.example.com"]] {
        let refused = admitted(&stage, without).unwrap_err();
        assert!(refused.contains(SPA_CLIENT), "{refused}");
    }
    admitted(&stage, &["example.com"]).unwrap();
    changed(&stage, SPA_CLIENT, |settings| {
        settings.preview_redirect_uris.clear()
    })
    .unwrap();
    admitted(&stage, &[]).unwrap();
}

#[actix_web::test]
async fn a_preview_pattern_needs_pkce_and_no_implicit_flow() {
    let stage = Stage::new().await;
    stage.change_pool(|settings| settings.preview_suffixes = vec!["preview.example.com".into()]);
    stage.another_client("confidential", OTHER_SECRET);
    let wants = |settings: &mut client::Settings| {
        settings.non_production = true;
        settings.preview_redirect_uris = vec![PATTERN.into()];
    };
    assert!(
        changed(&stage, "confidential", wants)
            .unwrap_err()
            .contains("PKCE")
    );
    let with_pkce = |settings: &mut client::Settings| {
        wants(settings);
        settings.require_pkce = true;
    };
    let implicit = changed(&stage, "confidential", |settings| {
        with_pkce(settings);
        settings.flows.push(Flow::Implicit);
    });
    assert!(implicit.unwrap_err().contains("implicit"));
    changed(&stage, "confidential", with_pkce).unwrap();
    let production = changed(&stage, SPA_CLIENT, |settings| {
        settings.preview_redirect_uris = vec![PATTERN.into()]
    });
    assert!(production.unwrap_err().contains("no production app"));
}
