//! A client that knows how far it came: whether a request was never sent, or was sent and then nobody heard what became of
//! it. One connection per request, so that no answer is lost to a kept connection that closes just then.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine;

/// Longer than any request may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// An answer that came whole.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Every cookie that is set, as `name=value`.
    pub fn cookies(&self) -> impl Iterator<Item = &str> {
        self.head.lines().filter_map(|line| {
            let (known, value) = line.split_once(':')?;
            known
                .eq_ignore_ascii_case("set-cookie")
                .then(|| value.trim().split(';').next().unwrap_or_default())
        })
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Failed {
    /// No connection: the server has not seen the request.
    NotSent,
    /// The connection died after the first byte was sent: the server may have done what was asked.
    Unknown,
}

/// A connection for one request.
pub struct Line(TcpStream);

impl Line {
    pub fn open(address: SocketAddr) -> Result<Line, Failed> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(|_| Failed::NotSent)?;
        stream.set_nodelay(true).map_err(|_| Failed::NotSent)?;
        stream
            .set_read_timeout(Some(PATIENCE))
            .map_err(|_| Failed::NotSent)?;
        Ok(Line(stream))
    }

    pub fn send(mut self, request: &[u8]) -> Result<Answer, Failed> {
        self.0.write_all(request).map_err(|_| Failed::Unknown)?;
        let mut bytes = Vec::new();
        let mut chunk = [0; 8_192];
        loop {
            if let Some(answer) = whole(&bytes) {
                return Ok(answer);
            }
            match self.0.read(&mut chunk) {
                Ok(read) if read > 0 => bytes.extend_from_slice(&chunk[..read]),
                _ => return Err(Failed::Unknown),
            }
        }
    }
}

/// The answer, once all of it is there.
fn whole(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut answer = Answer {
        status: head.get(9..12)?.parse().ok()?,
        head,
        body: Vec::new(),
    };
    let length = answer
        .header("content-length")
        .map_or(Some(0), |value| value.parse().ok())?;
    answer.body = bytes.get(end..end + length)?.to_vec();
    Some(answer)
}

pub fn ask(address: SocketAddr, request: &[u8]) -> Result<Answer, Failed> {
    Line::open(address)?.send(request)
}

/// For requests that nothing is to happen to.
#[track_caller]
pub fn answered(address: SocketAddr, request: &[u8]) -> Answer {
    ask(address, request).unwrap_or_else(|failed| panic!("no answer from {address}: {failed:?}"))
}

pub fn get(path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost:8080\r\nConnection: close\r\n{headers}\r\n").into_bytes()
}

pub fn post(path: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost:8080\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The header by which a client proves itself (RFC 6749 §2.3.1).
pub fn basic(id: &str, secret: &str) -> String {
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}"));
    format!("Authorization: Basic {pair}\r\n")
}

/// Path and query of an address.
pub fn path_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("/", |at| &rest[at..]).to_owned()
}
