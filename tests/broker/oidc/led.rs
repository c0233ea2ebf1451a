//! Where an authorization request leads: the words of the tests about prompts and sessions.

use crate::support::{Answer, Browser, Stage, location_param};

/// Where an authorization request led.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Led {
    Code,
    Error(String),
    LoginPage,
    Organisation(&'static str),
    Page(u16),
}

pub fn led(stage: &Stage, answer: &Answer) -> Led {
    if answer.status != 302 {
        return Led::Page(answer.status);
    }
    let location = answer.location();
    if location.starts_with("/login?") {
        Led::LoginPage
    } else if location.starts_with(&stage.acme.issuer()) {
        Led::Organisation("acme")
    } else if location.starts_with(&stage.globex.issuer()) {
        Led::Organisation("globex")
    } else if let Some(error) = location_param(answer, "error") {
        Led::Error(error)
    } else {
        assert!(location_param(answer, "code").is_some(), "{answer:?}");
        Led::Code
    }
}

pub async fn ask(stage: &Stage, browser: &mut Browser<'_>, fields: &[(&str, &str)]) -> Led {
    let answer = browser.open(&stage.authorize(fields)).await;
    led(stage, &answer)
}

pub fn error(name: &str) -> Led {
    Led::Error(name.to_owned())
}
