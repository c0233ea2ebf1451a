//! Sends an answer, or has it go wrong on the way: silence, single bytes, half bodies, other statuses, bodies
//! that are no JSON or too much of it. RFC 9112 says what a client may expect; this file knows how it is
//! disappointed. Whatever is large is produced piece by piece.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use actix_web::{HttpResponse, HttpResponseBuilder};
use futures_util::stream::{self, Stream, StreamExt};
use serde_json::Value;

use super::faults::{Transport, Trouble};
use super::http::Reply;
use crate::world::UnixTime;

type Piece = Result<Bytes, std::io::Error>;

/// The answer with its trouble. The honest answer is only made where something of it is sent, so that a code
/// is not spent by a request that "failed".
pub async fn send(now: UnixTime, transport: Transport, answer: impl FnOnce() -> Reply) -> HttpResponse {
    if transport.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(transport.delay_ms)).await;
    }
    let Some(trouble) = transport.trouble else {
        return whole(answer());
    };
    match trouble {
        Trouble::NeverAnswer => std::future::pending().await,
        Trouble::ServerError => whole(Reply::okta_error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "E0000009",
            "Internal Server Error",
            "oae500stand1n00000000",
        )),
        Trouble::RateLimited { reset_in } => whole(rate_limited(now.plus(reset_in))),
        Trouble::Status {
            status,
            content_type,
            body,
        } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT);
            whole(Reply::text(status, &content_type, body))
        }
        Trouble::Html => {
            let page = "<!doctype html><title>Network sign-in</title><h1>Please accept the terms</h1>";
            whole(Reply::text(
                StatusCode::OK,
                "text/html; charset=utf-8",
                page.into(),
            ))
        }
        Trouble::Redirect { location } => whole(Reply::redirect(&location)),
        Trouble::Empty => whole(Reply::text(StatusCode::OK, "application/json", String::new())),
        Trouble::DeepNesting { depth } => {
            let body = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            whole(Reply::text(StatusCode::OK, "application/json", body))
        }
        Trouble::Drip { every_ms } => drip(answer(), Duration::from_millis(every_ms)),
        Trouble::Stall => half_then(answer(), stream::pending()),
        Trouble::Cut => {
            let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
            // One pause, so that the half is on its way before the connection goes.
            let rest = stream::once(async {
                tokio::task::yield_now().await;
                Err(broken)
            });
            half_then(answer(), rest)
        }
        Trouble::Truncated => {
            let mut reply = answer();
            reply.body.truncate(reply.body.len() / 2);
            whole(reply)
        }
        Trouble::ByteOrderMark => {
            let mut reply = answer();
            reply.body.splice(0..0, *b"\xef\xbb\xbf");
            whole(reply)
        }
        Trouble::DuplicateKeys => whole(with_members(answer(), duplicate_members)),
        Trouble::LoneSurrogate => whole(with_members(answer(), |_| {
            r#""half_of_a_pair":"\ud800","#.to_owned()
        })),
        Trouble::WrongContentType => whole(answer().header("content-type", "text/plain")),
        Trouble::Huge { bytes } => huge(answer(), bytes),
        Trouble::GzipBomb { bytes } => gzip_bomb(answer(), bytes),
    }
}

fn builder(reply: &Reply) -> HttpResponseBuilder {
    let mut builder = HttpResponse::build(reply.status);
    for (name, value) in &reply.headers {
        builder.append_header((*name, value.as_str()));
    }
    builder
}

fn whole(reply: Reply) -> HttpResponse {
    builder(&reply).body(reply.body)
}

/// 429 as Okta sends it: its own error object, the limit's headers, no `Retry-After`.
fn rate_limited(reset: UnixTime) -> Reply {
    let why = "API call exceeded rate limit due to too many requests.";
    Reply::okta_error(
        StatusCode::TOO_MANY_REQUESTS,
        "E0000047",
        why,
        "oae429stand1n00000000",
    )
    .header("x-rate-limit-limit", "600")
    .header("x-rate-limit-remaining", "0")
    .header("x-rate-limit-reset", reset.0.to_string())
}

fn drip(reply: Reply, every: Duration) -> HttpResponse {
    let mut response = builder(&reply);
    response.no_chunking(reply.body.len() as u64);
    response.streaming(stream::iter(reply.body).then(move |byte| async move {
        tokio::time::sleep(every).await;
        Piece::Ok(Bytes::copy_from_slice(&[byte]))
    }))
}

