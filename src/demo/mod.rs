//! `forebay demo`: the broker, a sample app and two stand-in Okta organisations in one process, on a fresh database, with
//! nothing to configure. Loopback only. The values are fixed and stand in the README; the tests use the same ones.

pub mod app;
pub mod okta;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use actix_web::web::Data;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::actions::admins::{self, NewAdministrator, Scope};
use crate::actions::clients::{self, NewClient, NewSecret};
use crate::actions::credentials::{self, NewCredential};
use crate::actions::pools::{self, NewKeys, NewPool};
use crate::actions::providers::{self, Credentials, NewProvider};
use crate::actions::tenants::{self, NewTenant};
use crate::actions::{Ctx, resource_servers, tenant_domains};
use crate::broker::{Broker, Parts};
use crate::config::{AUDIT_DAYS, AllowedHost, Guards};
use crate::db::{self, Conn, Db, Json, Target};
use crate::error::Error;
use crate::model::administrator::Role;
use crate::model::client::{Flow, Rotation, Settings as ClientSettings};
use crate::model::credential;
use crate::model::mapping::{GroupsRule, Rule, Rules, Source};
use crate::model::pool::{Attribute, AttributeType, Settings as PoolSettings};
use crate::model::provider::{ApiScope as OktaScope, Settings as ProviderSettings};
use crate::model::reach::Reach;
use crate::model::resource_server::{ResourceServer, Scope as ApiScope};
use crate::rules::discovery::paths;
use crate::rules::domain::Place;
use crate::rules::password;
use crate::seal::Sealer;
use crate::upstream::{Options, Upstream};
use crate::world::{Clock, Entropy};

pub const POOL: &str = "us-local-1_Forebay01";
pub const WEB_CLIENT: &str = "demowebapp0000000000000001";
pub const WEB_SECRET: &str = "demo_secret_for_the_sample_web_app_0001";
pub const SPA_CLIENT: &str = "demospa0000000000000000001";
pub const MACHINE_CLIENT: &str = "demomachine000000000000001";
pub const MACHINE_SECRET: &str = "demo_secret_for_the_machine_client_0001";
pub const API: &str = "demo-api";
/// The console's operator, and the administrators of the two tenants (their ids are the organisations' names).
pub const OPERATOR: &str = "operator@forebay.test";
pub const OPERATOR_PASSWORD: &str = "demo-operator-password";
pub const TENANT_PASSWORD: &str = "demo-tenant-password";
/// The access key of the management API; any region will do.
pub const ACCESS_KEY: &str = "FOREBAYDEMOKEY000001";
pub const ACCESS_SECRET: &str = "demo/management/secret/key/0000000000001";
/// The organisations: name, connection, identifier.
pub const ORGANISATIONS: [(&str, &str, &str); 2] = [
    ("acme", "acme-okta", "acme.test"),
    ("globex", "globex-okta", "globex.test"),
];
/// The connection that the README's walkthrough makes.
const WALKTHROUGH: &str = "walk-okta";
/// Where tests and other tools of the reader's wait for a code.
const TOOL_ORIGIN: &str = "http://127.0.0.1:9999";

/// The ports of the four servers.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    pub broker: u16,
    pub app: u16,
    pub acme: u16,
    pub globex: u16,
    /// The stand-ins take faults over HTTP (`POST /_faults`): for tests in a browser.
    pub faults: bool,
}

impl Default for Ports {
    fn default() -> Self {
        Ports {
            broker: 8080,
            app: 8090,
            acme: 8091,
            globex: 8092,
            faults: false,
        }
    }
}

/// What a stand-in organisation knows of the broker, and the broker of it.
#[derive(Clone, Debug)]
pub struct Registration {
    pub connection: &'static str,
    pub identifier: &'static str,
    pub issuer: String,
    pub client_id: String,
    pub client_secret: String,
}

/// The broker's registration at a stand-in.
pub fn registration(index: usize, origin: &str) -> Registration {
    let (name, connection, identifier) = ORGANISATIONS[index % ORGANISATIONS.len()];
    Registration {
        connection,
        identifier,
        issuer: origin.to_owned(),
        client_id: format!("0oa1forebay{name:0<9.9}"),
        client_secret: format!("demo-secret-of-forebay-at-{name}-000000000001"),
    }
}

