//! The watch over connections: when one is looked at, and what of a look, of a secret's end or of the claims that come
//! needs attention.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::drift::Drift;
use super::tenant_domain::GRACE_SECONDS;
use crate::model::claims_seen::Profile;
use crate::model::notice::{Kind, Notice};
use crate::model::probe::{Facts, Probe, Turn};
use crate::model::provider::Provider;
use crate::model::tenant_domain::TenantDomain;
use crate::world::UnixTime;

const DAY: i64 = 86_400;
/// A connection with which something was wrong is looked at again so soon, that the notice ends when it is mended.
const AGAIN: i64 = 15 * 60;
/// Days before a secret's end at which it is told, each time anew.
const SECRET_DAYS: [i64; 3] = [30, 14, 3];

/// What is decided about after a look: everything.
pub const ALL: &[Kind] = &[
    Kind::SecretExpiry,
    Kind::ClaimMissing,
    Kind::ClaimType,
    Kind::GroupsMany,
    Kind::Probe,
    Kind::KeysReplaced,
    Kind::EndpointsMoved,
    Kind::TlsIssuerChanged,
];
/// What new sign-ins decide about.
pub const CLAIMS: &[Kind] = &[Kind::ClaimMissing, Kind::ClaimType, Kind::GroupsMany];

/// Whether a connection is to be looked at: never seen, changed since, amiss a while ago, or its moment of the day has
/// come. The moment is the id's own, so that a thousand connections are spread over the day.
pub fn is_due(turn: &Turn, now: UnixTime) -> bool {
    let Some((at, passed)) = turn.last else {
        return true;
    };
    let slot = now.plus(-(now.0 - moment(&turn.provider_id)).rem_euclid(DAY));
    turn.updated_at > at || (!passed && at.plus(AGAIN) <= now) || (at < slot && slot <= now)
}

/// The second of the day at which a connection is looked at.
fn moment(provider_id: &str) -> i64 {
    let digest = Sha256::digest(provider_id.as_bytes());
    let number = digest
        .iter()
        .take(4)
        .fold(0, |sum, byte| sum * 256 + i64::from(*byte));
    number % DAY
}

/// What a look says, against the one before it.
pub fn of_probe(probe: &Probe, before: Option<&Facts>) -> Vec<Notice> {
    let notice = |kind, subject: &str, detail: String| Notice {
        provider_id: probe.provider_id.clone(),
        kind,
        subject: subject.to_owned(),
        detail,
        since: probe.at,
    };
    let mut notices: Vec<Notice> = probe
        .stages
        .iter()
        .filter(|stage| stage.failed())
        .map(|stage| {
            notice(
                Kind::Probe,
                &stage.name,
                format!("{}: {}", stage.code, stage.detail),
            )
        })
        .collect();
    let Some(before) = before else { return notices };
    let now = &probe.facts;
    let kept = now.key_ids.iter().any(|id| before.key_ids.contains(id));
    if !before.key_ids.is_empty() && !now.key_ids.is_empty() && !kept {
        let detail = format!(
            "none of the {} keys of the last look is left; now {}",
            before.key_ids.len(),
            now.key_ids.join(", ")
        );
        notices.push(notice(Kind::KeysReplaced, "", detail));
    }
    for (name, was) in &before.endpoints {
        if let Some((_, is)) = now
            .endpoints
            .iter()
            .find(|(known, is)| known == name && is != was)
        {
            notices.push(notice(Kind::EndpointsMoved, name, format!("from {was} to {is}")));
        }
    }
    if !before.tls_issuer.is_empty()
        && !now.tls_issuer.is_empty()
        && organisation(&before.tls_issuer) != organisation(&now.tls_issuer)
    {
        let detail = format!("from {} to {}", before.tls_issuer, now.tls_issuer);
        notices.push(notice(Kind::TlsIssuerChanged, "", detail));
    }
    notices
}

/// Who issued a certificate: an authority renews with whichever of its intermediates it has at hand. A name without an
/// organisation is compared whole.
fn organisation(name: &str) -> &str {
    name.split(", ")
        .find_map(|part| part.strip_prefix("O="))
        .unwrap_or(name)
}

