//! Native users in tests: made with a password, and proving it as a client of the SRP protocol does, written from the
//! protocol's side of the client.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto_bigint::modular::{FixedMontyForm, FixedMontyParams};
use crypto_bigint::{Odd, U256, U3072};
use forebay::actions::native::accounts::{self, NewUser};
use forebay::demo::POOL;
use forebay::model::pool;
use forebay::model::reach::Reach;
use forebay::model::user::User;
use forebay::rules::secret;
use hmac::{Hmac, Mac};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::Stage;

pub const PASSWORD: &str = "Correct-Horse-1";

impl Stage {
    /// A native user of the demo's pool with this password, for good.
    pub async fn native_user(&self, username: &str, password: &str) -> User {
        let user = self.temporary_user(username, password).await;
        let new = self.hashed(username, password).await;
        let ctx = self.ctx();
        self.act(|conn| {
            accounts::set_password(conn, &ctx, &Reach::everything(), &user.sub, new, None).unwrap();
        });
        user
    }

    /// The same with a temporary password of a week.
    pub async fn temporary_user(&self, username: &str, password: &str) -> User {
        let new = self.hashed(username, password).await;
        let ctx = self.ctx();
        let email = if username.contains('@') {
            username.to_owned()
        } else {
            format!("{username}@native.test")
        };
        let attributes = Map::from_iter([("email".to_owned(), json!(email))]);
        self.act(|conn| {
            let pool = pool::find(conn, POOL).unwrap().unwrap();
            let user = NewUser {
                pool: &pool,
                sub: secret::uuid(&ctx.entropy),
                username: username.into(),
                attributes,
                takes_alias: false,
                password: Some(new),
                temporary_until: ctx.now.plus(7 * 86_400),
            };
            accounts::create(conn, &ctx, user).unwrap()
        })
    }

    async fn hashed(&self, username: &str, password: &str) -> forebay::actions::native::NewPassword {
        let typed = Zeroizing::new(password.to_owned());
        self.broker
            .passwords
            .make(&self.broker.entropy, POOL, username, typed)
            .await
            .unwrap()
    }
}

const PRIME: &str = "\
FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD\
EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED\
EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F\
83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B\
E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510\
15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7\
ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C\
BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF";

/// The client's side of a sign-in by SRP.
pub struct SrpClient {
    exponent: U256,
    params: FixedMontyParams<{ U3072::LIMBS }>,
}

type Number = FixedMontyForm<{ U3072::LIMBS }>;

impl SrpClient {
    pub fn new() -> SrpClient {
        SrpClient {
            exponent: U256::from_be_slice(&hash(&[b"the client's own number"])),
            params: FixedMontyParams::new_vartime(Odd::<U3072>::from_be_hex(PRIME)),
        }
    }

    fn generator(&self) -> Number {
        FixedMontyForm::new(&U3072::from_u8(2), &self.params)
    }

    /// `SRP_A`.
    pub fn public(&self) -> String {
        hex(&bytes(&self.generator().pow(&self.exponent)))
    }

    /// The responses to `PASSWORD_VERIFIER`.
    pub fn answer(&self, parameters: &Value, password: &str) -> Value {
        let text = |name: &str| parameters[name].as_str().unwrap().to_owned();
        let (user_id, pool) = (text("USER_ID_FOR_SRP"), POOL.split_once('_').unwrap().1);
        let server = unhex(&text("SRP_B"));
        let identity = hash(&[pool.as_bytes(), user_id.as_bytes(), b":", password.as_bytes()]);
        let x = U256::from_be_slice(&hash(&[&padded(&unhex(&text("SALT"))), &identity]));
        let own = bytes(&self.generator().pow(&self.exponent));
        let scrambler = hash(&[&padded(&own), &padded(&server)]);
        let u = U256::from_be_slice(&scrambler);
        let k = hash(&[&padded(&unhex(PRIME)), &[2]]);
        // S = (B - k·g^x)^(a + u·x)
        let base = self.number(&server) - self.number(&k) * self.generator().pow(&x);
        let shared = base.pow(&self.exponent) * base.pow(&u).pow(&x);
        let extracted = mac(&padded(&scrambler), &[&padded(&bytes(&shared))]);
        let key = mac(&extracted, &[b"Caldera Derived Key", &[1]]);
        let timestamp = "Sat Nov 21 00:00:00 UTC 2026";
        let block = STANDARD.decode(text("SECRET_BLOCK")).unwrap();
        let signature = mac(
            &key[..16],
            &[pool.as_bytes(), user_id.as_bytes(), &block, timestamp.as_bytes()],
        );
        json!({
            "USERNAME": user_id,
            "PASSWORD_CLAIM_SECRET_BLOCK": text("SECRET_BLOCK"),
            "PASSWORD_CLAIM_SIGNATURE": STANDARD.encode(signature),
            "TIMESTAMP": timestamp,
        })
    }

    fn number(&self, bytes: &[u8]) -> Number {
        let start = bytes.len().saturating_sub(U3072::BYTES);
        let mut whole = [0; U3072::BYTES];
        whole[U3072::BYTES - (bytes.len() - start)..].copy_from_slice(&bytes[start..]);
        FixedMontyForm::new(&U3072::from_be_slice(&whole), &self.params)
    }
}

fn bytes(number: &Number) -> Vec<u8> {
    number.retrieve().to_be_bytes().as_ref().to_vec()
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    Sha256::digest(parts.concat()).into()
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.chain_update(parts.concat()).finalize().into_bytes().into()
}

/// Without leading zeros, and with one where the first bit is set.
fn padded(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().take_while(|byte| **byte == 0).count();
    let mut padded = bytes[start..].to_vec();
    if padded.first().is_none_or(|first| *first >= 0x80) {
        padded.insert(0, 0);
    }
    padded
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    assert_eq!(text.len() % 2, 0, "{text}");
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}
