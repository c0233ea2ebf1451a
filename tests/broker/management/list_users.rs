//! `ListUsers`: what a filter finds, how pages hang together, and that every page is a walk along an index.

use std::sync::{Arc, Mutex};

use diesel::connection::{Connection, InstrumentationEvent, SimpleConnection};
use diesel::prelude::*;
use diesel::sql_types::Text;
use forebay::db::Conn;
use forebay::db::schema::user_keys;
use forebay::demo::POOL;
use forebay::model::pool;
use forebay::model::user::directory::{self, Field, Filter, Place};
use forebay::model::user::{self, Status};
use serde_json::{Value, json};

use super::{Key, add, attribute, call, call_as, person, refusal};
use crate::support::Stage;

async fn list(stage: &Stage, filter: &str) -> Vec<String> {
    let input = json!({ "UserPoolId": POOL, "Filter": filter });
    names(&call(stage, "ListUsers", input).await.expect(200).json())
}

fn names(page: &Value) -> Vec<String> {
    let users = page["Users"].as_array().unwrap();
    users
        .iter()
        .map(|user| user["Username"].as_str().unwrap().to_owned())
        .collect()
}

/// Three people, the second of them disabled.
fn people(stage: &Stage) {
    let ann = json!({
        "email": "Ann@One.test", "phone_number": "+14155550100", "name": "Ann Oakley", "given_name": "Ann",
        "family_name": "Oakley", "preferred_username": "annie",
    });
    let annette =
        json!({ "email": "annette@two.test", "name": "Annette \"Nettie\" \\ Öz", "given_name": "Annette" });
    let zoe = json!({ "email": "zoe@one.test", "given_name": "Zoë", "family_name": "O'Hara", "custom:department": "x" });
    for (number, attributes) in [ann, annette, zoe].into_iter().enumerate() {
        let mut user = person(number, attributes);
        user.enabled = number != 1;
        if number == 2 {
            user.status = Status::ForceChangePassword;
            user.username = "Zoe".into();
        }
        add(stage, &user);
    }
}