/// What the domains of a connection's tenant say: those whose record is gone, and those that were taken back for it, until
/// they are proven again or given up.
pub fn of_domains(provider_id: &str, domains: &[TenantDomain], now: UnixTime) -> Vec<Notice> {
    let notice = |domain: &TenantDomain, detail: String| Notice {
        provider_id: provider_id.to_owned(),
        kind: Kind::DomainLost,
        subject: domain.domain.clone(),
        detail,
        since: now,
    };
    let told = |domain: &TenantDomain| match (domain.lost_since, domain.seen_at) {
        (Some(since), _) => Some(notice(
            domain,
            format!(
                "the TXT record has not been there since {since}; at {} the domain stops counting",
                since.plus(GRACE_SECONDS)
            ),
        )),
        (None, Some(seen)) if !domain.is_proven() => Some(notice(
            domain,
            format!("the TXT record was last seen at {seen}; the domain counts no more"),
        )),
        _ => None,
    };
    domains.iter().filter_map(told).collect()
}

/// What this look leaves for the next one to compare with: where it saw nothing, what was seen before.
pub fn remember(now: Facts, before: Option<Facts>) -> Facts {
    let Some(before) = before else { return now };
    let text = |now: String, before: String| if now.is_empty() { before } else { now };
    Facts {
        issuer: text(now.issuer, before.issuer),
        tls_issuer: text(now.tls_issuer, before.tls_issuer),
        key_ids: if now.key_ids.is_empty() {
            before.key_ids
        } else {
            now.key_ids
        },
        endpoints: if now.endpoints.is_empty() {
            before.endpoints
        } else {
            now.endpoints
        },
    }
}

/// Secrets that end soon, or have ended.
pub fn of_secrets(provider: &Provider, now: UnixTime) -> Vec<Notice> {
    [
        (
            "client secret",
            provider.secret_expires_at,
            provider.client_secret_sealed.is_some(),
        ),
        (
            "next client secret",
            provider.next_secret_expires_at,
            provider.next_secret_sealed.is_some(),
        ),
    ]
    .into_iter()
    .filter(|(.., is_there)| *is_there)
    .filter_map(|(which, end, _)| Some((which, end?)))
    .filter_map(|(which, end)| {
        let left = end.since(now);
        let day = end.to_string();
        let day = day.split('T').next().unwrap_or_default();
        // The step is part of the name, so that each is told anew.
        let (step, detail) = if left <= 0 {
            ("ended".to_owned(), format!("the {which} ended on {day}"))
        } else {
            let days = SECRET_DAYS.into_iter().rfind(|days| left <= days * DAY)?;
            (format!("{days} days"), format!("the {which} ends on {day}"))
        };
        Some(Notice {
            provider_id: provider.id.clone(),
            kind: Kind::SecretExpiry,
            subject: format!("{which}, {step}"),
            detail,
            since: now,
        })
    })
    .collect()
}

