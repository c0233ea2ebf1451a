//! Where a browser may be sent: only to a registered address, compared byte by byte, in every response mode, on success
//! and on error, before and after signing in. Everything else ends at a page of ours.

use forebay::actions::clients::{self, ClientChange};
use forebay::demo::{SPA_CLIENT, WEB_CLIENT};
use forebay::rules::params::encode;

use crate::support::{APP, Answer, Browser, Stage, location_param};

const OK: &str = "https://ok.example/cb";
const OUT: &str = "https://ok.example/out";

/// What others have been talked into: relatives of `ok` and plain strangers.
fn impostors(ok: &str) -> Vec<String> {
    let host = "ok.example";
    let rest = ok.strip_prefix("https://ok.example").unwrap();
    let mut all: Vec<String> = [
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "\\\\evil.example",
        "https:evil.example",
        "https:/evil.example",
        "https://evil.example",
        "JaVaScRiPt:alert(1)",
        "javascript:alert(1)",
        "data:text/html,evil",
        "vbscript:evil",
        "file:///etc/passwd",
        "http://[fe80::1%25eth0]/cb",
        "http://2130706433/cb",
        "http://0177.0.0.1/cb",
        "/login",
        "/",
        ".",
        "*",
        "about:blank",
    ]
    .map(String::from)
    .to_vec();
    for template in [
        "https://{h}@evil.example{r}",
        "https://{h}@@evil.example{r}",
        "https://{h}:80@evil.example{r}",
        "https://{h}%40evil.example{r}",
        "https://{h}.evil.example{r}",
        "https://evil{h}{r}",
        "https://evil.example#{h}{r}",
        "https://evil.example?{h}{r}",
        "https://evil.example/https://{h}{r}",
        "https://{h}/..;{r}",
        "https://{h}/%2e%2e{r}",
        "https://{h}/%252e%252e{r}",
        "https://{h}{r}%00",
        "https://{h}{r}%0d%0aSet-Cookie:x=1",
        "https://{h}{r}\r\nSet-Cookie:x=1",
        "https://{h}.{r}",
        "https://{h}:443{r}",
        "https://{h}:0443{r}",
        "https://OK.example{r}",
        "HTTPS://{h}{r}",
        "http://{h}{r}",
        "https://оk.example{r}",
        "https://ｏk.example{r}",
        "https://ok．example{r}",
        "https://okxexample{r}",
        "https://{h}⁄{r}",
        "https://{h}{r}/",
        "https://{h}{r}?",
        "https://{h}{r}?a=1",
        "https://{h}{r}#",
        "https://{h}{r}#evil",
        "https://{h}{r} ",
        " https://{h}{r}",
        "https://{h}//{r}",
        "https://{h}",
        "https://{h}/",
    ] {
        all.push(template.replace("{h}", host).replace("{r}", rest));
    }
    all
}

async fn signed_in(stage: &Stage) -> Browser<'_> {
    let browser = stage.signed_in("ada@acme.test").await;
    stage.change_web_client(|settings| {
        settings.redirect_uris = vec![OK.into(), format!("{APP}/callback")];
        settings.logout_uris = vec![OUT.into(), "http://127.0.0.1:9999/out".into()];
    });
    browser
}

#[track_caller]
fn nowhere(answer: &Answer, asked: &str, name: &str) {
    assert_eq!(answer.status, 400, "{asked}: {answer:?}");
    assert_eq!(answer.header("location"), None, "{asked}");
    assert_eq!(answer.header("refresh"), None, "{asked}");
    assert!(answer.shows(name), "{asked}: {answer:?}");
    assert!(!answer.shows("evil"), "the page repeats {asked}");
    assert!(!answer.body.contains("<form"), "{asked}: {answer:?}");
    assert_eq!(answer.all("set-cookie"), Vec::<&str>::new(), "{asked}");
}

#[actix_web::test]
async fn m003_only_the_registered_string_redirects_in_every_response_mode() {
    let stage = Stage::new().await;
    let mut browser = signed_in(&stage).await;
    for mode in ["", "query", "fragment", "form_post"] {
        for asked in impostors(OK) {
            // A session is there and the request is good but for its address: a match would give a code at once.
            let url = stage.authorize(&[("redirect_uri", &asked), ("response_mode", mode)]);
            nowhere(&browser.open(&url).await, &asked, "redirect_mismatch");
        }
        let good = browser
            .open(&stage.authorize(&[("redirect_uri", OK), ("response_mode", mode)]))
            .await;
        if mode == "form_post" {
            assert!(
                good.clone().expect(200).shows(&format!("action=\"{OK}\"")),
                "{good:?}"
            );
        } else {
            assert!(good.location().starts_with(OK), "{good:?}");
        }
    }
    let long = format!("{OK}?{}", "a".repeat(60_000));
    let answer = browser.open(&stage.authorize(&[("redirect_uri", &long)])).await;
    assert_eq!((answer.status, answer.header("location")), (414, None));
}

