//! Requests that are broken in every way that a small generator knows (F32), to every route, byte by byte over the socket:
//! never a 5xx, no panic, the process lives and serves. The seed of a run says which requests it sent.

use std::net::SocketAddr;
use std::time::Duration;

use forebay::demo::{POOL, SPA_CLIENT, WEB_CLIENT, WEB_SECRET};

use super::Options;
use super::http::{Line, answered, basic};
use super::load::{Dice, bytes};
use super::log::Request;
use super::process::{Use, megabytes};
use super::report::Verdict;
use super::routes;
use super::stage::{Base, Stage, is_ready};

const AT_ONCE: u64 = 8;

/// Pieces that break something somewhere, or used to.
const PIECES: [&[u8]; 44] = [
    b"",
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b" ",
    b"\t",
    b"%",
    b"%00",
    b"%zz",
    b"%2e%2e%2f",
    b"%ff%fe",
    b"../",
    b"//",
    b";",
    b"&&&&",
    b"====",
    b"\xff\xfe",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x92\xa9",
    b"'",
    b"\"",
    b"<script>",
    b"{",
    b"[[[[",
    b"]",
    b"{\"a\":",
    b"null",
    b"-1",
    b"0",
    b"9223372036854775808",
    b"1e999",
    b"NaN",
    b"true",
    b"Bearer ",
    b"Basic =====",
    b"eyJhbGciOiJub25lIn0.e30.",
    b"a.b.c",
    b"....",
    b"urn:",
    b"http://[::1",
    b"\xe2\x80\xae",
];

const METHODS: [&str; 14] = [
    "GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE", "CONNECT", "get", "G\0T", "", "PRI",
    "\u{fffd}",
];

const TYPES: [&str; 8] = [
    "application/x-www-form-urlencoded",
    "application/x-amz-json-1.1",
    "application/json",
    "multipart/form-data; boundary=x",
    "multipart/form-data",
    "text/plain; charset=utf-16",
    "application/x-www-form-urlencoded; charset=\"",
    "\u{fffd}/",
];

const NAMES: [&str; 26] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "nonce",
    "code",
    "code_challenge",
    "code_verifier",
    "grant_type",
    "refresh_token",
    "token",
    "id_token_hint",
    "logout_uri",
    "identity_provider",
    "idp_identifier",
    "login_hint",
    "lang",
    "resource",
    "subject_token",
    "csrf",
    "username",
    "password",
    "page",
    "UserPoolId",
    "Limit",
];

const TARGETS: [&str; 10] = [
    "ListUsers",
    "AdminGetUser",
    "CreateUserPoolClient",
    "DescribeUserPool",
    "InitiateAuth",
    "RespondToAuthChallenge",
    "GetUser",
    "AdminCreateUser",
    "ListGroups",
    "\0",
];

/// Makes requests out of a seed.
struct Generator<'a> {
    dice: Dice,
    paths: &'a [String],
}

