//! TLS towards the upstream: rustls on aws-lc, version 1.2 at least, the machine's certificate authorities plus the
//! operator's bundle. Also reads a certificate chain for people: who issued it, until when, and whether an inspecting
//! proxy seems to stand in between.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime as TlsTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, SignatureScheme};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::rules::upstream_error::plain;
use crate::world::UnixTime;

/// What both the HTTP client and the examination trust.
#[derive(Clone, Debug)]
pub struct Trust {
    provider: Arc<rustls::crypto::CryptoProvider>,
    verifier: Option<Arc<dyn ServerCertVerifier>>,
}

impl Trust {
    /// The machine's authorities and those of `ca_pem`. A machine without any can still start: every handshake then
    /// fails, which `examine` explains.
    pub fn new(ca_pem: Option<&[u8]>) -> Result<Trust, String> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut extra = Vec::new();
        if let Some(pem) = ca_pem {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                extra.push(certificate.map_err(|error| format!("the CA bundle is not PEM: {error}"))?);
            }
            if extra.is_empty() {
                return Err("the CA bundle holds no certificate".into());
            }
        }
        let had_extra = !extra.is_empty();
        let verifier = match rustls_platform_verifier::Verifier::new_with_extra_roots(extra, provider.clone())
        {
            Ok(verifier) => Some(Arc::new(verifier) as Arc<dyn ServerCertVerifier>),
            Err(error) if had_extra => return Err(format!("the CA bundle cannot be used: {error}")),
            Err(error) => {
                tracing::warn!(%error, "this machine has no certificate authorities: no provider can be reached over TLS");
                None
            }
        };
        Ok(Trust { provider, verifier })
    }

    /// The configuration of the HTTP client.
    pub fn config(&self) -> Result<ClientConfig, String> {
        self.build(self.verifier())
    }

    /// A configuration that also remembers the chain it was shown.
    pub fn recording(&self) -> Result<(ClientConfig, Arc<Recorder>), String> {
        let recorder = Arc::new(Recorder {
            inner: self.verifier(),
            chain: Mutex::default(),
        });
        Ok((self.build(recorder.clone())?, recorder))
    }

    /// No authority at all is known.
    pub fn is_empty(&self) -> bool {
        self.verifier.is_none()
    }

    fn verifier(&self) -> Arc<dyn ServerCertVerifier> {
        self.verifier.clone().unwrap_or_else(|| {
            Arc::new(TrustNobody(
                self.provider
                    .signature_verification_algorithms
                    .supported_schemes(),
            ))
        })
    }

    fn build(&self, verifier: Arc<dyn ServerCertVerifier>) -> Result<ClientConfig, String> {
        Ok(ClientConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth())
    }
}

/// The verifier of a machine without any certificate authority.
#[derive(Debug)]
struct TrustNobody(Vec<SignatureScheme>);

impl ServerCertVerifier for TrustNobody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: TlsTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Err(CertificateError::UnknownIssuer.into())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Err(CertificateError::UnknownIssuer.into())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Err(CertificateError::UnknownIssuer.into())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}

/// Verifies as ever and remembers the chain, also that of a handshake that fails.
#[derive(Debug)]
pub struct Recorder {
    inner: Arc<dyn ServerCertVerifier>,
    chain: Mutex<Vec<CertificateDer<'static>>>,
}

