//! User pools: what of them Cognito's API shows and takes. Members that have no meaning here (messages, devices, tiers) are
//! kept as they were set and shown again, so that a Terraform plan after its apply is empty; those that would promise
//! something that is not done are refused.

use serde_json::{Map, Value, json};

use super::error::Failure;
use super::{Answer, Call, page, wire};
use crate::actions::pools::{self, NewPool, PoolChange};
use crate::db::Conn;
use crate::model::key;
use crate::model::lambda_config::LambdaConfig;
use crate::model::pool::{self, Attribute, AttributeType, Pool, STANDARD, Settings};
use crate::model::user;
use crate::rules::certificate;

/// Members that are kept and shown again, each with what stands there when it was never set.
fn kept_defaults() -> [(&'static str, Option<Value>); 20] {
    [
        (
            "Policies",
            Some(json!({ "PasswordPolicy": {
                "MinimumLength": 8, "RequireUppercase": true, "RequireLowercase": true, "RequireNumbers": true,
                "RequireSymbols": true, "TemporaryPasswordValidityDays": 7
            }, "SignInPolicy": { "AllowedFirstAuthFactors": ["PASSWORD"] } })),
        ),
        ("AutoVerifiedAttributes", None),
        ("AliasAttributes", None),
        ("UsernameAttributes", None),
        ("SmsVerificationMessage", None),
        ("EmailVerificationMessage", None),
        ("EmailVerificationSubject", None),
        (
            "VerificationMessageTemplate",
            Some(json!({ "DefaultEmailOption": "CONFIRM_WITH_CODE" })),
        ),
        ("SmsAuthenticationMessage", None),
        ("UserAttributeUpdateSettings", None),
        ("DeviceConfiguration", None),
        (
            "EmailConfiguration",
            Some(json!({ "EmailSendingAccount": "COGNITO_DEFAULT" })),
        ),
        ("SmsConfiguration", None),
        (
            "AdminCreateUserConfig",
            Some(json!({ "AllowAdminCreateUserOnly": false, "UnusedAccountValidityDays": 7 })),
        ),
        ("UserPoolAddOns", None),
        ("AccountRecoverySetting", None),
        ("UserPoolTier", Some(json!("ESSENTIALS"))),
        ("KeyConfiguration", None),
        ("IssuerConfiguration", None),
        ("AcrConfiguration", None),
    ]
}

/// Members that are fixed when the pool is made: an update neither takes nor resets them.
const FIXED: [&str; 2] = ["AliasAttributes", "UsernameAttributes"];

/// The settings that the members of `CreateUserPool` stand for.
pub fn settings_of(members: &Map<String, Value>) -> Result<Settings, Failure> {
    refuse_promises(members)?;
    let tags = members
        .get("UserPoolTags")
        .filter(|tags| !tags.is_null())
        .cloned();
    Ok(Settings {
        case_sensitive: case_sensitive(members),
        deletion_protection: text(members, "DeletionProtection") == Some("ACTIVE"),
        attributes: schema(members, "Schema")?,
        tags: tags
            .map(serde_json::from_value)
            .transpose()
            .map_err(|why| Failure::serialization(&why.to_string()))?
            .unwrap_or_default(),
        cognito: kept(members, &[]),
        lambda: lambda_config(members)?,
        ..Settings::default()
    })
}

/// Hooks that have nothing to take part in here.
const NO_HOOKS: [(&str, &str); 8] = [
    ("CustomMessage", "no messages are sent from here"),
    ("CustomSMSSender", "no messages are sent from here"),
    ("CustomEmailSender", "no messages are sent from here"),
    ("KMSKeyID", "it is for custom senders, which there are none of"),
    (
        "DefineAuthChallenge",
        "custom challenges are not part of any sign-in",
    ),
    (
        "CreateAuthChallenge",
        "custom challenges are not part of any sign-in",
    ),
    (
        "VerifyAuthChallengeResponse",
        "custom challenges are not part of any sign-in",
    ),
    (
        "UserMigration",
        "users come by 'forebay import' or by their first sign-in",
    ),
];

pub async fn create(call: Call) -> Answer {
    if !call.caller.changes.everything {
        return Err(Failure::new(
            "NotAuthorizedException",
            "This credential may not make user pools",
        ));
    }
    let settings = settings_of(&call.input)?;
    let name = text(&call.input, "PoolName").unwrap_or_default().to_owned();
    let made = call.broker.new_keys().await;
    let keys =
        made.map_err(|_| Failure::new("InternalErrorException", "The signing keys could not be made"))?;
    call.act(move |conn, ctx, _| {
        let new = NewPool {
            id: None,
            name,
            settings,
        };
        let pool = pools::create(conn, ctx, new, &keys)?;
        Ok(json!({ "UserPool": shape(conn, &pool)? }))
    })
    .await
}

pub async fn describe(call: Call) -> Answer {
    let sees = call.caller.sees.clone();
    let id = call.pool_id();
    call.look(move |conn| {
        let pool = pool::find_within(conn, &sees, &id)?.ok_or_else(|| Failure::no_pool(&id))?;
        Ok(json!({ "UserPool": shape(conn, &pool)? }))
    })
    .await
}

/// As in Cognito, what an update leaves out falls back to its default.
pub async fn update(call: Call) -> Answer {
    refuse_promises(&call.input)?;
    let id = call.pool_id();
    let name = text(&call.input, "PoolName").map(str::to_owned);
    let protection = text(&call.input, "DeletionProtection") == Some("ACTIVE");
    let tags = call.member("UserPoolTags")?;
    let lambda = lambda_config(&call.input)?;
    let input = call.input.clone();
    call.act(move |conn, ctx, reach| {
        let pool = pool::find_within(conn, reach, &id)?.ok_or_else(|| Failure::no_pool(&id))?;
        let mut settings = pool.settings.0;
        settings.deletion_protection = protection;
        settings.lambda = lambda;
        if let Some(tags) = tags {
            settings.tags = tags;
        }
        let fixed: Map<String, Value> = FIXED
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), settings.cognito.get(*name)?.clone())))
            .collect();
        settings.cognito = kept(&input, &FIXED);
        settings.cognito.extend(fixed);
        let change = PoolChange {
            name,
            settings: Some(settings),
        };
        pools::update(conn, ctx, &id, change)?;
        Ok(json!({}))
    })
    .await
}

