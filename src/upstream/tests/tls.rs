//! TLS as it goes wrong in the field: unknown and inspecting authorities, expired certificates, wrong names (attack A-93,
//! fault F15). The certificates are made here, since none that lasts can be kept in a file.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::rules::jwks;
use crate::upstream::{Stage as Result, Verdict};

const VALID: [&str; 2] = ["200101000000Z", "491231235959Z"];
const EXPIRED: [&str; 2] = ["200101000000Z", "210101000000Z"];

/// One DER element.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut element = vec![tag];
    match content.len() {
        short @ 0..=127 => element.push(short as u8),
        long => element.extend([0x82, (long >> 8) as u8, long as u8]),
    }
    element.extend(content);
    element
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    der(0x30, &parts.concat())
}

fn integer(base64url: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend(URL_SAFE_NO_PAD.decode(base64url).unwrap());
    if bytes[1] < 0x80 {
        bytes.remove(0);
    }
    der(2, &bytes)
}

/// An RSA key with a name: an authority or a server.
struct Party {
    name: &'static str,
    key: KeyPair,
}

impl Party {
    fn new(name: &'static str) -> Party {
        let key = jwks::generate().unwrap();
        Party { name, key }
    }

    fn distinguished_name(&self) -> Vec<u8> {
        let common_name = sequence(&[vec![6, 3, 0x55, 4, 3], der(0x0c, self.name.as_bytes())]);
        sequence(&[der(0x31, &common_name)])
    }

    /// A certificate for the subject, for the host when one is given, else as an authority.
    fn certify(&self, subject: &Party, host: Option<&str>, validity: [&str; 2]) -> CertificateDer<'static> {
        let rsa_with_sha256 = sequence(&[vec![6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 11], vec![5, 0]]);
        let rsa = sequence(&[vec![6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1], vec![5, 0]]);
        let jwk = &subject.key.public_jwk;
        let mut public = vec![0];
        public.extend(sequence(&[integer(&jwk.n), integer(&jwk.e)]));
        let extension = match host {
            Some(host) => {
                let names = sequence(&[der(0x82, host.as_bytes())]);
                sequence(&[vec![6, 3, 0x55, 0x1d, 17], der(4, &names)])
            }
            None => {
                let constraints = sequence(&[vec![1, 1, 0xff]]);
                sequence(&[vec![6, 3, 0x55, 0x1d, 19], vec![1, 1, 0xff], der(4, &constraints)])
            }
        };
        let tbs = sequence(&[
            der(0xa0, &[2, 1, 2]),
            der(2, &[1]),
            rsa_with_sha256.clone(),
            self.distinguished_name(),
            sequence(&validity.map(|moment| der(0x17, moment.as_bytes()))),
            subject.distinguished_name(),
            sequence(&[rsa, der(3, &public)]),
            der(0xa3, &sequence(&[extension])),
        ]);
        let key = EncodingKey::from_rsa_der(&self.key.private_der);
        let signature = jsonwebtoken::crypto::sign(&tbs, &key, Algorithm::RS256).unwrap();
        let mut bits = vec![0];
        bits.extend(URL_SAFE_NO_PAD.decode(signature).unwrap());
        CertificateDer::from(sequence(&[tbs, rsa_with_sha256, der(3, &bits)]))
    }

    fn pem(&self) -> Vec<u8> {
        let root = self.certify(self, None, VALID);
        format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            STANDARD.encode(root)
        )
        .into_bytes()
    }
}

/// A server on loopback that shows this chain and has a discovery document; its issuer.
async fn serve(server: &Party, chain: Vec<CertificateDer<'static>>) -> String {
    let key = PrivateKeyDer::Pkcs1(PrivatePkcs1KeyDer::from(server.key.private_der.to_vec()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let body = serde_json::json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/oauth2/v1/authorize"),
        "token_endpoint": format!("{issuer}/oauth2/v1/token"),
        "jwks_uri": format!("{issuer}/oauth2/v1/keys"),
    });
    let body = body.to_string();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        }
    });
    issuer
}

/// Our leg trusting this authority (and the machine's own).
fn trusting(authority: &Party) -> Upstream {
    let options = Options {
        allow: vec!["localhost".into()],
        ca_pem: Some(authority.pem()),
        ..Options::default()
    };
    Upstream::new(options, Clock::frozen(NOW).0, Entropy::seeded(1)).unwrap()
}

async fn tls_stage(upstream: &Upstream, issuer: &str) -> Result {
    let stages = upstream.examine(&connection(issuer), CALLBACK, |_| {}).await;
    stages.into_iter().find(|stage| stage.name == "tls").unwrap()
}

