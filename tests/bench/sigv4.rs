//! Calls of the management API as an AWS SDK signs them (Signature Version 4).

use forebay::demo::{ACCESS_KEY, ACCESS_SECRET};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.chain_update(text).finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A call of the demo's access key.
pub fn signed(operation: &str, body: &str) -> Vec<u8> {
    let host = "localhost:8080";
    let target = format!("AWSCognitoIdentityProviderService.{operation}");
    let at = chrono::Utc::now().format("%Y%m%dT%H%M%SZ").to_string();
    let names = "host;x-amz-date;x-amz-target";
    let canonical = format!(
        "POST\n/\n\nhost:{host}\nx-amz-date:{at}\nx-amz-target:{target}\n\n{names}\n{}",
        hex(&Sha256::digest(body))
    );
    let scope = format!("{}/us-local-1/cognito-idp/aws4_request", &at[..8]);
    let text = format!(
        "AWS4-HMAC-SHA256\n{at}\n{scope}\n{}",
        hex(&Sha256::digest(canonical))
    );
    let secret = format!("AWS4{ACCESS_SECRET}").into_bytes();
    let key = scope.split('/').fold(secret, |key, part| mac(&key, part));
    let signature = hex(&mac(&key, &text));
    format!(
        "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-amz-json-1.1\r\nX-Amz-Date: {at}\r\n\
         X-Amz-Target: {target}\r\nAuthorization: AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope}, \
         SignedHeaders={names}, Signature={signature}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