/// Makes the app at the organisation that stands for the broker, and its people; `linus` is not assigned to it.
pub fn furnish(organisation: &okta::Okta, registration: &Registration, name: &str, public_url: &str) {
    let people = okta::demo_people(name);
    let own_host = Place::of(public_url).origin_below(&Place::of_tenant(name));
    let assigned = people
        .iter()
        .map(|person| person.login.clone())
        .filter(|login| !login.starts_with("linus"))
        .collect();
    if let Some(first) = people.first() {
        organisation.appoint(&first.login);
    }
    for person in people {
        organisation.add_person(person);
    }
    organisation.add_app(okta::App {
        client_id: registration.client_id.clone(),
        secrets: vec![registration.client_secret.clone()],
        auth: okta::ClientAuth::ClientSecretBasic,
        redirect_uris: vec![
            format!("{public_url}{}/{}", paths::IDPRESPONSE, registration.connection),
            format!("{public_url}{}/{WALKTHROUGH}", paths::IDPRESPONSE),
            // Where connections that moved in from Cognito are called back.
            format!("{public_url}{}", paths::IDPRESPONSE),
            format!("{own_host}{}", paths::IDPRESPONSE),
        ],
        logout_uris: vec![format!(
            "{public_url}{}/{}",
            paths::LOGOUT_RETURN,
            registration.connection
        )],
        initiate_login_uri: Some(format!(
            "{public_url}{}?connection={}&client_id={WEB_CLIENT}",
            paths::START_LOGIN,
            registration.connection
        )),
        label: "Forebay".into(),
        assigned,
        groups_claim: true,
        api_scopes: OktaScope::ALL.iter().map(ToString::to_string).collect(),
        profile_mapping: profile_mapping(),
        ..okta::App::default()
    });
}

/// What Okta makes of its users for the app, as an administrator there may have written it.
fn profile_mapping() -> Map<String, Value> {
    [
        ("department", "user.department"),
        ("email", "user.email"),
        ("firstName", "user.firstName"),
        ("lastName", "user.lastName"),
        ("displayName", "user.firstName + \" \" + user.lastName"),
        ("nickName", "String.substringBefore(user.email, \"@\")"),
    ]
    .into_iter()
    .map(|(name, expression)| {
        let mapped = json!({ "expression": expression, "pushStatus": "PUSH" });
        (name.to_owned(), mapped)
    })
    .collect()
}

/// Fills an empty database with the pool of the README's table.
pub fn seed(
    conn: &mut Conn,
    ctx: &Ctx,
    keys: &NewKeys,
    app_origin: &str,
    upstreams: &[Registration],
    allowed: &[AllowedHost],
) -> Result<(), Error> {
    let pool = NewPool {
        id: Some(POOL.into()),
        name: "Forebay demo".into(),
        settings: PoolSettings {
            attributes: vec![Attribute {
                name: "custom:department".into(),
                kind: AttributeType::String,
                mutable: true,
                required: false,
            }],
            ..PoolSettings::default()
        },
    };
    pools::create(conn, ctx, pool, keys)?;
    resource_servers::create(
        conn,
        ctx,
        ResourceServer {
            user_pool_id: POOL.into(),
            identifier: API.into(),
            name: "Demo API".into(),
            scopes: Json(vec![ApiScope {
                name: "read".into(),
                description: "Read the demo's things".into(),
            }]),
        },
    )?;
    for upstream in upstreams {
        providers::create(conn, ctx, allowed, provider(upstream))?;
    }
    let providers: Vec<String> = upstreams
        .iter()
        .map(|upstream| upstream.connection.to_owned())
        .collect();
    let people = ["openid", "email", "phone", "profile"].map(String::from).to_vec();
    let callbacks = |origins: &[&str]| {
        origins
            .iter()
            .map(|origin| format!("{origin}/callback"))
            .collect()
    };
    let logouts = |origins: &[&str]| origins.iter().map(|origin| (*origin).to_owned()).collect();
    let both = [app_origin, TOOL_ORIGIN];
    let web = ClientSettings {
        redirect_uris: callbacks(&both),
        logout_uris: logouts(&both),
        initiate_login_uri: Some(format!("{app_origin}/sign-in")),
        scopes: people.clone(),
        providers: providers.clone(),
        ..ClientSettings::default()
    };
    let spa = ClientSettings {
        redirect_uris: callbacks(&[TOOL_ORIGIN]),
        logout_uris: logouts(&[TOOL_ORIGIN]),
        scopes: people,
        providers,
        rotation: Rotation {
            enabled: true,
            grace_seconds: 10,
        },
        ..ClientSettings::default()
    };
    let machine = ClientSettings {
        flows: vec![Flow::ClientCredentials],
        scopes: vec![format!("{API}/read")],
        ..ClientSettings::default()
    };
    let secret = |text: &str| NewSecret::Given(Zeroizing::new(text.to_owned()));
    for (id, name, secret, settings) in [
        (WEB_CLIENT, "Sample web app", secret(WEB_SECRET), web),
        (SPA_CLIENT, "Sample single-page app", NewSecret::Public, spa),
        (MACHINE_CLIENT, "Sample machine", secret(MACHINE_SECRET), machine),
    ] {
        let new = NewClient {
            id: Some(id.into()),
            user_pool_id: POOL.into(),
            name: name.into(),
            secret,
            settings,
        };
        clients::create(conn, ctx, new)?;
    }
    let credential = NewCredential {
        id: Some(ACCESS_KEY.into()),
        secret: Some(Zeroizing::new(ACCESS_SECRET.into())),
        role: credential::Role::Admin,
        user_pool_id: None,
        description: "Demo".into(),
    };
    credentials::create(conn, ctx, credential)?;
    Ok(())
}