#[actix_web::test]
async fn only_a_certificate_of_a_known_authority_for_this_host_and_time_will_do() {
    let (ours, other) = (Party::new("Acme Root CA"), Party::new("Other Root CA"));
    let server = Party::new("server of acme");
    for (trusted, chain, expected, says) in [
        (
            &ours,
            ours.certify(&server, Some("localhost"), VALID),
            "",
            "valid until 2049-12-31",
        ),
        (
            &other,
            ours.certify(&server, Some("localhost"), VALID),
            "TLS_INTERCEPTED",
            "issued by CN=Acme Root CA",
        ),
        (
            &ours,
            ours.certify(&server, Some("localhost"), EXPIRED),
            "TLS_HANDSHAKE_FAILED",
            "xpired",
        ),
        (
            &ours,
            ours.certify(&server, Some("acme.okta.com"), VALID),
            "TLS_HANDSHAKE_FAILED",
            "not valid for name",
        ),
        (
            &other,
            server.certify(&server, Some("localhost"), VALID),
            "TLS_HANDSHAKE_FAILED",
            "UnknownIssuer",
        ),
    ] {
        let issuer = serve(&server, vec![chain]).await;
        let upstream = trusting(trusted);
        let signed_in = upstream.authorize_url(&connection(&issuer), &request()).await;
        match signed_in {
            Ok(_) => assert_eq!(expected, ""),
            Err(failure) => assert_eq!(failure.cause.name(), "TLS_HANDSHAKE_FAILED", "{failure}"),
        }
        let stage = tls_stage(&upstream, &issuer).await;
        assert_eq!(stage.code, expected, "{stage:?}");
        assert_eq!(stage.verdict == Verdict::Passed, expected.is_empty());
        assert!(stage.detail.contains(says), "{says}: {stage:?}");
    }
}

/// A server on loopback that answers every greeting with these bytes; its issuer.
async fn answering(greeting: Vec<u8>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(&greeting).await;
            // Whoever goes on talking to it is left to wait.
            let _ = stream.read(&mut [0; 4096]).await;
        }
    });
    issuer
}

/// RFC 8996: TLS 1.0 and 1.1 are not to be used, whether a server chooses them or knows nothing else.
#[actix_web::test]
async fn a_server_of_another_age_is_refused() {
    // A ServerHello (RFC 2246 §7.4.1.3): a random, no session id, TLS_RSA_WITH_AES_128_CBC_SHA, no compression.
    let server_hello = |minor| {
        let mut hello = vec![0x16, 3, minor, 0, 42, 2, 0, 0, 38, 3, minor];
        hello.extend([0x5a; 32]);
        hello.extend([0, 0, 0x2f, 0]);
        hello
    };
    let protocol_version = vec![0x15, 3, 1, 0, 2, 2, 70];
    let ours = Party::new("Acme Root CA");
    for greeting in [server_hello(1), server_hello(2), protocol_version] {
        let issuer = answering(greeting).await;
        let upstream = trusting(&ours);
        let signed_in = upstream.authorize_url(&connection(&issuer), &request()).await;
        let failure = signed_in.unwrap_err();
        assert_eq!(failure.cause.name(), "TLS_HANDSHAKE_FAILED", "{failure}");
        let stage = tls_stage(&upstream, &issuer).await;
        assert_eq!(stage.code, "TLS_HANDSHAKE_FAILED", "{stage:?}");
        assert!(stage.remedy.contains("a TLS version below 1.2"), "{stage:?}");
    }
}

#[actix_web::test]
async fn an_inspecting_proxy_is_named_whether_it_is_trusted_or_not() {
    let (proxy, other) = (Party::new("Zscaler Root CA"), Party::new("Other Root CA"));
    let server = Party::new("server of acme");
    let issuer = serve(&server, vec![proxy.certify(&server, Some("localhost"), VALID)]).await;
    let stage = tls_stage(&trusting(&other), &issuer).await;
    assert_eq!(stage.code, "TLS_INTERCEPTED", "{stage:?}");
    let stage = tls_stage(&trusting(&proxy), &issuer).await;
    assert_eq!(stage.verdict, Verdict::Passed);
    assert!(stage.remedy.contains("inspecting proxy"), "{stage:?}");
}

#[actix_web::test]
async fn a_certificate_that_ends_soon_is_mentioned() {
    let ours = Party::new("Acme Root CA");
    let server = Party::new("server of acme");
    let issuer = serve(&server, vec![ours.certify(&server, Some("localhost"), VALID)]).await;
    let options = Options {
        allow: vec!["localhost".into()],
        ca_pem: Some(ours.pem()),
        ..Options::default()
    };
    // Ten days before the certificate's end, as this clock has it.
    let clock = Clock::frozen(UnixTime(2_524_607_999 - 10 * 24 * 3600)).0;
    let upstream = Upstream::new(options, clock, Entropy::seeded(1)).unwrap();
    let stage = tls_stage(&upstream, &issuer).await;
    assert!(stage.remedy.contains("ends soon"), "{stage:?}");
}
