//! The management API: `POST /` in AWS JSON 1.1 for `AWSCognitoIdentityProviderService`, so that AWS SDKs, the AWS CLI and
//! Terraform run Forebay unchanged. A call is authenticated, its members are checked against the API's shapes, then one
//! operation runs: it reads through `model` with the credential's reach in the query and writes through `actions`.

mod auth;
pub mod authenticate;
mod branding;
mod client_secrets;
mod clients;
mod derived;
mod domains;
mod error;
mod groups;
mod linking;
mod own;
mod page;
mod passwords;
mod pools;
mod providers;
mod resource_servers;
mod sessions;
mod setup_links;
mod tags;
mod terms;
mod tokens;
mod ui_customization;
mod user_filter;
mod user_sessions;
mod users;
pub mod wire;

use std::net::IpAddr;

use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use authenticate::Caller;
use error::Failure;

use crate::actions::Ctx;
use crate::broker::Broker;
use crate::db::Conn;
use crate::model::reach::Reach;
use crate::model::{client, pool};
use crate::rules::aws::shapes::{self, Unacceptable};
use crate::rules::json;
use crate::web::headers::RequestId;
use crate::web::peer;

/// The longest body, in bytes: the picture and the style sheet of a login page are the largest members.
pub const LONGEST_BODY: usize = 1_048_576;
const TARGET_PREFIX: &str = "AWSCognitoIdentityProviderService.";
/// What Cognito has no words for is called under this name, in the same dialect and with the same signature.
const OWN_PREFIX: &str = "Forebay.";

/// One call, authenticated, its members checked.
struct Call {
    broker: Data<Broker>,
    caller: Caller,
    input: Map<String, Value>,
    request_id: String,
    /// Whose share of a limit the call takes.
    address: Option<IpAddr>,
}

type Answer = Result<Value, Failure>;

/// A pool's and a client's settings out of Cognito's words for them, for what its own tools printed. The error is a
/// sentence.
pub fn pool_settings(members: &Map<String, Value>) -> Result<pool::Settings, String> {
    pools::settings_of(members).map_err(|failure| failure.message)
}

pub fn client_settings(members: &Map<String, Value>) -> Result<client::Settings, String> {
    clients::settings_of(members).map_err(|failure| failure.message)
}

pub async fn post(request: HttpRequest, body: actix_web::web::Payload, broker: Data<Broker>) -> HttpResponse {
    let target = wire::target(&request);
    let operation = target.and_then(|target| shapes::operation(target.strip_prefix(TARGET_PREFIX)?));
    let own = target.and_then(|target| target.strip_prefix(OWN_PREFIX));
    let request_id = RequestId::of(&request);
    let answer = match body.to_bytes_limited(LONGEST_BODY).await {
        Ok(Ok(body)) => match own {
            Some(name) => serve_own(&request, &body, name, &broker, &request_id).await,
            None => serve(&request, &body, operation, &broker, &request_id).await,
        },
        Ok(Err(_)) => Err(Failure::serialization("the body did not arrive whole")),
        Err(_) => Err(Failure::new(
            "RequestEntityTooLargeException",
            "The body is larger than 1 MiB",
        )),
    };
    match answer {
        Ok(_) if operation.is_some_and(|operation| operation.empty) => wire::empty(&request_id),
        Ok(value) => wire::object(&request_id, &value),
        Err(failure) => wire::failed(&request_id, &failure),
    }
}

/// The answer to a call beyond its address's share, as SDKs know it: they wait and try again.
pub fn too_many(request_id: &str) -> HttpResponse {
    wire::failed(
        request_id,
        &Failure::new("TooManyRequestsException", "Rate exceeded"),
    )
}

