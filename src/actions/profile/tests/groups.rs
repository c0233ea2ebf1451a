//! The groups that a sign-in gives and takes.

use super::*;

#[test]
fn groups_follow_the_claim_and_leave_what_others_gave() {
    let mut world = world();
    let automatic = "us-local-1_Forebay01_acme-okta";
    let user = world.acme("00u1", json!({"groups": ["a", "b"]})).unwrap().user;
    let admin_gave = |group_name: &str| Membership {
        user_sub: user.sub.clone(),
        user_pool_id: POOL.into(),
        group_name: group_name.into(),
        source: group::BY_ADMIN.into(),
        created_at: NOW,
    };
    // In "a" by both, in "c" by the administrator alone.
    world.acme("00u2", json!({"groups": ["c"]})).unwrap();
    for name in ["a", "c"] {
        assert!(group::join(&mut world.conn, &admin_gave(name)).unwrap());
    }
    let settled = world.acme("00u1", json!({"groups": ["b", "d"]})).unwrap();
    assert_eq!(names(&settled.groups), ["a", "b", "c", "d", automatic]);
    let source = group::by_provider("acme-okta");
    assert_eq!(
        group::of_user_from(&mut world.conn, &user.sub, &source).unwrap(),
        ["b", "d", automatic]
    );
    let left: Vec<_> = settled
        .effects
        .iter()
        .filter(|effect| effect.action == "left")
        .collect();
    assert_eq!((left.len(), left[0].target.as_str()), (1, "group:a"));

    // A claim that is gone means no groups; so does a rule that is gone.
    assert_eq!(
        names(&world.acme("00u1", json!({})).unwrap().groups),
        ["a", "c", automatic]
    );
    assert_eq!(
        names(&world.acme("00u1", json!({"groups": "e"})).unwrap().groups),
        ["a", "c", "e", automatic]
    );
    world.map("acme-okta", 2, &[], None);
    let settled = world.acme("00u1", json!({"groups": "e"})).unwrap();
    assert_eq!(names(&settled.groups), ["a", "c", automatic]);
    assert_eq!(settled.mapping_version, 2);
}

#[test]
fn a_rule_for_existing_groups_makes_none() {
    let mut world = world();
    world.acme("00u1", json!({"groups": ["known"]})).unwrap();
    world.map("acme-okta", 2, &[], Some(MissingGroup::Ignore));
    let settled = world
        .acme("00u2", json!({"groups": ["known", "unknown"]}))
        .unwrap();
    assert_eq!(
        names(&settled.groups),
        ["known", "us-local-1_Forebay01_acme-okta"]
    );
    assert!(group::find(&mut world.conn, POOL, "unknown").unwrap().is_none());
    let skipped = settled
        .effects
        .iter()
        .find(|effect| effect.action == "skipped")
        .unwrap();
    assert_eq!(skipped.target, "group:unknown");
}

#[test]
fn no_claim_leads_into_another_providers_automatic_group() {
    let mut world = world();
    let globex = world.globex.clone();
    world.come(&globex, "00uHank", json!({})).unwrap();
    let settled = world
        .acme("00u1", json!({"groups": ["us-local-1_Forebay01_globex-okta"]}))
        .unwrap();
    assert_eq!(names(&settled.groups), ["us-local-1_Forebay01_acme-okta"]);
}

#[test]
fn five_hundred_groups_make_few_effects() {
    let mut world = world();
    let many: Vec<String> = (0..10_000).map(|n| format!("g{n:05}")).collect();
    let settled = world.acme("00u1", json!({"groups": many})).unwrap();
    assert_eq!(settled.groups.len(), 501);
    assert!(settled.effects.len() < 60, "{}", settled.effects.len());
    assert!(
        settled
            .effects
            .iter()
            .any(|effect| effect.reason.contains("9500"))
    );
}

/// Many people who bring the same new groups in any order sign in at once: none waits for another in a ring.
#[test]
fn first_sign_ins_with_the_same_new_groups_do_not_block_each_other() {
    let world = world();
    let (db, runtime) = world.at_once();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..32)
            .map(|number| {
                let (db, ctx, pool, client) = (
                    db.clone(),
                    world.ctx.clone(),
                    world.pool.clone(),
                    world.client.clone(),
                );
                let provider = if number % 2 == 0 {
                    world.acme.clone()
                } else {
                    world.globex.clone()
                };
                let mut groups: Vec<String> = (0..20).map(|n| format!("g{n}")).collect();
                groups.rotate_left(number % 20);
                if number % 3 == 0 {
                    groups.reverse();
                }
                tokio::spawn(async move {
                    db.write(move |conn| {
                        let arrival = arrival(&provider, &format!("00u{number}"), json!({"groups": groups}));
                        settle(conn, &ctx, &pool, &provider, &client, &arrival)
                    })
                    .await
                })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap().unwrap().unwrap().groups.len(), 21);
        }
    });
}
