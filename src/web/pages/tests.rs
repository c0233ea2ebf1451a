//! Every page with sample data, in every language, and with a hostile string in every field.
#![allow(clippy::unwrap_used)]

use super::*;

const MARKER: &str = "\"><svg onload=alert(1)>'{{7*7}}</textarea><script>alert(2)</script>";
const SCRIPT_LINK: &str = "javascript:alert('\"><svg onload=alert(1)>')";
const LANGUAGES: [&str; 11] = [
    "en", "de", "es", "fr", "id", "it", "ja", "ko", "pt-BR", "zh-CN", "zh-TW",
];

/// Every page, by its name, in one language.
fn samples(lang: &str) -> Vec<(&'static str, String)> {
    let mut one_button = LoginPage::sample(lang);
    one_button.buttons.truncate(1);
    let mut only_email = LoginPage::sample(lang);
    only_email.buttons.clear();
    if let Some(form) = &mut only_email.email_form {
        form.value = "ada@nowhere.test".to_owned();
        form.problem = Some("No organisation with this domain is connected.".to_owned());
    }
    let only_password = LoginPage {
        buttons: vec![],
        email_form: None,
        password_form: Some(PasswordForm {
            username: "grace".to_owned(),
            problem: Some("The username or the password is not right.".to_owned()),
            ..PasswordForm::default()
        }),
        ..LoginPage::sample(lang)
    };
    let nothing = LoginPage {
        buttons: vec![],
        email_form: None,
        password_form: None,
        message: Some(Message {
            kind: MessageKind::Info,
            text: "You have been signed out.".to_owned(),
        }),
        ..LoginPage::sample(lang)
    };
    let bare_error = ErrorPage {
        title: texts(lang).sign_in_failed.to_owned(),
        what: "This link is not complete.".to_owned(),
        error_name: "invalid_request".to_owned(),
        ..ErrorPage::default()
    };
    vec![
        ("login", LoginPage::sample(lang).render().unwrap()),
        ("login_one_button", one_button.render().unwrap()),
        ("login_only_email", only_email.render().unwrap()),
        ("login_only_password", only_password.render().unwrap()),
        ("login_nothing", nothing.render().unwrap()),
        ("new_password", NewPasswordPage::sample(lang).render().unwrap()),
        ("error", ErrorPage::sample(lang).render().unwrap()),
        ("error_bare", bare_error.render().unwrap()),
        ("form_post", FormPostPage::sample(lang).render().unwrap()),
        (
            "confirm_sign_out",
            ConfirmSignOutPage::sample(lang).render().unwrap(),
        ),
        ("signed_out", SignedOutPage::sample(lang).render().unwrap()),
        ("continue", ContinuePage::sample(lang).render().unwrap()),
    ]
}

/// Every page with `text` in every string that is shown and `link` in every address.
fn filled_with(text: &str, link: &str) -> Vec<(&'static str, String)> {
    let text = || text.to_owned();
    let link = || link.to_owned();
    let frame = || Frame {
        texts: texts("de"),
        name: text(),
    };
    let fields = || vec![(text(), text())];
    let button = || LoginButton {
        label: text(),
        detail: Some(text()),
        href: link(),
        logo: Some(link()),
    };
    vec![
        (
            "login",
            LoginPage {
                frame: frame(),
                client_name: Some(text()),
                buttons: vec![button(), button()],
                email_form: Some(EmailForm {
                    action: link(),
                    method: Method::Post,
                    hidden: fields(),
                    value: text(),
                    problem: Some(text()),
                }),
                password_form: Some(PasswordForm {
                    action: link(),
                    hidden: fields(),
                    username: text(),
                    problem: Some(text()),
                }),
                message: Some(Message {
                    kind: MessageKind::Error,
                    text: text(),
                }),
                look: Look {
                    styles: vec![link()],
                    logo: Some(link()),
                    texts: login_style::Texts {
                        heading: Some(text()),
                        introduction: Some(text()),
                        help: Some(text()),
                    },
                    terms: vec![(text(), link())],
                },
            }
            .render()
            .unwrap(),
        ),
        (
            "new_password",
            NewPasswordPage {
                frame: frame(),
                action: link(),
                hidden: fields(),
                username: text(),
                problem: Some(text()),
            }
            .render()
            .unwrap(),
        ),
        (
            "error",
            ErrorPage {
                frame: frame(),
                title: text(),
                what: text(),
                next: text(),
                trace_code: Some(text()),
                error_name: text(),
                actions: vec![Action {
                    label: text(),
                    href: link(),
                    primary: true,
                }],
                return_form: Some(ReturnForm {
                    label: text(),
                    action: link(),
                    method: Method::Post,
                    fields: fields(),
                }),
                details: fields(),
                copy_text: Some(text()),
            }
            .render()
            .unwrap(),
        ),
        (
            "form_post",
            FormPostPage {
                frame: frame(),
                action: link(),
                fields: fields(),
            }
            .render()
            .unwrap(),
        ),
        (
            "confirm_sign_out",
            ConfirmSignOutPage {
                frame: frame(),
                client_name: text(),
                action: link(),
                fields: fields(),
            }
            .render()
            .unwrap(),
        ),
        (
            "signed_out",
            SignedOutPage {
                frame: frame(),
                client_name: Some(text()),
                return_href: Some(link()),
                still_signed_in_upstream: true,
            }
            .render()
            .unwrap(),
        ),
        (
            "continue",
            ContinuePage {
                frame: frame(),
                client_name: Some(text()),
                user_label: text(),
                continue_href: link(),
                other_href: link(),
                other_way: Some(text()),
            }
            .render()
            .unwrap(),
        ),
    ]
}

