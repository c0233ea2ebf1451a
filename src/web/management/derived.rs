//! `GetDerivedToken`: a token of one app for a user who is signed in to another (RFC 8693). The subject is one of our own
//! access or ID tokens; with an actor the token says who acts for the user (delegation), without one it does not
//! (impersonation). A client has each only where `ExplicitAuthFlows` names it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::error::Failure;
use super::{Answer, Call, tokens};
use crate::actions::access::{self, Way};
use crate::actions::offers;
use crate::actions::tokens::{Founder, found_brief};
use crate::broker::App;
use crate::error::StoreError;
use crate::model::token::Granted;
use crate::rules::authorize::granted_scopes;
use crate::rules::aws::auth_flow;
use crate::rules::grant::{self, Credentials};
use crate::rules::{jwt, secret};
use crate::web::bearer::{Bearer, Kind, Refused, holder};
use crate::web::oidc::mint;

/// Members for tokens of other issuers, which are not taken here.
const FOREIGN: [&str; 3] = ["SubjectTokenProviderName", "ActorTokenProviderName", "Audiences"];

pub async fn derive(call: Call) -> Answer {
    for member in FOREIGN {
        if call.member::<Value>(member)?.is_some() {
            return Err(Failure::invalid(format!(
                "{member} is not offered here: only tokens of this pool are exchanged"
            )));
        }
    }
    let app = client(&call).await?;
    let subject = presented(&call, &app, "SubjectToken").await?;
    let actor: Option<String> = call.member("ActorToken")?;
    let flow = match actor {
        Some(_) => "ALLOW_TOKEN_EXCHANGE_DELEGATION",
        None => "ALLOW_TOKEN_EXCHANGE_IMPERSONATION",
    };
    if !auth_flow::names(&app.client.settings, flow) {
        return Err(Failure::new(
            "NotAuthorizedException",
            format!("{flow} is not among the client's ExplicitAuthFlows"),
        ));
    }
    let came_by = &subject.family.granted.provider_id;
    let now = call.broker.clock.now();
    let (offer, connection) = (app.offer.clone(), came_by.clone());
    let is_offered = call
        .broker
        .db
        .read(move |conn| -> Result<_, StoreError> { Ok(offers::still(conn, &offer, &connection, now)?) })
        .await?;
    if !is_offered {
        return Err(Failure::new(
            "NotAuthorizedException",
            "The connection that the user came by is not this client's",
        ));
    }
    let act = match actor {
        Some(token) => Some(acting(&call, &app, &token).await?),
        None => None,
    };
    let resources: Vec<String> = call.member("Resources")?.unwrap_or_default();
    let resource = resources.first().map(String::as_str);
    let servers = &app.pool.resource_servers;
    if resource.is_some_and(|asked| !servers.iter().any(|server| server.identifier == asked)) {
        return Err(Failure::invalid("The resource is not known"));
    }
    let asked: Vec<String> = call.member("Scopes")?.unwrap_or_default();
    let asked = (!asked.is_empty()).then(|| asked.join(" "));
    let mut scopes = granted_scopes(asked.as_deref(), &app.client.settings.scopes, resource, servers)
        .map_err(|why| Failure::invalid(why.description))?;
    // Nothing is won by an exchange: what the user did not grant the one app, the other does not have either.
    scopes.retain(|scope| subject.has(scope));
    if scopes.is_empty() {
        return Err(Failure::invalid("The subject's token has none of these scopes"));
    }
    let wants_id = call.member::<String>("RequestedTokenType")?.as_deref() == Some("ID_TOKEN");
    let founder = Granted {
        scopes: scopes.clone(),
        resource: resource.map(str::to_owned),
        nonce: None,
        by_api: false,
        act,
        not_after: Some(subject.expires_at),
        event_id: secret::uuid(&call.broker.entropy),
        ..subject.family.granted.0.clone()
    };
    let exchanged = {
        let (app, session_hash) = (app.clone(), subject.family.session_hash.clone());
        let ctx = call
            .broker
            .ctx(format!("client:{}", app.client.id), &call.request_id);
        call.broker
            .db
            .write(move |conn| -> Result<_, Failure> {
                let way = Way::of_grant(&founder);
                // What has been closed to the user since the first token was made is closed to what is made of it, too.
                if let Err(barred) =
                    access::check(conn, ctx.now, &app.client, &app.offer, &subject.user, way)?
                {
                    return Err(Failure::new(
                        "NotAuthorizedException",
                        barred.refusal(&app.client.name).description,
                    ));
                }
                let founder = Founder {
                    client: &app.client,
                    offer: &app.offer,
                    origin_jti: secret::uuid(&ctx.entropy),
                    session_hash,
                    granted: founder,
                };
                Ok(found_brief(conn, &ctx, founder, subject.user)?)
            })
            .await?
    };
    let minted = mint::for_user(&call.broker, &app, &exchanged).map_err(tokens::unminted)?;
    let (token, kind, use_as) = match (wants_id, minted.id_token) {
        (true, Some(token)) => (token, "ID_TOKEN", "N_A"),
        (true, None) => return Err(Failure::invalid("An ID token needs the scope openid")),
        (false, _) => (minted.access_token, "ACCESS_TOKEN", "Bearer"),
    };
    Ok(json!({
        "IssuedToken": token,
        "IssuedTokenType": kind,
        "TokenType": use_as,
        "ExpiresIn": minted.expires_in,
        "Scopes": scopes,
    }))
}

