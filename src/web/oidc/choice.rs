//! Where an authorization request leads among the ways that it speaks of: what it names, what its address leads to, or
//! nowhere yet.

use crate::broker::Ways;
use crate::model::provider::Provider;
use crate::rules::authorize::Authorization;
use crate::rules::email::Email;

/// What the request names is not there, or not for this app.
pub struct NotAvailable;

/// Where a request wants to go.
pub enum Choice<'a> {
    Named(&'a Provider),
    /// By the address in `login_hint`.
    Hinted(&'a Provider, Email),
    /// To a page where the person chooses one of them.
    Several(Several<'a>),
    /// Nowhere in particular: a session will do, else the login page asks.
    Open,
}

/// Connections that an address, or a tenant's code, leads to alike.
pub struct Several<'a> {
    pub providers: Vec<&'a Provider>,
    pub address: Option<Email>,
}

impl Several<'_> {
    pub fn has(&self, id: &str) -> bool {
        self.providers.iter().any(|provider| provider.id == id)
    }

    /// The one tenant whose all of them are.
    pub fn tenant(&self) -> Option<&str> {
        let first = self.providers.first()?.tenant_id.as_deref()?;
        let all = self
            .providers
            .iter()
            .all(|one| one.tenant_id.as_deref() == Some(first));
        all.then_some(first)
    }
}

/// The connections among which the person has to choose, where the request leads to several.
pub fn several<'a>(request: &Authorization, ways: &'a Ways) -> Option<Several<'a>> {
    match choose(request, ways) {
        Ok(Choice::Several(several)) => Some(several),
        _ => None,
    }
}

/// Where these ids lead; `None`: nowhere.
fn among<'a>(ways: &'a Ways, ids: &[String], address: Option<Email>) -> Option<Choice<'a>> {
    let providers: Vec<&Provider> = ids.iter().filter_map(|id| ways.provider(id)).collect();
    match (providers.first().copied(), providers.len(), address) {
        (None, _, _) => None,
        (Some(one), 1, None) => Some(Choice::Named(one)),
        (Some(one), 1, Some(address)) => Some(Choice::Hinted(one, address)),
        (_, _, address) => Some(Choice::Several(Several { providers, address })),
    }
}

/// The connection that an identifier names, else what else it leads to.
fn by_identifier<'a>(ways: &'a Ways, name: &str, ids: &[String]) -> Result<Choice<'a>, NotAvailable> {
    let named = ways.identifiers.get(name).and_then(|id| ways.provider(id));
    named
        .map(Choice::Named)
        .or_else(|| among(ways, ids, None))
        .ok_or(NotAvailable)
}

/// The provider that the request names, by name, slug, identifier or tenant, or that the address in `login_hint` leads to.
pub fn choose<'a>(request: &Authorization, ways: &'a Ways) -> Result<Choice<'a>, NotAvailable> {
    // Amplify sends COGNITO by default, which would keep federated users from silent sign-in: it stands for any.
    if let Some(name) = request
        .identity_provider
        .as_deref()
        .filter(|name| *name != "COGNITO")
    {
        return ways.named(name).map(Choice::Named).ok_or(NotAvailable);
    }
    if let Some(slug) = &request.connection {
        return ways.provider(slug).map(Choice::Named).ok_or(NotAvailable);
    }
    if let Some(name) = &request.idp_identifier {
        return by_identifier(ways, name, ways.routes.of_domain(name));
    }
    if let Some(name) = &request.tenant {
        return by_identifier(ways, name, ways.routes.of_tenant(name));
    }
    if request.prompt.select_account {
        return Ok(Choice::Open);
    }
    let address = request
        .login_hint
        .as_deref()
        .and_then(|hint| Email::parse(hint).ok());
    let led = address.and_then(|address| {
        let ids = ways.routes.of_domain(address.domain());
        among(ways, ids, Some(address))
    });
    Ok(led.unwrap_or(Choice::Open))
}
