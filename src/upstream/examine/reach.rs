//! Is the provider there? DNS, TCP and TLS, each by itself, from this machine.

use std::sync::Arc;
use std::time::Duration;

use rustls::CertificateError;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use url::Url;

use super::{Report, Stage, Verdict};
use crate::rules::upstream_error::{Cause, plain};
use crate::upstream::fence::{self, NoAddress};
use crate::upstream::{Failure, Inner};

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// A certificate that ends sooner is worth a word.
const SOON: i64 = 21 * 24 * 3600;

impl Inner {
    /// DNS, TCP and TLS; false when one of them failed.
    pub(super) async fn reach<F: FnMut(&Stage)>(&self, url: &Url, report: &mut Report<F>) -> bool {
        let exempt = match self.http.admits(url) {
            Ok(exempt) => exempt,
            Err(trouble) => {
                report.failed("dns", &trouble.into());
                report.skipped("tcp", "the address is refused");
                report.skipped("tls", "the address is refused");
                return false;
            }
        };
        if self.http.proxied && !exempt {
            for name in ["dns", "tcp", "tls"] {
                report.skipped(name, "the outbound proxy does this");
            }
            return true;
        }
        let (host, port) = (
            url.host_str().unwrap_or_default(),
            url.port_or_known_default().unwrap_or(443),
        );
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let addresses = match fence::resolve(name, !exempt).await {
            Ok(addresses) => addresses,
            Err(problem) => {
                let cause = match problem {
                    NoAddress::Unresolved(_) => Cause::DnsFailed,
                    NoAddress::NotPublic => Cause::AddressRefused,
                };
                report.failed("dns", &Failure::new(cause, format!("{host}: {problem}")));
                report.skipped("tcp", "there is no address");
                report.skipped("tls", "there is no address");
                return false;
            }
        };
        let shown: Vec<String> = addresses
            .iter()
            .take(4)
            .map(|address| address.ip().to_string())
            .collect();
        report.passed("dns", format!("{host} is {}", shown.join(", ")));

        let mut stream = None;
        let mut refused = false;
        for mut address in addresses.into_iter().take(4) {
            address.set_port(port);
            match tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect(address)).await {
                Ok(Ok(connected)) => {
                    stream = Some((connected, address));
                    break;
                }
                Ok(Err(_)) => refused = true,
                Err(_) => {}
            }
        }
        let Some((stream, address)) = stream else {
            let (cause, what) = match refused {
                true => (Cause::ConnectFailed, "refuses the connection"),
                false => (Cause::ConnectTimeout, "does not answer"),
            };
            report.failed("tcp", &Failure::new(cause, format!("{host} port {port} {what}")));
            report.skipped("tls", "there is no connection");
            return false;
        };
        report.passed("tcp", format!("connected to {address}"));
        if url.scheme() != "https" {
            report.skipped("tls", "plain http, as a named exception for development");
            return true;
        }
        self.shake_hands(name, stream, report).await
    }

    async fn shake_hands<F: FnMut(&Stage)>(
        &self,
        host: &str,
        stream: TcpStream,
        report: &mut Report<F>,
    ) -> bool {
        let (Ok((config, recorder)), Ok(server)) =
            (self.http.trust.recording(), ServerName::try_from(host.to_owned()))
        else {
            report.failed(
                "tls",
                &Failure::new(Cause::TlsHandshakeFailed, "the host is no name for TLS"),
            );
            return false;
        };
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let shaken = tokio::time::timeout(CONNECT_WITHIN, connector.connect(server, stream)).await;
        let chain = recorder.chain();
        let seen = chain.as_ref().map_or_else(
            || "no certificate came".to_owned(),
            |chain| {
                format!(
                    "certificate {} issued by {}, valid until {}",
                    chain.subject, chain.issuer, chain.not_after
                )
            },
        );
        match shaken {
            Ok(Ok(stream)) => {
                report.facts.tls_issuer = chain
                    .as_ref()
                    .map(|chain| chain.issuer.clone())
                    .unwrap_or_default();
                let version = stream
                    .get_ref()
                    .1
                    .protocol_version()
                    .and_then(|version| version.as_str().map(str::to_owned));
                let detail = format!(
                    "{}; {seen}",
                    version.unwrap_or_else(|| "TLS".into()).replace('_', ".")
                );
                let remedy = match &chain {
                    Some(chain) if chain.names_an_inspector() => {
                        "An inspecting proxy issued this certificate, and this machine trusts it: it can read client secrets and tokens. Exempt the Okta domain from inspection."
                    }
                    Some(chain) if chain.not_after.since(self.clock.now()) < SOON => {
                        "The certificate ends soon: see that it is renewed in time."
                    }
                    _ => "",
                };
                report.add("tls", Verdict::Passed, "", detail, remedy);
                true
            }
            Ok(Err(error)) => {
                let why = plain(&error.to_string(), 200);
                let unknown = is_unknown_issuer(&error);
                let intercepted = unknown
                    && !self.http.trust.is_empty()
                    && chain.is_some_and(|chain| chain.looks_intercepted());
                let cause = if intercepted {
                    Cause::TlsIntercepted
                } else {
                    Cause::TlsHandshakeFailed
                };
                let mut detail = format!("{why}; {seen}");
                if self.http.trust.is_empty() {
                    detail.push_str("; this machine has no certificate authorities (install ca-certificates or set the CA bundle)");
                }
                report.failed("tls", &Failure::new(cause, detail));
                false
            }
            Err(_) => {
                report.failed(
                    "tls",
                    &Failure::new(
                        Cause::TlsHandshakeFailed,
                        format!("the handshake was not finished in time; {seen}"),
                    ),
                );
                false
            }
        }
    }
}

fn is_unknown_issuer(error: &std::io::Error) -> bool {
    let inside = error
        .get_ref()
        .and_then(|inside| inside.downcast_ref::<rustls::Error>());
    matches!(
        inside,
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer))
    )
}
