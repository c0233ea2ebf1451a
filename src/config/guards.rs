//! The guards: what one request, one connection and one caller may take of a node. Whoever runs a node sets them; the
//! defaults are those that the README names.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Flags;
use super::check::Checker;
use super::room;

/// The bounds of a node. A rate of zero is no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guards {
    /// From the end of a request's head to its answer, the body's arrival and every call upstream included.
    pub request_within: Duration,
    /// From the end of a request's head to the end of its body; and how long nothing of an answer may be taken.
    pub body_within: Duration,
    /// Path and query, in bytes: a longer one is answered 414.
    pub longest_url: usize,
    /// Names and values of all headers, in bytes: more is answered 431. Our own cookies are at most 8 KiB.
    pub largest_headers: usize,
    /// What is read of any body, in bytes: more is answered 413. Most endpoints read less.
    pub largest_body: usize,
    /// Open connections; more of them wait in the system's queue.
    pub connections: u32,
    /// Open connections of one address; those of trusted proxies are not counted.
    pub connections_per_address: u32,
    /// Requests of one address in a minute.
    pub requests_per_address: u32,
    /// Token requests of one app client in a minute.
    pub requests_per_client: u32,
    /// Wrong passwords of native accounts that come from one address in a minute.
    pub wrong_passwords_per_address: u32,
    /// How long a node that was told to stop says so before it takes no more connections.
    pub drain_delay: Duration,
}

impl Default for Guards {
    fn default() -> Guards {
        Guards {
            request_within: Duration::from_secs(30),
            body_within: Duration::from_secs(10),
            longest_url: 8_192,
            largest_headers: 16_384,
            largest_body: 1_048_576,
            connections: 20_000,
            connections_per_address: 1_024,
            requests_per_address: 3_000,
            requests_per_client: 0,
            wrong_passwords_per_address: 30,
            drain_delay: Duration::ZERO,
        }
    }
}

impl Checker {
    pub(super) fn guards(&mut self, flags: &Flags) -> Guards {
        const RATES: RangeInclusive<u32> = 0..=10_000_000;
        let usual = Guards::default();
        Guards {
            request_within: self.seconds(
                "request-deadline",
                &flags.request_deadline,
                1..=30,
                usual.request_within,
            ),
            body_within: self.seconds("body-deadline", &flags.body_deadline, 1..=30, usual.body_within),
            longest_url: self.number(
                "longest-url",
                &flags.longest_url,
                2_048..=65_536,
                usual.longest_url,
            ),
            largest_headers: self.number(
                "largest-headers",
                &flags.largest_headers,
                8_192..=65_536,
                usual.largest_headers,
            ),
            largest_body: self.number(
                "largest-body",
                &flags.largest_body,
                4_096..=1_048_576,
                usual.largest_body,
            ),
            connections: self.number(
                "connections",
                &flags.connections,
                16..=1_000_000,
                room::connections(usual.connections),
            ),
            connections_per_address: self.number(
                "connections-per-address",
                &flags.connections_per_address,
                1..=1_000_000,
                usual.connections_per_address,
            ),
            requests_per_address: self.number(
                "requests-per-address",
                &flags.requests_per_address,
                RATES,
                usual.requests_per_address,
            ),
            requests_per_client: self.number(
                "requests-per-client",
                &flags.requests_per_client,
                RATES,
                usual.requests_per_client,
            ),
            wrong_passwords_per_address: self.number(
                "wrong-passwords-per-address",
                &flags.wrong_passwords_per_address,
                1..=10_000,
                usual.wrong_passwords_per_address,
            ),
            drain_delay: self.seconds("drain-delay", &flags.drain_delay, 0..=300, usual.drain_delay),
        }
    }

    fn seconds(
        &mut self,
        name: &str,
        text: &Option<String>,
        bounds: RangeInclusive<u64>,
        default: Duration,
    ) -> Duration {
        Duration::from_secs(self.number(name, text, bounds, default.as_secs()))
    }
}
