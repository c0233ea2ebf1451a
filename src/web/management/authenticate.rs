//! Who calls: the credential whose secret signed the request (AWS Signature Version 4), and what it reaches.

use actix_web::HttpRequest;
use actix_web::web::Data;
use zeroize::Zeroizing;

use super::error::Failure;
use crate::actions::credentials;
use crate::broker::Broker;
use crate::error::StoreError;
use crate::model::credential::{self, Credential, Role};
use crate::model::reach::Reach;
use crate::rules::aws::sigv4::{Claim, Refusal, Request};

/// Who calls and what is within their reach.
#[derive(Clone, Debug)]
pub struct Caller {
    /// As it stands in the audit log.
    pub actor: String,
    pub sees: Reach,
    pub changes: Reach,
}

impl Caller {
    /// Whoever proves themselves by a token that the operation checks by itself.
    pub fn nobody() -> Caller {
        Caller {
            actor: "token".into(),
            sees: Reach::default(),
            changes: Reach::default(),
        }
    }
}

/// The credential that signed this request.
pub async fn signed(request: &HttpRequest, body: &[u8], broker: &Data<Broker>) -> Result<Caller, Failure> {
    let headers: Vec<(String, String)> = request
        .headers()
        .iter()
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                value.to_str().unwrap_or_default().to_owned(),
            )
        })
        .collect();
    let signed = Request {
        method: request.method().as_str(),
        path: request.path(),
        query: request.query_string(),
        headers: &headers,
        body,
    };
    let now = broker.clock.now();
    let claim = Claim::read(signed, now)?;
    let found = find(broker, claim.access_key_id.clone()).await?;
    let (credential, secret) = found.ok_or(Refusal::UnknownKey)?;
    if !claim.is_of(signed, &secret) {
        return Err(Failure::new(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
             Access Key and signing method.",
        ));
    }
    Ok(caller(broker, &credential).await?)
}

/// An enabled credential with its secret.
pub async fn find(
    broker: &Broker,
    id: String,
) -> Result<Option<(Credential, Zeroizing<String>)>, StoreError> {
    let sealer = broker.sealer.clone();
    broker
        .db
        .read(
            move |conn| match credential::find(conn, &id)?.filter(|credential| credential.enabled) {
                None => Ok(None),
                Some(credential) => {
                    let secret = credentials::secret_of(&sealer, &credential)?;
                    Ok(Some((credential, secret)))
                }
            },
        )
        .await
}

/// Who calls with a credential whose secret they have shown; notes that it was used.
pub async fn caller(broker: &Broker, credential: &Credential) -> Result<Caller, StoreError> {
    let now = broker.clock.now();
    if credential.last_used_at.is_none_or(|at| at.plus(60) <= now) {
        let id = credential.id.clone();
        broker
            .db
            .write(move |conn| Ok::<_, StoreError>(credential::touch(conn, &id, now)?))
            .await?;
    }
    let reach = credential.reach();
    Ok(Caller {
        actor: format!("credential:{}", credential.id),
        changes: match credential.role {
            Role::Admin => reach.clone(),
            Role::ReadOnly => Reach::default(),
        },
        sees: reach,
    })
}
