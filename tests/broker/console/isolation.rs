//! The isolation sweep (attacks.md A-104): every address of the console that has an id in it, asked for with the ids of
//! somebody else's things. Another tenant's administrator, another pool's, a user and nobody get the answer that an id of
//! nothing gets, to the byte.
//!
//! The addresses are those of the route table itself, together with every link and form on the owner's own pages: a page
//! that is new is in the sweep, or the sweep asks for an id to put into it.

use std::collections::{BTreeMap, BTreeSet};

use forebay::actions::admins::Place;
use forebay::actions::credentials::NewCredential;
use forebay::actions::groups::Description;
use forebay::actions::hooks::NewBinding;
use forebay::actions::tenant_looks::{self, Logo};
use forebay::actions::webhooks::NewWebhook;
use forebay::actions::{admins, clients, credentials, groups, hooks, setup_links, webhooks};
use forebay::db::schema::audit_events;
use forebay::demo::{OPERATOR, POOL, WEB_CLIENT};
use forebay::model::administrator::{self, Role};
use forebay::model::administrator_rule::{self, AdministratorRule};
use forebay::model::reach::Reach;
use forebay::model::tenant_look::Content;
use forebay::model::{admin_session, credential};
use forebay::web::console::door::COOKIE;

use diesel::prelude::*;

use super::connections::{ACME_ADMIN, GLOBEX_ADMIN, test_sign_in};
use super::rooms::{OTHER_ADMIN, add_others, signed_in};
use crate::moves;
use crate::support::routes::{self, Ids, unknown};
use crate::support::{Answer, Browser, Form, NOW, Stage, claims, links};

/// What opens to whoever has it: drawn at random, kept as hashes, and no id.
const SECRETS: [&str; 3] = ["connect/{token}", "setup/{token}", "password/{token}"];
/// A page that takes its two versions from a form.
const COMPARE: (&str, &str) = ("/console/connections/{id}/mapping/compare", "?from=1&to=1");

/// The patterns of all routes of the console that have a parameter.
async fn patterns(stage: &Stage) -> Vec<String> {
    let mut patterns: Vec<String> = routes::patterns(stage).await.into_iter().collect();
    patterns.retain(|pattern| pattern.starts_with("/console/"));
    assert!(
        patterns.len() > 60,
        "the route table reads otherwise: {patterns:?}"
    );
    patterns
}

/// The address with these ids.
fn filled(pattern: &str, ids: &Ids) -> String {
    let path = routes::filled(pattern, ids);
    path + if pattern == COMPARE.0 { COMPARE.1 } else { "" }
}

/// A stage on which tenant acme has one of everything, and so has its pool; the ids of it all, and the console's cookie of
/// the session in which acme's administrator has tried a connection: nobody else sees the result.
async fn furnished() -> (Stage, Ids, String) {
    let stage = moves::stage().await;
    add_others(&stage);
    let tokens = stage.tokens_for("ada@acme.test", &[]).await;
    let sub = claims(&tokens.access)["sub"].as_str().unwrap().to_owned();
    let code = stage.traces()[0].code.clone();
    let mut admin = signed_in(&stage, ACME_ADMIN);
    let result = test_sign_in(&mut admin, "acme-okta", "ada@acme.test").await;
    assert!(
        admin.url.path().contains("/test-sign-in/"),
        "{}: {result:?}",
        admin.url
    );
    let state = admin.url.path().rsplit('/').next().unwrap().to_owned();
    let moved = moves::start(&stage, &moves::new_move(moves::by("email"), "")).0;
    let (ctx, all) = (stage.ctx(), Reach::everything());
    let ids = stage.act(|conn| {
        let administrator = administrator::find_by_email(conn, ACME_ADMIN).unwrap().unwrap();
        admins::open_session(conn, &ctx, &administrator.id, "password", NOW, Place::default()).unwrap();
        let session = admin_session::of_administrator(conn, &administrator.id, NOW, NOW.plus(-3600))
            .unwrap()
            .remove(0);
        let (link, _) = setup_links::create(conn, &ctx, &all, "acme", 7).unwrap();
        let new = NewWebhook {
            user_pool_id: POOL.into(),
            tenant_id: Some("acme".into()),
            url: "https://hooks.example.com/acme".parse().unwrap(),
        };
        let (webhook, _) = webhooks::create(conn, &ctx, &all, new).unwrap();
        let new = NewBinding {
            arn: "arn:aws:lambda:local:000000000000:function:sweep".into(),
            user_pool_id: Some(POOL.into()),
            url: "https://hooks.example.com/hook".parse().unwrap(),
        };
        let (binding, _) = hooks::bind(conn, &ctx, &all, new).unwrap();
        let new = NewCredential {
            id: None,
            secret: None,
            role: credential::Role::Admin,
            user_pool_id: Some(POOL.into()),
            description: "sweep".into(),
        };
        let (credential, _) = credentials::create(conn, &ctx, new).unwrap();
        let rule = AdministratorRule {
            id: "5e1b7f4a-0000-4000-8000-000000000001".into(),
            user_pool_id: POOL.into(),
            group_name: "staff".into(),
            provider_id: Some("acme-okta".into()),
            role: Role::TenantAdmin,
            scope_pool_id: None,
            scope_tenant_id: Some("acme".into()),
            created_at: NOW,
        };
        administrator_rule::insert(conn, &rule).unwrap();
        groups::create(conn, &ctx, POOL, "staff", Description::default()).unwrap();
        let logo = Logo::Is(b"\x89PNG\r\n\x1a\n".to_vec());
        tenant_looks::set(conn, &ctx, &all, "acme", Content::default(), logo).unwrap();
        // Of two secrets one may go.
        clients::add_secret(conn, &ctx, WEB_CLIENT, None).unwrap();
        Ids::from([
            ("connections/{id}", "acme-okta".into()),
            ("test-sign-in/{state}", state),
            ("traces/{code}", code),
            ("users/{sub}", sub),
            ("clients/{client}", WEB_CLIENT.into()),
            ("pools/{pool}", POOL.into()),
            ("tenants/{tenant}", "acme".into()),
            ("domains/{domain}", "acme.test".into()),
            ("moves/{move}", moved.id),
            ("setup-links/{link}", link.id),
            ("administrators/{id}", administrator.id),
            ("sessions/{session}", session.id.clone()),
            ("sessions/{id}", session.id),
            // A passkey is a device's to make: this one's id is as good as none.
            ("passkeys/{id}", "cGFzc2tleQ".into()),
            ("rules/{id}", rule.id),
            ("webhooks/{id}", webhook.id),
            ("hooks/{id}", binding.id),
            ("credentials/{id}", credential.id),
        ])
    });
    let (_, cookie) = admin.cookie(COOKIE).unwrap();
    drop(admin);
    (stage, ids, cookie)
}

