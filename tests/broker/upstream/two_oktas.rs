//! Two Oktas, one of them hostile, end to end: whatever the hostile one does with a victim's browser
//! and with its own metadata, no code of the honest one gets to it, and nobody is signed in. At every address that sign-ins
//! come back to: the callback that names its connection, the one that the pool's own share, and the tenants' own hosts.

use forebay::actions::providers::{self, ProviderChange};
use forebay::demo::okta::{Endpoint, MetadataFault, Okta, Transport, Trouble};
use forebay::demo::{OPERATOR, registration};
use forebay::model::provider;
use serde_json::json;

use super::{asked, rows};
use crate::support::{Answer, Browser, PUBLIC_URL, Stage, location_param, query_of};

const HONEST: &str = "acme-okta";
const HOSTILE: &str = "globex-okta";
const VICTIM: &str = "ada@acme.test";

/// Where the victim's login at the hostile connection begins, and where one at the honest connection does, for which the
/// honest Okta has its callback registered.
#[derive(Clone, Copy, Debug)]
struct Ground {
    hostile: &'static str,
    honest: &'static str,
    /// The honest connection is the operator's own and shares the callback without a name.
    shared: bool,
}

const PUBLIC: &str = PUBLIC_URL;
const HOSTILES_HOST: &str = "http://auth.globex.localhost:8080";
const HONESTS_HOST: &str = "http://auth.acme.localhost:8080";

const GROUNDS: [Ground; 6] = [
    Ground::named(PUBLIC, PUBLIC),
    Ground::named(HOSTILES_HOST, PUBLIC),
    Ground::named(PUBLIC, HONESTS_HOST),
    Ground::named(HOSTILES_HOST, HONESTS_HOST),
    Ground::shared(PUBLIC),
    Ground::shared(HOSTILES_HOST),
];

impl Ground {
    const fn named(hostile: &'static str, honest: &'static str) -> Ground {
        Ground {
            hostile,
            honest,
            shared: false,
        }
    }

    const fn shared(hostile: &'static str) -> Ground {
        Ground {
            hostile,
            honest: PUBLIC,
            shared: true,
        }
    }

    async fn stage(self) -> Stage {
        let stage = Stage::new().await;
        stage.console(OPERATOR);
        if self.shared {
            stage.change_provider(HONEST, |row| {
                row.tenant_id = None;
                row.settings.shared_callback = true;
            });
            let app = registration(0, &stage.acme.issuer()).client_id;
            stage.acme.change_app(&app, |app| {
                app.redirect_uris.push(format!("{PUBLIC}/oauth2/idpresponse"));
            });
        }
        stage
    }
}

/// Begins a login: the address of the Okta that the browser is sent to.
async fn begin(stage: &Stage, browser: &mut Browser<'_>, host: &str, connection: &str) -> String {
    let authorize = stage.authorize(&[("identity_provider", connection)]);
    let answer = browser.open(&format!("{host}{authorize}")).await.expect(302);
    answer.location().to_owned()
}

/// Signs the victim in at the honest Okta, which this address leads to: the callback with the honest code, not yet opened.
async fn honest_callback(stage: &Stage, browser: &mut Browser<'_>, address: &str) -> String {
    let page = browser.visit(address).await.expect(200);
    assert!(
        browser.url.as_str().starts_with(&stage.acme.issuer()),
        "{}",
        browser.url
    );
    let back = browser.enter_only(&page, VICTIM).await.expect(302);
    back.location().to_owned()
}

/// The hostile Okta was shown nothing of the code, and nobody is signed in.
#[track_caller]
fn kept(stage: &Stage, browser: &Browser<'_>, code: &str, what: &str) {
    assert!(!saw(&stage.globex, code), "{what}: {:?}", stage.globex.requests());
    assert!(!asked(&stage.globex).contains(&Endpoint::Token), "{what}");
    assert_eq!(browser.cookie("__Host-session-"), None, "{what}");
    assert!(
        rows(stage).iter().all(|(_, count)| *count == 0),
        "{what}: {:?}",
        rows(stage)
    );
}

fn saw(okta: &Okta, code: &str) -> bool {
    okta.requests()
        .iter()
        .any(|seen| format!("{seen:?}").contains(code))
}

