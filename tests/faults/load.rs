//! The load: workers that exchange codes, refresh and revoke at a steady rate, as apps do, and write every request into the
//! operation log. A worker whose answer was lost asks again, and so finds out what became of it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use forebay::demo::{SPA_CLIENT, WEB_CLIENT, WEB_SECRET};
use forebay::rules::params;

use super::http::{self, basic, post};
use super::log::{Log, Operation, Outcome, Request, hash_of};
use super::stage::{CALLBACK, Code, VERIFIER};

/// Families that a worker keeps using.
const MOST_CHAINS: usize = 24;

/// Seeded, so that a run can be had again.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `sides` (xorshift).
    pub fn below(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides.max(1)
    }

    /// An index of a list that has `length` entries.
    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or_default()
    }
}

/// The bytes of a request; `client` is the web client, which has a secret, or the single-page one.
pub fn bytes(request: &Request, client: &str) -> Vec<u8> {
    let (path, mut form) = match request {
        Request::Exchange { code } => (
            "/oauth2/token",
            vec![
                ("grant_type", "authorization_code"),
                ("code", code),
                ("redirect_uri", CALLBACK),
                ("code_verifier", VERIFIER),
            ],
        ),
        Request::Refresh { token } => (
            "/oauth2/token",
            vec![("grant_type", "refresh_token"), ("refresh_token", token)],
        ),
        Request::Revoke { token } => ("/oauth2/revoke", vec![("token", token.as_str())]),
    };
    let headers = if client == WEB_CLIENT {
        basic(WEB_CLIENT, WEB_SECRET)
    } else {
        form.push(("client_id", SPA_CLIENT));
        String::new()
    };
    post(path, &headers, &params::encode(form))
}

/// Asks a node and writes down what came of it.
pub fn ask(
    log: &Log,
    node: (usize, SocketAddr),
    request: Request,
    sub: &str,
    client: &'static str,
) -> Outcome {
    let began = log.now();
    let answer = http::ask(node.1, &bytes(&request, client));
    let outcome = Outcome::of(&answer);
    log.write(Operation {
        node: node.0,
        began,
        ended: log.now(),
        request,
        sub: sub.into(),
        client,
        outcome: outcome.clone(),
        answer_hash: hash_of(&answer),
    });
    outcome
}

/// What all workers share.
pub struct Load<'a> {
    pub log: &'a Log,
    pub nodes: Vec<SocketAddr>,
    pub codes: Mutex<Vec<Code>>,
    pub stop: AtomicBool,
    /// Between two requests of one worker.
    pub pace: Duration,
    pub seed: u64,
}

/// A family that a worker holds the newest known token of.
struct Chain {
    token: String,
    sub: String,
    /// A refresh or a revocation of it went without an answer: it comes first.
    owed: Option<Owed>,
    is_revoked: bool,
}

#[derive(Clone, Copy)]
enum Owed {
    Refresh,
    Revocation,
}

struct Worker<'a> {
    load: &'a Load<'a>,
    dice: Dice,
    chains: Vec<Chain>,
    /// Codes whose exchange went without an answer.
    owed: Vec<Code>,
}

impl Load<'_> {
    pub fn supply(&self, codes: Vec<Code>) {
        self.codes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(codes);
    }

    pub fn stock(&self) -> usize {
        self.codes.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn next_code(&self) -> Option<Code> {
        self.codes.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// The life of one worker, until it is told to stop; at the end it shows that what it was given works.
    pub fn work(&self, number: u64) {
        let mut worker = Worker {
            load: self,
            dice: Dice::new(self.seed.wrapping_add(number)),
            chains: Vec::new(),
            owed: Vec::new(),
        };
        // Spread over the pace, so that the rate is steady.
        let mut due = Instant::now() + self.pace.mul_f64(worker.dice.below(100) as f64 / 100.0);
        while !self.stop.load(Ordering::Relaxed) {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            due += self.pace;
            worker.step();
        }
        worker.prove();
    }
}

impl Worker<'_> {
    fn ask(&mut self, request: Request, sub: &str) -> Outcome {
        let number = self.dice.index(self.load.nodes.len());
        ask(
            self.load.log,
            (number, self.load.nodes[number]),
            request,
            sub,
            WEB_CLIENT,
        )
    }

    fn step(&mut self) {
        if let Some(index) = self.chains.iter().position(|chain| chain.owed.is_some()) {
            match self.chains[index].owed {
                Some(Owed::Revocation) => self.revoke(index),
                _ => self.refresh(index),
            }
            return;
        }
        let live = self.chains.iter().filter(|chain| !chain.is_revoked).count();
        let index = self.dice.index(self.chains.len());
        match self.dice.below(100) {
            _ if !self.owed.is_empty() => self.exchange_again(),
            0..60 if live < MOST_CHAINS => self.exchange(),
            0..92 if !self.chains.is_empty() => self.refresh(index),
            _ if !self.chains.is_empty() => self.revoke(index),
            _ => self.exchange(),
        }
    }

    fn exchange(&mut self) {
        if let Some(code) = self.load.next_code() {
            self.redeem(code);
        }
    }

    fn exchange_again(&mut self) {
        if let Some(code) = self.owed.pop() {
            self.redeem(code);
        }
    }

    fn redeem(&mut self, code: Code) {
        let request = Request::Exchange {
            code: code.code.clone(),
        };
        match self.ask(request, &code.sub) {
            Outcome::Done(Some(issued)) => self.chains.extend(issued.refresh.map(|token| Chain {
                token,
                sub: code.sub,
                owed: None,
                is_revoked: false,
            })),
            Outcome::Done(None) | Outcome::Refused(_) => {}
            Outcome::Unavailable(_) | Outcome::Unknown | Outcome::NotSent => self.owed.push(code),
        }
    }

    /// A revoked one, too: the checker knows that it has to be refused.
    fn refresh(&mut self, index: usize) {
        let (token, sub) = (self.chains[index].token.clone(), self.chains[index].sub.clone());
        let outcome = self.ask(Request::Refresh { token }, &sub);
        let chain = &mut self.chains[index];
        chain.owed = None;
        match outcome {
            Outcome::Done(issued) => {
                if let Some(token) = issued.and_then(|issued| issued.refresh) {
                    chain.token = token;
                }
            }
            Outcome::Refused(_) => drop(self.chains.swap_remove(index)),
            Outcome::Unavailable(_) | Outcome::Unknown => chain.owed = Some(Owed::Refresh),
            Outcome::NotSent => {}
        }
    }

    fn revoke(&mut self, index: usize) {
        let (token, sub) = (self.chains[index].token.clone(), self.chains[index].sub.clone());
        let outcome = self.ask(Request::Revoke { token }, &sub);
        let chain = &mut self.chains[index];
        chain.owed = None;
        match outcome {
            Outcome::Done(_) => chain.is_revoked = true,
            Outcome::Refused(_) => {}
            Outcome::Unavailable(_) | Outcome::Unknown => chain.owed = Some(Owed::Revocation),
            Outcome::NotSent => {}
        }
    }

    /// Every token that was given works, and none that was revoked.
    fn prove(&mut self) {
        for _ in 0..self.owed.len() {
            self.exchange_again();
        }
        for index in (0..self.chains.len()).rev() {
            self.refresh(index);
        }
    }
}