/// Makes the tenants of the two organisations, gives them their connections, and makes the console's administrators.
/// The password hashes are Argon2id in PHC form, the operator's first: making them takes long.
pub fn seed_console(conn: &mut Conn, ctx: &Ctx, hashes: &[String; 2]) -> Result<(), Error> {
    for (name, connection, domain) in ORGANISATIONS {
        let mut title = name.to_owned();
        title[..1].make_ascii_uppercase();
        tenants::create(
            conn,
            ctx,
            NewTenant {
                id: name.into(),
                user_pool_id: POOL.into(),
                name: title,
            },
        )?;
        tenants::give_connection(conn, ctx, connection, Some(name))?;
        let all = Reach::everything();
        tenant_domains::claim(conn, ctx, &all, name, domain, false)?;
        tenant_domains::assert(conn, ctx, &all, name, domain)?;
        admins::create(
            conn,
            ctx,
            NewAdministrator {
                email: format!("admin@{name}.test"),
                name: format!("Admin of {name}"),
                password_hash: Some(hashes[1].clone()),
                roles: vec![(Role::TenantAdmin, Scope::Tenant(name.into()))],
            },
        )?;
    }
    admins::create(
        conn,
        ctx,
        NewAdministrator {
            email: OPERATOR.into(),
            name: "Operator".into(),
            password_hash: Some(hashes[0].clone()),
            roles: vec![(Role::Operator, Scope::Everything)],
        },
    )?;
    Ok(())
}

fn provider(upstream: &Registration) -> NewProvider {
    let rule = |attribute: &str, claim: &str| Rule::new(attribute, Source::claim(claim));
    let same = [
        "email",
        "email_verified",
        "name",
        "given_name",
        "family_name",
        "preferred_username",
        "locale",
        "zoneinfo",
    ];
    let mut attributes: Vec<Rule> = same.iter().map(|name| rule(name, name)).collect();
    attributes.push(rule("custom:department", "department"));
    NewProvider {
        user_pool_id: POOL.into(),
        name: upstream.connection.into(),
        slug: Some(upstream.connection.into()),
        issuer: upstream.issuer.clone(),
        settings: ProviderSettings {
            client_id: upstream.client_id.clone(),
            scopes: ["openid", "profile", "email", "groups"]
                .map(String::from)
                .to_vec(),
            ..ProviderSettings::default()
        },
        credentials: Credentials {
            client_secret: Some(Zeroizing::new(upstream.client_secret.clone())),
            private_key: None,
            ..Credentials::default()
        },
        identifiers: vec![upstream.identifier.into()],
        rules: Rules {
            attributes,
            groups: Some(GroupsRule::new(Source::claim("groups"))),
        },
    }
}