/// The cookies of logins, as if the browser sent them to every host: what keeps the hosts apart is not the browser alone.
fn with_cookies_everywhere(browser: &mut Browser<'_>) {
    let logins = browser.cookies();
    let cookies: Vec<String> = logins
        .into_iter()
        .filter(|(name, _)| name.starts_with("__Host-login-"))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    browser.forget_cookies("__Host-login-");
    browser.headers.push(("cookie", cookies.join("; ")));
}

fn is_refusal(page: &Answer) -> bool {
    (400..600).contains(&page.status) && page.trace_code().is_some()
}

#[actix_web::test]
async fn the_honest_code_does_go_to_the_honest_okta() {
    for ground in GROUNDS {
        let stage = ground.stage().await;
        let mut browser = stage.browser();
        let address = begin(&stage, &mut browser, ground.honest, HONEST).await;
        let callback = honest_callback(&stage, &mut browser, &address).await;
        let code = query_of(&callback, "code").unwrap();
        browser.visit(&callback).await.expect(302);
        assert!(saw(&stage.acme, &code), "{ground:?}");
        assert!(browser.cookie("__Host-session-").is_some(), "{ground:?}");
    }
}

#[actix_web::test]
async fn a_101_what_a_hostile_okta_bounces_to_the_honest_one_never_comes_to_its_token_endpoint() {
    for ground in GROUNDS {
        for everywhere in [false, true] {
            let what = format!("{ground:?}, cookies everywhere: {everywhere}");
            let stage = ground.stage().await;
            // The attacker begins a login at the honest connection, and sends the victim to the hostile one.
            let mut attacker = stage.browser();
            let theirs = begin(&stage, &mut attacker, ground.honest, HONEST).await;
            let mut victim = stage.browser();
            let lure = begin(&stage, &mut victim, ground.hostile, HOSTILE).await;
            assert!(lure.starts_with(&stage.globex.issuer()), "{what}: {lure}");
            // Its authorization endpoint sends the browser on with the victim's state and the attacker's nonce and challenge.
            let (own, state) = (
                query_of(&theirs, "state").unwrap(),
                query_of(&lure, "state").unwrap(),
            );
            let bounce = Trouble::Redirect {
                location: theirs.replace(&own, &state),
            };
            stage.globex.set_faults(|faults| {
                faults
                    .transport
                    .insert(Endpoint::Authorize, Transport::trouble(bounce));
            });
            let callback = honest_callback(&stage, &mut victim, &lure).await;
            let code = query_of(&callback, "code").unwrap();
            assert_eq!(query_of(&callback, "state").as_deref(), Some(state.as_str()));
            if everywhere {
                with_cookies_everywhere(&mut victim);
            }
            let page = victim.visit(&callback).await;
            assert!(is_refusal(&page), "{what}: {page:?}");
            kept(&stage, &victim, &code, &what);
            assert!(!asked(&stage.acme).contains(&Endpoint::Token), "{what}");
            // Nor does the attacker get anywhere with the login that was prepared for it.
            let page = attacker
                .visit(&callback.replace(&state, &own).replace(&code, "guessed"))
                .await;
            assert!(is_refusal(&page), "{what}: {page:?}");
            kept(&stage, &attacker, &code, &what);
        }
    }
}

#[actix_web::test]
async fn a_101_metadata_that_names_the_honest_authorization_endpoint_brings_no_code() {
    for ground in GROUNDS {
        let stage = ground.stage().await;
        let honest = registration(0, &stage.acme.issuer());
        let endpoint = format!("{}/oauth2/v1/authorize", stage.acme.issuer());
        let set = json!({ "authorization_endpoint": endpoint });
        stage.globex.set_faults(|faults| {
            faults.discovery = vec![MetadataFault::Set(set.as_object().cloned().unwrap())];
        });
        // Its connection comes with the honest one's client id, so that the honest Okta knows the app.
        stage.change_provider(HOSTILE, |row| row.settings.client_id = honest.client_id.clone());
        let mut victim = stage.browser();
        let lure = begin(&stage, &mut victim, ground.hostile, HOSTILE).await;
        assert!(lure.starts_with(&stage.acme.issuer()), "{ground:?}: {lure}");
        // Only the address with the honest connection's own name, or at its own host, is registered there.
        let page = victim.visit(&lure).await.expect(400);
        assert!(
            page.header("location").is_none() && page.shows("redirect_uri"),
            "{ground:?}: {page:?}"
        );
        // What is registered is no address that the login comes back to.
        let mut attacker = stage.browser();
        let theirs = begin(&stage, &mut attacker, ground.honest, HONEST).await;
        let registered = query_of(&theirs, "redirect_uri").unwrap();
        let sent = query_of(&lure, "redirect_uri").unwrap();
        assert_ne!(sent, registered, "{ground:?}");
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let bent = lure.replace(&encode(&sent), &encode(&registered));
        assert_ne!(bent, lure);
        let callback = honest_callback(&stage, &mut victim, &bent).await;
        let code = query_of(&callback, "code").unwrap();
        with_cookies_everywhere(&mut victim);
        let page = victim.visit(&callback).await;
        assert!(is_refusal(&page), "{ground:?}: {page:?}");
        kept(&stage, &victim, &code, &format!("{ground:?}"));
    }
}

