//! A browser without a screen: keeps cookies by host (and only those a browser would keep), follows redirects between
//! the broker in process and the organisations on loopback, fills in forms.

use actix_web::cookie::Cookie;
use actix_web::test::TestRequest;
use url::Url;

use super::stage::PUBLIC_URL;
use super::{Answer, Stage};

pub struct Browser<'a> {
    stage: &'a Stage,
    http: reqwest::Client,
    /// Host, then cookies by name: ports do not separate cookies.
    jar: Vec<(String, String, String)>,
    /// The address of the page that is shown.
    pub url: Url,
    /// Sent with every request to the broker.
    pub headers: Vec<(&'static str, String)>,
}

/// A form as a page shows it.
#[derive(Clone, Debug)]
pub struct Form {
    pub action: String,
    pub method: String,
    pub fields: Vec<(String, String)>,
}

impl<'a> Browser<'a> {
    pub fn new(stage: &'a Stage) -> Browser<'a> {
        #[allow(clippy::disallowed_methods)]
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            // A connection that the other side has just closed is no failure of what is tested.
            .pool_max_idle_per_host(0)
            .no_proxy()
            .build()
            .unwrap();
        Browser {
            stage,
            http,
            jar: Vec::new(),
            url: Url::parse(PUBLIC_URL).unwrap(),
            headers: Vec::new(),
        }
    }

    /// Opens an address (a path is one of the broker's), without following what it answers.
    pub async fn open(&mut self, url: &str) -> Answer {
        self.request("GET", url, &[]).await
    }

    /// Opens an address and follows redirects for as long as they lead to the broker or an organisation. What is
    /// returned is a page, or the redirect to an app.
    pub async fn visit(&mut self, url: &str) -> Answer {
        let mut answer = self.open(url).await;
        for _ in 0..20 {
            if !(300..400).contains(&answer.status) {
                return answer;
            }
            let next = self.url.join(answer.location()).unwrap();
            if !self.knows(&next) {
                return answer;
            }
            answer = self.open(next.as_str()).await;
        }
        panic!("too many redirects, last {answer:?}");
    }

    /// Sends a form of the page that is shown, with some fields filled in, and follows.
    pub async fn submit(&mut self, form: &Form, fill: &[(&str, &str)]) -> Answer {
        let mut fields = form.fields.clone();
        for (name, value) in fill {
            fields.retain(|(known, _)| known != name);
            fields.push(((*name).to_owned(), (*value).to_owned()));
        }
        let action = self.url.join(&form.action).unwrap();
        let answer = if form.method.eq_ignore_ascii_case("post") {
            self.request("POST", action.as_str(), &fields).await
        } else {
            let mut url = action;
            url.query_pairs_mut().clear().extend_pairs(&fields);
            self.open(url.as_str()).await
        };
        if (300..400).contains(&answer.status) {
            let next = self.url.join(answer.location()).unwrap();
            if self.knows(&next) {
                return self.visit(next.as_str()).await;
            }
        }
        answer
    }

    /// The whole story up to the app: authorize, the organisation's button, its sign-in page, back.
    pub async fn sign_in(&mut self, login: &str, authorize: &str) -> Answer {
        let page = self.to_sign_in_page(login, authorize).await;
        if self.at_organisation() {
            self.enter(&page, login).await
        } else {
            page
        }
    }

    /// Up to the organisation's own sign-in page.
    #[allow(clippy::wrong_self_convention, reason = "it goes there")]
    pub async fn to_sign_in_page(&mut self, login: &str, authorize: &str) -> Answer {
        let page = self.visit(authorize).await;
        if self.url.path() != "/login" {
            return page;
        }
        let connection = if login.ends_with("globex.test") {
            "globex-okta"
        } else {
            "acme-okta"
        };
        let href = links(&page.body)
            .into_iter()
            .find(|href| href.contains(&format!("identity_provider={connection}")))
            .unwrap_or_else(|| panic!("no button for {connection}: {page:?}"));
        let next = self.url.join(&href).unwrap();
        self.visit(next.as_str()).await
    }

    /// Fills in the organisation's sign-in page.
    pub async fn enter(&mut self, page: &Answer, login: &str) -> Answer {
        let form = Form::of(&page.body).unwrap_or_else(|| panic!("no form: {page:?}"));
        self.submit(&form, &[("username", login), ("password", "demo")])
            .await
    }

    /// The same without following what it answers.
    pub async fn enter_only(&mut self, page: &Answer, login: &str) -> Answer {
        let form = Form::of(&page.body).unwrap_or_else(|| panic!("no form: {page:?}"));
        let mut fields = form.fields;
        fields.retain(|(name, _)| name != "username" && name != "password");
        fields.push(("username".into(), login.into()));
        fields.push(("password".into(), "demo".into()));
        let action = self.url.join(&form.action).unwrap();
        self.request("POST", action.as_str(), &fields).await
    }

    pub fn at_organisation(&self) -> bool {
        !self.at_broker()
    }

    fn at_broker(&self) -> bool {
        is_brokers(&self.url)
    }

    fn knows(&self, url: &Url) -> bool {
        let origin = url.origin().ascii_serialization();
        is_brokers(url) || origin == self.stage.acme.issuer() || origin == self.stage.globex.issuer()
    }

    pub fn cookies(&self) -> Vec<(String, String)> {
        self.jar
            .iter()
            .map(|(_, name, value)| (name.clone(), value.clone()))
            .collect()
    }

    pub fn cookie(&self, prefix: &str) -> Option<(String, String)> {
        self.cookies()
            .into_iter()
            .find(|(name, _)| name.starts_with(prefix))
    }

    pub fn set_cookie(&mut self, name: &str, value: &str) {
        self.jar.retain(|(_, known, _)| known != name);
        self.jar.push(("localhost".into(), name.into(), value.into()));
    }

    pub fn forget_cookies(&mut self, prefix: &str) {
        self.jar.retain(|(_, name, _)| !name.starts_with(prefix));
    }

    pub async fn request(&mut self, method: &str, url: &str, fields: &[(String, String)]) -> Answer {
        let base = if url.starts_with('/') {
            Url::parse(PUBLIC_URL).unwrap()
        } else {
            self.url.clone()
        };
        self.url = base.join(url).unwrap();
        let host = self.url.host_str().unwrap_or_default().to_owned();
        let cookies: Vec<String> = self
            .jar
            .iter()
            .filter(|(of, ..)| *of == host)
            .map(|(_, name, value)| format!("{name}={value}"))
            .collect();
        let answer = if self.at_broker() {
            let uri = match self.url.query() {
                Some(query) => format!("{}?{query}", self.url.path()),
                None => self.url.path().to_owned(),
            };
            let mut request = match method {
                "POST" => TestRequest::post().uri(&uri).set_form(fields),
                _ => TestRequest::get().uri(&uri),
            };
            if !cookies.is_empty() {
                request = request.insert_header(("cookie", cookies.join("; ")));
            }
            if host != "localhost" {
                request = request.insert_header(("host", format!("{host}:8080")));
            }
            for (name, value) in &self.headers {
                request = request.insert_header((*name, value.as_str()));
            }
            self.stage.send(request).await
        } else {
            let request = match method {
                "POST" => self
                    .http
                    .post(self.url.clone())
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(forebay::rules::params::encode(fields.iter().map(|(n, v)| (n, v)))),
                _ => self.http.get(self.url.clone()),
            };
            let request = request.header("cookie", cookies.join("; "));
            // A connection that breaks before anything came is tried again, as a browser does.
            let again = request.try_clone().filter(|_| method == "GET");
            let response = match (request.send().await, again) {
                (Err(error), Some(again)) if error.is_request() => again.send().await.unwrap(),
                (answer, _) => answer.unwrap(),
            };
            Answer {
                status: response.status().as_u16(),
                headers: response
                    .headers()
                    .iter()
                    .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("?").to_owned()))
                    .collect(),
                body: response.text().await.unwrap(),
            }
        };
        for line in answer.all("set-cookie") {
            self.keep(&host, line);
        }
        answer
    }

    /// Keeps a cookie as a browser does: `__Host-` ones only with their attributes, over-long ones not at all.
    fn keep(&mut self, host: &str, line: &str) {
        let cookie = Cookie::parse(line.to_owned()).unwrap();
        let (name, value) = (cookie.name().to_owned(), cookie.value().to_owned());
        if name.starts_with("__Host-") {
            let good =
                cookie.secure() == Some(true) && cookie.path() == Some("/") && cookie.domain().is_none();
            assert!(good, "a browser would refuse {line}");
        }
        assert!(name.len() + value.len() <= 4096, "a browser would drop {name}");
        self.jar.retain(|(of, known, _)| !(of == host && *known == name));
        if cookie.max_age().is_none_or(|age| age.is_positive()) {
            self.jar.push((host.to_owned(), name, value));
        }
    }
}

