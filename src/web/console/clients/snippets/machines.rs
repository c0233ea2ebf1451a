//! Snippets of apps that act for themselves, and of whoever checks a token.

use super::{Facts, Snippet, js};
use crate::rules::discovery::paths;

pub fn curl(facts: &Facts) -> Snippet {
    Snippet {
        id: "curl",
        name: "Shell: curl",
        note: "The token is good for the time in expires_in; ask again when it is over.".into(),
        code: format!(
            "curl --user \"{id}:$CLIENT_SECRET\" \\
  --data grant_type=client_credentials \\
  --data-urlencode 'scope={scope}' \\
  {origin}{token}
",
            id = facts.client_id,
            scope = facts.scope().replace('\'', r"'\''"),
            origin = facts.origin,
            token = paths::TOKEN,
        ),
    }
}

pub fn node(facts: &Facts) -> Snippet {
    let insecure = match facts.is_plain_http() {
        true => "\n  { execute: [client.allowInsecureRequests] }, // plain http, for development only",
        false => "",
    };
    Snippet {
        id: "openid-client",
        name: "Node.js: openid-client",
        note: "Version 6.".into(),
        code: format!(
            "import * as client from 'openid-client';

const config = await client.discovery(
  new URL('{issuer}'),
  '{id}',
  undefined,
  client.ClientSecretBasic(process.env.CLIENT_SECRET),{insecure}
);
const tokens = await client.clientCredentialsGrant(config, {{ scope: '{scope}' }});
",
            issuer = facts.issuer,
            id = facts.client_id,
            scope = js(&facts.scope()),
        ),
    }
}

pub fn python(facts: &Facts) -> Snippet {
    Snippet {
        id: "authlib",
        name: "Python: Authlib",
        note: "The session fetches a new token by itself when the old one is over.".into(),
        code: format!(
            "from authlib.integrations.requests_client import OAuth2Session

api = OAuth2Session(
    \"{id}\",
    os.environ[\"CLIENT_SECRET\"],
    scope=\"{scope}\",
    token_endpoint=\"{origin}{token}\",
    grant_type=\"client_credentials\",
)
api.fetch_token()
answer = api.get(\"https://api.example.com/things\")
",
            id = facts.client_id,
            scope = facts.scope(),
            origin = facts.origin,
            token = paths::TOKEN,
        ),
    }
}

pub fn go(facts: &Facts) -> Snippet {
    Snippet {
        id: "go",
        name: "Go: clientcredentials",
        note: "golang.org/x/oauth2/clientcredentials. The client fetches a new token by itself.".into(),
        code: format!(
            "config := clientcredentials.Config{{
\tClientID:     \"{id}\",
\tClientSecret: os.Getenv(\"CLIENT_SECRET\"),
\tTokenURL:     \"{origin}{token}\",
\tScopes:       []string{{{scopes}}},
}}
client := config.Client(ctx)
",
            id = facts.client_id,
            origin = facts.origin,
            token = paths::TOKEN,
            scopes = Facts::quoted(&facts.scopes, '"'),
        ),
    }
}

pub fn verify(facts: &Facts) -> Snippet {
    Snippet {
        id: "aws-jwt-verify",
        name: "APIs: aws-jwt-verify",
        note: "Verifies access tokens where they are presented. CognitoJwtVerifier is for AWS's own issuers; JwtVerifier takes any."
            .into(),
        code: format!(
            "import {{ JwtVerifier }} from 'aws-jwt-verify';

const verifier = JwtVerifier.create({{
  issuer: '{issuer}',
  audience: null, // access tokens are told by their client_id
  jwksUri: '{issuer}{jwks}',
  customJwtCheck: ({{ payload }}) => {{
    if (payload.token_use !== 'access') throw new Error('not an access token');
    if (payload.client_id !== '{id}') throw new Error('a token of another app');
  }},
}});

const payload = await verifier.verify(accessToken);
",
            issuer = facts.issuer,
            jwks = paths::JWKS,
            id = facts.client_id,
        ),
    }
}