#[actix_web::test]
async fn m003_any_port_of_a_loopback_literal_is_for_public_clients_alone() {
    let stage = Stage::new().await;
    let ask = async |client: &str, uri: &str| {
        let fields = [("client_id", client), ("redirect_uri", uri), ("prompt", "none")];
        stage.get(&stage.authorize(&fields)).await
    };
    stage.change_spa_client(|settings| settings.redirect_uris.push("http://[::1]/cb".into()));
    for uri in [
        "http://127.0.0.1:9999/callback",
        "http://127.0.0.1:51004/callback",
        "http://127.0.0.1/callback",
        "http://[::1]:51004/cb",
    ] {
        let answer = ask(SPA_CLIENT, uri).await.expect(302);
        assert!(answer.location().starts_with(&format!("{uri}?")), "{answer:?}");
    }
    for (client, uri) in [
        (SPA_CLIENT, "http://localhost:9999/callback"),
        (SPA_CLIENT, "http://127.0.0.1:9999/other"),
        (SPA_CLIENT, "http://127.0.0.2:9999/callback"),
        (SPA_CLIENT, "https://127.0.0.1:9999/callback"),
        (SPA_CLIENT, "http://127.0.0.1:9999@evil.example/callback"),
        (WEB_CLIENT, "http://127.0.0.1:51004/callback"),
    ] {
        nowhere(&ask(client, uri).await, uri, "redirect_mismatch");
    }
}

#[actix_web::test]
async fn m036_native_apps_return_by_loopback_and_by_https_links() {
    let stage = Stage::new().await;
    stage.change_spa_client(|settings| settings.redirect_uris.push("https://app.example/cb".into()));
    for uri in ["http://127.0.0.1:51004/callback", "https://app.example/cb"] {
        let mut browser = stage.browser();
        let url = stage.authorize(&[("client_id", SPA_CLIENT), ("redirect_uri", uri)]);
        let back = browser.sign_in("ada@acme.test", &url).await.expect(302);
        assert!(back.location().starts_with(&format!("{uri}?code=")), "{back:?}");
    }
}

#[actix_web::test]
async fn m133_after_signing_out_only_the_registered_string_redirects() {
    let stage = Stage::new().await;
    let mut browser = signed_in(&stage).await;
    let mut corpus = impostors(OUT);
    // The port of a loopback address is not free here.
    corpus.extend(["http://127.0.0.1:1234/out", OK].map(String::from));
    for asked in &corpus {
        for field in ["logout_uri", "post_logout_redirect_uri"] {
            let pairs = [("client_id", WEB_CLIENT), (field, asked), ("state", "s")];
            let answer = browser.open(&format!("/logout?{}", encode(pairs))).await;
            nowhere(&answer, asked, "logout_uri_mismatch");
            assert!(answer.shows("sign-out link"), "{answer:?}");
        }
    }
    for asked in impostors(OK) {
        let pairs = [
            ("client_id", WEB_CLIENT),
            ("redirect_uri", &asked),
            ("response_type", "code"),
        ];
        let answer = browser.open(&format!("/logout?{}", encode(pairs))).await;
        nowhere(&answer, &asked, "redirect_mismatch");
    }
    let still = browser.open(&stage.authorize(&[("prompt", "none")])).await;
    assert!(
        location_param(&still, "code").is_some(),
        "the session lives: {still:?}"
    );
    let pairs = [("client_id", WEB_CLIENT), ("logout_uri", OUT)];
    let answer = browser
        .open(&format!("/logout?{}", encode(pairs)))
        .await
        .expect(302);
    assert_eq!(answer.location(), OUT);
}

#[actix_web::test]
async fn m001_an_unknown_missing_or_disabled_client_gets_a_page() {
    let stage = Stage::new().await;
    stage.change_client(SPA_CLIENT, |client| client.enabled = false);
    for path in ["/oauth2/authorize", "/login"] {
        for (client, name) in [
            ("", "client_id_missing"),
            ("nobody", "client_unknown"),
            ("DEMOWEBAPP0000000000000001", "client_unknown"),
            (SPA_CLIENT, "client_unknown"),
        ] {
            let url = stage.authorize(&[("client_id", client)]);
            let answer = stage.get(&url.replace("/oauth2/authorize", path)).await;
            answer.is_page(400, name);
            let trace = stage.trace(&answer.trace_code().expect("a code on the page"));
            assert_eq!(trace.cause, name);
            assert!(!trace.story.remedy.is_empty());
        }
    }
}

