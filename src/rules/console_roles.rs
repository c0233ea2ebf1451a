//! Which roles an administrator has who signs in to the console through a pool: those that the pool's rules give to the
//! groups they are in now.
//!
//! What a tenant's own Okta says may make administrators of that tenant and nothing else. So a membership counts only if
//! an administrator here gave it or the connection that the rule names did; and that connection, like the one by which
//! the person came, must be the pool's own or belong to the very tenant that the rule is about.

use crate::model::administrator::{Grant, Role};
use crate::model::administrator_rule::AdministratorRule;
use crate::model::group::{self, Membership};
use crate::model::provider::Provider;

/// The roles of a user of this pool. `providers` are the pool's enabled connections; `came_by` is the id of the one that
/// the session was opened by.
pub fn granted(
    administrator_id: &str,
    rules: &[AdministratorRule],
    memberships: &[Membership],
    providers: &[Provider],
    came_by: &str,
) -> Vec<Grant> {
    let mut grants = Vec::new();
    for rule in rules {
        let may_vouch = |id: &str| {
            providers
                .iter()
                .any(|provider| provider.id == id && vouches(provider, rule))
        };
        let named = rule.provider_id.as_deref().filter(|id| may_vouch(id));
        let counts = |membership: &Membership| {
            membership.user_pool_id == rule.user_pool_id
                && membership.group_name == rule.group_name
                && (membership.source == group::BY_ADMIN
                    || named.is_some_and(|id| membership.source == group::by_provider(id)))
        };
        if !may_vouch(came_by) || !memberships.iter().any(counts) {
            continue;
        }
        let grant = grant(administrator_id, rule);
        if !grants.contains(&grant) {
            grants.push(grant);
        }
    }
    grants
}

/// Whether the connection's word is good for this rule.
pub fn vouches(provider: &Provider, rule: &AdministratorRule) -> bool {
    provider.user_pool_id == rule.user_pool_id
        && (provider.tenant_id.is_none() || provider.tenant_id == rule.scope_tenant_id)
}

/// Whether a role can hold there: for everything, for a pool, or for a tenant.
pub fn fits(role: Role, pool: Option<&str>, tenant: Option<&str>) -> bool {
    match role {
        Role::Operator => pool.is_none() && tenant.is_none(),
        Role::PoolAdmin => pool.is_some() && tenant.is_none(),
        Role::TenantAdmin => pool.is_none() && tenant.is_some(),
        Role::Viewer => pool.is_none() || tenant.is_none(),
    }
}

fn grant(administrator_id: &str, rule: &AdministratorRule) -> Grant {
    let scope = rule.scope_pool_id.as_ref().or(rule.scope_tenant_id.as_ref());
    Grant {
        administrator_id: administrator_id.to_owned(),
        role: rule.role,
        scope: scope.cloned().unwrap_or_default(),
        user_pool_id: rule.scope_pool_id.clone(),
        tenant_id: rule.scope_tenant_id.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fixture;
    use crate::world::UnixTime;

    const AT: UnixTime = UnixTime(0);

    fn provider(id: &str, tenant: Option<&str>) -> Provider {
        Provider {
            tenant_id: tenant.map(str::to_owned),
            ..fixture::provider(id)
        }
    }

    fn rule(role: Role, tenant: Option<&str>, provider: Option<&str>) -> AdministratorRule {
        AdministratorRule {
            id: "rule".into(),
            user_pool_id: "pool".into(),
            group_name: "admins".into(),
            provider_id: provider.map(str::to_owned),
            role,
            scope_pool_id: (role == Role::PoolAdmin).then(|| "pool".to_owned()),
            scope_tenant_id: tenant.map(str::to_owned),
            created_at: AT,
        }
    }

    fn member(group: &str, source: &str) -> Membership {
        Membership {
            user_sub: "sub".into(),
            user_pool_id: "pool".into(),
            group_name: group.into(),
            source: source.into(),
            created_at: AT,
        }
    }

    #[test]
    fn a_tenants_own_okta_makes_administrators_of_that_tenant_and_nothing_else() {
        let providers = [
            provider("own", None),
            provider("acme", Some("acme")),
            provider("globex", Some("globex")),
        ];
        // Role, its tenant, the rule's connection, who gave the membership, by what they came: whether it counts.
        let cases = [
            (Role::Operator, None, None, "admin", "own", true),
            (Role::Operator, None, Some("own"), "provider:own", "own", true),
            (Role::Operator, None, None, "provider:own", "own", false),
            (Role::Operator, None, Some("own"), "provider:acme", "own", false),
            (Role::Operator, None, Some("acme"), "provider:acme", "acme", false),
            (Role::Operator, None, Some("acme"), "provider:acme", "own", false),
            (Role::Operator, None, None, "admin", "acme", false),
            (Role::Operator, None, None, "admin", "gone", false),
            (Role::Operator, None, None, "admin", "", false),
            (
                Role::PoolAdmin,
                None,
                Some("acme"),
                "provider:acme",
                "acme",
                false,
            ),
            (Role::Viewer, None, Some("acme"), "provider:acme", "acme", false),
            (
                Role::TenantAdmin,
                Some("acme"),
                Some("acme"),
                "provider:acme",
                "acme",
                true,
            ),
            (
                Role::TenantAdmin,
                Some("acme"),
                None,
                "provider:acme",
                "acme",
                false,
            ),
            (Role::TenantAdmin, Some("acme"), None, "admin", "acme", true),
            (
                Role::TenantAdmin,
                Some("acme"),
                Some("own"),
                "provider:own",
                "own",
                true,
            ),
            (
                Role::TenantAdmin,
                Some("acme"),
                Some("globex"),
                "provider:globex",
                "globex",
                false,
            ),
            (
                Role::TenantAdmin,
                Some("acme"),
                Some("acme"),
                "provider:acme",
                "globex",
                false,
            ),
            (
                Role::TenantAdmin,
                Some("acme"),
                Some("acme"),
                "provider:globex",
                "acme",
                false,
            ),
            (
                Role::Viewer,
                Some("acme"),
                Some("acme"),
                "provider:acme",
                "acme",
                true,
            ),
        ];
        for case in cases {
            let (role, tenant, named, source, came_by, counts) = case;
            let grants = granted(
                "id",
                &[rule(role, tenant, named)],
                &[member("admins", source)],
                &providers,
                came_by,
            );
            assert_eq!(grants.len(), usize::from(counts), "{case:?}");
        }
        let other = granted(
            "id",
            &[rule(Role::Operator, None, None)],
            &[member("others", "admin")],
            &providers,
            "own",
        );
        assert_eq!(other, []);
    }

    #[test]
    fn a_role_holds_where_it_makes_sense() {
        for (role, pool, tenant, fit) in [
            (Role::Operator, None, None, true),
            (Role::Operator, Some("p"), None, false),
            (Role::PoolAdmin, Some("p"), None, true),
            (Role::PoolAdmin, None, None, false),
            (Role::PoolAdmin, None, Some("t"), false),
            (Role::TenantAdmin, None, Some("t"), true),
            (Role::TenantAdmin, Some("p"), None, false),
            (Role::TenantAdmin, Some("p"), Some("t"), false),
            (Role::Viewer, None, None, true),
            (Role::Viewer, Some("p"), None, true),
            (Role::Viewer, None, Some("t"), true),
            (Role::Viewer, Some("p"), Some("t"), false),
        ] {
            assert_eq!(fits(role, pool, tenant), fit, "{role} {pool:?} {tenant:?}");
        }
    }
}