#[actix_web::test]
async fn every_attribute_is_searched_by_whole_and_by_beginning() {
    let stage = Stage::new().await;
    people(&stage);
    let (ann, annette, zoe) = ("person-0000", "person-0001", "Zoe");
    for (filter, expected) in [
        ("", vec![zoe, ann, annette]),
        (r#"username = "person-0000""#, vec![ann]),
        (r#"username = "PERSON-0000""#, vec![]),
        (r#"username ^= "person-""#, vec![ann, annette]),
        (r#"username ^= "z""#, vec![]),
        (r#"email = "ann@one.TEST""#, vec![ann]),
        (r#"email = "ann""#, vec![]),
        (r#"email ^= "ANN""#, vec![ann, annette]),
        (r#"phone_number = "+14155550100""#, vec![ann]),
        (r#"phone_number^="+1415""#, vec![ann]),
        (r#"name = "Annette \"Nettie\" \\ Öz""#, vec![annette]),
        (r#"name ^= "ann""#, vec![ann, annette]),
        (r#"given_name = "zoë""#, vec![zoe]),
        (r#"given_name ^= "Zo""#, vec![zoe]),
        (r#"family_name = "O'Hara""#, vec![zoe]),
        (r#"family_name ^= "o""#, vec![zoe, ann]),
        (r#"family_name ^= """#, vec![zoe, ann]),
        (r#"family_name ^= "%""#, vec![]),
        (r#"preferred_username = "Annie""#, vec![ann]),
        (r#"preferred_username ^= "an""#, vec![ann]),
        (r#"cognito:user_status = "confirmed""#, vec![ann, annette]),
        (r#"cognito:user_status ^= "FORCE""#, vec![zoe]),
        (r#"cognito:user_status = "UNKNOWN""#, vec![]),
        (r#"status = "Enabled""#, vec![ann, zoe]),
        (r#"status = "Disabled""#, vec![annette]),
        (r#"status = "enabled""#, vec![]),
        (r#"status ^= "Dis""#, vec![annette]),
        (r#"sub = "00000000-0000-4000-8000-000000000002""#, vec![zoe]),
        (
            r#"sub ^= "00000000-0000-4000-8000-00000000000""#,
            vec![ann, annette, zoe],
        ),
        (r#"sub = "00000000""#, vec![]),
    ] {
        assert_eq!(list(&stage, filter).await, expected, "{filter}");
    }
    stage.change_pool(|settings| settings.case_sensitive = false);
    assert_eq!(list(&stage, r#"username ^= "PERSON-0000""#).await, [ann]);
}

#[actix_web::test]
async fn a_filter_that_says_nothing_is_refused_in_awss_words() {
    let stage = Stage::new().await;
    for (filter, expected) in [
        ("email", "Error while parsing filter"),
        (r#"email = ann"#, "Error while parsing filter"),
        (r#"email = "a" and name = "b""#, "Error while parsing filter"),
        (
            r#"custom:department = "x""#,
            "Invalid search attribute: custom:department",
        ),
        (r#"locale ^= "de""#, "Invalid search attribute: locale"),
    ] {
        let answer = call(
            &stage,
            "ListUsers",
            json!({ "UserPoolId": POOL, "Filter": filter }),
        )
        .await;
        assert_eq!(
            refusal(&answer),
            ("InvalidParameterException".into(), expected.into()),
            "{filter}"
        );
    }
    let long = format!("email = \"{}\"", "a".repeat(250));
    for input in [
        json!({ "UserPoolId": POOL, "Filter": long }),
        json!({ "UserPoolId": POOL, "Limit": 61 }),
    ] {
        let answer = call(&stage, "ListUsers", input).await;
        assert_eq!(refusal(&answer).0, "InvalidParameterException");
    }
}

#[actix_web::test]
async fn what_changes_is_found_by_its_new_value_only() {
    let stage = Stage::new().await;
    people(&stage);
    let named = |user: &str| json!({ "UserPoolId": POOL, "Username": user });
    let mut input = named("person-0000");
    input["UserAttributes"] = json!([
        { "Name": "email", "Value": "new@one.test" },
        { "Name": "preferred_username", "Value": "" },
    ]);
    call(&stage, "AdminUpdateUserAttributes", input).await.expect(200);
    call(&stage, "AdminEnableUser", named("person-0001"))
        .await
        .expect(200);
    call(&stage, "AdminDeleteUser", named("Zoe")).await.expect(200);
    assert_eq!(list(&stage, r#"email = "ann@one.test""#).await, [""; 0]);
    assert_eq!(list(&stage, r#"email = "new@one.test""#).await, ["person-0000"]);
    assert_eq!(list(&stage, r#"preferred_username ^= """#).await, [""; 0]);
    assert_eq!(list(&stage, r#"status = "Disabled""#).await, [""; 0]);
    assert_eq!(list(&stage, "").await, ["person-0000", "person-0001"]);
    // And who signs in is found by what came.
    stage.tokens_for("grace@acme.test", &[]).await;
    assert_eq!(
        list(&stage, r#"family_name = "hopper""#).await,
        ["acme-okta_00u1grace0000000acme"]
    );
}

#[actix_web::test]
async fn only_the_attributes_asked_for_are_shown() {
    let stage = Stage::new().await;
    people(&stage);
    let input = json!({ "UserPoolId": POOL, "AttributesToGet": ["family_name", "sub", "custom:department"] });
    let page = call(&stage, "ListUsers", input).await.expect(200).json();
    let shown: Vec<usize> = page["Users"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["Attributes"].as_array().unwrap().len())
        .collect();
    assert_eq!(
        shown,
        [3, 2, 1],
        "who has no such attribute is shown all the same"
    );
    let zoe = &page["Users"][0];
    assert_eq!(
        attribute(zoe, "Attributes", "family_name").as_deref(),
        Some("O'Hara")
    );
    assert_eq!(zoe["Enabled"], true);
    assert_eq!(zoe["UserStatus"], "FORCE_CHANGE_PASSWORD");
}

#[actix_web::test]
async fn pages_neither_repeat_nor_miss_anybody_while_people_come() {
    let stage = Stage::new().await;
    for number in 0..25 {
        let attributes = json!({ "given_name": if number % 2 == 0 { "Sam" } else { "Samuel" } });
        add(&stage, &person(number * 10, attributes));
    }
    for filter in [
        "",
        r#"username ^= "person""#,
        r#"given_name ^= "sam""#,
        r#"given_name = "sam""#,
        r#"status = "Enabled""#,
    ] {
        let expected = if filter.contains("name =") { 13 } else { 25 };
        let (mut seen, mut token) = (Vec::new(), Value::Null);
        let mut newcomer = None;
        loop {
            let mut input = json!({ "UserPoolId": POOL, "Filter": filter, "Limit": 4 });
            if token.is_string() {
                input["PaginationToken"] = token;
            }
            let page = call(&stage, "ListUsers", input).await.expect(200).json();
            assert!(names(&page).len() <= 4);
            seen.extend(names(&page));
            token = page["PaginationToken"].clone();
            if token.is_null() {
                break;
            }
            // Somebody comes before the place, and leaves again before the next filter's turn.
            if newcomer.is_none() {
                let user = person(1, json!({ "given_name": "Sam" }));
                add(&stage, &user);
                newcomer = Some(user.sub);
            }
        }
        let all = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!((seen.len(), all), (expected, expected), "{filter}");
        let sub = newcomer.unwrap();
        stage.act(|conn| user::delete(conn, &sub).unwrap());
    }
}

#[actix_web::test]
async fn a_token_is_good_for_its_own_list_and_for_an_hour() {
    let stage = Stage::new().await;
    people(&stage);
    stage.add_other_pool();
    let filter = r#"email ^= "ann""#;
    let first = json!({ "UserPoolId": POOL, "Filter": filter, "Limit": 1 });
    let page = call(&stage, "ListUsers", first.clone()).await.expect(200).json();
    let token = page["PaginationToken"].as_str().unwrap().to_owned();
    let with = |change: Value| {
        let mut input = first.clone();
        input["PaginationToken"] = json!(token);
        input
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        input
    };
    let mut altered = token.clone();
    altered.replace_range(20..21, if token.get(20..21) == Some("A") { "B" } else { "A" });
    for change in [
        json!({ "Filter": r#"email ^= "an""# }),
        json!({ "Filter": "" }),
        json!({ "UserPoolId": crate::support::OTHER_POOL }),
        json!({ "PaginationToken": altered }),
        json!({ "PaginationToken": "nonsense" }),
    ] {
        let answer = call(&stage, "ListUsers", with(change.clone())).await;
        assert_eq!(
            refusal(&answer),
            (
                "InvalidParameterException".into(),
                "Invalid pagination token given.".into()
            ),
            "{change}"
        );
    }
    for operation in ["ListGroups", "AdminListUserSessions"] {
        let input = json!({ "UserPoolId": POOL, "Username": "Zoe", "NextToken": token });
        let answer = call(&stage, operation, input).await;
        assert_eq!(refusal(&answer).0, "InvalidParameterException", "{operation}");
    }
    for (seconds, timestamp, good) in [(3599, "20261121T005959Z", true), (1, "20261121T010000Z", false)] {
        stage.clock.advance(seconds);
        let key = Key {
            timestamp,
            ..Key::default()
        };
        let answer = call_as(&stage, &key, "ListUsers", with(json!({}))).await;
        if good {
            assert_eq!(names(&answer.expect(200).json()), ["person-0001"]);
        } else {
            assert_eq!(refusal(&answer).1, "The pagination token has expired.");
        }
    }
}

#[derive(QueryableByName)]
struct SqlitePlan {
    #[diesel(sql_type = Text)]
    detail: String,
}

#[derive(QueryableByName)]
struct PostgresPlan {
    #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
    line: String,
}

fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(literal).collect();
            format!("ARRAY[{}]", values.join(", "))
        }
        other => other.to_string(),
    }
}

/// How the database goes about a statement that was seen with its values.
fn plan(conn: &mut Conn, statement: &str) -> String {
    let (sql, values) = statement.split_once(" -- binds: ").unwrap();
    match conn {
        // The plan does not depend on the values.
        Conn::Sqlite(_) => diesel::sql_query(format!("EXPLAIN QUERY PLAN {sql}"))
            .load::<SqlitePlan>(conn)
            .unwrap()
            .into_iter()
            .map(|row| row.detail + "\n")
            .collect(),
        Conn::Postgres(_) => {
            let values: Vec<Value> = serde_json::from_str(values).unwrap();
            let mut sql = sql.to_owned();
            for (index, value) in values.iter().enumerate().rev() {
                sql = sql.replace(&format!("${}", index + 1), &literal(value));
            }
            diesel::sql_query(format!("EXPLAIN {sql}"))
                .load::<PostgresPlan>(conn)
                .unwrap()
                .into_iter()
                .map(|row| row.line + "\n")
                .collect()
        }
    }
}

#[actix_web::test]
async fn every_filter_is_a_walk_along_an_index() {
    let stage = Stage::new().await;
    for number in 0..50 {
        add(
            &stage,
            &person(
                number,
                json!({ "email": format!("p{number}@x.test"), "name": "x" }),
            ),
        );
    }
    stage.act(|conn| {
        let pool = pool::find(conn, POOL).unwrap().unwrap();
        let statements = Arc::new(Mutex::new(Vec::new()));
        let log = statements.clone();
        conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::StartQuery { query, .. } = event {
                log.lock().unwrap().push(query.to_string());
            }
        });
        if matches!(conn, Conn::Postgres(_)) {
            // Fifty rows are read at once otherwise, and sorted in no time.
            conn.batch_execute(
                "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off",
            )
            .unwrap();
        }
        let place = Place {
            value: "p1".into(),
            sub: "00000000-0000-4000-8000-000000000001".into(),
        };
        for field in Field::ALL {
            for (begins, after) in [
                (false, None),
                (false, Some(&place)),
                (true, None),
                (true, Some(&place)),
            ] {
                let filter = Filter {
                    field: *field,
                    begins,
                    value: "p".into(),
                };
                statements.lock().unwrap().clear();
                directory::page(conn, &pool, Some(&filter), after, 60).unwrap();
                let seen = std::mem::take(&mut *statements.lock().unwrap());
                assert!(!seen.is_empty(), "{filter:?}");
                for statement in seen {
                    let plan = plan(conn, &statement);
                    let told = format!("{filter:?} {after:?}\n{statement}\n{plan}");
                    for slow in ["Seq Scan", "Sort", "SCAN", "TEMP B-TREE"] {
                        assert!(!plan.contains(slow), "{told}");
                    }
                    if statement.contains("user_keys") {
                        assert!(plan.contains("user_keys_in_order"), "{told}");
                        assert!(plan.contains("value"), "bounded by the value: {told}");
                    } else if statement.contains("ORDER BY") {
                        assert!(plan.contains("username"), "bounded by the username: {told}");
                    }
                }
            }
        }
    });
}

/// The migration that made `user_keys`, for the database at hand.
fn migration(conn: &Conn) -> &'static str {
    match conn {
        Conn::Sqlite(_) => include_str!("../../../migrations/sqlite/2026-11-21-161000_directory/up.sql"),
        Conn::Postgres(_) => include_str!("../../../migrations/postgres/2026-11-21-161000_directory/up.sql"),
    }
}

#[actix_web::test]
async fn users_from_before_are_found_by_the_same_keys() {
    let stage = Stage::new().await;
    people(&stage);
    stage.tokens_for("ada@acme.test", &[]).await;
    add(
        &stage,
        &person(
            7,
            json!({ "name": ["a", "list"], "email": "", "given_name": "É".repeat(300) }),
        ),
    );
    let keys = |conn: &mut Conn| -> Vec<(String, String, String, String)> {
        let mut rows: Vec<_> = user_keys::table.load(conn).unwrap();
        rows.sort();
        rows
    };
    stage.act(|conn| {
        let written = keys(conn);
        assert!(written.len() > 20, "{written:?}");
        diesel::delete(user_keys::table).execute(conn).unwrap();
        let statements = migration(conn).split(';').map(str::trim);
        for statement in statements.filter(|statement| statement.starts_with("INSERT INTO user_keys")) {
            conn.batch_execute(statement).unwrap();
        }
        assert_eq!(keys(conn), written);
    });
}
