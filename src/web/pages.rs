//! What the end user sees of us, as plain data with a template each: the login page and its neighbours.
//!
//! Nothing here decides or reads anything; the handlers fill the structs in and send what [`Template::render`]
//! makes of them. No page needs JavaScript, none has a script or style of its own, so that a content
//! security policy of `default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'` holds. The policy's
//! `form-action` needs care: Chromium applies it to the redirects that follow a form, so a page whose form ends at
//! an organisation's Okta or at an app must name those origins or leave the directive out.
//!
//! The pages aim at WCAG 2.2 AA. The fixed texts are in `texts`, the link filter in `filters`.

mod filters;
mod texts;

use std::fmt;

use askama::Template;

use crate::rules::login_style;

pub use texts::{Texts, preferred, texts};

/// The name of the email field in the form of the [`LoginPage`].
pub const EMAIL_FIELD: &str = "email";

/// The names of the fields in the form for users with a password of ours.
pub const USERNAME_FIELD: &str = "username";
pub const PASSWORD_FIELD: &str = "password";
/// The name of the field of the [`NewPasswordPage`].
pub const NEW_PASSWORD_FIELD: &str = "new_password";

/// The name of the two buttons of the [`ConfirmSignOutPage`]: `yes` signs out, `no` does not.
pub const CONFIRM_FIELD: &str = "confirm";

/// What surrounds every page.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The fixed texts in the language of the page.
    pub texts: &'static Texts,
    /// Whose sign-in this is: the pool's display name, or our own where no pool is known.
    pub name: String,
}

impl Frame {
    /// The frame in the language of this tag (English when we do not speak it) under this name.
    pub fn new(lang: &str, name: impl Into<String>) -> Frame {
        Frame {
            texts: texts(lang),
            name: name.into(),
        }
    }
}

impl Default for Frame {
    fn default() -> Self {
        Frame::new("en", "Forebay")
    }
}

/// How a form is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    Get,
    #[default]
    Post,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Method::Get => "get",
            Method::Post => "post",
        })
    }
}

/// Whether a message reports or refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    Info,
    Error,
}

impl MessageKind {
    fn is_error(self) -> bool {
        self == MessageKind::Error
    }

    /// An error interrupts a screen reader, information waits for its turn.
    fn role(self) -> &'static str {
        if self.is_error() { "alert" } else { "status" }
    }
}

impl fmt::Display for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_error() { "error" } else { "info" })
    }
}

/// A sentence above the ways to sign in.
#[derive(Clone, Debug)]
pub struct Message {
    pub kind: MessageKind,
    pub text: String,
}

/// Where the user chooses how to sign in.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "oidc/login.html")]
pub struct LoginPage {
    pub frame: Frame,
    /// The app that asked, when its name means something to people.
    pub client_name: Option<String>,
    /// One per connection that the app allows. A single one is the page's main action.
    pub buttons: Vec<LoginButton>,
    /// Present when a connection can be reached by the domain of an email address.
    pub email_form: Option<EmailForm>,
    /// Present when the app takes users with a password of ours.
    pub password_form: Option<PasswordForm>,
    pub message: Option<Message>,
    pub look: Look,
}

/// What an app's administrator has made of its login page.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// The addresses of style sheets, the last the strongest, and of a picture in the place of our mark.
    pub styles: Vec<String>,
    pub logo: Option<String>,
    /// The organisation's own words.
    pub texts: login_style::Texts,
    /// Links below the form.
    pub terms: Vec<(String, String)>,
}

/// The way to one connection.
#[derive(Clone, Debug)]
pub struct LoginButton {
    pub label: String,
    /// Tells connections with the same label apart: the organisation's name or host.
    pub detail: Option<String>,
    pub href: String,
    /// The address of a picture; a key is drawn when there is none.
    pub logo: Option<String>,
}

/// The email field; see [`EMAIL_FIELD`].
#[derive(Clone, Debug, Default)]
pub struct EmailForm {
    pub action: String,
    pub method: Method,
    /// What travels along, usually the parameters of the authorization request.
    pub hidden: Vec<(String, String)>,
    /// What the field holds already: `login_hint`, or what was just refused.
    pub value: String,
    /// Why the address was refused; stands at the field.
    pub problem: Option<String>,
}