/// The start tags of a page, each as its name and its attributes. Our templates quote every value and escaping
/// leaves no `<`, `>` or `"` in data, so a scan that stops at them sees what a browser sees, or sees too much.
pub(in crate::web) fn tags(html: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut tags = vec![];
    for piece in html.split('<').skip(1) {
        let inside = piece.split('>').next().unwrap();
        let (name, mut rest) = inside.split_once(char::is_whitespace).unwrap_or((inside, ""));
        let mut attributes = vec![];
        while let Some(attribute) = rest
            .trim_start()
            .split(['=', ' ', '\n'])
            .next()
            .filter(|a| !a.is_empty())
        {
            rest = rest.trim_start().strip_prefix(attribute).unwrap();
            let mut value = "";
            if let Some(quoted) = rest.strip_prefix("=\"") {
                (value, rest) = quoted.split_once('"').unwrap();
            }
            attributes.push((attribute.to_ascii_lowercase(), value.to_owned()));
        }
        tags.push((name.to_ascii_lowercase(), attributes));
    }
    tags
}

pub(in crate::web) fn attribute<'a>(attributes: &'a [(String, String)], name: &str) -> Option<&'a str> {
    attributes
        .iter()
        .find(|(other, _)| other == name)
        .map(|(_, value)| value.as_str())
}

/// What a strict content security policy would refuse, and what would show that data became markup.
pub(in crate::web) fn assert_inert(page: &str, html: &str) {
    for (tag, attributes) in tags(html) {
        assert_ne!(tag, "style", "{page}");
        if tag == "script" {
            let source = attribute(&attributes, "src").unwrap_or_else(|| panic!("{page}: inline script"));
            assert!(
                [
                    crate::web::assets::FORM_POST.href(),
                    crate::web::assets::CONSOLE_SCRIPT.href()
                ]
                .contains(&source),
                "{page}: {source}"
            );
            assert!(
                html.contains(&format!("src=\"{source}\"></script>"))
                    || html.contains(&format!("src=\"{source}\" defer></script>")),
                "{page}: the script has a body"
            );
        }
        for (name, value) in &attributes {
            assert!(
                !name.starts_with("on") && name != "style" && name != "srcdoc",
                "{page}: {tag} {name}"
            );
            let scheme = value.trim().to_ascii_lowercase();
            if ["href", "src", "action", "formaction"].contains(&name.as_str()) {
                assert!(!scheme.starts_with("javascript:"), "{page}: {tag} {name}");
            }
        }
    }
}

#[test]
fn every_page_renders_in_every_language_without_anything_inline() {
    for lang in LANGUAGES {
        for (page, html) in samples(lang) {
            assert_inert(page, &html);
            let expected = if page == "error_bare" { "en" } else { lang };
            assert!(html.contains(&format!("<html lang=\"{expected}\">")), "{page}");
            assert!(!html.contains("{}"), "{page} in {lang}: a name is missing");
        }
    }
}

