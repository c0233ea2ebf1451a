//! Email domains of tenants: which names may be one, what proves one, how a proof is lost, and whose addresses lie in it.

use super::email::{self, Email};
use super::nobodys_domain::{has_public_mailboxes, is_suffix};
use crate::error::Error;
use crate::model::tenant_domain::{Proof, Proven, TenantDomain, Vouching};
use crate::world::UnixTime;

/// Domains that one tenant may claim.
pub const MOST: usize = 100;
/// How often the record of a proven domain is looked for.
pub const CHECK_SECONDS: i64 = 86_400;
/// For how long a domain counts whose record is gone.
pub const GRACE_SECONDS: i64 = 7 * 86_400;
/// A name whose servers have not answered for so long is as good as gone.
const UNANSWERED_SECONDS: i64 = 30 * 86_400;

/// A domain as somebody typed it, in the form in which domains are stored and compared.
pub fn normalise(typed: &str) -> Result<String, Error> {
    let refuse = |why: String| Err(Error::invalid("domain", why));
    let typed = typed.trim();
    let name = typed.strip_prefix('@').unwrap_or(typed);
    let Ok(domain) = email::domain(name) else {
        return refuse("must be a domain name with a dot, such as example.com".into());
    };
    if is_suffix(&domain) {
        return refuse(format!(
            "{domain} is a registry's or a host's: below it everybody can have a domain"
        ));
    }
    if has_public_mailboxes(&domain) {
        return refuse(format!("at {domain} everybody can have a mailbox"));
    }
    Ok(domain)
}

/// The name at which a challenge's record is looked for first.
pub fn challenge_name(domain: &str) -> String {
    format!("_forebay-challenge.{domain}")
}

/// What the record has to say.
pub fn challenge_value(token: &str) -> String {
    format!("forebay-domain-verification={token}")
}

/// The domain itself and every one above it, from the narrowest on.
pub fn and_above(domain: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(domain), |name| name.split_once('.').map(|(_, above)| above))
}

/// The proven domain that a mail domain lies in: itself, else the nearest above it that has its subdomains, too.
pub fn covering<'a>(proven: &'a [Proven], domain: &str) -> Option<&'a Proven> {
    and_above(domain).find_map(|name| {
        proven
            .iter()
            .find(|one| one.domain == name && (one.subdomains || name == domain))
    })
}

/// Whether the connection's word about this address counts.
pub fn vouches(vouching: &Vouching, address: &str) -> bool {
    match vouching {
        Vouching::Everybody => true,
        Vouching::Within(proven) => {
            Email::parse(address).is_ok_and(|address| covering(proven, address.domain()).is_some())
        }
    }
}

/// Whether what others have stands against a claim's being proven. `others` are the pool's proven domains of that name or
/// above it.
pub fn is_taken(claim: &TenantDomain, others: &[Proven]) -> bool {
    others
        .iter()
        .any(|other| other.tenant_id != claim.tenant_id && (other.domain == claim.domain || other.subdomains))
}

/// What a look for the record has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Record,
    /// The name's servers have answered, and it is not there; what is there, or why, in a sentence.
    Nothing(String),
    /// Nobody knows: no answer, or a broken one.
    Failed(String),
}

/// What a look has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Same,
    /// The domain is the tenant's from now on.
    Proven,
    /// The record is gone, and the days of grace begin.
    Lost,
    /// It is there again.
    Back,
    /// The days of grace are over.
    Withdrawn,
}

impl Turn {
    /// The audit event's action.
    pub fn action(self) -> Option<&'static str> {
        match self {
            Turn::Same => None,
            Turn::Proven => Some("tenant.domain_prove"),
            Turn::Lost => Some("tenant.domain_lose"),
            Turn::Back => Some("tenant.domain_find"),
            Turn::Withdrawn => Some("tenant.domain_withdraw"),
        }
    }
}

