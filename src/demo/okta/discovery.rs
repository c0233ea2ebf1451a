//! Metadata of the two authorization servers (OpenID Connect Discovery, RFC 8414), their key sets, and Okta's
//! own description of the organisation, with Okta's members, caching and errors.

use actix_web::http::StatusCode;
use serde_json::{Map, Value, json};

use super::directory::{App, ClientAuth, stable_id};
use super::faults::{IdTokenFault, MetadataFault};
use super::http::Reply;
use super::{Answer, Server, Visit};

const AUTH_METHODS: [&str; 5] = [
    "client_secret_basic",
    "client_secret_post",
    "client_secret_jwt",
    "private_key_jwt",
    "none",
];

/// The OpenID configuration; `?client_id=` narrows it to that app.
pub fn openid(visit: &mut Visit<'_>, server: Server) -> Answer {
    let app = narrowed_to(visit)?;
    let mut members = common(visit, server);
    let endpoint = |name: &str| json!(server.endpoint(&visit.setup.origin, name));
    let mut add = |name: &str, value: Value| {
        members.insert(name.into(), value);
    };
    add("userinfo_endpoint", endpoint("userinfo"));
    add("subject_types_supported", json!(["public"]));
    add("id_token_signing_alg_values_supported", json!(["RS256"]));
    if server == Server::Default {
        add(
            "id_token_encryption_alg_values_supported",
            json!(["RSA-OAEP-256", "RSA-OAEP-384", "RSA-OAEP-512"]),
        );
        add("id_token_encryption_enc_values_supported", json!(["A256GCM"]));
    }
    add(
        "claims_supported",
        json!([
            "iss",
            "ver",
            "sub",
            "aud",
            "iat",
            "exp",
            "jti",
            "auth_time",
            "amr",
            "idp",
            "nonce",
            "name",
            "nickname",
            "preferred_username",
            "given_name",
            "middle_name",
            "family_name",
            "email",
            "email_verified",
            "profile",
            "zoneinfo",
            "locale",
            "address",
            "phone_number",
            "picture",
            "website",
            "gender",
            "birthdate",
            "updated_at",
            "at_hash",
            "c_hash"
        ]),
    );
    if let Some(app) = &app {
        narrow(&mut members, app);
    }
    publish(visit, server, members)
}

/// The RFC 8414 document: the same without what only OpenID knows, with what only OAuth uses.
pub fn oauth(visit: &mut Visit<'_>, server: Server) -> Answer {
    let app = narrowed_to(visit)?;
    let mut members = common(visit, server);
    members.insert(
        "claims_supported".into(),
        json!([
            "ver", "jti", "iss", "aud", "iat", "exp", "cid", "uid", "scp", "sub"
        ]),
    );
    for (name, extra) in [
        ("grant_types_supported", "client_credentials"),
        ("response_types_supported", "token"),
    ] {
        if let Some(list) = members.get_mut(name).and_then(Value::as_array_mut) {
            list.push(json!(extra));
        }
    }
    if let Some(app) = &app {
        narrow(&mut members, app);
    }
    publish(visit, server, members)
}

/// `/.well-known/okta-organization`: this is Okta, of the Identity Engine generation.
pub fn organization(visit: &mut Visit<'_>) -> Answer {
    let origin = &visit.setup.origin;
    Ok(Reply::json(
        StatusCode::OK,
        &json!({"id": stable_id("00o", &visit.setup.name),
                "_links": {"organization": {"href": origin}},
                "pipeline": "idx"}),
    ))
}

/// The JWK set.
pub fn keys(visit: &mut Visit<'_>, server: Server) -> Answer {
    narrowed_to(visit)?;
    let with_encryption = visit.faults.id_token.contains(&IdTokenFault::KeyForEncryption);
    let set = visit
        .state
        .keys(server)
        .published(&visit.faults.keys, with_encryption)?;
    // Observed; a real organisation's figure shrinks towards the next rotation.
    Ok(Reply::json(StatusCode::OK, &set).header("cache-control", "max-age=3885115, must-revalidate"))
}

/// The app named by `client_id`, if any; 400 in Okta's words for one that does not exist.
fn narrowed_to(visit: &Visit<'_>) -> Result<Option<App>, Reply> {
    let Some(client_id) = visit.request.query("client_id") else {
        return Ok(None);
    };
    match visit.state.app(client_id) {
        Some(app) => Ok(Some(app.clone())),
        None => Err(visit.okta_error(
            StatusCode::BAD_REQUEST,
            "invalid_client",
            "Invalid value for 'client_id' parameter.",
        )),
    }
}

