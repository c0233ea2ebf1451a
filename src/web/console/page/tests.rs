//! The frame around every page of the console: who sees which rooms, what is marked, what stays text.
#![allow(clippy::unwrap_used)]

use askama::Template;

use super::*;
use crate::web::pages::tests::{assert_inert, attribute, tags};

const MARKER: &str = "\"><svg onload=alert(1)>'{{7*7}}</title><script>alert(2)</script>";

#[derive(Template)]
#[template(
    ext = "html",
    source = "{% extends \"console/layout.html\" %}{% block title %}{{ name }}{% endblock %}\
              {% block main %}<h1>{{ name }}</h1>{% endblock %}"
)]
struct Page<'a> {
    frame: Frame,
    name: &'a str,
}

fn page(frame: Frame) -> String {
    let name = "A page";
    Page { frame, name }.render().unwrap()
}

fn operator() -> Frame {
    Frame {
        who: "operator@forebay.test".into(),
        operates: true,
        has_pools: true,
        may_change: true,
        room: "users",
        csrf: "of-this-session".into(),
        notice: None,
        set_up: None,
    }
}

/// The addresses that the navigation leads to, and which of them is marked.
fn rooms(html: &str) -> (Vec<String>, Vec<String>) {
    let nav = html.split_once("<nav").unwrap().1;
    let nav = nav.split_once("</nav>").unwrap().0;
    let links: Vec<_> = tags(nav).into_iter().filter(|(tag, _)| tag == "a").collect();
    let href =
        |(_, attributes): &(String, Vec<(String, String)>)| attribute(attributes, "href").unwrap().to_owned();
    let marked = links
        .iter()
        .filter(|(_, attributes)| attribute(attributes, "aria-current") == Some("page"))
        .map(href)
        .collect();
    (links.iter().map(href).collect(), marked)
}

#[test]
fn the_room_one_is_in_is_marked_and_a_tenants_admin_is_led_to_no_pools() {
    let (led_to, marked) = rooms(&page(operator()));
    assert!(led_to.contains(&"/console/pools".to_owned()));
    assert_eq!(marked, ["/console/users"]);

    let tenant = Frame {
        operates: false,
        has_pools: false,
        ..operator()
    };
    let (led_to, marked) = rooms(&page(tenant));
    assert!(
        led_to
            .iter()
            .all(|path| !path.contains("pools") && !path.contains("clients"))
    );
    assert_eq!(marked, ["/console/users"]);
}

#[test]
fn the_frame_can_be_used_without_seeing_it_and_without_scripts() {
    let html = page(operator());
    assert_inert("frame", &html);
    let tags = tags(&html);
    let all = |name: &'static str| tags.iter().filter(move |(tag, _)| tag == name);
    assert_eq!(all("main").count(), 1);
    assert_eq!(all("h1").count(), 1);
    let (_, skip) = all("a").next().unwrap();
    assert_eq!(
        attribute(skip, "href"),
        Some("#main"),
        "the first link skips the navigation"
    );
    let (_, main) = all("main").next().unwrap();
    assert_eq!(attribute(main, "id"), Some("main"));
    let opener = all("button").find_map(|(_, attributes)| attribute(attributes, "popovertarget"));
    assert!(
        tags.iter().any(|(_, attributes)| {
            attribute(attributes, "id") == opener && attribute(attributes, "popover").is_some()
        }),
        "the menu's button opens the menu"
    );
    let (_, script) = all("script").next().unwrap();
    assert!(attribute(script, "defer").is_some());
}

#[test]
fn what_was_just_done_is_said_once_and_in_our_own_words() {
    assert!(!page(operator()).contains("role=\"status\""));
    let done = Frame {
        notice: Some("Saved."),
        ..operator()
    };
    assert_eq!(page(done).matches("Saved.").count(), 1);
    assert!(NOTICES.iter().all(|(_, text)| text.ends_with('.')));
}

#[test]
fn a_hostile_name_stays_text() {
    let frame = Frame {
        who: MARKER.into(),
        csrf: MARKER.into(),
        ..operator()
    };
    let html = Page { frame, name: MARKER }.render().unwrap();
    assert_inert("frame", &html);
    assert!(!html.contains("<svg onload") && !html.contains("alert(2)</script>"));
    assert!(!html.contains("49"), "the marker was calculated");
    assert!(html.contains("&#60;svg onload"));
}
