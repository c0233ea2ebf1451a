#![allow(clippy::unwrap_used)]
use std::sync::OnceLock;

use super::super::fixture::Fixture;
use super::*;
use crate::world::UnixTime;

/// Keys made once for all tests.
fn spare(index: usize) -> KeyPair {
    static KEYS: OnceLock<Vec<KeyPair>> = OnceLock::new();
    KEYS.get_or_init(|| (0..3).map(|_| make().unwrap()).collect())[index].clone()
}

fn states(fixture: &mut Fixture) -> Vec<(Usage, State)> {
    let id = fixture.pool_id();
    let mut states: Vec<_> = fixture
        .act(|conn| Ok(key::of_pool(conn, &id)?))
        .unwrap()
        .iter()
        .map(|key| (key.usage, key.state))
        .collect();
    states.sort();
    states
}

fn at(ctx: &Ctx, now: UnixTime) -> Ctx {
    Ctx { now, ..ctx.clone() }
}

/// A pool in which a successor of the ID token key is published.
fn rotating() -> (Fixture, Ctx, SigningKey) {
    let mut fixture = Fixture::with_pool();
    let (ctx, id) = (fixture.ctx.clone(), fixture.pool_id());
    let published = fixture
        .act(|conn| rotate(conn, &ctx, &id, &[(Usage::IdToken, spare(0))]))
        .unwrap();
    assert_eq!(published, [spare(0).kid]);
    let pending = fixture
        .act(|conn| Ok(key::pending(conn, ctx.now)?))
        .unwrap()
        .remove(0);
    (fixture, ctx, pending)
}

#[test]
fn a_successor_waits_takes_over_and_sees_its_predecessor_off() {
    let (mut fixture, ctx, pending) = rotating();
    let id = fixture.pool_id();
    use State::{Active, Pending, Retiring};
    use Usage::{AccessToken, IdToken};
    assert_eq!(
        states(&mut fixture),
        [(IdToken, Pending), (IdToken, Active), (AccessToken, Active)]
    );
    let second = fixture.act(|conn| rotate(conn, &ctx, &id, &[(IdToken, spare(1))]));
    assert!(matches!(second, Err(Error::Conflict(_))), "{second:?}");

    // A second before its time it does not sign, and the old one goes on.
    let early = at(&ctx, ctx.now.plus(LEAD_SECONDS - 1));
    let outcome = fixture.act(|conn| promote(conn, &early, &pending));
    assert!(matches!(outcome, Err(Error::Conflict(_))), "{outcome:?}");
    assert_eq!(
        states(&mut fixture),
        [(IdToken, Pending), (IdToken, Active), (AccessToken, Active)]
    );

    let ripe = at(&ctx, ctx.now.plus(LEAD_SECONDS));
    assert!(fixture.act(|conn| promote(conn, &ripe, &pending)).unwrap());
    assert_eq!(fixture.last_event().action, "key.promote");
    let after = [(IdToken, Active), (IdToken, Retiring), (AccessToken, Active)];
    assert_eq!(states(&mut fixture), after);
    // Another node, late: nothing more happens.
    assert!(!fixture.act(|conn| promote(conn, &ripe, &pending)).unwrap());
    assert_eq!(states(&mut fixture), after);

    let too_early = at(&ctx, ripe.now.plus(KEPT_SECONDS - 1));
    assert_eq!(fixture.act(|conn| delete_retired(conn, &too_early)).unwrap(), 0);
    let late = at(&ctx, ripe.now.plus(KEPT_SECONDS));
    assert_eq!(fixture.act(|conn| delete_retired(conn, &late)).unwrap(), 1);
    assert_eq!(states(&mut fixture), [(IdToken, Active), (AccessToken, Active)]);
}

#[test]
fn a_node_with_an_old_list_does_not_depose_a_later_key() {
    let (mut fixture, ctx, first) = rotating();
    let id = fixture.pool_id();
    let mut now = ctx.now.plus(LEAD_SECONDS);
    fixture.act(|conn| promote(conn, &at(&ctx, now), &first)).unwrap();
    fixture
        .act(|conn| rotate(conn, &at(&ctx, now), &id, &[(Usage::IdToken, spare(1))]))
        .unwrap();
    now = now.plus(LEAD_SECONDS);
    let second = fixture
        .act(|conn| Ok(key::pending(conn, now)?))
        .unwrap()
        .remove(0);
    fixture
        .act(|conn| promote(conn, &at(&ctx, now), &second))
        .unwrap();
    let before = states(&mut fixture);
    let outcome = fixture.act(|conn| promote(conn, &at(&ctx, now), &first));
    assert!(matches!(outcome, Err(Error::Conflict(_))), "{outcome:?}");
    assert_eq!(states(&mut fixture), before);
}

#[test]
fn a_leaked_key_goes_at_once_and_the_pool_keeps_signing() {
    let (mut fixture, ctx, pending) = rotating();
    let id = fixture.pool_id();
    let active = |fixture: &mut Fixture, usage| {
        let keys = fixture.act(|conn| Ok(key::of_pool(conn, &id)?)).unwrap();
        let mut kids: Vec<_> = keys
            .into_iter()
            .filter(|key| key.usage == usage && key.state == State::Active)
            .map(|key| key.kid)
            .collect();
        assert_eq!(kids.len(), 1);
        kids.remove(0)
    };
    // The one that waits takes over before its time: it is known to some, the spare one to nobody.
    let leaked = active(&mut fixture, Usage::IdToken);
    fixture
        .act(|conn| revoke(conn, &ctx, &id, &leaked, &spare(1)))
        .unwrap();
    assert_eq!(active(&mut fixture, Usage::IdToken), pending.kid);
    // Without one waiting, the spare one.
    let leaked = active(&mut fixture, Usage::AccessToken);
    fixture
        .act(|conn| revoke(conn, &ctx, &id, &leaked, &spare(1)))
        .unwrap();
    assert_eq!(active(&mut fixture, Usage::AccessToken), spare(1).kid);
    assert_eq!(
        fixture.last_event().difference.0,
        json!({ "use": "access", "kid": leaked, "was": "active", "active": spare(1).kid })
    );
    // Twice is once, and another pool's key is nobody's.
    for pool in [id.as_str(), "us-local-1_Other"] {
        let again = fixture.act(|conn| revoke(conn, &ctx, pool, &leaked, &spare(2)));
        assert!(matches!(again, Err(Error::NotFound(_))), "{again:?}");
    }
    // One that does not sign leaves no gap to fill.
    fixture
        .act(|conn| rotate(conn, &ctx, &id, &[(Usage::IdToken, spare(2))]))
        .unwrap();
    fixture
        .act(|conn| revoke(conn, &ctx, &id, &spare(2).kid, &spare(0)))
        .unwrap();
    assert_eq!(
        states(&mut fixture),
        [
            (Usage::IdToken, State::Active),
            (Usage::AccessToken, State::Active)
        ]
    );
}

#[test]
fn the_database_itself_refuses_a_second_active_or_pending_key() {
    let (mut fixture, ctx, _) = rotating();
    let id = fixture.pool_id();
    for state in [State::Active, State::Pending] {
        let stored = fixture.act(|conn| insert(conn, &ctx, &id, Usage::IdToken, state, &spare(2)));
        assert!(!stored.unwrap(), "{state}");
    }
}
