//! The checker is shown each sort of damage and has to find it, and a sound run and has to find nothing.

use std::time::Duration;

use forebay::rules::secret;
use serde_json::json;

use super::checker::{self, Kind, Own};
use super::log::{Issued, Operation, Outcome, Request};
use super::rows::{Code, Family, Rows, Token};

const ISSUER: &str = "http://localhost:8080/pool";

/// One code that was exchanged, and its token refreshed once.
struct Run {
    operations: Vec<Operation>,
    rows: Rows,
}

fn tokens(refresh: &str) -> Outcome {
    Outcome::Done(Some(Issued {
        refresh: Some(refresh.into()),
        id: json!({ "sub": "ada", "cognito:username": "ada-name", "aud": "app", "iss": ISSUER }),
        access: json!({ "sub": "ada", "client_id": "app", "iss": ISSUER, "origin_jti": "family" }),
    }))
}

fn operation(second: u64, request: Request, outcome: Outcome) -> Operation {
    Operation {
        node: 0,
        began: Duration::from_secs(second),
        ended: Duration::from_secs(second),
        request,
        sub: "ada".into(),
        client: "app",
        outcome,
        answer_hash: second.to_be_bytes().to_vec(),
    }
}

fn exchange() -> Request {
    Request::Exchange { code: "code".into() }
}

fn refresh(token: &str) -> Request {
    Request::Refresh { token: token.into() }
}

fn revoke(token: &str) -> Request {
    Request::Revoke { token: token.into() }
}

impl Run {
    fn sound() -> Run {
        let mut rows = Rows::default();
        rows.users.insert("ada".into());
        rows.identities
            .push(("okta".into(), "00uada".into(), "ada".into()));
        let code = Code {
            origin_jti: "family".into(),
            is_spent: true,
        };
        rows.codes.insert(secret::hash("code"), code);
        let family = Family {
            user_sub: "ada".into(),
            client_id: "app".into(),
            is_revoked: false,
        };
        rows.families.insert("family".into(), family);
        for (token, is_rotated) in [("first", true), ("second", false)] {
            let origin_jti = "family".into();
            rows.tokens.insert(
                secret::hash(token),
                Token {
                    origin_jti,
                    is_rotated,
                },
            );
        }
        Run {
            operations: vec![
                operation(0, exchange(), tokens("first")),
                operation(1, refresh("first"), tokens("second")),
            ],
            rows,
        }
    }

    fn and(mut self, second: u64, request: Request, outcome: Outcome) -> Run {
        self.operations.push(operation(second, request, outcome));
        self
    }

    fn changed(mut self, change: impl FnOnce(&mut Rows)) -> Run {
        change(&mut self.rows);
        self
    }

    fn revoked(self) -> Run {
        self.changed(|rows| {
            rows.families.get_mut("family").unwrap().is_revoked = true;
            rows.revocations.insert("family".into(), 1);
        })
    }

    #[track_caller]
    fn shows(self, invariant: &str, kind: Kind) {
        let found = self.found();
        assert!(
            found
                .iter()
                .any(|one| one.invariant == invariant && one.kind == kind),
            "{invariant} {kind:?} is not among {found:?}"
        );
    }

    #[track_caller]
    fn assert_sound(self) {
        assert_eq!(self.found(), []);
    }

    fn found(&self) -> Vec<checker::Violation> {
        let own = Own {
            issuer: ISSUER.into(),
        };
        checker::check(&self.operations, &self.rows, &own)
    }
}

pub fn a_sound_run_has_no_violation() {
    Run::sound().assert_sound();
    let refused = || Outcome::Refused("invalid_grant".into());
    // The exchange was done, its answer lost; the code shown again ends the family.
    let mut lost = Run::sound().revoked().and(2, exchange(), refused());
    lost.operations[0].outcome = Outcome::Unknown;
    lost.assert_sound();
    // It was not done: the second try is the first success.
    let mut tried = Run::sound();
    tried
        .operations
        .insert(0, operation(0, exchange(), Outcome::Unknown));
    tried.assert_sound();
    // A revocation that nobody heard about went either way.
    Run::sound()
        .and(2, revoke("second"), Outcome::Unknown)
        .assert_sound();
    Run::sound()
        .revoked()
        .and(2, revoke("second"), Outcome::Unknown)
        .assert_sound();
    // What was never sent has done nothing, and a token that is revoked is refused.
    Run::sound().and(2, exchange(), Outcome::NotSent).assert_sound();
    Run::sound()
        .revoked()
        .and(2, revoke("second"), Outcome::Done(None))
        .and(5, refresh("second"), refused())
        .assert_sound();
}