pub async fn delete(call: Call) -> Answer {
    let id = call.pool_id();
    call.act(move |conn, ctx, reach| {
        let pool = pool::find_within(conn, reach, &id)?.ok_or_else(|| Failure::no_pool(&id))?;
        if pool.settings.deletion_protection {
            return Err(Failure::invalid(
                "The user pool cannot be deleted because deletion protection is activated. Deletion protection must be \
                 inactivated first.",
            ));
        }
        pools::delete(conn, ctx, &id)?;
        Ok(json!({}))
    })
    .await
}

pub async fn list(call: Call) -> Answer {
    let sees = call.caller.sees.clone();
    let wanted = page::Wanted::of(&call, "ListUserPools", "MaxResults", 60)?;
    call.look(move |conn| {
        let pools = pool::list_within(conn, &sees)?;
        let (pools, next) = wanted.cut(pools, |pool| format!("{}\n{}", pool.name, pool.id));
        let shown: Vec<Value> = pools
            .iter()
            .map(|pool| {
                json!({
                    "Id": pool.id, "Name": pool.name, "LambdaConfig": pool.settings.lambda,
                    "LastModifiedDate": wire::time(pool.updated_at), "CreationDate": wire::time(pool.created_at),
                })
            })
            .collect();
        Ok(page::answer("UserPools", shown, "NextToken", next))
    })
    .await
}

pub async fn add_custom_attributes(call: Call) -> Answer {
    let id = call.pool_id();
    let added = schema(&call.input, "CustomAttributes")?;
    call.act(move |conn, ctx, reach| {
        let pool = pool::find_within(conn, reach, &id)?.ok_or_else(|| Failure::no_pool(&id))?;
        let mut settings = pool.settings.0;
        for attribute in added {
            let name = format!("custom:{}", attribute.name.trim_start_matches("custom:"));
            if settings.attribute(&name).is_some() {
                return Err(Failure::invalid(format!(
                    "{name}: Existing attribute already has name {name}."
                )));
            }
            settings.attributes.push(Attribute { name, ..attribute });
        }
        let change = PoolChange {
            settings: Some(settings),
            ..PoolChange::default()
        };
        pools::update(conn, ctx, &id, change)?;
        Ok(json!({}))
    })
    .await
}

/// Second factors are the identity provider's here.
pub async fn mfa_config(call: Call) -> Answer {
    let sees = call.caller.sees.clone();
    let id = call.pool_id();
    call.look(move |conn| {
        pool::find_within(conn, &sees, &id)?.ok_or_else(|| Failure::no_pool(&id))?;
        Ok(json!({ "MfaConfiguration": "OFF" }))
    })
    .await
}