/// Takes over what a look has found. `taken`: another tenant stands in the way of a new proof.
pub fn judge(row: &mut TenantDomain, found: &Found, taken: bool, now: UnixTime) -> Turn {
    row.checked_at = Some(now);
    let unanswered = row
        .seen_at
        .is_none_or(|seen| now.since(seen) >= UNANSWERED_SECONDS);
    row.finding = match found {
        Found::Record if taken && !row.is_proven() => {
            "The record is there, but the domain belongs to another organisation here. Ask the operator."
                .into()
        }
        Found::Record => "The record is there.".into(),
        Found::Nothing(why) | Found::Failed(why) => why.clone(),
    };
    match (row.proof, found) {
        (Proof::None, Found::Record) if !taken => {
            row.proof = Proof::Dns;
            row.proven_at = Some(now);
            row.seen_at = Some(now);
            row.lost_since = None;
            Turn::Proven
        }
        (Proof::None | Proof::Asserted, _) => Turn::Same,
        (Proof::Dns, Found::Record) => {
            row.seen_at = Some(now);
            match row.lost_since.take() {
                Some(_) => Turn::Back,
                None => Turn::Same,
            }
        }
        (Proof::Dns, Found::Failed(_)) if !unanswered => Turn::Same,
        (Proof::Dns, Found::Nothing(_) | Found::Failed(_)) => match row.lost_since {
            None => {
                row.lost_since = Some(now);
                Turn::Lost
            }
            Some(since) if now.since(since) < GRACE_SECONDS => Turn::Same,
            Some(_) => {
                row.proof = Proof::None;
                row.proven_at = None;
                row.lost_since = None;
                Turn::Withdrawn
            }
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const DAY: i64 = 86_400;

    fn proven(domain: &str, subdomains: bool) -> Proven {
        Proven {
            tenant_id: "acme".into(),
            domain: domain.into(),
            subdomains,
        }
    }

    fn claim(domain: &str) -> TenantDomain {
        TenantDomain {
            tenant_id: "globex".into(),
            domain: domain.into(),
            user_pool_id: "pool".into(),
            subdomains: false,
            token: "t".into(),
            proof: Proof::None,
            proven_at: None,
            checked_at: None,
            seen_at: None,
            lost_since: None,
            finding: String::new(),
            created_at: UnixTime(0),
            updated_at: UnixTime(0),
        }
    }

    #[test]
    fn domains_come_out_in_one_form() {
        for (typed, stored) in [
            ("acme.test", "acme.test"),
            (" @ACME.Test ", "acme.test"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("XN--bcher-kva.example", "xn--bcher-kva.example"),
            ("acme.co.uk", "acme.co.uk"),
            ("mail.acme.com", "mail.acme.com"),
            ("notgmail.com", "notgmail.com"),
        ] {
            assert_eq!(normalise(typed).unwrap(), stored);
        }
    }

    #[test]
    fn a_108_public_mailboxes_and_suffixes_are_nobodys() {
        for wrong in [
            "",
            "@",
            "com",
            "co.uk",
            "com.au",
            "or.at",
            "gmail.com",
            "GMail.com",
            "x.gmail.com",
            "outlook.com",
            "outlook.de",
            "hotmail.de",
            "github.io",
            "a b.test",
            "@@acme.test",
            "acme.test.",
            "ann@acme.test",
            "127.0.0.1",
            "ａcme.test",
            "*.acme.test",
        ] {
            assert!(normalise(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn subdomains_count_by_the_switch_alone() {
        let exact = [proven("acme.test", false)];
        let whole = [proven("acme.test", true), proven("eu.acme.test", false)];
        assert!(covering(&exact, "acme.test").is_some());
        for other in ["eu.acme.test", "test", "notacme.test", "acme.test.evil.test", ""] {
            assert_eq!(covering(&exact, other), None, "{other}");
        }
        assert_eq!(covering(&whole, "eu.acme.test").unwrap().domain, "eu.acme.test");
        assert_eq!(covering(&whole, "a.eu.acme.test").unwrap().domain, "acme.test");
        assert_eq!(covering(&whole, "notacme.test"), None);
    }

    #[test]
    fn a_tenants_connection_vouches_within_its_domains() {
        let within = Vouching::Within(vec![proven("acme.test", false)]);
        assert!(vouches(&within, "Ann@ACME.test"));
        for other in ["ann@globex.test", "ann@eu.acme.test", "ann", "a@b@acme.test", ""] {
            assert!(!vouches(&within, other), "{other}");
        }
        assert!(!vouches(&Vouching::Within(Vec::new()), "ann@acme.test"));
        assert!(vouches(&Vouching::Everybody, "ann@globex.test"));
    }

    #[test]
    fn a_107_what_another_has_is_taken_and_so_is_what_is_below_its_whole() {
        let claim = claim("eu.acme.test");
        for (other, taken) in [
            (proven("eu.acme.test", false), true),
            (proven("acme.test", true), true),
            (proven("acme.test", false), false),
        ] {
            assert_eq!(is_taken(&claim, std::slice::from_ref(&other)), taken, "{other:?}");
            let own = Proven {
                tenant_id: "globex".into(),
                ..other
            };
            assert!(!is_taken(&claim, &[own]));
        }
    }

    #[test]
    fn a_proof_that_is_gone_counts_for_some_days_more() {
        let nothing = Found::Nothing("no record".into());
        let failed = Found::Failed("no answer".into());
        let mut row = claim("acme.test");
        let mut look = |found: &Found, day: i64| judge(&mut row, found, false, UnixTime(day * DAY));
        assert_eq!(look(&nothing, 0), Turn::Same);
        assert_eq!(look(&failed, 0), Turn::Same);
        assert_eq!(look(&Found::Record, 1), Turn::Proven);
        assert_eq!(look(&Found::Record, 2), Turn::Same);
        assert_eq!(look(&nothing, 3), Turn::Lost);
        assert_eq!(look(&failed, 9), Turn::Same, "nobody knows");
        assert_eq!(look(&nothing, 9), Turn::Same);
        assert_eq!(look(&Found::Record, 9), Turn::Back);
        assert_eq!(look(&nothing, 10), Turn::Lost);
        assert_eq!(look(&nothing, 17), Turn::Withdrawn);
        assert_eq!(look(&nothing, 18), Turn::Same);
        assert!(!row.is_proven());
    }

    #[test]
    fn a_name_that_never_answers_is_gone_in_the_end() {
        let failed = Found::Failed("no answer".into());
        let mut row = claim("acme.test");
        let mut look = |found: &Found, day: i64| judge(&mut row, found, false, UnixTime(day * DAY));
        look(&Found::Record, 0);
        assert_eq!(look(&failed, 29), Turn::Same);
        assert_eq!(look(&failed, 30), Turn::Lost);
        assert_eq!(look(&failed, 37), Turn::Withdrawn);
    }

    #[test]
    fn a_record_for_what_is_anothers_proves_nothing() {
        let mut row = claim("acme.test");
        assert_eq!(judge(&mut row, &Found::Record, true, UnixTime(0)), Turn::Same);
        assert!(!row.is_proven() && row.finding.contains("another organisation"));
        row.proof = Proof::Asserted;
        assert_eq!(
            judge(&mut row, &Found::Nothing(String::new()), false, UnixTime(0)),
            Turn::Same
        );
        assert!(row.is_proven(), "the operator's word needs no record");
    }
}
