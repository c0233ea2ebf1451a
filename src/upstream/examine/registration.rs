//! Does the provider know us? The client id, our credentials, the redirect URI.

use http::header::{HeaderValue, LOCATION, ORIGIN};
use http::{Request, StatusCode};
use url::Url;

use super::{Report, Stage, Verdict};
use crate::rules::secret;
use crate::rules::upstream_error::{self, Cause, plain};
use crate::upstream::client_auth::Credentials;
use crate::upstream::metadata::{Discovery, discovery_url, get};
use crate::upstream::okta::{authorize_url, token_request};
use crate::upstream::{AuthorizeRequest, Connection, Failure, Inner};

impl Inner {
    /// Okta narrows its discovery document to an app and refuses an unknown one; other providers ignore the parameter.
    pub(super) async fn look_for_client<F: FnMut(&Stage)>(&self, c: &Connection, report: &mut Report<F>) {
        if c.provider.settings.0.endpoints.is_some() {
            return report.skipped("client_id", "the endpoints are given by hand");
        }
        let asked = async {
            let mut url = discovery_url(&c.provider.issuer)?;
            url.query_pairs_mut()
                .append_pair("client_id", &c.provider.settings.0.client_id);
            Ok::<_, Failure>(self.http.send_now(get(&url)?).await?)
        };
        match asked.await {
            Ok(answer) if answer.status() == StatusCode::OK => report.passed("client_id", "not refused by the provider"),
            Ok(answer) if answer.status() == StatusCode::BAD_REQUEST => report.add(
                "client_id",
                Verdict::Failed,
                "CLIENT_UNKNOWN",
                "the provider does not know this client ID".into(),
                "Copy the client ID from the app's General tab in Okta, and see that the app is active and belongs to this Okta organisation.",
            ),
            Ok(answer) => report.skipped("client_id", format!("the provider answered {}", answer.status().as_u16())),
            Err(failure) => report.skipped("client_id", failure.detail),
        }
    }

    /// A made-up code: a provider that accepts our credentials complains about the code, else about us.
    pub(super) async fn try_client_auth<F: FnMut(&Stage)>(
        &self,
        c: &Connection,
        discovery: &Discovery,
        redirect_uri: &str,
        report: &mut Report<F>,
    ) {
        let tried = self
            .with_credentials(c, &discovery.token, |credentials| {
                self.present_made_up_code(c, discovery, redirect_uri, credentials)
            })
            .await;
        match tried {
            Ok(()) => report.passed("client_auth", "the provider accepts the client's credentials"),
            Err(failure) => report.failed("client_auth", &failure),
        }
    }

    async fn present_made_up_code(
        &self,
        c: &Connection,
        discovery: &Discovery,
        redirect_uri: &str,
        credentials: Credentials,
    ) -> Result<(), Failure> {
        let request = self.made_up_code(c, discovery, redirect_uri, Some(&credentials))?;
        let answer = self.http.send_now(request).await?;
        match self.token_members(&answer) {
            Err(failure)
                if matches!(
                    failure.cause,
                    Cause::CodeRejected | Cause::PkceFailed | Cause::RedirectUriMismatch
                ) =>
            {
                Ok(())
            }
            Err(failure) => Err(failure),
            Ok(_) => Err(Failure::new(
                Cause::ResponseMalformed,
                "the provider accepted a code that was made up",
            )),
        }
    }

    /// The same as a page in a browser comes with it, which has no secret. A provider that wants one has the app down as Web:
    /// then the code exchange of the page's own library fails, too, mostly seen as an error of CORS.
    pub(super) async fn try_as_page<F: FnMut(&Stage)>(
        &self,
        c: &Connection,
        discovery: &Discovery,
        report: &mut Report<F>,
    ) {
        let kind = c.provider.settings.token_in.as_ref();
        let Some(origin) = kind.and_then(|kind| kind.origins.first()) else {
            return report.skipped(
                "app_kind",
                "only servers bring tokens: the app may be of any kind",
            );
        };
        let asked = async {
            let mut request = self.made_up_code(c, discovery, origin, None)?;
            if let Ok(origin) = HeaderValue::from_str(origin) {
                request.headers_mut().insert(ORIGIN, origin);
            }
            let answer = self.http.send_now(request).await?;
            self.token_members(&answer)
        };
        match asked.await.map(|_| ()).map_err(|failure| failure.cause) {
            Err(Cause::CodeRejected | Cause::PkceFailed | Cause::RedirectUriMismatch) => {
                report.passed("app_kind", "the app redeems codes without a secret, as pages need it");
            }
            // The tokens may come from a server all the same: said, and no obstacle.
            Err(Cause::ClientAuthFailed) => report.add(
                "app_kind",
                Verdict::Skipped,
                "APP_IS_WEB",
                format!("the provider wants a secret of this app, which a page such as {} has not", plain(origin, 200)),
                "The app in Okta is Web and not Single-Page Application (or the client ID is another's): in the page the code \
                 exchange with PKCE then fails with invalid_client, or as an error of CORS. Make an app of the kind \
                 Single-Page Application, list the page's origin under Security, API, Trusted Origins, and enter \
                 its client ID here.",
            ),
            _ => report.skipped("app_kind", "cannot be told from the provider's answer"),
        }
    }