/// The key of ID tokens as a certificate.
pub async fn signing_certificate(call: Call) -> Answer {
    let (sees, id) = (call.caller.sees.clone(), call.pool_id());
    let broker = call.broker.clone();
    let pool_id = id.clone();
    let keys = broker
        .db
        .read(move |conn| -> Result<_, Failure> {
            pool::find_within(conn, &sees, &pool_id)?.ok_or_else(|| Failure::no_pool(&pool_id))?;
            Ok(key::of_pool(conn, &pool_id)?)
        })
        .await?;
    let facts = broker.pool(&id).await?.ok_or_else(|| Failure::no_pool(&id))?;
    let made = actix_web::web::block(move || {
        let signing = &facts.id_token_key;
        let row = keys.iter().find(|key| key.kid == signing.kid)?;
        certificate::self_signed(signing, &row.public_jwk, &id, row.created_at).ok()
    });
    let certificate = made.await.ok().flatten().ok_or_else(|| {
        Failure::new(
            "InternalErrorException",
            "The certificate could not be made; try again",
        )
    })?;
    Ok(json!({ "Certificate": certificate }))
}

/// That there is none can be said; anything else would promise a second factor that is never asked for.
pub async fn set_mfa_config(call: Call) -> Answer {
    refuse_promises(&call.input)?;
    let id = call.pool_id();
    let promised = [
        "SmsMfaConfiguration",
        "EmailMfaConfiguration",
        "WebAuthnConfiguration",
    ];
    if let Some(name) = promised.iter().find(|name| call.input.contains_key(**name)) {
        return Err(Failure::invalid(format!(
            "{name}: second factors and passkeys are the identity provider's here"
        )));
    }
    let software = call.input.get("SoftwareTokenMfaConfiguration");
    if software.and_then(|software| software.get("Enabled")) == Some(&json!(true)) {
        return Err(Failure::invalid(
            "SoftwareTokenMfaConfiguration: second factors are the identity provider's here",
        ));
    }
    call.act(move |conn, _, reach| {
        pool::find_within(conn, reach, &id)?.ok_or_else(|| Failure::no_pool(&id))?;
        Ok(json!({ "MfaConfiguration": "OFF" }))
    })
    .await
}

/// What would promise something that does not happen here.
fn refuse_promises(input: &Map<String, Value>) -> Result<(), Failure> {
    if text(input, "MfaConfiguration").is_some_and(|mode| mode != "OFF") {
        return Err(Failure::invalid(
            "MfaConfiguration: second factors are the identity provider's here; require them in Okta's policy",
        ));
    }
    Ok(())
}

/// The pool's hooks. Whether an address is bound to them shows when they are called: a pool may well be made before.
fn lambda_config(input: &Map<String, Value>) -> Result<LambdaConfig, Failure> {
    let Some(given) = input.get("LambdaConfig").filter(|given| !given.is_null()) else {
        return Ok(LambdaConfig::default());
    };
    for (name, why) in NO_HOOKS {
        if given.get(name).is_some_and(|value| !value.is_null()) {
            return Err(Failure::invalid(format!(
                "LambdaConfig.{name} is not offered here: {why}"
            )));
        }
    }
    let lambda: LambdaConfig =
        serde_json::from_value(given.clone()).map_err(|why| Failure::serialization(&why.to_string()))?;
    if let (Some(old), Some(new)) = (&lambda.pre_token_generation, &lambda.pre_token_generation_config)
        && *old != new.lambda_arn
    {
        return Err(Failure::invalid(
            "LambdaConfig: PreTokenGeneration and PreTokenGenerationConfig must name the same ARN",
        ));
    }
    Ok(lambda)
}

fn case_sensitive(input: &Map<String, Value>) -> bool {
    // Without the member, Cognito's usernames are compared by case.
    input
        .get("UsernameConfiguration")
        .and_then(|configuration| configuration.get("CaseSensitive"))
        .and_then(Value::as_bool)
        .unwrap_or(true)
}

fn text<'a>(input: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    input.get(name).and_then(Value::as_str)
}

/// What is kept of the input as it was set.
fn kept(input: &Map<String, Value>, without: &[&str]) -> Map<String, Value> {
    kept_defaults()
        .iter()
        .filter(|(name, _)| !without.contains(name))
        .filter_map(|(name, _)| {
            let value = input.get(*name).filter(|value| !value.is_null())?;
            Some(((*name).to_owned(), value.clone()))
        })
        .collect()
}