impl Generator<'_> {
    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.dice.below(of.len() as u64) as usize]
    }

    fn is(&mut self, percent: u64) -> bool {
        self.dice.below(100) < percent
    }

    /// Something to be a value: pieces, perhaps very many of one.
    fn value(&mut self) -> Vec<u8> {
        let mut value = Vec::new();
        for _ in 0..=self.dice.below(4) {
            let piece = self.one(&PIECES);
            let times = if self.is(4) { self.dice.below(3_000) } else { 1 };
            (0..times).for_each(|_| value.extend(piece));
        }
        value
    }

    /// The values that parameters really have, so that what comes after them is reached, too.
    fn likely(&mut self) -> Vec<u8> {
        let likely = [
            WEB_CLIENT,
            SPA_CLIENT,
            POOL,
            "code",
            "openid",
            "authorization_code",
            "refresh_token",
            "client_credentials",
            "http://127.0.0.1:9999/callback",
            "acme-okta",
            "S256",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ];
        if self.is(70) {
            self.one(&likely).into()
        } else {
            self.value()
        }
    }

    fn form(&mut self) -> Vec<u8> {
        let mut form = Vec::new();
        for _ in 0..self.dice.below(12) {
            form.extend(self.one(&NAMES).as_bytes());
            form.push(b'=');
            form.extend(self.likely());
            form.push(b'&');
        }
        form
    }

    fn json(&mut self) -> Vec<u8> {
        let depth = if self.is(5) {
            self.dice.below(20_000)
        } else {
            self.dice.below(3)
        };
        let mut json = Vec::new();
        (0..depth).for_each(|_| json.extend(b"{\"a\":["));
        json.extend(b"{");
        for _ in 0..self.dice.below(6) {
            json.extend(format!("\"{}\":", self.one(&NAMES)).as_bytes());
            match self.dice.below(3) {
                0 => json.extend(self.value()),
                _ => {
                    json.push(b'"');
                    json.extend(self.likely());
                    json.push(b'"');
                }
            }
            json.push(b',');
        }
        json.extend(b"\"UserPoolId\":0}");
        json
    }

    fn header(&mut self) -> Vec<u8> {
        let target = self.one(&TARGETS);
        let known = [
            "Host",
            "Cookie",
            "Authorization",
            "Origin",
            "Referer",
            "Accept-Language",
            "X-Forwarded-For",
            "Forwarded",
            "traceparent",
            "X-Amz-Target",
            "X-Amz-Date",
            "Expect",
            "Upgrade",
            "Connection",
            "Content-Encoding",
            "If-None-Match",
            "Range",
            "TE",
            "",
        ];
        let mut header = self.one(&known).as_bytes().to_vec();
        header.extend(self.one::<[u8]>(&[b": ", b":", b" : ", b"", b":\t"]));
        match self.dice.below(6) {
            0 => header.extend(format!("AWSCognitoIdentityProviderService.{target}").as_bytes()),
            1 => header.extend(
                basic(WEB_CLIENT, WEB_SECRET)
                    .trim()
                    .trim_start_matches("Authorization: ")
                    .as_bytes(),
            ),
            2 => {
                header.extend(b"__Host-forebay=");
                header.extend(self.value());
            }
            _ => header.extend(self.value()),
        }
        header.extend(b"\r\n");
        header
    }

    /// A request, and whether the other side can see where it ends.
    fn request(&mut self) -> (Vec<u8>, bool) {
        let path = self.paths[self.dice.below(self.paths.len() as u64) as usize].clone();
        let mut request = if self.is(75) {
            self.one(&["GET", "POST"]).as_bytes().to_vec()
        } else {
            self.one(&METHODS).as_bytes().to_vec()
        };
        request.push(b' ');
        request.extend(path.as_bytes());
        if self.is(15) {
            request.extend(self.value());
        }
        if self.is(50) {
            request.push(b'?');
            // What a request line cannot hold is written as it has to be, mostly.
            let query = self.form();
            let escape = self.is(80);
            for byte in query {
                match byte {
                    b'!'..=b'~' => request.push(byte),
                    _ if escape => request.extend(format!("%{byte:02x}").as_bytes()),
                    _ => request.push(byte),
                }
            }
        }
        request.extend(
            self.one(&[
                " HTTP/1.1",
                " HTTP/1.1",
                " HTTP/1.1",
                " HTTP/1.1",
                " HTTP/1.0",
                " HTTP/9.9",
                " HTTP/2.0",
                "",
            ])
            .as_bytes(),
        );
        request.extend(b"\r\n");
        if self.is(95) {
            request.extend(b"Host: localhost:8080\r\n");
        }
        if path == "/" || self.is(5) {
            let target = self.one(&TARGETS);
            request
                .extend(format!("X-Amz-Target: AWSCognitoIdentityProviderService.{target}\r\n").as_bytes());
        }
        for _ in 0..self.dice.below(4) {
            request.extend(self.header());
        }
        let body = if self.is(60) { self.form() } else { self.json() };
        request.extend(format!("Content-Type: {}\r\n", self.one(&TYPES)).as_bytes());
        let kind = self.dice.below(10);
        match kind {
            0 => request.extend(b"Transfer-Encoding: chunked\r\n"),
            1 => request.extend(format!("Content-Length: {}\r\n", self.dice.below(1 << 20)).as_bytes()),
            _ => request.extend(format!("Content-Length: {}\r\n", body.len()).as_bytes()),
        }
        request.extend(b"Connection: close\r\n\r\n");
        request.extend(body);
        // Torn, or with a byte that is another.
        let is_torn = self.is(10);
        if is_torn {
            request.truncate(self.dice.below(request.len() as u64) as usize);
        }
        let has_a_hole = self.is(10);
        if has_a_hole {
            let at = self.dice.below(request.len().max(1) as u64) as usize;
            if let Some(byte) = request.get_mut(at) {
                *byte = self.dice.below(256) as u8;
            }
        }
        (request, kind > 1 && !is_torn && !has_a_hole)
    }
}

pub fn f32_malformed_requests(options: &Options) -> Verdict {
    let stage = Stage::new(&Base::Sqlite);
    let mut node = stage.node();
    let paths = routes::all();
    let each = options.count(300, 20_000) as u64;
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE)
            .map(|number| {
                let (paths, address) = (&paths, node.address);
                let dice = Dice::new(options.seed.wrapping_mul(1_000).wrapping_add(number));
                scope.spawn(move || {
                    let mut generator = Generator { dice, paths };
                    (0..each)
                        .filter_map(|_| {
                            let (request, is_whole) = generator.request();
                            send(address, &request, is_whole)
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(node.ended(Duration::ZERO).is_none(), "it ended");
    let log = stage.log_of(node.address);
    assert!(!log.contains("panicked"), "{log}");
    assert!(is_ready(node.address));
    let code = stage.codes(WEB_CLIENT, 1).remove(0).code;
    let answer = answered(node.address, &bytes(&Request::Exchange { code }, WEB_CLIENT));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let count = |hundred: u16| statuses.iter().filter(|status| **status / 100 == hundred).count();
    assert!(
        count(2) > 0 && count(3) > 0 && count(4) > 0,
        "the requests reach nothing: {statuses:?}"
    );
    Verdict::passed([format!(
        "{} requests to {} routes, seed {}: {} answered 2xx, {} 3xx, {} 4xx, 0 5xx; {} resident",
        each * AT_ONCE,
        paths.len(),
        options.seed,
        count(2),
        count(3),
        count(4),
        megabytes(Use::of(&node).resident)
    )])
}

/// Sends it; the status, if there was an answer. Of what has no end of its own the end is said.
fn send(address: SocketAddr, request: &[u8], is_whole: bool) -> Option<u16> {
    let mut line = Line::open(address).unwrap();
    line.say(request);
    if !is_whole {
        line.end();
    }
    let status = line.status(Duration::from_secs(2))?;
    assert!(
        status < 500,
        "{status} for {:?}",
        String::from_utf8_lossy(&request[..request.len().min(2_000)])
    );
    Some(status)
}
