//! Snippets of apps that sign people in.

use super::{Facts, Snippet, js};
use crate::rules::discovery::paths;
use crate::rules::dotenv;

pub fn dotenv(facts: &Facts) -> Snippet {
    let secret = match facts.is_public {
        true => "",
        false => " The secret is not shown again: put in the one that was.",
    };
    Snippet {
        id: "dotenv",
        name: ".env of an app made for Okta",
        note: format!("Instead of the lines that it has: the app then signs its users in here.{secret}"),
        code: dotenv::block(&facts.issuer, &facts.client_id, facts.is_public, None),
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
        note: "Version 6. Keep the verifier, state and nonce in the user's session until the callback."
            .into(),
        code: format!(
            "import * as client from 'openid-client';

const config = await client.discovery(
  new URL('{issuer}'),
  '{id}',
  undefined,
  {authentication},{insecure}
);

// To sign in
const pkceCodeVerifier = client.randomPKCECodeVerifier();
const state = client.randomState();
const nonce = client.randomNonce();
const to = client.buildAuthorizationUrl(config, {{
  redirect_uri: '{callback}',
  scope: '{scope}',
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: 'S256',
  state,
  nonce,
}});

// At the callback: currentUrl is the URL that the user came back to
const tokens = await client.authorizationCodeGrant(config, currentUrl, {{
  pkceCodeVerifier,
  expectedState: state,
  expectedNonce: nonce,
}});
const claims = tokens.claims();
",
            issuer = facts.issuer,
            id = facts.client_id,
            authentication = facts.secret(
                "client.ClientSecretBasic(process.env.CLIENT_SECRET)",
                "client.None()"
            ),
            callback = js(&facts.callback),
            scope = js(&facts.scope()),
        ),
    }
}

pub fn browser(facts: &Facts) -> Snippet {
    Snippet {
        id: "oidc-client-ts",
        name: "Browser: oidc-client-ts",
        note: "For single-page apps. Call signinCallback on the callback's page.".into(),
        code: format!(
            "import {{ UserManager }} from 'oidc-client-ts';

export const users = new UserManager({{
  authority: '{issuer}',
  client_id: '{id}',
  redirect_uri: '{callback}',
  post_logout_redirect_uri: '{after_logout}',
  response_type: 'code',
  scope: '{scope}',
}});

await users.signinRedirect();                // to sign in
const user = await users.signinCallback();   // on the callback's page
await users.signoutRedirect();               // to sign out
",
            issuer = facts.issuer,
            id = facts.client_id,
            callback = js(&facts.callback),
            after_logout = js(&facts.after_logout),
            scope = js(&facts.scope()),
        ),
    }
}

pub fn amplify(facts: &Facts) -> Snippet {
    let note = match facts.is_plain_http() {
        true => {
            "Version 6. Amplify always calls the domain by https, which this installation does not speak."
        }
        false => {
            "Version 6. Signing in and out works as with a Cognito user pool. Amplify renews tokens by Cognito's own InitiateAuth, which is not served here: users sign in anew when their tokens end. oidc-client-ts renews them."
        }
    };
    let scopes: Vec<String> = facts.scopes.iter().map(|scope| js(scope)).collect();
    let provider = facts
        .providers
        .first()
        .map_or_else(|| "NAME".into(), |name| js(name));
    Snippet {
        id: "amplify",
        name: "Browser: AWS Amplify",
        note: note.into(),
        code: format!(
            "import {{ Amplify }} from 'aws-amplify';
import {{ signInWithRedirect, signOut }} from 'aws-amplify/auth';

Amplify.configure({{
  Auth: {{
    Cognito: {{
      userPoolId: '{pool}',
      userPoolClientId: '{id}',
      userPoolEndpoint: '{origin}',
      loginWith: {{
        oauth: {{
          domain: '{host}',
          scopes: [{scopes}],
          redirectSignIn: ['{callback}'],
          redirectSignOut: ['{after_logout}'],
          responseType: 'code',
        }},
      }},
    }},
  }},
}});

await signInWithRedirect({{ provider: {{ custom: '{provider}' }} }});
await signOut();
",
            pool = facts.pool_id,
            id = facts.client_id,
            host = facts.host(),
            origin = facts.origin,
            scopes = Facts::quoted(&scopes, '\''),
            callback = js(&facts.callback),
            after_logout = js(&facts.after_logout),
        ),
    }
}