async fn serve(
    request: &HttpRequest,
    body: &Bytes,
    operation: Option<&'static shapes::Operation>,
    broker: &Data<Broker>,
    request_id: &str,
) -> Answer {
    let operation = operation.ok_or_else(|| {
        Failure::new(
            "UnknownOperationException",
            "The target names no operation of this service",
        )
    })?;
    let caller = if operation.signed {
        authenticate::signed(request, body, broker).await?
    } else {
        Caller::nobody()
    };
    if !operation.offered {
        return Err(error::not_offered(operation.name));
    }
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    let input = json::object(body).map_err(|why| Failure::serialization(&why))?;
    shapes::check(operation, &input).map_err(|unacceptable| match unacceptable {
        Unacceptable::Type(why) => Failure::serialization(&why),
        Unacceptable::Constraints(why) => Failure::invalid(why),
    })?;
    let call = Call {
        broker: broker.clone(),
        caller,
        input,
        request_id: request_id.to_owned(),
        address: peer::address(request, &broker.trusted_proxies),
    };
    match operation.name {
        "CreateUserPool" => pools::create(call).await,
        "DescribeUserPool" => pools::describe(call).await,
        "UpdateUserPool" => pools::update(call).await,
        "DeleteUserPool" => pools::delete(call).await,
        "ListUserPools" => pools::list(call).await,
        "AddCustomAttributes" => pools::add_custom_attributes(call).await,
        "GetUserPoolMfaConfig" => pools::mfa_config(call).await,
        "CreateUserPoolClient" => clients::create(call).await,
        "DescribeUserPoolClient" => clients::describe(call).await,
        "UpdateUserPoolClient" => clients::update(call).await,
        "DeleteUserPoolClient" => clients::delete(call).await,
        "ListUserPoolClients" => clients::list(call).await,
        "GetSigningCertificate" => pools::signing_certificate(call).await,
        "SetUserPoolMfaConfig" => pools::set_mfa_config(call).await,
        "GetUserPoolSessionConfiguration" => sessions::of_pool(call).await,
        "SetUserPoolSessionConfiguration" => sessions::set_of_pool(call).await,
        "GetUserPoolClientSessionConfiguration" => sessions::of_client(call).await,
        "SetUserPoolClientSessionConfiguration" => sessions::set_of_client(call).await,
        "AddUserPoolClientSecret" => client_secrets::add(call).await,
        "DeleteUserPoolClientSecret" => client_secrets::delete(call).await,
        "ListUserPoolClientSecrets" => client_secrets::list(call).await,
        "CreateIdentityProvider" => providers::create(call).await,
        "DescribeIdentityProvider" => providers::describe(call).await,
        "UpdateIdentityProvider" => providers::update(call).await,
        "DeleteIdentityProvider" => providers::delete(call).await,
        "ListIdentityProviders" => providers::list(call).await,
        "GetIdentityProviderByIdentifier" => providers::by_identifier(call).await,
        "CreateUserPoolDomain" => domains::create(call).await,
        "DescribeUserPoolDomain" => domains::describe(call).await,
        "UpdateUserPoolDomain" => domains::update(call).await,
        "DeleteUserPoolDomain" => domains::delete(call).await,
        "GetUICustomization" => ui_customization::get(call).await,
        "SetUICustomization" => ui_customization::set(call).await,
        "CreateManagedLoginBranding" => branding::create(call).await,
        "DescribeManagedLoginBranding" => branding::describe(call).await,
        "DescribeManagedLoginBrandingByClient" => branding::describe_by_client(call).await,
        "UpdateManagedLoginBranding" => branding::update(call).await,
        "DeleteManagedLoginBranding" => branding::delete(call).await,
        "CreateTerms" => terms::create(call).await,
        "DescribeTerms" => terms::describe(call).await,
        "DescribeTermsByClient" => terms::describe_by_client(call).await,
        "UpdateTerms" => terms::update(call).await,
        "DeleteTerms" => terms::delete(call).await,
        "ListTerms" => terms::list(call).await,
        "CreateResourceServer" => resource_servers::create(call).await,
        "DescribeResourceServer" => resource_servers::describe(call).await,
        "UpdateResourceServer" => resource_servers::update(call).await,
        "DeleteResourceServer" => resource_servers::delete(call).await,
        "ListResourceServers" => resource_servers::list(call).await,
        "TagResource" => tags::tag(call).await,
        "UntagResource" => tags::untag(call).await,
        "ListTagsForResource" => tags::list(call).await,
        "AdminCreateUser" => passwords::create(call).await,
        "AdminSetUserPassword" => passwords::set(call).await,
        "AdminResetUserPassword" => passwords::reset(call).await,
        "InitiateAuth" => auth::initiate(call).await,
        "AdminInitiateAuth" => auth::admin_initiate(call).await,
        "RespondToAuthChallenge" => auth::respond(call).await,
        "AdminRespondToAuthChallenge" => auth::admin_respond(call).await,
        "GetTokensFromRefreshToken" => tokens::from_refresh_token(call).await,
        "RevokeToken" => tokens::revoke(call).await,
        "GetClientToken" => tokens::for_client(call).await,
        "GetDerivedToken" => derived::derive(call).await,
        "GetUser" => own::get_user(call).await,
        "GetUserAuthFactors" => own::auth_factors(call).await,
        "ListUserSessions" => user_sessions::list_own(call).await,
        "RevokeUserSession" => user_sessions::revoke_own(call).await,
        "GlobalSignOut" => own::global_sign_out(call).await,
        "UpdateUserAttributes" => own::update_attributes(call).await,
        "DeleteUserAttributes" => own::delete_attributes(call).await,
        "DeleteUser" => own::delete(call).await,
        "CreateGroup" => groups::create(call).await,
        "GetGroup" => groups::get(call).await,
        "UpdateGroup" => groups::update(call).await,
        "DeleteGroup" => groups::delete(call).await,
        "ListGroups" => groups::list(call).await,
        "ListUsersInGroup" => groups::members(call).await,
        "AdminAddUserToGroup" => groups::add_user(call).await,
        "AdminRemoveUserFromGroup" => groups::remove_user(call).await,
        "AdminListGroupsForUser" => groups::of_user(call).await,
        "ListUsers" => user_filter::list(call).await,
        "AdminGetUser" => users::get(call).await,
        "AdminUpdateUserAttributes" => users::update_attributes(call).await,
        "AdminDeleteUserAttributes" => users::delete_attributes(call).await,
        "AdminDeleteUser" => users::delete(call).await,
        "AdminEnableUser" => users::enable(call).await,
        "AdminDisableUser" => users::disable(call).await,
        "AdminUserGlobalSignOut" => users::sign_out(call).await,
        "AdminConfirmSignUp" => users::confirm(call).await,
        "AdminGetUserAuthFactors" => users::auth_factors(call).await,
        "AdminLinkProviderForUser" => linking::link(call).await,
        "AdminDisableProviderForUser" => linking::unlink(call).await,
        "AdminListUserSessions" => user_sessions::list(call).await,
        "AdminRevokeUserSession" => user_sessions::revoke(call).await,
        "AdminListUserAuthEvents" => user_sessions::events(call).await,
        name => Err(error::not_offered(name)),
    }
}