#[actix_web::test]
async fn m002_a_redirect_uri_that_is_missing_among_several_or_repeated_gets_a_page() {
    let stage = Stage::new().await;
    let missing = stage.get(&stage.authorize(&[("redirect_uri", "")])).await;
    missing.is_page(400, "redirect_uri_missing");
    let url = stage.authorize(&[]);
    for again in ["redirect_uri=https%3A%2F%2Fevil.example", "client_id=x"] {
        let answer = stage.get(&format!("{url}&{again}")).await;
        answer.is_page(400, "parameter_repeated");
        assert!(!answer.shows("evil"));
    }
    // Where there is nothing to choose it may be left out; the token request need not name it then.
    stage.change_web_client(|settings| settings.redirect_uris.truncate(1));
    let code = stage.code_for("ada@acme.test", &[("redirect_uri", "")]).await;
    stage.exchange(&code, &[("redirect_uri", "")]).await.expect(200);
}

#[actix_web::test]
async fn m023_a013_no_error_travels_to_an_unregistered_address() {
    let stage = Stage::new().await;
    for (name, value) in [
        ("prompt", "none"),
        ("prompt", "none login"),
        ("scope", "openid nonsense"),
        ("response_type", "nonsense"),
        ("request", "eyJhbGciOiJub25lIn0.e30."),
        ("request_uri", "https://evil.example/request"),
        ("identity_provider", "nobody"),
        ("code_challenge_method", "plain"),
        ("claims", "{"),
    ] {
        let bad = [(name, value), ("redirect_uri", "https://evil.example/cb")];
        nowhere(
            &stage.get(&stage.authorize(&bad)).await,
            value,
            "redirect_mismatch",
        );
        let unknown = [(name, value), ("client_id", "nobody")];
        nowhere(
            &stage.get(&stage.authorize(&unknown)).await,
            value,
            "client_unknown",
        );
    }
}

#[actix_web::test]
async fn m004_m005_what_could_be_turned_against_the_user_is_not_registered() {
    let stage = Stage::new().await;
    let register = |uri: &str, out: bool| {
        stage.act(|conn| {
            let mut settings = clients::find(conn, WEB_CLIENT).unwrap().settings.0;
            let list = if out {
                &mut settings.logout_uris
            } else {
                &mut settings.redirect_uris
            };
            list.push(uri.to_owned());
            let change = ClientChange {
                settings: Some(settings),
                ..ClientChange::default()
            };
            clients::update(conn, &stage.ctx(), WEB_CLIENT, change).is_ok()
        })
    };
    for bad in [
        "/callback",
        "https://app.example/cb#part",
        "http://app.example/cb",
        "https://*.example/cb",
        "https://user@app.example/cb",
        "https://app.example/\r\ncb",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "VBScript:x",
        "file:///x",
        "myapp:/cb",
    ] {
        assert!(!register(bad, false), "{bad} as callback URL");
        assert!(!register(bad, true), "{bad} as logout URL");
    }
    for good in [
        "https://app.example/cb",
        "com.example.app:/cb",
        "http://127.0.0.1/cb",
    ] {
        assert!(register(good, false), "{good}");
    }
}

#[actix_web::test]
async fn a041_line_breaks_in_parameters_make_no_header() {
    let stage = Stage::new().await;
    let mut browser = stage.signed_in("ada@acme.test").await;
    let state = "a\r\nSet-Cookie: evil=1\r\n\r\n<html>\u{2028}ü &=#+%";
    for (mode, more) in [
        ("query", ("nonce", "n")),
        ("fragment", ("nonce", "n")),
        ("query", ("scope", "nonsense")),
    ] {
        let url = stage.authorize(&[("state", state), ("response_mode", mode), more]);
        let answer = browser.open(&url).await.expect(302);
        assert_eq!(location_param(&answer, "state").as_deref(), Some(state));
        assert!(answer.location().contains("%0D%0ASet-Cookie"), "{answer:?}");
        assert_eq!(answer.all("set-cookie"), Vec::<&str>::new());
    }
}

#[actix_web::test]
async fn a038_m142_refused_requests_leave_a_bounded_number_of_traces() {
    let stage = Stage::new().await;
    let knock = async |number: usize, peer: u8| {
        let asked = format!("https://evil.example/{number}");
        let request = actix_web::test::TestRequest::get()
            .uri(&stage.authorize(&[("redirect_uri", &asked)]))
            .peer_addr(std::net::SocketAddr::from(([192, 0, 2, peer], 1)));
        let answer = stage.send(request).await;
        answer.is_page(400, "redirect_mismatch");
        usize::from(answer.trace_code().is_some())
    };
    let mut kept = [0; 6];
    for number in 0..180 {
        let peer = number % 6;
        kept[peer] += knock(number, u8::try_from(peer).unwrap()).await;
    }
    assert_eq!(kept.iter().sum::<usize>(), 60, "a minute's worth");
    assert_eq!(stage.traces().len(), 60);
    stage.clock.advance(60);
    for number in 0..30 {
        kept[0] += knock(number, 0).await;
    }
    assert_eq!(
        kept[0], 30,
        "10 in the first minute, then one address's share of 20"
    );
    // Nothing of what strangers send is kept.
    let traces = stage.traces();
    assert!(traces.iter().all(|trace| !format!("{trace:?}").contains("evil")));
}
