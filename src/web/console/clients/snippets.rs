//! What to write into an app, library by library: with this client's values, and a placeholder where its secret goes.

mod machines;
mod people;

use crate::model::client::{Client, Flow};

/// What the snippets speak of.
pub struct Facts {
    origin: String,
    issuer: String,
    pool_id: String,
    client_id: String,
    is_public: bool,
    is_machine: bool,
    callback: String,
    after_logout: String,
    scopes: Vec<String>,
    providers: Vec<String>,
}

/// One library's.
pub struct Snippet {
    /// Its id on the page.
    pub id: &'static str,
    pub name: &'static str,
    /// What to know before pasting it.
    pub note: String,
    pub code: String,
}

impl Facts {
    pub fn of(origin: &str, issuer: String, client: &Client, pool_id: &str) -> Facts {
        let settings = &client.settings;
        let first =
            |list: &[String], otherwise: &str| list.first().cloned().unwrap_or_else(|| otherwise.to_owned());
        Facts {
            origin: origin.to_owned(),
            issuer,
            pool_id: pool_id.to_owned(),
            client_id: client.id.clone(),
            is_public: settings.public,
            is_machine: settings.flows.contains(&Flow::ClientCredentials),
            callback: first(&settings.redirect_uris, "https://app.example.com/callback"),
            after_logout: first(&settings.logout_uris, "https://app.example.com/"),
            scopes: settings.scopes.clone(),
            providers: settings.providers.clone(),
        }
    }

    /// As a `scope` parameter has them.
    fn scope(&self) -> String {
        self.scopes.join(" ")
    }

    /// Each in these quotes, with commas between.
    fn quoted(list: &[String], quote: char) -> String {
        let quoted: Vec<String> = list.iter().map(|item| format!("{quote}{item}{quote}")).collect();
        quoted.join(", ")
    }

    fn is_plain_http(&self) -> bool {
        self.origin.starts_with("http:")
    }

    fn host(&self) -> &str {
        self.origin
            .split_once("://")
            .map_or(&self.origin, |(_, host)| host)
    }

    /// The path of the callback.
    fn callback_path(&self) -> String {
        url::Url::parse(&self.callback).map_or_else(|_| "/callback".into(), |url| url.path().to_owned())
    }

    /// `with` for a client that has a secret, else `without`.
    fn secret<'a>(&self, with: &'a str, without: &'a str) -> &'a str {
        if self.is_public { without } else { with }
    }
}

/// The snippets for this kind of client, the most general first.
pub fn of(facts: &Facts) -> Vec<Snippet> {
    if facts.is_machine {
        return vec![
            machines::curl(facts),
            machines::node(facts),
            machines::python(facts),
            machines::go(facts),
            machines::verify(facts),
        ];
    }
    let mut snippets = vec![
        people::dotenv(facts),
        people::node(facts),
        people::browser(facts),
        people::auth_js(facts),
        people::python(facts),
        people::spring(facts),
        people::dotnet(facts),
        people::go(facts),
        machines::verify(facts),
    ];
    if facts.is_public {
        snippets.insert(3, people::amplify(facts));
    } else {
        // A library in the browser cannot keep this client's secret; a load balancer can.
        snippets.remove(2);
        snippets.push(people::terraform(facts));
    }
    snippets
}

/// The text as it stands between single quotes in JavaScript.
fn js(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_in_a_value_does_not_end_the_text_it_stands_in() {
        assert_eq!(
            js("https://app.example.com/it's\\"),
            "https://app.example.com/it\\'s\\\\"
        );
    }
}
