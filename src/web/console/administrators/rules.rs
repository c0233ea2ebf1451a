//! Rules by which the members of a pool's groups are administrators: for those who administer whole pools.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::super::door::{Admin, Form};
use super::super::filled::Mistakes;
use super::super::page::{self, Frame};
use super::super::problem::Problem;
use super::super::roles::{self, Choice, Names, RoleFields};
use super::super::sso;
use crate::actions::admins::single_sign_on::{self, NewRule};
use crate::broker::Broker;
use crate::db::Conn;
use crate::error::{Error, StoreError};
use crate::model::administrator::Rights;
use crate::model::administrator_rule::{self, AdministratorRule};
use crate::model::{pool, provider};

const PATH: &str = "/console/administrators/rules";

#[derive(Template)]
#[template(path = "console/administrator_rules.html")]
struct RulesPage {
    frame: Frame,
    rules: Vec<Row>,
    pools: Vec<Choice>,
    connections: Vec<Choice>,
    group: String,
    fields: RoleFields,
    refused: Mistakes,
}

/// A rule in words.
struct Row {
    id: String,
    pool: String,
    group: String,
    connection: Option<String>,
    role: String,
}

#[derive(Template)]
#[template(path = "console/administrator_rule_delete.html")]
struct DeletePage {
    frame: Frame,
    rule: Row,
}

/// Whether this administrator has pools to make rules for.
pub fn may_make(admin: &Admin) -> bool {
    admin.changes().everything || !admin.changes().pools.is_empty()
}

fn require(admin: &Admin) -> Result<(), Problem> {
    if may_make(admin) {
        Ok(())
    } else {
        Err(Problem::NotFound)
    }
}

/// What was typed into the form.
#[derive(Clone, Default)]
struct Typed {
    pool: String,
    group: String,
    connection: String,
    role: String,
    scope: String,
}

/// Everything that the page shows but its frame.
struct Contents {
    rules: Vec<Row>,
    pools: Vec<Choice>,
    connections: Vec<Choice>,
    fields: RoleFields,
}

fn contents(conn: &mut Conn, rights: &Rights, typed: &Typed) -> Result<Contents, StoreError> {
    let mut names = Names::default();
    let mut rules = Vec::new();
    for rule in administrator_rule::list(conn)? {
        if rights.changes.has_pool(&rule.user_pool_id) {
            rules.push(row(conn, &mut names, rule)?);
        }
    }
    let pools: Vec<Choice> = pool::list_within(conn, &rights.changes)?
        .into_iter()
        .map(|pool| Choice {
            selected: pool.id == typed.pool,
            label: format!("{} ({})", pool.name, pool.id),
            value: pool.id,
        })
        .collect();
    let connections = provider::list_within(conn, &rights.changes, None)?
        .into_iter()
        .map(|provider| Choice {
            selected: provider.id == typed.connection,
            label: match &provider.tenant_id {
                Some(tenant) => format!("{} (of the tenant {tenant})", provider.name),
                None => provider.name,
            },
            value: provider.id,
        })
        .collect();
    // A rule gives nothing that lies beyond its pool.
    let within_pools = Rights {
        operates: false,
        ..rights.clone()
    };
    Ok(Contents {
        rules,
        pools,
        connections,
        fields: RoleFields::of(conn, &within_pools, &typed.role, &typed.scope)?,
    })
}

fn row(conn: &mut Conn, names: &mut Names, rule: AdministratorRule) -> Result<Row, StoreError> {
    let scope = single_sign_on::scope(&rule);
    Ok(Row {
        pool: names.pool(conn, &rule.user_pool_id)?,
        role: names.describe(conn, rule.role, &scope)?,
        id: rule.id,
        group: rule.group_name,
        connection: rule.provider_id,
    })
}

async fn page(admin: &Admin, broker: &Broker, query: &str, typed: Typed) -> Result<RulesPage, Problem> {
    let (rights, asked) = (admin.rights.clone(), typed.clone());
    let contents = broker
        .db
        .read(move |conn| contents(conn, &rights, &asked))
        .await?;
    Ok(RulesPage {
        frame: Frame::new(admin, "administrators", query),
        rules: contents.rules,
        pools: contents.pools,
        connections: contents.connections,
        group: typed.group,
        fields: contents.fields,
        refused: Mistakes::default(),
    })
}

pub async fn get(admin: Admin, request: HttpRequest, broker: Data<Broker>) -> Result<HttpResponse, Problem> {
    require(&admin)?;
    let page = page(&admin, &broker, request.query_string(), Typed::default()).await?;
    Ok(page::show(&page))
}

pub async fn post(admin: Admin, broker: Data<Broker>, form: Form) -> Result<HttpResponse, Problem> {
    require(&admin)?;
    admin.require_fresh(broker.clock.now(), PATH)?;
    let text = |name: &str| form.text(name).to_owned();
    let typed = Typed {
        pool: text("pool"),
        group: text("group"),
        connection: text("connection"),
        role: text("role"),
        scope: text("scope"),
    };
    let made = match roles::parse(&typed.role, &typed.scope) {
        Err(error) => Err(error),
        Ok((role, scope)) => {
            let new = NewRule {
                user_pool_id: typed.pool.clone(),
                group_name: typed.group.clone(),
                provider_id: Some(typed.connection.clone()).filter(|id| !id.is_empty()),
                role,
                scope,
            };
            let (ctx, rights) = (admin.ctx(&broker), admin.rights.clone());
            let callback = sso::callback_uri(&broker.public_url);
            broker
                .db
                .write(move |conn| single_sign_on::add_rule(conn, &ctx, &rights, &callback, new))
                .await
        }
    };
    broker.forget();
    match made {
        Ok(_) => Ok(page::done(PATH, "created")),
        Err(error) => {
            let mut page = page(&admin, &broker, "", typed).await?;
            page.refused = Mistakes::of(error, "group")?;
            Ok(page::refused(&page))
        }
    }
}

pub async fn delete_get(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    require(&admin)?;
    admin.require_fresh(broker.clock.now(), &format!("{PATH}/{id}/delete"))?;
    let reach = admin.changes().clone();
    let rule = broker
        .db
        .read(move |conn| {
            let rule = administrator_rule::find(conn, &id)?
                .filter(|rule| reach.has_pool(&rule.user_pool_id))
                .ok_or_else(|| Error::not_found("rule", id.as_str()))?;
            Ok::<_, Error>(row(conn, &mut Names::default(), rule)?)
        })
        .await?;
    Ok(page::show(&DeletePage {
        frame: Frame::new(&admin, "administrators", ""),
        rule,
    }))
}

pub async fn delete_post(
    admin: Admin,
    broker: Data<Broker>,
    id: Path<String>,
    _: Form,
) -> Result<HttpResponse, Problem> {
    require(&admin)?;
    admin.require_fresh(broker.clock.now(), &format!("{PATH}/{id}/delete"))?;
    let (ctx, rights, id) = (admin.ctx(&broker), admin.rights, id.into_inner());
    broker
        .db
        .write(move |conn| single_sign_on::delete_rule(conn, &ctx, &rights, &id))
        .await?;
    Ok(page::done(PATH, "deleted"))
}