/// An operation of ours, which checks its members itself.
async fn serve_own(
    request: &HttpRequest,
    body: &Bytes,
    name: &str,
    broker: &Data<Broker>,
    request_id: &str,
) -> Answer {
    let caller = authenticate::signed(request, body, broker).await?;
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    let call = Call {
        broker: broker.clone(),
        caller,
        input: json::object(body).map_err(|why| Failure::serialization(&why))?,
        request_id: request_id.to_owned(),
        address: peer::address(request, &broker.trusted_proxies),
    };
    match name {
        "CreateSetUpLink" => setup_links::create(call).await,
        "ListSetUpLinks" => setup_links::list(call).await,
        "RevokeSetUpLink" => setup_links::revoke(call).await,
        _ => Err(Failure::new(
            "UnknownOperationException",
            "The target names no operation of this service",
        )),
    }
}

impl Call {
    fn pool_id(&self) -> String {
        self.input
            .get("UserPoolId")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    }

    /// The members as an operation's own struct. Their shapes were checked before: this fails for none of them.
    fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_value(Value::Object(self.input.clone()))
            .map_err(|why| Failure::serialization(&why.to_string()))
    }

    /// One member, if it is there.
    fn member<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Failure> {
        let value = self.input.get(name).filter(|value| !value.is_null()).cloned();
        value
            .map(serde_json::from_value)
            .transpose()
            .map_err(|why| Failure::serialization(&why.to_string()))
    }

    /// Reads.
    async fn look(self, work: impl FnOnce(&mut Conn) -> Answer + Send + 'static) -> Answer {
        self.broker.db.read(work).await
    }

    /// What the caller may change, if that is anything.
    fn changes(&self) -> Result<Reach, Failure> {
        if self.caller.changes.is_nothing() {
            return Err(Failure::new(
                "NotAuthorizedException",
                "This credential may look and not change",
            ));
        }
        Ok(self.caller.changes.clone())
    }

    /// Changes, in one transaction, within what the caller may change.
    async fn act(
        self,
        work: impl FnOnce(&mut Conn, &Ctx, &Reach) -> Answer + Clone + Send + 'static,
    ) -> Answer {
        let reach = self.changes()?;
        let ctx = self.broker.ctx(self.caller.actor, self.request_id);
        let answer = self.broker.db.write(move |conn| work(conn, &ctx, &reach)).await;
        self.broker.forget();
        answer
    }
}
