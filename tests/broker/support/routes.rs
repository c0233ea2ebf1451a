//! The route table as the isolation sweeps read it: every address that has an id in it, and how ids are put there. A route
//! that is new is in a sweep, or the sweep asks for an id to put into it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use actix_web::dev::Service;
use actix_web::test::TestRequest;

use super::Stage;

/// Ids by the parameter of the route and the segment before it.
pub type Ids = BTreeMap<&'static str, String>;

/// The patterns of all routes that have a parameter.
pub async fn patterns(stage: &Stage) -> BTreeSet<String> {
    let map = Rc::new(RefCell::new(String::new()));
    let seen = map.clone();
    let app = forebay::web::app(stage.broker.clone()).wrap_fn(move |request, service| {
        *seen.borrow_mut() = format!("{:?}", request.resource_map());
        service.call(request)
    });
    let service = actix_web::test::init_service(app).await;
    let health = TestRequest::get().uri("/healthz").to_request();
    actix_web::test::call_service(&service, health).await;
    let map = map.borrow();
    map.split('"')
        .filter(|text| text.starts_with('/') && text.contains('{'))
        .map(str::to_owned)
        .collect()
}

/// The parameters of a pattern, as [`Ids`] calls them.
fn parameters(pattern: &str) -> Vec<String> {
    let segments: Vec<&str> = pattern.split('/').collect();
    let pairs = segments.windows(2).filter(|pair| pair[1].starts_with('{'));
    pairs.map(|pair| pair.join("/")).collect()
}

/// The address with these ids.
pub fn filled(pattern: &str, ids: &Ids) -> String {
    let mut path = pattern.to_owned();
    for parameter in parameters(pattern) {
        let id = ids
            .get(parameter.as_str())
            .unwrap_or_else(|| panic!("give the sweep an id for {parameter}, of {pattern}"));
        let name = parameter.rsplit('/').next().unwrap();
        path = path.replacen(name, id, 1);
    }
    path
}

/// An id of the same form that is nobody's.
pub fn unknown(id: &str) -> String {
    let at = id.rfind(|c: char| c.is_ascii_alphanumeric()).unwrap();
    let other = match id.as_bytes()[at] {
        digit @ b'0'..=b'9' => (b'0' + (digit - b'0' + 5) % 10) as char,
        b'a'..=b'e' => 'f',
        b'A' => 'B',
        letter if letter.is_ascii_uppercase() => 'A',
        _ => 'a',
    };
    format!("{}{other}{}", &id[..at], &id[at + 1..])
}