/// Runs the demo until Ctrl-C, on a database file of its own unless an empty database is given. Must be called within an
/// actix system.
pub async fn run(ports: Ports, empty_database: Option<Target>) -> Result<(), String> {
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let listen = |port: u16| {
        TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).map_err(|cause| {
            format!("port {port} on 127.0.0.1: {cause}. Choose others; see `forebay demo --help`")
        })
    };
    let sockets = (
        listen(ports.broker)?,
        listen(ports.app)?,
        listen(ports.acme)?,
        listen(ports.globex)?,
    );
    let public_url = format!("http://localhost:{}", ports.broker);
    let app_origin = format!("http://127.0.0.1:{}", ports.app);

    // Gone with the demo.
    let directory = tempfile::Builder::new()
        .prefix("forebay-demo-")
        .tempdir()
        .map_err(|cause| format!("the temporary directory: {cause}"))?;
    let file = directory.path().join("demo.db");
    let target = empty_database.unwrap_or_else(|| Target::Sqlite(file.display().to_string()));
    let mut conn = target.open().map_err(|cause| cause.to_string())?;
    db::migrate(&mut conn).map_err(|cause| cause.to_string())?;
    let sealer = Sealer::new(vec![entropy.bytes::<32>()], entropy.clone());
    let ctx = Ctx {
        actor: "demo".into(),
        request_id: "demo".into(),
        now: clock.now(),
        entropy: entropy.clone(),
        sealer: sealer.clone(),
    };
    let keys = NewKeys::make().map_err(|cause| cause.to_string())?;

    let mut upstreams = Vec::new();
    let mut hosts = Vec::new();
    for (index, (port, socket)) in [(ports.acme, sockets.2), (ports.globex, sockets.3)]
        .into_iter()
        .enumerate()
    {
        let origin = format!("http://127.0.0.1:{port}");
        let registration = registration(index, &origin);
        let (name, ..) = ORGANISATIONS[index];
        let organisation = okta::Okta::new(okta::Setup {
            name: name.into(),
            origin,
            clock: clock.clone(),
            entropy: entropy.clone(),
            faults_over_http: ports.faults,
        });
        furnish(&organisation, &registration, name, &public_url);
        actix_web::rt::spawn(async move { organisation.serve(socket).await });
        hosts.push(format!("127.0.0.1:{port}"));
        upstreams.push(registration);
    }
    let allowed: Vec<AllowedHost> = hosts
        .iter()
        .filter_map(|host| AllowedHost::parse(host).ok())
        .collect();
    seed(&mut conn, &ctx, &keys, &app_origin, &upstreams, &allowed).map_err(|cause| cause.to_string())?;
    let hashes = [OPERATOR_PASSWORD, TENANT_PASSWORD].map(|text| password::hash(&entropy, text));
    seed_console(&mut conn, &ctx, &hashes).map_err(|cause| cause.to_string())?;
    drop(conn);

    let options = Options {
        allow: hosts,
        ca_pem: None,
        proxy: None,
        dns_servers: Vec::new(),
    };
    let broker = Data::new(Broker::new(Parts {
        public_url: public_url.clone(),
        db: Db::open(&target, 4).map_err(|cause| cause.to_string())?,
        sealer,
        clock: clock.clone(),
        entropy: entropy.clone(),
        upstream: Upstream::new(options, clock, entropy)?,
        trusted_proxies: Vec::new(),
        audit_days: AUDIT_DAYS,
        guards: Guards::default(),
        spans: None,
    }));
    let sample = app::SampleApp::new(app::Setup {
        origin: app_origin.clone(),
        issuer: broker.issuer(POOL),
        client_id: WEB_CLIENT.into(),
        client_secret: WEB_SECRET.into(),
    });
    actix_web::rt::spawn(async move { sample.serve(sockets.1).await });
    crate::jobs::start(&broker);
    let server = crate::web::serve(broker, sockets.0, 2).map_err(|cause| cause.to_string())?;

    println!("Forebay demo. Ctrl-C ends it; nothing is kept.");
    println!("  Sample app    {app_origin}  <- start here: Sign in, then \"Okta SSO\"");
    println!(
        "  People        ada@acme.test, grace@acme.test, linus@acme.test (not assigned), hank@globex.test; password: demo"
    );
    println!("  Issuer        {public_url}/{POOL}");
    println!("  AWS SDKs      --endpoint-url {public_url}, key {ACCESS_KEY}, secret {ACCESS_SECRET}");
    println!("  Console       {public_url}/console  operator@forebay.test, password {OPERATOR_PASSWORD}");
    println!(
        "                admin@acme.test, admin@globex.test (a tenant each), password {TENANT_PASSWORD}"
    );
    println!(
        "  Okta          acme http://127.0.0.1:{}   globex http://127.0.0.1:{}",
        ports.acme, ports.globex
    );
    let outcome = server.await.map_err(|cause| cause.to_string());
    drop(directory);
    outcome
}
