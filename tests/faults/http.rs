//! A client that knows how far it came: whether a request was never sent, or was sent and then nobody heard what became of
//! it. Where that counts, one connection per request, so that no answer is lost to a kept connection that closes just then.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
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

/// A connection, for one request or one after the other.
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
        self.ask(request)
    }

    /// Sends something and does not wait for an answer; whether it went.
    pub fn say(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }

    /// Says that nothing more will be sent.
    pub fn end(&mut self) {
        let _ = self.0.shutdown(Shutdown::Write);
    }

    /// The status of the answer, if one begins within that time.
    pub fn status(&mut self, within: Duration) -> Option<u16> {
        self.0.set_read_timeout(Some(within)).ok()?;
        let mut beginning = [0; 12];
        self.0.read_exact(&mut beginning).ok()?;
        std::str::from_utf8(&beginning[9..]).ok()?.parse().ok()
    }

    /// Whether the other side closes it within that time; what it still says is passed over.
    pub fn is_closed(&mut self, within: Duration) -> bool {
        let mut bytes = [0; 8_192];
        if self.0.set_read_timeout(Some(within)).is_err() {
            return true;
        }
        loop {
            match self.0.read(&mut bytes) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
            }
        }
    }

    /// Sends one request of several: it must not ask for the connection to be closed, and gets its whole answer.
    pub fn ask(&mut self, request: &[u8]) -> Result<Answer, Failed> {
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

/// One that leaves the connection open.
pub fn next_get(path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost:8080\r\n{headers}\r\n").into_bytes()
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