impl Recorder {
    /// The chain as the server sent it, read for people; `None` when no certificate came.
    pub fn chain(&self) -> Option<Chain> {
        let chain = self.chain.lock().unwrap_or_else(PoisonError::into_inner);
        Chain::read(&chain)
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: TlsTime,
    ) -> Result<ServerCertVerified, TlsError> {
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = std::iter::once(leaf)
            .chain(intermediates)
            .map(|certificate| certificate.clone().into_owned())
            .collect();
        self.inner
            .verify_server_cert(leaf, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// What a person wants to know of a certificate chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    pub subject: String,
    /// Who issued the server's own certificate.
    pub issuer: String,
    /// Who issued the last certificate that the server sent.
    pub root: String,
    pub not_after: UnixTime,
    pub self_signed: bool,
}

/// Authorities that public sites have their certificates from.
const PUBLIC_AUTHORITIES: [&str; 24] = [
    "amazon",
    "baltimore",
    "buypass",
    "certum",
    "comodo",
    "digicert",
    "e-tugra",
    "entrust",
    "geotrust",
    "globalsign",
    "go daddy",
    "godaddy",
    "google trust",
    "identrust",
    "internet security research group",
    "let's encrypt",
    "microsoft",
    "quovadis",
    "sectigo",
    "ssl.com",
    "starfield",
    "thawte",
    "usertrust",
    "zerossl",
];

/// Makers of proxies that inspect TLS.
const INSPECTORS: [&str; 27] = [
    "avast",
    "barracuda",
    "blue coat",
    "bluecoat",
    "burp",
    "cato networks",
    "charles proxy",
    "check point",
    "cisco umbrella",
    "cloudflare gateway",
    "forcepoint",
    "fortigate",
    "fortinet",
    "iboss",
    "kaspersky",
    "mcafee",
    "menlo security",
    "mitmproxy",
    "netskope",
    "palo alto",
    "portswigger",
    "skyhigh",
    "sophos",
    "squid",
    "untangle",
    "watchguard",
    "zscaler",
];

impl Chain {
    fn read(chain: &[CertificateDer<'_>]) -> Option<Chain> {
        let (_, leaf) = X509Certificate::from_der(chain.first()?).ok()?;
        let last = X509Certificate::from_der(chain.last()?).ok();
        let issuer = leaf.issuer().to_string();
        Some(Chain {
            subject: plain(&leaf.subject().to_string(), 120),
            root: plain(
                &last.map_or_else(|| issuer.clone(), |(_, last)| last.issuer().to_string()),
                120,
            ),
            issuer: plain(&issuer, 120),
            not_after: UnixTime(leaf.validity().not_after.timestamp()),
            self_signed: leaf.subject() == leaf.issuer(),
        })
    }

    /// A maker of inspecting proxies has its name in the chain.
    pub fn names_an_inspector(&self) -> bool {
        let names = format!("{} {}", self.issuer, self.root).to_lowercase();
        INSPECTORS.iter().any(|maker| names.contains(maker))
    }

    /// The chain of a failed handshake looks like an inspecting proxy's: made for this host, but by nobody public.
    pub fn looks_intercepted(&self) -> bool {
        let names = format!("{} {}", self.issuer, self.root).to_lowercase();
        let public = PUBLIC_AUTHORITIES
            .iter()
            .any(|authority| names.contains(authority));
        self.names_an_inspector() || (!public && !self.self_signed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn chain(issuer: &str, root: &str, self_signed: bool) -> Chain {
        Chain {
            subject: "CN=acme.okta.com".into(),
            issuer: issuer.into(),
            root: root.into(),
            not_after: UnixTime(0),
            self_signed,
        }
    }

    #[test]
    fn an_inspecting_proxy_is_told_from_an_ordinary_mistake() {
        for (issuer, root, self_signed, expected) in [
            (
                "CN=Zscaler Intermediate Root CA",
                "CN=Zscaler Root CA",
                false,
                true,
            ),
            ("CN=Acme Corp Web Gateway CA", "CN=Acme Corp Root", false, true),
            (
                "C=US, O=DigiCert Inc, CN=DigiCert TLS RSA SHA256 2020 CA1",
                "O=DigiCert Inc",
                false,
                false,
            ),
            (
                "C=US, O=Let's Encrypt, CN=R11",
                "O=Internet Security Research Group",
                false,
                false,
            ),
            ("CN=acme.okta.com", "CN=acme.okta.com", true, false),
        ] {
            assert_eq!(
                chain(issuer, root, self_signed).looks_intercepted(),
                expected,
                "{issuer}"
            );
        }
    }

    #[test]
    fn a_bundle_that_is_none_is_refused() {
        for (pem, says) in [
            ("", "no certificate"),
            (
                "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n",
                "not PEM",
            ),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                "cannot be used",
            ),
        ] {
            let error = Trust::new(Some(pem.as_bytes())).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