/// The username and password fields; see [`USERNAME_FIELD`] and [`PASSWORD_FIELD`].
#[derive(Clone, Debug, Default)]
pub struct PasswordForm {
    pub action: String,
    /// What travels along.
    pub hidden: Vec<(String, String)>,
    /// The username that was typed before, or the `login_hint`. The password is never shown again.
    pub username: String,
    /// Why it was refused; stands above the fields.
    pub problem: Option<String>,
}

impl LoginPage {
    fn has_error(&self) -> bool {
        let problems = [
            self.email_form.as_ref().and_then(|form| form.problem.as_ref()),
            self.password_form.as_ref().and_then(|form| form.problem.as_ref()),
        ];
        self.message
            .as_ref()
            .is_some_and(|message| message.kind.is_error())
            || problems.iter().any(Option::is_some)
    }

    fn has_way_in(&self) -> bool {
        !self.buttons.is_empty() || self.email_form.is_some() || self.password_form.is_some()
    }
}

/// Asks for the password that takes the place of a temporary one; see [`NEW_PASSWORD_FIELD`].
#[derive(Clone, Debug, Default, Template)]
#[template(path = "oidc/new_password.html")]
pub struct NewPasswordPage {
    pub frame: Frame,
    pub action: String,
    pub hidden: Vec<(String, String)>,
    /// Whose password it is, for password managers.
    pub username: String,
    /// Why what was typed is not taken; stands at the field.
    pub problem: Option<String>,
}

/// Says what went wrong, what to do, and under which code the administrator finds it.
///
/// `title`, `what`, `next` and `copy_text` are English; elsewhere they are marked as such.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "oidc/error.html")]
pub struct ErrorPage {
    pub frame: Frame,
    pub title: String,
    /// What happened, in a sentence or two.
    pub what: String,
    /// What the user can do about it; nothing is shown when empty.
    pub next: String,
    /// The code of the login's trace, such as `K7Q-2FM`.
    pub trace_code: Option<String>,
    /// The stable short name of the error, such as `user_not_assigned`.
    pub error_name: String,
    pub actions: Vec<Action>,
    /// Back to the app with the OAuth error; the main action when no other is.
    pub return_form: Option<ReturnForm>,
    /// More facts for someone who helps, each with its name.
    pub details: Vec<(String, String)>,
    /// A text that the user can send to the administrator.
    pub copy_text: Option<String>,
}

/// A link that looks like a button.
#[derive(Clone, Debug)]
pub struct Action {
    pub label: String,
    pub href: String,
    pub primary: bool,
}

/// A form that consists of a button.
#[derive(Clone, Debug, Default)]
pub struct ReturnForm {
    pub label: String,
    pub action: String,
    pub method: Method,
    pub fields: Vec<(String, String)>,
}

impl ErrorPage {
    fn has_primary_action(&self) -> bool {
        self.actions.iter().any(|action| action.primary)
    }

    fn is_foreign(&self) -> bool {
        self.frame.texts.lang != "en"
    }
}

/// The answer of `response_mode=form_post` (OAuth 2.0 Form Post Response Mode): sends itself by an external script,
/// and shows a button to whoever is still there after a moment.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "oidc/form_post.html")]
pub struct FormPostPage {
    pub frame: Frame,
    pub action: String,
    pub fields: Vec<(String, String)>,
}

/// Asks before signing out where nothing proves that the user wants it (RP-Initiated Logout 1.0 §2).
#[derive(Clone, Debug, Default, Template)]
#[template(path = "oidc/confirm_sign_out.html")]
pub struct ConfirmSignOutPage {
    pub frame: Frame,
    pub client_name: String,
    pub action: String,
    /// What travels along; the answer is in [`CONFIRM_FIELD`].
    pub fields: Vec<(String, String)>,
}

/// The end of a session that leads back to no app by itself.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "oidc/signed_out.html")]
pub struct SignedOutPage {
    pub frame: Frame,
    pub client_name: Option<String>,
    /// Where the app can be opened again.
    pub return_href: Option<String>,
    /// Whether the organisation's own session may go on.
    pub still_signed_in_upstream: bool,
}

/// Asks someone who is already signed in whether to go on as that person.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "oidc/continue.html")]
pub struct ContinuePage {
    pub frame: Frame,
    pub client_name: Option<String>,
    /// Name or email address of the session's user.
    pub user_label: String,
    pub continue_href: String,
    pub other_href: String,
    /// The one other way that there is, by its name; else any account.
    pub other_way: Option<String>,
}

mod samples;

#[cfg(test)]
pub(super) mod tests;
