//! Trouble on the wire. Silence is proved by looking once at what would have to be ready, not by waiting.

use std::pin::pin;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::web::Bytes;
use futures_util::FutureExt;

use super::*;
use crate::demo::okta::http::Reply;
use crate::demo::okta::transport::send;
use crate::demo::okta::{Endpoint, Transport, Trouble};

fn honest() -> Reply {
    Reply::json(
        StatusCode::OK,
        &serde_json::json!({"access_token": "abc", "expires_in": 3600}),
    )
}

const BODY: &str = r#"{"access_token":"abc","expires_in":3600}"#;

async fn troubled(trouble: Trouble) -> actix_web::HttpResponse {
    send(NOW, Transport::trouble(trouble), honest).await
}

/// The next piece of a body if it is there; `Some(None)` is the end.
fn next(body: &mut BoxBody) -> Option<Option<Result<Bytes, String>>> {
    let mut body = pin!(body);
    let piece = std::future::poll_fn(|context| body.as_mut().poll_next(context)).now_or_never();
    piece.map(|piece| piece.map(|piece| piece.map_err(|error| error.to_string())))
}

async fn text(trouble: Trouble) -> String {
    let body = actix_web::body::to_bytes(troubled(trouble).await.into_body())
        .await
        .unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

#[actix_web::test]
async fn silence_and_half_bodies() {
    let never = send(NOW, Transport::trouble(Trouble::NeverAnswer), || unreachable!());
    assert!(never.now_or_never().is_none());

    let mut body = troubled(Trouble::Stall).await.into_body();
    assert_eq!(
        next(&mut body),
        Some(Some(Ok(Bytes::from(&BODY[..BODY.len() / 2]))))
    );
    assert_eq!(next(&mut body), None, "nothing more, and no end");

    let mut body = troubled(Trouble::Cut).await.into_body();
    assert!(next(&mut body).unwrap().unwrap().is_ok());
    assert_eq!(next(&mut body), None, "the half is sent before the break");
    assert!(next(&mut body).unwrap().unwrap().is_err());

    let response = troubled(Trouble::Drip { every_ms: 1 }).await;
    assert_eq!(
        response
            .headers()
            .get("content-length")
            .unwrap()
            .to_str()
            .unwrap(),
        BODY.len().to_string()
    );
    assert_eq!(text(Trouble::Drip { every_ms: 0 }).await, BODY);
    let mut body = troubled(Trouble::Drip { every_ms: 3_600_000 }).await.into_body();
    assert_eq!(next(&mut body), None);
    assert!(
        send(NOW, Transport::slow(3_600_000), honest)
            .now_or_never()
            .is_none()
    );
}

#[actix_web::test]
async fn bodies_that_are_no_json_or_odd_json() {
    assert_eq!(text(Trouble::Truncated).await, BODY[..BODY.len() / 2]);
    assert_eq!(text(Trouble::ByteOrderMark).await, format!("\u{feff}{BODY}"));
    assert_eq!(text(Trouble::Empty).await, "");
    assert!(text(Trouble::Html).await.starts_with("<!doctype html>"));
    let twice = text(Trouble::DuplicateKeys).await;
    assert_eq!(
        twice,
        format!("{{\"access_token\":\"a lie\",\"expires_in\":3600,{}", &BODY[1..])
    );
    assert!(
        text(Trouble::LoneSurrogate)
            .await
            .starts_with(r#"{"half_of_a_pair":"\ud800","access"#)
    );
    let deep = text(Trouble::DeepNesting { depth: 100_000 }).await;
    assert!(deep.len() == 200_000 && serde_json::from_str::<Value>(&deep).is_err());
    let response = troubled(Trouble::WrongContentType).await;
    assert_eq!(response.headers().get("content-type").unwrap(), "text/plain");
}

#[actix_web::test]
async fn huge_bodies_come_in_pieces() {
    let mut body = troubled(Trouble::Huge { bytes: 10_000_000 }).await.into_body();
    let (mut total, mut largest) = (0, 0);
    while let Some(Some(Ok(piece))) = next(&mut body) {
        total += piece.len();
        largest = largest.max(piece.len());
    }
    assert_eq!(total, 10_000_000 + BODY.len() + r#""padding":"","#.len());
    assert!(largest <= 64 * 1024);
    let small: Value = serde_json::from_str(&text(Trouble::Huge { bytes: 3 }).await).unwrap();
    assert_eq!(
        (&small["padding"], &small["access_token"]),
        (&"xxx".into(), &"abc".into())
    );
}

#[actix_web::test]
async fn a_gzip_bomb_is_small_until_it_is_opened() {
    let response = troubled(Trouble::GzipBomb { bytes: 1_000_000_000 }).await;
    assert_eq!(response.headers().get("content-encoding").unwrap(), "gzip");
    let length: u64 = response
        .headers()
        .get("content-length")
        .unwrap()
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(length < 1_000_000_000 / 150, "{length}");
    let bytes = actix_web::body::to_bytes(troubled(Trouble::GzipBomb { bytes: 5000 }).await.into_body());
    let bytes = bytes.await.unwrap();
    // What zlib makes of zeros with fixed codes, after the ten bytes of header.
    assert_eq!(bytes[10..14], GZIPPED_ZEROS);
}

/// Checked by inflating the whole with another implementation.
const GZIPPED_ZEROS: [u8; 4] = [0x63, 0x18, 0x05, 0xa3];

#[actix_web::test]
async fn okta_limits_and_breaks_in_its_own_words() {
    let mut stage = Stage::new();
    let code = stage.code(Server::Org, "ada@acme.test", &[]).await;
    let limited = Transport {
        times: Some(1),
        ..Transport::trouble(Trouble::RateLimited { reset_in: 30 })
    };
    stage
        .okta
        .set_faults(|faults| drop(faults.transport.insert(Endpoint::Token, limited)));
    let page = stage.redeem(Server::Org, &code).await;
    assert_eq!(
        (page.status.as_u16(), page.json()["errorCode"].clone()),
        (429, "E0000047".into())
    );
    assert_eq!(page.header("x-rate-limit-reset"), (NOW.0 + 30).to_string());
    assert_eq!(page.header("retry-after"), "");
    assert_eq!(
        stage.redeem(Server::Org, &code).await.status,
        200,
        "once only, and the code is still good"
    );

    stage.okta.set_faults(|faults| {
        drop(
            faults
                .transport
                .insert(Endpoint::Token, Transport::trouble(Trouble::ServerError)),
        );
        let location = "http://127.0.0.1:1/".into();
        drop(faults.transport.insert(
            Endpoint::Discovery,
            Transport::trouble(Trouble::Redirect { location }),
        ));
        let gone = Trouble::Status {
            status: 404,
            content_type: "text/plain".into(),
            body: "no".into(),
        };
        drop(faults.transport.insert(Endpoint::Keys, Transport::trouble(gone)));
    });
    for server in [Server::Org, Server::Default] {
        assert_eq!(stage.redeem(server, "x").await.json()["errorCode"], "E0000009");
        assert_eq!(stage.get(&path(server, "keys")).await.status, 404);
    }
    assert_eq!(
        stage
            .get("/.well-known/openid-configuration")
            .await
            .header("location"),
        "http://127.0.0.1:1/"
    );
    assert_eq!(
        stage
            .get("/oauth2/default/.well-known/openid-configuration")
            .await
            .status,
        302
    );
    assert_eq!(
        stage.authorize(Server::Org, &[]).await.status,
        302,
        "other endpoints are well"
    );
}