/// Half the body, its full length announced, and then what `rest` does.
fn half_then(reply: Reply, rest: impl Stream<Item = Piece> + 'static) -> HttpResponse {
    let mut response = builder(&reply);
    response.no_chunking(reply.body.len() as u64);
    let mut half = reply.body;
    half.truncate(half.len() / 2);
    response.streaming(stream::once(async { Ok(Bytes::from(half)) }).chain(rest))
}

/// The JSON object with more text behind its opening brace; anything else as it is.
fn with_members(mut reply: Reply, more: impl FnOnce(&Value) -> String) -> Reply {
    let parsed: Option<Value> = serde_json::from_slice(&reply.body).ok();
    if let Some(object) = parsed.filter(|value| value.as_object().is_some_and(|members| !members.is_empty()))
    {
        reply.body.splice(1..1, more(&object).into_bytes());
    }
    reply
}

/// Every member once more, with a value of the same type that is not the true one.
fn duplicate_members(object: &Value) -> String {
    let members = object.as_object().into_iter().flatten();
    members
        .map(|(name, value)| {
            let lie = if value.is_string() {
                Value::from("a lie")
            } else {
                value.clone()
            };
            format!("{}:{lie},", Value::from(name.as_str()))
        })
        .collect()
}

const PIECE: usize = 64 * 1024;

/// Pieces of filler that add up to `bytes`.
fn filler(bytes: u64) -> impl Stream<Item = Piece> {
    let piece = Bytes::from(vec![b'x'; PIECE]);
    stream::unfold(bytes, move |left| {
        let piece = piece.clone();
        async move {
            let length = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            (length > 0).then(|| (Ok(piece.slice(..length)), left - length as u64))
        }
    })
}

fn huge(reply: Reply, bytes: u64) -> HttpResponse {
    let open = stream::once(async { Piece::Ok(Bytes::from_static(b"{\"padding\":\"")) });
    let rest: Vec<u8> = [b"\",".as_slice(), reply.body.get(1..).unwrap_or_default()].concat();
    let close = stream::once(async { Piece::Ok(Bytes::from(rest)) });
    builder(&reply).streaming(open.chain(filler(bytes)).chain(close))
}

fn gzip_bomb(reply: Reply, bytes: u64) -> HttpResponse {
    let mut response = builder(&reply);
    response.insert_header(("content-encoding", "gzip"));
    let (length, pieces) = zeros_gzipped(bytes);
    response.no_chunking(length);
    response.streaming(pieces)
}

/// A gzip stream (RFC 1952) of about `bytes` zeros and its length. One deflate block with fixed codes
/// (RFC 1951 §3.2.6): a literal zero, then matches of length 258 at distance 1. Such a match is the 13 bits
/// 11000101 00000, so 8 matches fill 13 bytes, and these 13 bytes repeat. The stream has no proper end, which
/// whoever gets that far may notice.
fn zeros_gzipped(bytes: u64) -> (u64, impl Stream<Item = Piece>) {
    const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let rounds = bytes / (258 * 8) + 1;
    let mut bits = Bits::default();
    bits.push("1 10"); // last block; fixed codes (the two bits of the type, low bit first)
    bits.push("00110000"); // literal 0
    // These 11 bits end inside the second byte; from the third on, every 13 bytes are the same.
    (0..16).for_each(|_| bits.push("11000101 00000"));
    let start = bits.bytes.get(..2).unwrap_or_default().to_vec();
    let round = bits.bytes.get(2..15).unwrap_or_default().to_vec();
    let per_piece = (PIECE / 13) as u64;
    let piece = Bytes::from(round.repeat(PIECE / 13));
    let head = [HEADER.as_slice(), &start].concat();
    let length = head.len() as u64 + rounds * 13;
    let body = stream::unfold(rounds, move |left| {
        let piece = piece.clone();
        async move {
            let now = left.min(per_piece);
            (now > 0).then(|| (Ok(piece.slice(..now as usize * 13)), left - now))
        }
    });
    (
        length,
        stream::once(async { Piece::Ok(Bytes::from(head)) }).chain(body),
    )
}

/// Deflate's bit order: the first bit is the lowest of the first byte.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    length: usize,
}

impl Bits {
    fn push(&mut self, pattern: &str) {
        for bit in pattern.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
            if self.length.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let (b'1', Some(last)) = (bit, self.bytes.last_mut()) {
                *last |= 1 << (self.length % 8);
            }
            self.length += 1;
        }
    }
}