pub fn auth_js(facts: &Facts) -> Snippet {
    Snippet {
        id: "auth-js",
        name: "Next.js: Auth.js (NextAuth)",
        note: "Version 5. Its callback is /api/auth/callback/forebay on the app's own origin: register that as a callback URL."
            .into(),
        code: format!(
            "import NextAuth from 'next-auth';

export const {{ handlers, auth, signIn, signOut }} = NextAuth({{
  providers: [
    {{
      id: 'forebay',
      name: 'Single sign-on',
      type: 'oidc',
      issuer: '{issuer}',
      clientId: '{id}',
{secret}
      authorization: {{ params: {{ scope: '{scope}' }} }},
      checks: ['pkce', 'state', 'nonce'],
    }},
  ],
}});
",
            issuer = facts.issuer,
            id = facts.client_id,
            secret = facts.secret(
                "      clientSecret: process.env.CLIENT_SECRET,",
                "      client: { token_endpoint_auth_method: 'none' },"
            ),
            scope = js(&facts.scope()),
        ),
    }
}

pub fn python(facts: &Facts) -> Snippet {
    Snippet {
        id: "authlib",
        name: "Python: Authlib",
        note: "With Flask; for Django, Starlette and FastAPI only the import differs.".into(),
        code: format!(
            "from authlib.integrations.flask_client import OAuth

oauth = OAuth(app)
oauth.register(
    name=\"forebay\",
    server_metadata_url=\"{issuer}/.well-known/openid-configuration\",
    client_id=\"{id}\",
{secret}
    client_kwargs={{\"scope\": \"{scope}\", \"code_challenge_method\": \"S256\"{method}}},
)


@app.route(\"/sign-in\")
def sign_in():
    return oauth.forebay.authorize_redirect(\"{callback}\")


@app.route(\"{path}\")
def callback():
    token = oauth.forebay.authorize_access_token()
    session[\"user\"] = token[\"userinfo\"]
    return redirect(\"/\")
",
            issuer = facts.issuer,
            id = facts.client_id,
            secret = facts.secret(
                "    client_secret=os.environ[\"CLIENT_SECRET\"],",
                "    client_secret=None,"
            ),
            method = facts.secret("", ", \"token_endpoint_auth_method\": \"none\""),
            scope = facts.scope(),
            callback = facts.callback,
            path = facts.callback_path(),
        ),
    }
}

pub fn spring(facts: &Facts) -> Snippet {
    Snippet {
        id: "spring",
        name: "Java: Spring Security",
        note: "application.properties. Its callback is /login/oauth2/code/forebay on the app's own origin: register that as a callback URL."
            .into(),
        code: format!(
            "spring.security.oauth2.client.provider.forebay.issuer-uri={issuer}
spring.security.oauth2.client.registration.forebay.client-id={id}
{secret}
spring.security.oauth2.client.registration.forebay.authorization-grant-type=authorization_code
spring.security.oauth2.client.registration.forebay.redirect-uri={{baseUrl}}/login/oauth2/code/{{registrationId}}
spring.security.oauth2.client.registration.forebay.scope={scopes}
",
            issuer = facts.issuer,
            id = facts.client_id,
            secret = facts.secret(
                "spring.security.oauth2.client.registration.forebay.client-secret=${CLIENT_SECRET}",
                "spring.security.oauth2.client.registration.forebay.client-authentication-method=none"
            ),
            scopes = facts.scopes.join(","),
        ),
    }
}

pub fn dotnet(facts: &Facts) -> Snippet {
    let mut lines = String::new();
    if !facts.is_public {
        lines.push_str("        options.ClientSecret = builder.Configuration[\"ClientSecret\"];\n");
    }
    if facts.is_plain_http() {
        lines.push_str("        options.RequireHttpsMetadata = false; // development only\n");
    }
    for scope in &facts.scopes {
        lines.push_str(&format!("        options.Scope.Add(\"{scope}\");\n"));
    }
    Snippet {
        id: "dotnet",
        name: ".NET: ASP.NET Core",
        note: "Package Microsoft.AspNetCore.Authentication.OpenIdConnect.".into(),
        code: format!(
            "builder.Services
    .AddAuthentication(options =>
    {{
        options.DefaultScheme = CookieAuthenticationDefaults.AuthenticationScheme;
        options.DefaultChallengeScheme = OpenIdConnectDefaults.AuthenticationScheme;
    }})
    .AddCookie()
    .AddOpenIdConnect(options =>
    {{
        options.Authority = \"{issuer}\";
        options.ClientId = \"{id}\";
        options.ResponseType = OpenIdConnectResponseType.Code;
        options.UsePkce = true;
        options.CallbackPath = \"{path}\";
        options.MapInboundClaims = false;
        options.GetClaimsFromUserInfoEndpoint = true;
        options.SaveTokens = true;
        options.Scope.Clear();
{lines}    }});
",
            issuer = facts.issuer,
            id = facts.client_id,
            path = facts.callback_path(),
        ),
    }
}

pub fn go(facts: &Facts) -> Snippet {
    Snippet {
        id: "go",
        name: "Go: go-oidc and oauth2",
        note: "github.com/coreos/go-oidc/v3/oidc and golang.org/x/oauth2. Keep the verifier, state and nonce until the callback."
            .into(),
        code: format!(
            "provider, err := oidc.NewProvider(ctx, \"{issuer}\")
if err != nil {{
\treturn err
}}
config := oauth2.Config{{
\tClientID:     \"{id}\",
{secret}\tEndpoint:     provider.Endpoint(),
\tRedirectURL:  \"{callback}\",
\tScopes:       []string{{{scopes}}},
}}

// To sign in
verifier := oauth2.GenerateVerifier()
to := config.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier), oidc.Nonce(nonce))

// At the callback, after state was compared
token, err := config.Exchange(ctx, r.URL.Query().Get(\"code\"), oauth2.VerifierOption(verifier))
if err != nil {{
\treturn err
}}
raw, _ := token.Extra(\"id_token\").(string)
idToken, err := provider.Verifier(&oidc.Config{{ClientID: config.ClientID}}).Verify(ctx, raw)
if err != nil || idToken.Nonce != nonce {{
\treturn errors.New(\"the sign-in cannot be trusted\")
}}
",
            issuer = facts.issuer,
            id = facts.client_id,
            secret = facts.secret("\tClientSecret: os.Getenv(\"CLIENT_SECRET\"),\n", ""),
            callback = facts.callback,
            scopes = Facts::quoted(&facts.scopes, '"'),
        ),
    }
}

pub fn terraform(facts: &Facts) -> Snippet {
    Snippet {
        id: "terraform",
        name: "Terraform: AWS load balancer",
        note: "Signs users in before they reach the app. Register https://<the load balancer's name>/oauth2/idpresponse as a callback URL, and leave “require PKCE” off: load balancers do not send it."
            .into(),
        code: format!(
            "resource \"aws_lb_listener_rule\" \"signed_in\" {{
  listener_arn = aws_lb_listener.https.arn

  action {{
    type = \"authenticate-oidc\"

    authenticate_oidc {{
      issuer                 = \"{issuer}\"
      authorization_endpoint = \"{origin}{authorize}\"
      token_endpoint         = \"{origin}{token}\"
      user_info_endpoint     = \"{origin}{userinfo}\"
      client_id              = \"{id}\"
      client_secret          = var.client_secret
      scope                  = \"{scope}\"
    }}
  }}

  action {{
    type             = \"forward\"
    target_group_arn = aws_lb_target_group.app.arn
  }}

  condition {{
    path_pattern {{
      values = [\"/*\"]
    }}
  }}
}}
",
            issuer = facts.issuer,
            origin = facts.origin,
            authorize = paths::AUTHORIZE,
            token = paths::TOKEN,
            userinfo = paths::USERINFO,
            id = facts.client_id,
            scope = facts.scope(),
        ),
    }
}