/// The connection of the other pool, which is its administrator's own.
const OTHERS_OWN: &str = "acme-of-the-other-pool";

/// One request of the sweep.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    path: String,
    /// The fields of a POST; none for a GET.
    fields: Option<Vec<(String, String)>>,
}

impl Asked {
    /// The same with other ids.
    fn with(&self, ids: &[(String, String)]) -> Asked {
        // By way of marks: what one id has become must not be taken for another.
        let change = |text: &str| {
            let marks = (0..).map(|number| format!("[{number}]"));
            let marked = ids
                .iter()
                .zip(marks.clone())
                .fold(text.to_owned(), |text, ((from, _), mark)| {
                    text.replace(from, &mark)
                });
            ids.iter()
                .zip(marks)
                .fold(marked, |text, ((_, to), mark)| text.replace(&mark, to))
        };
        let fields = self.fields.as_ref();
        Asked {
            path: change(&self.path),
            fields: fields.map(|fields| {
                let changed = fields.iter().map(|(name, value)| (name.clone(), change(value)));
                changed.collect()
            }),
        }
    }

    async fn send(&self, browser: &mut Browser<'_>, csrf: Option<&str>) -> Answer {
        let Some(mut fields) = self.fields.clone() else {
            return browser.open(&self.path).await;
        };
        fields.retain(|(name, _)| name != "csrf");
        fields.extend(csrf.map(|csrf| ("csrf".to_owned(), csrf.to_owned())));
        browser.request("POST", &self.path, &fields).await
    }
}

/// Status, where to and the whole page, with the ids that came in the request made alike.
fn plain(answer: &Answer, ids: impl Iterator<Item = String>) -> (u16, Option<String>, String) {
    let mut location = answer.header("location").map(str::to_owned);
    // The name of the other administrator's own connection begins like an id that is swept.
    let mut body = answer.body.replace(OTHERS_OWN, "[own]");
    for (number, id) in ids.enumerate() {
        let mark = format!("[{number}]");
        location = location.map(|text| text.replace(&id, &mark));
        body = body.replace(&id, &mark);
    }
    (answer.status, location, body)
}

/// The pages that an administrator sees at these addresses, and at those that the pages lead to, two links far.
async fn pages(mut browser: Browser<'_>, ids: &Ids, start: Vec<String>) -> BTreeMap<String, Answer> {
    let (mut seen, mut next) = (BTreeMap::new(), start);
    for _ in 0..3 {
        let mut found = Vec::new();
        for path in next {
            if seen.contains_key(&path) {
                continue;
            }
            let page = browser.open(&path).await;
            let hrefs = links(&page.body);
            let leads_on =
                |href: &String| href.starts_with("/console/") && ids.values().any(|id| href.contains(id));
            found.extend(hrefs.into_iter().filter(leads_on));
            seen.insert(path, page);
        }
        next = found;
    }
    seen
}