fn common(visit: &Visit<'_>, server: Server) -> Map<String, Value> {
    let origin = &visit.setup.origin;
    let endpoint = |name: &str| server.endpoint(origin, name);
    let mut scopes = vec!["openid", "profile", "email", "address", "phone", "offline_access"];
    match server {
        Server::Org => scopes.push("groups"),
        Server::Default => {
            scopes.push("device_sso");
            scopes.extend(visit.state.custom.scopes.iter().map(String::as_str));
        }
    }
    let document = json!({
        "issuer": server.issuer(origin),
        "authorization_endpoint": endpoint("authorize"),
        "token_endpoint": endpoint("token"),
        "registration_endpoint": format!("{origin}/oauth2/v1/clients"),
        "jwks_uri": endpoint("keys"),
        "response_types_supported": ["code", "id_token", "code id_token", "code token", "id_token token",
                                     "code id_token token"],
        "response_modes_supported": ["query", "fragment", "form_post", "okta_post_message"],
        "grant_types_supported": ["authorization_code", "implicit", "refresh_token", "password",
                                  "urn:ietf:params:oauth:grant-type:device_code",
                                  "urn:openid:params:grant-type:ciba"],
        "scopes_supported": scopes,
        "token_endpoint_auth_methods_supported": AUTH_METHODS,
        "code_challenge_methods_supported": ["S256"],
        "introspection_endpoint": endpoint("introspect"),
        "introspection_endpoint_auth_methods_supported": AUTH_METHODS,
        "revocation_endpoint": endpoint("revoke"),
        "revocation_endpoint_auth_methods_supported": AUTH_METHODS,
        "end_session_endpoint": endpoint("logout"),
        "request_parameter_supported": true,
        "request_object_signing_alg_values_supported": ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512",
                                                        "ES256", "ES384", "ES512"],
        "device_authorization_endpoint": endpoint("device/authorize"),
        "pushed_authorization_request_endpoint": endpoint("par"),
        "backchannel_token_delivery_modes_supported": ["poll"],
        "dpop_signing_alg_values_supported": ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]
    });
    document.as_object().cloned().unwrap_or_default()
}

fn narrow(members: &mut Map<String, Value>, app: &App) {
    for name in ["jwks_uri", "registration_endpoint"] {
        let Some(uri) = members.get(name).and_then(Value::as_str) else {
            continue;
        };
        let uri = match name {
            "jwks_uri" => format!("{uri}?client_id={}", app.client_id),
            _ => format!("{uri}/{}", app.client_id),
        };
        members.insert(name.into(), json!(uri));
    }
    members.insert("response_types_supported".into(), json!(["code"]));
    members.insert(
        "grant_types_supported".into(),
        json!(["authorization_code", "refresh_token"]),
    );
    let methods = match app.auth {
        ClientAuth::ClientSecretBasic | ClientAuth::ClientSecretPost if !app.strict_auth => {
            vec!["client_secret_basic", "client_secret_post"]
        }
        method => vec![method.as_str()],
    };
    for endpoint in ["token", "introspection", "revocation"] {
        members.insert(
            format!("{endpoint}_endpoint_auth_methods_supported"),
            json!(methods),
        );
    }
}

fn publish(visit: &Visit<'_>, server: Server, mut members: Map<String, Value>) -> Answer {
    for fault in &visit.faults.discovery {
        twist(&mut members, fault, visit, server);
    }
    Ok(Reply::json(StatusCode::OK, &Value::Object(members))
        .header("cache-control", "max-age=86400, must-revalidate"))
}

fn twist(members: &mut Map<String, Value>, fault: &MetadataFault, visit: &Visit<'_>, server: Server) {
    match fault {
        MetadataFault::Issuer(issuer) => drop(members.insert("issuer".into(), json!(issuer))),
        MetadataFault::IssuerTrailingSlash => {
            members.insert("issuer".into(), json!(format!("{}/", visit.issuer(server))));
        }
        MetadataFault::IssuerOtherServer => {
            members.insert("issuer".into(), json!(visit.issuer(server.other())));
        }
        MetadataFault::HttpEndpoints => {
            for (name, value) in members.iter_mut().filter(|(name, _)| name.as_str() != "issuer") {
                if let (true, Some(uri)) = (name.ends_with("_endpoint") || name == "jwks_uri", value.as_str())
                {
                    *value = json!(uri.replacen(visit.setup.origin.as_str(), "http://okta.example", 1));
                }
            }
        }
        MetadataFault::TokenEndpoint(uri) => drop(members.insert("token_endpoint".into(), json!(uri))),
        MetadataFault::JwksUri(uri) => drop(members.insert("jwks_uri".into(), json!(uri))),
        MetadataFault::AnnounceIss => {
            members.insert(
                "authorization_response_iss_parameter_supported".into(),
                json!(true),
            );
        }
        MetadataFault::WeakAlgorithms => {
            let weak = json!(["RS256", "HS256", "none"]);
            members.insert("id_token_signing_alg_values_supported".into(), weak);
        }
        MetadataFault::Set(more) => members.extend(more.clone()),
        MetadataFault::Remove(names) => names.iter().for_each(|name| drop(members.remove(name))),
    }
}
