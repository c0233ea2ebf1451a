//! Sample data for every page, so that each can be rendered and looked at without a login.

use super::*;

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn frame(lang: &str) -> Frame {
    Frame::new(lang, "Northwind")
}

impl LoginPage {
    /// Two connections with the same label and the email field.
    pub fn sample(lang: &str) -> LoginPage {
        let button = |detail: &str, connection: &str| LoginButton {
            label: "Okta SSO".to_owned(),
            detail: Some(detail.to_owned()),
            href: format!("/oauth2/authorize?client_id=portal&identity_provider={connection}"),
            logo: None,
        };
        LoginPage {
            frame: frame(lang),
            client_name: Some("Northwind Portal".to_owned()),
            buttons: vec![
                button("Acme Inc.", "acme-okta"),
                button("Globex Corporation", "globex-okta"),
            ],
            email_form: Some(EmailForm {
                action: "/login".to_owned(),
                method: Method::Get,
                hidden: owned(&[
                    ("client_id", "portal"),
                    ("response_type", "code"),
                    ("state", "xyz"),
                ]),
                value: String::new(),
                problem: None,
            }),
            password_form: Some(PasswordForm {
                action: "/login/password".to_owned(),
                hidden: owned(&[("client_id", "portal"), ("csrf", "8c0f")]),
                username: String::new(),
                problem: None,
            }),
            message: None,
            look: Look::default(),
        }
    }
}

impl ErrorPage {
    /// A user whom the organisation did not assign to the app.
    pub fn sample(lang: &str) -> ErrorPage {
        ErrorPage {
            frame: frame(lang),
            title: "You do not have access yet".to_owned(),
            what: "Acme’s Okta knows you, but you are not assigned to this app there.".to_owned(),
            next: "Ask your administrator to assign you to the app in Okta, then try again. If you have another \
                   account, sign in with that one."
                .to_owned(),
            trace_code: Some("K7Q-2FM".to_owned()),
            error_name: "user_not_assigned".to_owned(),
            actions: vec![
                Action { label: "Try again".to_owned(), href: "/login?client_id=portal".to_owned(), primary: true },
                Action {
                    label: "Use another account".to_owned(),
                    href: "/login?client_id=portal&prompt=login".to_owned(),
                    primary: false,
                },
            ],
            return_form: Some(ReturnForm {
                label: "Return to Northwind Portal".to_owned(),
                action: "https://portal.northwind.example/callback".to_owned(),
                method: Method::Get,
                fields: owned(&[("error", "access_denied"), ("state", "xyz")]),
            }),
            details: owned(&[
                ("Answer of Okta", "access_denied: User is not assigned to the client application."),
                ("Connection", "acme-okta"),
                ("Time", "2026-11-21T09:30:00Z"),
            ]),
            copy_text: Some(
                "I could not sign in to Northwind Portal through Acme’s Okta.\n\nOkta says that I am not assigned to \
                 the app. Please assign me to it (Okta Admin Console, Applications, the app, Assignments).\n\n\
                 Reference code: K7Q-2FM\nError: user_not_assigned"
                    .to_owned(),
            ),
        }
    }
}

impl FormPostPage {
    /// A code on its way to the app.
    pub fn sample(lang: &str) -> FormPostPage {
        FormPostPage {
            frame: frame(lang),
            action: "https://portal.northwind.example/callback".to_owned(),
            fields: owned(&[
                ("code", "5f0e6c1a"),
                ("state", "xyz"),
                ("submit", "a field of that name"),
            ]),
        }
    }
}

impl ConfirmSignOutPage {
    /// The question, for an app with a name.
    pub fn sample(lang: &str) -> ConfirmSignOutPage {
        ConfirmSignOutPage {
            frame: frame(lang),
            client_name: "Northwind Portal".to_owned(),
            action: "/logout".to_owned(),
            fields: owned(&[("client_id", "portal"), ("csrf", "8c0f")]),
        }
    }
}

impl SignedOutPage {
    /// Signed out here, still signed in at the organisation.
    pub fn sample(lang: &str) -> SignedOutPage {
        SignedOutPage {
            frame: frame(lang),
            client_name: Some("Northwind Portal".to_owned()),
            return_href: Some("https://portal.northwind.example/".to_owned()),
            still_signed_in_upstream: true,
        }
    }
}

impl NewPasswordPage {
    /// After a temporary password, once refused.
    pub fn sample(lang: &str) -> NewPasswordPage {
        NewPasswordPage {
            frame: frame(lang),
            action: "/login/new-password".to_owned(),
            hidden: owned(&[("client_id", "portal"), ("csrf", "8c0f")]),
            username: "grace".to_owned(),
            problem: Some("Password did not conform with policy: Password not long enough".to_owned()),
        }
    }
}

impl ContinuePage {
    /// Ada, who has a session.
    pub fn sample(lang: &str) -> ContinuePage {
        ContinuePage {
            frame: frame(lang),
            client_name: Some("Northwind Portal".to_owned()),
            user_label: "ada@acme.test".to_owned(),
            continue_href: "/oauth2/authorize?client_id=portal".to_owned(),
            other_href: "/oauth2/authorize?client_id=portal&prompt=login".to_owned(),
            other_way: None,
        }
    }
}