/// An address of the broker's, or of a pool's own domain below it.
fn is_brokers(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    url.port() == Some(8080) && (host == "localhost" || host.ends_with(".localhost"))
}

impl Form {
    /// The first form of a page.
    pub fn of(html: &str) -> Option<Form> {
        Form::read(&html[html.find("<form")?..])
    }

    /// The first form of a page that goes to this path.
    #[track_caller]
    pub fn to(html: &str, path: &str) -> Form {
        html.match_indices("<form")
            .filter_map(|(at, _)| Form::read(&html[at..]))
            .find(|form| form.action.split('?').next() == Some(path))
            .unwrap_or_else(|| panic!("no form to {path} in {html}"))
    }

    /// What a browser would send of it untouched; of the buttons none.
    fn read(html: &str) -> Option<Form> {
        let html = without_templates(&html[..html.find("</form>").unwrap_or(html.len())]);
        let html = html.as_str();
        let head = &html[..html.find('>')?];
        let mut fields = Vec::new();
        for (at, _) in html.match_indices('<') {
            let tag = &html[at + 1..];
            let end = tag.find('>').unwrap_or(tag.len());
            let (tag, rest) = (&tag[..end], tag.get(end + 1..).unwrap_or_default());
            let Some(name) = attribute(tag, "name") else {
                continue;
            };
            if tag.starts_with("input") {
                let kind = attribute(tag, "type").unwrap_or_default();
                let is_box = matches!(kind.as_str(), "checkbox" | "radio");
                if !is_box || tag.contains(" checked") {
                    let default = if is_box { "on" } else { "" };
                    fields.push((name, attribute(tag, "value").unwrap_or_else(|| default.into())));
                }
            } else if tag.starts_with("textarea") {
                let text = rest.split("</textarea>").next().unwrap_or_default();
                fields.push((name, unescape(text.strip_prefix('\n').unwrap_or(text))));
            } else if tag.starts_with("select") {
                let inside = rest.split("</select>").next().unwrap_or_default();
                let options: Vec<&str> = inside.split("<option").skip(1).collect();
                let chosen = options
                    .iter()
                    .find(|option| {
                        option
                            .split('>')
                            .next()
                            .is_some_and(|tag| tag.contains(" selected"))
                    })
                    .or(options.first());
                if let Some(value) = chosen.and_then(|option| attribute(option, "value")) {
                    fields.push((name, value));
                }
            }
        }
        Some(Form {
            action: attribute(head, "action").unwrap_or_default(),
            method: attribute(head, "method").unwrap_or_else(|| "get".into()),
            fields,
        })
    }
}

/// What a script would copy is no part of the page.
fn without_templates(html: &str) -> String {
    let mut parts = html.split("<template");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |page, part| {
        page + part.split_once("</template>").map_or("", |(_, rest)| rest)
    })
}

/// The targets of a page's links.
pub fn links(html: &str) -> Vec<String> {
    html.split("<a ")
        .skip(1)
        .filter_map(|tag| attribute(&tag[..tag.find('>')?], "href"))
        .collect()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = tag.find(&format!("{name}=\""))? + name.len() + 2;
    let rest = &tag[start..];
    Some(unescape(&rest[..rest.find('"')?]))
}

/// Undoes HTML escaping.
pub fn unescape(text: &str) -> String {
    // The ampersand last, or what it begins would be undone twice.
    text.replace("&amp;", "&#38;")
        .replace("&#34;", "\"")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&#60;", "<")
        .replace("&lt;", "<")
        .replace("&#62;", ">")
        .replace("&gt;", ">")
        .replace("&#38;", "&")
}