/// All that the owner could ask for: each route with the owner's ids, and what the owner's pages lead to.
async fn everything(stage: &Stage, ids: &Ids, cookie: &str) -> Vec<Asked> {
    let routes: Vec<String> = patterns(stage)
        .await
        .into_iter()
        .filter(|pattern| !SECRETS.iter().any(|secret| pattern.ends_with(secret)))
        .map(|pattern| filled(&pattern, ids))
        .collect();
    let mut all = BTreeSet::new();
    let mut seen = Vec::new();
    let mut owner = stage.browser();
    owner.set_cookie(COOKIE, cookie);
    for browser in [owner, signed_in(stage, OPERATOR)] {
        let start = ["/console".to_owned()].into_iter().chain(routes.iter().cloned());
        seen.extend(pages(browser, ids, start.collect()).await);
    }
    for path in &routes {
        let bare = path.split('?').next().unwrap();
        let is_at = |at: &String| at.split('?').next() == Some(bare);
        let shown: Vec<u16> = seen
            .iter()
            .filter(|(at, _)| is_at(at))
            .map(|(_, page)| page.status)
            .collect();
        // What is only for POST says so; everything else shows its owner or the operator something: the ids are real ones.
        assert!(
            shown.contains(&405) || shown.contains(&200),
            "nobody sees {path}: {shown:?}"
        );
        let form = seen
            .iter()
            .find(|(_, page)| page.body.contains(&format!("action=\"{bare}\"")))
            .map(|(_, page)| Form::to(&page.body, bare).fields);
        all.insert(Asked {
            path: path.clone(),
            fields: Some(form.unwrap_or_default()),
        });
    }
    all.extend(seen.into_iter().map(|(path, _)| Asked { path, fields: None }));
    // The operator's pages lead to the other administrator's own connection as well.
    all.retain(|asked| !asked.path.contains(OTHERS_OWN));
    all.into_iter().collect()
}

/// What is not this one's is nothing, whatever they ask.
async fn sweep(
    stage: &Stage,
    mut browser: Browser<'_>,
    who: &str,
    all: &[Asked],
    theirs: &[String],
) -> usize {
    let home = browser.open("/console").await;
    let csrf = (home.status == 200).then(|| {
        let fields = Form::to(&home.body, "/console/sign-out").fields;
        fields.into_iter().find(|(name, _)| name == "csrf").unwrap().1
    });
    let events =
        |stage: &Stage| stage.act(|conn| audit_events::table.count().get_result::<i64>(conn).unwrap());
    let (before, mut swept) = (events(stage), 0);
    let mut none: Vec<(String, String)> = theirs.iter().map(|id| (id.clone(), unknown(id))).collect();
    // The tenant's id is the beginning of other ids.
    none.sort_by_key(|(id, _)| std::cmp::Reverse(id.len()));
    for asked in all {
        let nobodys = asked.with(&none);
        if nobodys.path == asked.path {
            continue;
        }
        swept += 1;
        let got = asked.send(&mut browser, csrf.as_deref()).await;
        let expected = nobodys.send(&mut browser, csrf.as_deref()).await;
        assert_eq!(
            plain(&got, none.iter().map(|(id, _)| id.clone())),
            plain(&expected, none.iter().map(|(_, id)| id.clone())),
            "{who}: {asked:?}"
        );
    }
    assert_eq!(events(stage), before, "{who} changed something");
    swept
}

#[actix_web::test]
async fn a_104_what_is_another_tenants_is_nothing() {
    let (stage, ids, cookie) = furnished().await;
    let all = everything(&stage, &ids, &cookie).await;
    // The pool is the same; what the tenant has in it is not.
    let of_tenant: Vec<String> = ids
        .iter()
        .filter(|(name, _)| **name != "pools/{pool}")
        .map(|(_, id)| id.clone())
        .collect();
    let swept = sweep(
        &stage,
        signed_in(&stage, GLOBEX_ADMIN),
        "another tenant's",
        &all,
        &of_tenant,
    )
    .await;
    assert!(swept > 150, "{swept}");
    // Also where the rest of the address is their own.
    let own: Vec<Asked> = all
        .iter()
        .map(|asked| {
            asked.with(&[
                (
                    "/connections/acme-okta/".into(),
                    "/connections/globex-okta/".into(),
                ),
                ("/tenants/acme/".into(), "/tenants/globex/".into()),
            ])
        })
        .collect();
    let swept = sweep(
        &stage,
        signed_in(&stage, GLOBEX_ADMIN),
        "among their own",
        &own,
        &of_tenant,
    )
    .await;
    assert!(swept > 15, "{swept}");
}

#[actix_web::test]
async fn a_104_what_is_another_pools_is_nothing() {
    let (stage, ids, cookie) = furnished().await;
    let all = everything(&stage, &ids, &cookie).await;
    let every: Vec<String> = ids.values().cloned().collect();
    sweep(
        &stage,
        signed_in(&stage, OTHER_ADMIN),
        "another pool's",
        &all,
        &every,
    )
    .await;
}

#[actix_web::test]
async fn a_104_to_a_user_and_to_nobody_there_is_only_the_door() {
    let (stage, ids, cookie) = furnished().await;
    let all = everything(&stage, &ids, &cookie).await;
    let every: Vec<String> = ids.values().cloned().collect();
    let user = stage.signed_in("hank@globex.test").await;
    sweep(&stage, user, "a user", &all, &every).await;
    sweep(&stage, stage.browser(), "nobody", &all, &every).await;
}