pub fn a_code_that_was_exchanged_twice_is_found() {
    Run::sound()
        .and(2, exchange(), tokens("first"))
        .shows("I1", Kind::Doubled);
}

pub fn what_was_acknowledged_and_is_lost_is_found() {
    Run::sound()
        .changed(|rows| drop(rows.families.remove("family")))
        .shows("I2", Kind::Lost);
    Run::sound()
        .changed(|rows| rows.codes.get_mut(&secret::hash("code")).unwrap().is_spent = false)
        .shows("I2", Kind::Lost);
    Run::sound()
        .changed(|rows| drop(rows.tokens.remove(&secret::hash("second"))))
        .shows("I2", Kind::Lost);
    Run::sound().revoked().shows("I2", Kind::Lost);
    let refused = Outcome::Refused("invalid_grant".into());
    Run::sound()
        .and(2, refresh("second"), refused)
        .shows("I2", Kind::Lost);
}

pub fn a_revoked_token_that_works_is_found() {
    let revoked = || {
        Run::sound()
            .revoked()
            .and(2, revoke("second"), Outcome::Done(None))
    };
    revoked()
        .and(5, refresh("second"), tokens("second"))
        .shows("I3", Kind::Wrong);
    // Within two seconds another node may not know.
    revoked()
        .and(4, refresh("second"), tokens("second"))
        .assert_sound();
    Run::sound()
        .and(2, revoke("second"), Outcome::Done(None))
        .shows("I3", Kind::Lost);
}

pub fn a_token_of_somebody_else_is_found() {
    let with = |change: fn(&mut Issued)| {
        let mut run = Run::sound();
        let Outcome::Done(Some(issued)) = &mut run.operations[1].outcome else {
            unreachable!("a sound run is answered")
        };
        change(issued);
        run
    };
    with(|issued| issued.id["sub"] = json!("grace")).shows("I4", Kind::Doubled);
    with(|issued| issued.id["cognito:username"] = json!("grace")).shows("I4", Kind::Wrong);
    with(|issued| issued.id["aud"] = json!("another")).shows("I5", Kind::Wrong);
    with(|issued| issued.access["client_id"] = json!("another")).shows("I5", Kind::Wrong);
    with(|issued| issued.access["iss"] = json!("http://localhost:8080/other")).shows("I5", Kind::Wrong);
    with(|issued| issued.access["sub"] = json!("grace")).shows("I5", Kind::Wrong);
    Run::sound()
        .changed(|rows| rows.families.get_mut("family").unwrap().client_id = "another".into())
        .shows("I5", Kind::Wrong);
}

pub fn rows_by_half_and_rows_twice_are_found() {
    let sound = Run::sound;
    sound()
        .changed(|rows| {
            let origin_jti = "nobody".into();
            let is_rotated = false;
            rows.tokens.insert(
                vec![1],
                Token {
                    origin_jti,
                    is_rotated,
                },
            );
        })
        .shows("I6", Kind::Wrong);
    sound()
        .changed(|rows| rows.users.clear())
        .shows("I6", Kind::Wrong);
    sound()
        .changed(|rows| rows.tokens.get_mut(&secret::hash("first")).unwrap().is_rotated = false)
        .shows("I6", Kind::Doubled);
    sound()
        .changed(|rows| rows.tokens.get_mut(&secret::hash("second")).unwrap().is_rotated = true)
        .shows("I6", Kind::Lost);
    sound()
        .changed(|rows| {
            let origin_jti = "without a family".into();
            let is_spent = true;
            rows.codes.insert(vec![1], Code { origin_jti, is_spent });
        })
        .shows("I6", Kind::Lost);
    sound()
        .changed(|rows| {
            rows.users.insert("other".into());
            rows.identities
                .push(("okta".into(), "00uada".into(), "other".into()));
        })
        .shows("I6", Kind::Doubled);
}

pub fn an_audit_log_that_disagrees_is_found() {
    let revoked = || {
        Run::sound()
            .revoked()
            .and(2, revoke("second"), Outcome::Done(None))
    };
    revoked().assert_sound();
    revoked()
        .changed(|rows| rows.revocations.clear())
        .shows("I7", Kind::Lost);
    revoked()
        .changed(|rows| rows.revocations.extend([(String::from("family"), 2)]))
        .shows("I7", Kind::Doubled);
    Run::sound()
        .changed(|rows| rows.revocations.extend([(String::from("family"), 1)]))
        .shows("I7", Kind::Wrong);
}
