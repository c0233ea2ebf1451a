//! Who is at the other end of the connection. `X-Forwarded-For` is believed only from a configured proxy, and only as far
//! back as such proxies wrote it; it never decides anything but whose share of a limit a request takes.

use std::net::IpAddr;

use actix_web::HttpRequest;
use ipnet::IpNet;

/// The client's address: the nearest one that is not a trusted proxy.
pub fn address(request: &HttpRequest, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    if !is_proxy(&peer, trusted) {
        return Some(peer);
    }
    let mut nearest = peer;
    let lines = request
        .headers()
        .get_all("x-forwarded-for")
        .filter_map(|value| value.to_str().ok());
    let named: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    for text in named.into_iter().rev() {
        // What cannot be read was not written by a proxy of ours.
        let Ok(address) = text.parse::<IpAddr>() else {
            break;
        };
        nearest = address;
        if !is_proxy(&address, trusted) {
            break;
        }
    }
    Some(nearest)
}

/// Whether that address is a trusted proxy's.
pub fn is_proxy(address: &IpAddr, trusted: &[IpNet]) -> bool {
    trusted
        .iter()
        .any(|network| network.contains(&address.to_canonical()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn forwarded_addresses_count_only_behind_a_trusted_proxy() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
        let seen = |peer: &str, forwarded: &[&str]| {
            let mut request = TestRequest::default().peer_addr(peer.parse().unwrap());
            for line in forwarded {
                request = request.append_header(("x-forwarded-for", *line));
            }
            address(&request.to_http_request(), &trusted).unwrap().to_string()
        };
        assert_eq!(
            seen("192.0.2.1:1", &["198.51.100.7"]),
            "192.0.2.1",
            "a stranger says what it likes"
        );
        assert_eq!(seen("10.0.0.1:1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(
            seen("10.0.0.1:1", &["203.0.113.9, 198.51.100.7, 10.0.0.2"]),
            "198.51.100.7"
        );
        assert_eq!(
            seen("10.0.0.1:1", &["203.0.113.9", "198.51.100.7"]),
            "198.51.100.7"
        );
        assert_eq!(seen("10.0.0.1:1", &["203.0.113.9, not an address"]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1:1", &[]), "10.0.0.1");
    }
}