    fn made_up_code(
        &self,
        c: &Connection,
        discovery: &Discovery,
        redirect_uri: &str,
        credentials: Option<&Credentials>,
    ) -> Result<Request<Vec<u8>>, Failure> {
        let verifier = secret::token(&self.entropy);
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", "made-up-by-forebay-to-test-the-connection"),
            ("redirect_uri", redirect_uri),
            ("code_verifier", &verifier),
        ];
        token_request(c, discovery, &fields, credentials)
    }

    /// Without a session at the provider, `prompt=none` comes straight back to a registered redirect URI and to no other.
    pub(super) async fn try_redirect_uri<F: FnMut(&Stage)>(
        &self,
        c: &Connection,
        discovery: &Discovery,
        redirect_uri: &str,
        report: &mut Report<F>,
    ) {
        let request = AuthorizeRequest {
            redirect_uri: redirect_uri.to_owned(),
            state: secret::short_token(&self.entropy),
            nonce: secret::token(&self.entropy),
            code_verifier: secret::token(&self.entropy),
            login_hint: None,
            prompt: Some("none".into()),
            max_age: None,
            acr_values: None,
            okta_api: false,
        };
        let asked = async {
            let url = authorize_url(c, discovery, &request)?;
            Ok::<_, Failure>(self.http.send_now(get(&url)?).await?)
        };
        let answer = match asked.await {
            Ok(answer) => answer,
            Err(failure) => return report.failed("redirect_uri", &failure),
        };
        let location = answer
            .headers()
            .get(LOCATION)
            .and_then(|value| value.to_str().ok());
        let error = location
            .filter(|_| answer.status().is_redirection())
            .and_then(|location| came_back(location, redirect_uri));
        match error {
            Some((error, _))
                if matches!(
                    error.as_str(),
                    "login_required" | "interaction_required" | "consent_required" | ""
                ) =>
            {
                report.passed(
                    "redirect_uri",
                    format!("the provider sends users back to {}", plain(redirect_uri, 200)),
                );
            }
            Some((error, description)) => {
                let cause = upstream_error::of_callback(&error, Some(&description));
                let detail = format!(
                    "the redirect URI is registered, but the provider refuses the request: {}: {}",
                    plain(&error, 64),
                    plain(&description, 200)
                );
                report.failed("redirect_uri", &Failure::new(cause, detail));
            }
            None if answer.status().is_client_error() => report.add(
                "redirect_uri",
                Verdict::Failed,
                "REDIRECT_URI_NOT_ALLOWED",
                format!(
                    "the provider answered {} instead of sending the browser back to {}",
                    answer.status().as_u16(),
                    plain(redirect_uri, 200)
                ),
                &format!(
                    "In the Okta app's General tab add exactly this Sign-in redirect URI: {}",
                    plain(redirect_uri, 300)
                ),
            ),
            None => report.skipped(
                "redirect_uri",
                format!(
                    "cannot be told from the provider's answer ({})",
                    answer.status().as_u16()
                ),
            ),
        }
    }
}

/// Error and description of a redirect to our own URI; `None` for a redirect to elsewhere.
fn came_back(location: &str, redirect_uri: &str) -> Option<(String, String)> {
    let location = Url::parse(location).ok()?;
    let ours = Url::parse(redirect_uri).ok()?;
    if location.origin() != ours.origin() || location.path() != ours.path() {
        return None;
    }
    let value = |name: &str| {
        let mut pairs = location.query_pairs();
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    Some((value("error"), value("error_description")))
}
