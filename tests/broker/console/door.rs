//! Who gets in, and what is asked before.

use actix_web::test::TestRequest;
use forebay::error::StoreError;
use forebay::model::{admin_session, administrator};
use forebay::rules::params;
use forebay::web::console::door::COOKIE;

use crate::support::{Form, Stage};

#[actix_web::test]
async fn nobody_gets_in_without_a_session_and_is_led_to_the_sign_in_page() {
    let stage = Stage::new().await;
    let answer = stage.get("/console").await;
    assert_eq!(answer.status, 303);
    assert_eq!(answer.location(), "/console/sign-in?next=%2Fconsole");
}

#[actix_web::test]
async fn a_session_opens_the_overview() {
    let stage = Stage::new().await;
    for email in ["operator@forebay.test", "admin@acme.test"] {
        let mut browser = stage.console(email);
        let page = browser.open("/console").await.expect(200);
        assert!(page.body.contains(email), "{page:?}");
    }
}

#[actix_web::test]
async fn a_session_cookie_that_comes_twice_is_none() {
    let stage = Stage::new().await;
    let browser = stage.console("operator@forebay.test");
    let (name, token) = browser.cookie(COOKIE).unwrap();
    let twice = format!("{name}={token}; {name}={token}");
    let request = TestRequest::get()
        .uri("/console")
        .insert_header(("cookie", twice));
    stage.send(request).await.expect(303);
}

#[actix_web::test]
async fn a_form_is_taken_with_the_rights_of_the_moment_when_it_is_there() {
    let stage = Stage::new().await;
    let mut browser = stage.console("operator@forebay.test");
    let page = browser.open("/console/account").await.expect(200);
    let form = Form::to(&page.body, "/console/account/name");
    let mut fields = form.fields;
    fields.retain(|(name, _)| name != "name");
    fields.push(("name".into(), "Held back".into()));
    let body = params::encode(fields.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let (name, token) = browser.cookie(COOKIE).unwrap();
    let request = || {
        TestRequest::post()
            .uri("/console/account/name")
            .insert_header(("content-type", "application/x-www-form-urlencoded"))
            .insert_header(("cookie", format!("{name}={token}")))
    };
    stage
        .send_after(request(), async {}, body.clone())
        .await
        .expect(303);

    let find = || {
        stage.act(|conn| {
            administrator::find_by_email(conn, "operator@forebay.test")
                .unwrap()
                .unwrap()
        })
    };
    let who = find();
    assert_eq!(who.name, "Held back");
    let (broker, id) = (stage.broker.clone(), who.id);
    let ends = async move {
        // Time enough for whoever would look at the session before the form is there.
        for _ in 0..50 {
            broker.db.read(|_| Ok::<_, StoreError>(())).await.unwrap();
        }
        broker
            .db
            .write(move |conn| Ok::<_, StoreError>(admin_session::delete_of(conn, &id, None)?))
            .await
            .unwrap();
    };
    let late = stage
        .send_after(request(), ends, body.replace("Held", "Brought"))
        .await
        .expect(303);
    assert!(late.location().starts_with("/console/sign-in"), "{late:?}");
    assert_eq!(find().name, "Held back");
}