/// What is unusual about the claims that come. Of long lists only those are told that `groups` names: Okta's limit is one
/// of groups.
pub fn of_claims(
    provider_id: &str,
    profile: &Profile,
    groups: &BTreeSet<String>,
    now: UnixTime,
) -> Vec<Notice> {
    let notice = |kind, subject: &str, detail, since| Notice {
        provider_id: provider_id.to_owned(),
        kind,
        subject: subject.to_owned(),
        detail,
        since,
    };
    let drifts = profile.claims.iter().filter_map(|(name, usage)| {
        Some(match usage.drift()? {
            Drift::Missing { since, before, .. } => notice(
                Kind::ClaimMissing,
                name,
                format!("missing from every sign-in since {since}; before, {before} % had it"),
                since,
            ),
            Drift::Type { since, was, is, .. } => notice(
                Kind::ClaimType,
                name,
                format!("comes as {is} since {since}; before, it was {was}"),
                since,
            ),
        })
    });
    let of_groups = profile.long.iter().filter(|(name, _)| groups.contains(*name));
    let long = of_groups.map(|(name, long)| {
        let detail = format!("{} values at a sign-in; Okta fails beyond 100 groups", long.most);
        notice(Kind::GroupsMany, name, detail, now)
    });
    drifts.chain(long).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Json;
    use crate::model::probe::Stage;

    fn turn(id: &str, updated_at: i64, last: Option<(i64, bool)>) -> Turn {
        Turn {
            provider_id: id.into(),
            issuer: "https://acme.okta.com".into(),
            updated_at: UnixTime(updated_at),
            last: last.map(|(at, passed)| (UnixTime(at), passed)),
        }
    }

    #[test]
    fn each_connection_is_looked_at_once_a_day_at_a_moment_of_its_own() {
        let mut hours = [0; 24];
        for n in 0..2_400 {
            let id = format!("connection-{n}");
            let mut last = 10 * DAY;
            let mut looks = Vec::new();
            for now in (10 * DAY..13 * DAY).step_by(600) {
                if is_due(&turn(&id, 0, Some((last, true))), UnixTime(now)) {
                    looks.push(now);
                    last = now;
                }
            }
            assert!((2..=3).contains(&looks.len()), "{id}: {looks:?}");
            assert!(
                looks.windows(2).all(|pair| pair[1] - pair[0] == DAY),
                "{id}: {looks:?}"
            );
            hours[usize::try_from(looks[0] % DAY / 3_600).unwrap_or_default()] += 1;
        }
        assert!(hours.iter().all(|count| (50..=150).contains(count)), "{hours:?}");
    }

    #[test]
    fn a_new_a_changed_and_an_ailing_connection_are_due_sooner() {
        let now = 20 * DAY + moment("a") + 3_600;
        let looked = now - 600;
        for (turn, due) in [
            (turn("a", 0, None), true),
            (turn("a", looked - 1, Some((looked, true))), false),
            (turn("a", looked + 1, Some((looked, true))), true),
            (turn("a", 0, Some((looked, false))), false),
            (turn("a", 0, Some((now - AGAIN, false))), true),
        ] {
            assert_eq!(is_due(&turn, UnixTime(now)), due, "{turn:?}");
        }
    }

    fn probe(facts: Facts, stages: Vec<Stage>) -> Probe {
        Probe {
            provider_id: "a".into(),
            passed: stages.iter().all(|stage| !stage.failed()),
            stages: Json(stages),
            facts: Json(facts),
            at: UnixTime(7),
        }
    }

    fn facts(keys: &[&str], token: &str, tls: &str) -> Facts {
        Facts {
            issuer: "https://acme.okta.com".into(),
            key_ids: keys.iter().map(|id| (*id).to_owned()).collect(),
            endpoints: vec![("token_endpoint".into(), token.into())],
            tls_issuer: tls.into(),
        }
    }

    #[test]
    fn a_look_is_compared_with_the_one_before() {
        let kinds = |now: Facts, before: Facts| -> Vec<Kind> {
            let found = of_probe(&probe(now, Vec::new()), Some(&before));
            found.iter().map(|notice| notice.kind).collect()
        };
        let before = facts(&["k1", "k2"], "t", "DigiCert");
        assert_eq!(kinds(before.clone(), before.clone()), []);
        assert_eq!(kinds(facts(&["k2", "k3"], "t", "DigiCert"), before.clone()), []);
        assert_eq!(
            kinds(facts(&["k3"], "t", "DigiCert"), before.clone()),
            [Kind::KeysReplaced]
        );
        assert_eq!(
            kinds(facts(&["k1"], "u", "DigiCert"), before.clone()),
            [Kind::EndpointsMoved]
        );
        assert_eq!(
            kinds(facts(&["k1"], "t", "Proxy"), before.clone()),
            [Kind::TlsIssuerChanged]
        );
        // An ordinary renewal comes from another intermediate of the same authority; a proxy is somebody else.
        let (first, renewed) = (
            facts(&["k1"], "t", "C=US, O=Let's Encrypt, CN=R10"),
            facts(&["k1"], "t", "C=US, O=Let's Encrypt, CN=R11"),
        );
        assert_eq!(kinds(renewed.clone(), first), []);
        assert_eq!(
            kinds(facts(&["k1"], "t", "C=US, O=Zscaler Inc., CN=R11"), renewed),
            [Kind::TlsIssuerChanged]
        );
        // An issuer that was not reached has moved nothing, and what is known of it stays for the next comparison.
        assert_eq!(kinds(Facts::default(), before.clone()), []);
        assert_eq!(remember(Facts::default(), Some(before.clone())), before);
        let failed = Stage {
            name: "tcp".into(),
            verdict: "failed".into(),
            code: "CONNECT_FAILED".into(),
            detail: "refused".into(),
            remedy: String::new(),
        };
        let found = of_probe(&probe(Facts::default(), vec![failed]), None);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].kind, found[0].subject.as_str()), (Kind::Probe, "tcp"));
        assert_eq!(found[0].detail, "CONNECT_FAILED: refused");
    }
}