/// Attributes as `SchemaAttributeType` gives them; a name that is no standard one is a custom attribute's.
fn schema(input: &Map<String, Value>, member: &str) -> Result<Vec<Attribute>, Failure> {
    let list = input.get(member).and_then(Value::as_array);
    list.into_iter().flatten().map(attribute).collect()
}

fn attribute(given: &Value) -> Result<Attribute, Failure> {
    let name = given["Name"].as_str().unwrap_or_default();
    let standard = STANDARD.iter().find(|(standard, _)| *standard == name);
    let kind = match given["AttributeDataType"].as_str() {
        Some(kind) => kind
            .parse::<AttributeType>()
            .map_err(|why| Failure::invalid(format!("AttributeDataType: {why}")))?,
        None => standard.map_or(AttributeType::String, |(_, kind)| *kind),
    };
    if given["DeveloperOnlyAttribute"].as_bool() == Some(true) {
        return Err(Failure::invalid(
            "DeveloperOnlyAttribute: use the app client's write attributes instead",
        ));
    }
    Ok(Attribute {
        name: match standard {
            Some(_) => name.to_owned(),
            None => format!("custom:{}", name.trim_start_matches("custom:")),
        },
        kind,
        mutable: given["Mutable"].as_bool().unwrap_or(true),
        required: given["Required"].as_bool().unwrap_or(false),
    })
}

/// The pool as `UserPoolType`.
fn shape(conn: &mut Conn, pool: &Pool) -> Result<Value, Failure> {
    let settings = &pool.settings;
    let region = pool.id.split('_').next().unwrap_or_default();
    let mut shown = json!({
        "Id": pool.id,
        "Name": pool.name,
        "Arn": format!("arn:aws:cognito-idp:{region}:000000000000:userpool/{}", pool.id),
        "CreationDate": wire::time(pool.created_at),
        "LastModifiedDate": wire::time(pool.updated_at),
        "DeletionProtection": if settings.deletion_protection { "ACTIVE" } else { "INACTIVE" },
        "LambdaConfig": settings.lambda,
        "MfaConfiguration": "OFF",
        "UsernameConfiguration": { "CaseSensitive": settings.case_sensitive },
        "EstimatedNumberOfUsers": user::count_up_to(conn, &pool.id, 1_000)?,
        "SchemaAttributes": schema_shown(settings),
        "UserPoolTags": settings.tags,
    });
    for (name, default) in kept_defaults() {
        if let Some(value) = settings.cognito.get(name).cloned().or(default) {
            shown[name] = value;
        }
    }
    Ok(shown)
}

/// The whole schema with its constraints as strings, as Cognito shows it.
fn schema_shown(settings: &Settings) -> Vec<Value> {
    let own = settings
        .attributes
        .iter()
        .map(|attribute| attribute.name.as_str());
    let standard = STANDARD.iter().map(|(name, _)| *name);
    let mut shown = vec![json!({
        "Name": "sub", "AttributeDataType": "String", "DeveloperOnlyAttribute": false, "Mutable": false, "Required": true,
        "StringAttributeConstraints": { "MinLength": "1", "MaxLength": "2048" },
    })];
    for name in standard.chain(own.filter(|name| name.starts_with("custom:"))) {
        let Some(attribute) = settings.attribute(name) else {
            continue;
        };
        let mut entry = json!({
            "Name": attribute.name, "AttributeDataType": attribute.kind, "DeveloperOnlyAttribute": false,
            "Mutable": attribute.mutable, "Required": attribute.required,
        });
        match (attribute.kind, name) {
            (AttributeType::String, "birthdate") => {
                entry["StringAttributeConstraints"] = json!({ "MinLength": "10", "MaxLength": "10" });
            }
            (AttributeType::String, _) => {
                entry["StringAttributeConstraints"] = json!({ "MinLength": "0", "MaxLength": "2048" });
            }
            (AttributeType::Number, "updated_at") => {
                entry["NumberAttributeConstraints"] = json!({ "MinValue": "0" });
            }
            (AttributeType::Number, _) => entry["NumberAttributeConstraints"] = json!({}),
            (AttributeType::Boolean | AttributeType::DateTime, _) => {}
        }
        shown.push(entry);
    }
    shown.push(json!({
        "Name": "identities", "AttributeDataType": "String", "DeveloperOnlyAttribute": false, "Mutable": true,
        "Required": false, "StringAttributeConstraints": {},
    }));
    shown
}