/// The client, of a pool for which the caller may have tokens made; its secret, where one is sent, is right.
async fn client(call: &Call) -> Result<Arc<App>, Failure> {
    let app = tokens::app(call).await?;
    if !call.caller.changes.has_pool(&app.client.user_pool_id) {
        return Err(Failure::no_client(&app.client.id));
    }
    let credentials = Credentials {
        client_id: app.client.id.clone(),
        secret: call.member("ClientSecret")?,
        by_header: false,
    };
    let is_wrong = credentials.secret.is_some()
        && grant::authenticate(&credentials, Some((&app.client, &app.secrets))).is_err();
    if is_wrong {
        return Err(Failure::new(
            "NotAuthorizedException",
            "The client's secret is wrong",
        ));
    }
    Ok(app)
}

/// The user whom this token, of the type that the member beside it names, speaks of.
async fn presented(call: &Call, app: &App, member: &str) -> Result<Bearer, Failure> {
    let token: String = call.member(member)?.unwrap_or_default();
    let kind = match call.member::<String>(&format!("{member}Type"))?.as_deref() {
        None | Some("ACCESS_TOKEN") => Kind::Access,
        Some("ID_TOKEN") => Kind::Id,
        Some(_) => return Err(Failure::invalid(format!("{member}Type is not offered here"))),
    };
    match holder(&call.broker, &token, kind).await? {
        Ok(found) if found.app.client.user_pool_id == app.client.user_pool_id => Ok(found),
        Ok(_) => Err(not_taken(member)),
        Err(refused) => {
            tracing::info!(cause = refused.cause(), "a token was not exchanged");
            Err(not_taken(member))
        }
    }
}

/// Who acts, as the claim `act`: a user, or a client by its own token.
async fn acting(call: &Call, app: &App, token: &str) -> Result<Value, Failure> {
    let is_access = call.member::<String>("ActorTokenType")?.as_deref() != Some("ID_TOKEN");
    if is_access && holder(&call.broker, token, Kind::Access).await?.err() == Some(Refused::OfNobody) {
        let (pool, now) = (&app.pool, call.broker.clock.now());
        let claims = jwt::verify(&pool.verify, token, &pool.issuer, "access", now)
            .map_err(|_| not_taken("ActorToken"))?;
        return Ok(json!({ "sub": claims.get("sub"), "client_id": claims.get("client_id") }));
    }
    let actor = presented(call, app, "ActorToken").await?;
    let mut act = json!({ "sub": actor.user.sub, "client_id": actor.app.client.id });
    // Whoever acts through somebody else stays visible (RFC 8693 §4.1).
    if let Some(before) = &actor.family.granted.act {
        act["act"] = before.clone();
    }
    Ok(act)
}

fn not_taken(member: &str) -> Failure {
    Failure::new(
        "NotAuthorizedException",
        format!("{member} is not a live token of this pool"),
    )
}