#[actix_web::test]
async fn a_102_a_code_of_the_attackers_own_sign_in_signs_no_victim_in() {
    for ground in GROUNDS {
        for (host, connection) in [(ground.honest, HONEST), (ground.hostile, HOSTILE)] {
            let what = format!("{ground:?}, a victim at {connection}");
            let stage = ground.stage().await;
            let mut attacker = stage.browser();
            let theirs = begin(&stage, &mut attacker, ground.honest, HONEST).await;
            let callback = honest_callback(&stage, &mut attacker, &theirs).await;
            let code = query_of(&callback, "code").unwrap();
            // As it is, to a victim without a login and to one who is in the middle of one.
            let mut idle = stage.browser();
            let page = idle.visit(&callback).await;
            assert!(is_refusal(&page), "{what}: {page:?}");
            kept(&stage, &idle, &code, &what);
            let mut victim = stage.browser();
            let own = begin(&stage, &mut victim, host, connection).await;
            let page = victim.visit(&callback).await;
            assert!(is_refusal(&page), "{what}: {page:?}");
            kept(&stage, &victim, &code, &what);
            // Under the victim's own state, if it were known: nonce and verifier are the attacker's login's.
            let (state, known) = (
                query_of(&callback, "state").unwrap(),
                query_of(&own, "state").unwrap(),
            );
            with_cookies_everywhere(&mut victim);
            let page = victim.visit(&callback.replace(&state, &known)).await;
            assert!(is_refusal(&page), "{what}: {page:?}");
            kept(&stage, &victim, &code, &what);
        }
    }
}

#[actix_web::test]
async fn a_103_an_answer_that_says_it_is_another_issuers_is_not_taken_to_anybody() {
    for ground in GROUNDS {
        let stage = ground.stage().await;
        let mut victim = stage.browser();
        let address = begin(&stage, &mut victim, ground.honest, HONEST).await;
        let callback = honest_callback(&stage, &mut victim, &address).await;
        let code = query_of(&callback, "code").unwrap();
        let issuer: String = form_urlencoded::byte_serialize(stage.globex.issuer().as_bytes()).collect();
        let page = victim.visit(&format!("{callback}&iss={issuer}")).await;
        assert!(is_refusal(&page), "{ground:?}: {page:?}");
        kept(&stage, &victim, &code, &format!("{ground:?}"));
        assert!(!asked(&stage.acme).contains(&Endpoint::Token), "{ground:?}");
    }
}

#[actix_web::test]
async fn a_tenants_connection_never_gets_the_callback_without_a_name() {
    let stage = Stage::new().await;
    stage.console(OPERATOR);
    let ctx = stage.ctx();
    let refused = stage.act(|conn| {
        let mut settings = provider::find(conn, HONEST).unwrap().unwrap().settings.0;
        settings.shared_callback = true;
        let change = ProviderChange {
            settings: Some(settings),
            ..ProviderChange::default()
        };
        providers::update(conn, &ctx, &[], HONEST, change).map(|_| ())
    });
    assert!(refused.unwrap_err().to_string().contains("pool's own"));
    let mut browser = stage.browser();
    let answer = browser
        .open(&stage.authorize(&[("identity_provider", HONEST)]))
        .await
        .expect(302);
    let callback = format!("{PUBLIC}/oauth2/idpresponse/{HONEST}");
    assert_eq!(location_param(&answer, "redirect_uri"), Some(callback));
}