#[test]
fn every_page_can_be_used_without_seeing_it() {
    for (page, html) in samples("en") {
        let tags = tags(&html);
        let count = |name: &str| tags.iter().filter(|(tag, _)| tag == name).count();
        assert_eq!(count("h1"), 1, "{page}: one heading");
        assert_eq!(count("main"), 1, "{page}: one main part");
        assert!(html.contains("name=\"viewport\""), "{page}");
        assert!(
            !html.contains("user-scalable"),
            "{page}: zoom must not be forbidden"
        );
        assert!(
            !html.contains("tabindex"),
            "{page}: the order of the page is the order of the keyboard"
        );

        let mut ids = vec![];
        let mut labelled = vec![];
        for (tag, attributes) in &tags {
            if let Some(id) = attribute(attributes, "id") {
                assert!(!ids.contains(&id), "{page}: {id} twice");
                ids.push(id);
            }
            if tag == "label" {
                labelled.push(attribute(attributes, "for").unwrap());
            }
            if tag == "img" {
                assert!(
                    attribute(attributes, "alt").is_some(),
                    "{page}: image without alternative"
                );
            }
            if tag == "svg" {
                assert_eq!(attribute(attributes, "aria-hidden"), Some("true"), "{page}");
            }
        }
        for (tag, attributes) in &tags {
            let shown = tag == "textarea"
                || (tag == "input" && attribute(attributes, "type").is_some_and(|kind| kind != "hidden"));
            if shown {
                assert!(
                    labelled.contains(&attribute(attributes, "id").unwrap()),
                    "{page}: {tag} without label"
                );
            }
            for described in attribute(attributes, "aria-describedby")
                .into_iter()
                .flat_map(str::split_whitespace)
            {
                assert!(ids.contains(&described), "{page}: nothing is {described}");
            }
        }
    }
}

#[test]
fn a_hostile_string_stays_text_in_every_field() {
    for (page, html) in filled_with(MARKER, MARKER) {
        assert!(!html.contains("<svg onload"), "{page}");
        assert!(!html.contains("<script>"), "{page}");
        assert!(!html.contains("49"), "{page}: the marker was calculated");
        assert!(
            html.contains("&#60;svg onload"),
            "{page}: the marker is not shown at all"
        );
        assert_inert(page, &html);
    }
}

#[test]
fn an_address_that_would_run_leads_nowhere() {
    for (page, html) in filled_with("text", SCRIPT_LINK) {
        assert!(!html.contains("javascript:"), "{page}");
        assert!(html.contains("\"#\""), "{page}");
        assert_inert(page, &html);
    }
}

#[test]
fn an_error_sentence_in_another_language_is_marked() {
    let german = ErrorPage::sample("de").render().unwrap();
    assert_eq!(
        german.matches("lang=\"en\"").count(),
        3,
        "heading, next step, text to copy"
    );
    let english = ErrorPage::sample("en").render().unwrap();
    assert_eq!(english.matches("lang=\"en\"").count(), 1, "the page itself");
}

#[test]
fn a_login_page_without_any_way_in_says_what_to_do() {
    let page = LoginPage {
        client_name: Some("Portal".to_owned()),
        ..LoginPage::default()
    };
    let html = page.render().unwrap();
    assert!(html.contains(texts("en").no_way_in));
    assert!(html.contains(texts("en").no_way_in_next));
    assert!(!html.contains("<form") && !html.contains("class=\"divider\""));

    let html = LoginPage::sample("en").render().unwrap();
    assert!(!html.contains(texts("en").no_way_in));
}

#[test]
fn the_one_connection_is_the_main_action_and_several_are_equal() {
    let mut page = LoginPage::sample("en");
    let primary = |page: &LoginPage| {
        let html = page.render().unwrap();
        html.lines()
            .filter(|line| line.contains("button--primary"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let lines = primary(&page);
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains("<button"), "the email form leads");
    page.buttons.truncate(1);
    let lines = primary(&page);
    assert_eq!(lines.len(), 1);
    assert!(
        lines[0].contains("identity_provider=acme-okta"),
        "the connection leads"
    );
}

#[test]
fn a_refused_address_stays_in_its_field_with_the_reason_beside_it() {
    let (_, html) = samples("en")
        .into_iter()
        .find(|(page, _)| *page == "login_only_email")
        .unwrap();
    let tags = tags(&html);
    let (_, field) = tags
        .iter()
        .find(|(_, a)| attribute(a, "name") == Some(EMAIL_FIELD))
        .unwrap();
    assert_eq!(attribute(field, "value"), Some("ada@nowhere.test"));
    assert_eq!(attribute(field, "aria-invalid"), Some("true"));
    assert_eq!(
        attribute(field, "aria-describedby"),
        Some("email-problem email-hint")
    );
    assert_eq!(attribute(field, "autocomplete"), Some("username"));
    assert!(
        html.contains("<title>Error: Sign in"),
        "the window title says it too"
    );
}
