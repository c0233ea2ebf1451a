// openid-client (Node) knows our issuer URL, a client id and a secret, and nothing else.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as client from 'openid-client';
import { Browser } from '../support/browser.mjs';
import { CALLBACK, MACHINE, POOL, SIGNED_OUT, WEB, okta, signIn, startDemo } from '../support/demo.mjs';

let demo;
before(async () => { demo = await startDemo(); });
after(() => demo?.stop());

const discover = (credentials, authentication) =>
  client.discovery(new URL(demo.issuer), credentials.id, undefined, authentication, {
    // http, because the issuer is on localhost; and ID tokens verified by signature too, not only by their channel.
    execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
  });

async function begin(config, extra = {}) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const checks = {
    pkceCodeVerifier,
    expectedState: client.randomState(),
    expectedNonce: client.randomNonce(),
    idTokenExpected: true,
  };
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: CALLBACK,
    scope: 'openid email profile',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    ...extra,
  });
  return { url, checks };
}

async function tokensFor(config, extra, browser) {
  const { url, checks } = await begin(config, { identity_provider: 'acme-okta', ...extra });
  const callback = await signIn(url, 'ada@acme.test', browser);
  return client.authorizationCodeGrant(config, callback, checks);
}

/** What an OAuth error answer has to say; the library tells a 401 by its challenge and leaves the body to us. */
async function refusedAs(code, status, answer) {
  const error = await answer.then((got) => assert.fail(`${code} was expected, not ${JSON.stringify(got)}`), (refusal) => refusal);
  const named = error.error ?? (await error.response?.json().catch(() => undefined))?.error;
  assert.equal(named, code, `${error}: ${JSON.stringify(error.cause)}`);
  if (status) assert.equal(error.status, status);
}

const methods = {
  client_secret_basic: client.ClientSecretBasic(WEB.secret),
  client_secret_post: client.ClientSecretPost(WEB.secret),
};

for (const [name, authentication] of Object.entries(methods)) {
  test(`signs in, reads userinfo, refreshes and revokes with ${name}`, async () => {
    const config = await discover(WEB, authentication);
    const tokens = await tokensFor(config);
    const claims = tokens.claims();
    assert.equal(claims.iss, demo.issuer);
    assert.equal(claims.aud, WEB.id);
    assert.equal(claims.email, 'ada@acme.test');
    assert.equal(claims.token_use, 'id');
    assert.match(claims['cognito:username'], /^acme-okta_/);
    assert.ok(claims['cognito:groups'].includes(`${POOL}_acme-okta`), JSON.stringify(claims));
    assert.ok(claims['cognito:groups'].includes('Engineering'), JSON.stringify(claims));
    assert.equal(claims.identities[0].providerName, 'acme-okta');
    assert.equal(tokens.token_type.toLowerCase(), 'bearer');
    assert.ok(tokens.refresh_token);

    const info = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
    assert.equal(info.email, 'ada@acme.test');

    const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
    assert.notEqual(refreshed.access_token, tokens.access_token);
    assert.equal(refreshed.claims().sub, claims.sub);
    assert.equal(refreshed.claims().auth_time, claims.auth_time);
    const newest = refreshed.refresh_token ?? tokens.refresh_token;

    await client.tokenRevocation(config, newest);
    await refusedAs('invalid_grant', 400, client.refreshTokenGrant(config, newest));
    await assert.rejects(client.fetchUserInfo(config, refreshed.access_token, claims.sub), (error) => {
      assert.equal(error.status, 401);
      assert.equal(error.cause[0].parameters.error, 'invalid_token');
      return true;
    });
  });
}

test('a wrong secret is refused as invalid_client, with a challenge where it came in a header (RFC 6749 §5.2)', async () => {
  for (const [authentication, status] of [[client.ClientSecretBasic('wrong'), 401], [client.ClientSecretPost('wrong'), 400]]) {
    const config = await discover(WEB, authentication);
    const { url, checks } = await begin(config, { identity_provider: 'acme-okta' });
    const callback = await signIn(url);
    await refusedAs('invalid_client', status, client.authorizationCodeGrant(config, callback, checks));
  }
});

test('a code works once, and its second use takes the tokens of the first with it', async () => {
  const config = await discover(WEB, methods.client_secret_basic);
  const { url, checks } = await begin(config, { identity_provider: 'acme-okta' });
  const callback = await signIn(url);
  const tokens = await client.authorizationCodeGrant(config, callback, checks);
  await refusedAs('invalid_grant', 400, client.authorizationCodeGrant(config, callback, checks));
  await refusedAs('invalid_grant', 400, client.refreshTokenGrant(config, tokens.refresh_token));
});

test('a wrong PKCE verifier is refused', async () => {
  const config = await discover(WEB, methods.client_secret_basic);
  const { url, checks } = await begin(config, { identity_provider: 'acme-okta' });
  const callback = await signIn(url);
  const others = { ...checks, pkceCodeVerifier: client.randomPKCECodeVerifier() };
  await refusedAs('invalid_grant', 400, client.authorizationCodeGrant(config, callback, others));
});

test('the login page offers each connection, and its button leads through Okta', async () => {
  const config = await discover(WEB, methods.client_secret_basic);
  const { url, checks } = await begin(config);
  const browser = new Browser({ stopAt: [CALLBACK] });
  const login = await browser.open(url);
  assert.equal(login.status, 200, `${login}`);
  const stopped = await okta(browser, await browser.click(login, /acme/i));
  const tokens = await client.authorizationCodeGrant(config, stopped.url, checks);
  assert.equal(tokens.claims().email, 'ada@acme.test');
});

test('an email address leads to the connection of its domain', async () => {
  const config = await discover(WEB, methods.client_secret_basic);
  const { url, checks } = await begin(config);
  const browser = new Browser({ stopAt: [CALLBACK] });
  const login = await browser.open(url);
  const field = login.forms.flatMap((f) => f.fields).find((f) => f.type === 'email');
  assert.ok(field, `an email field on ${login}`);
  const form = await browser.submit(login, { [field.name]: 'hank@globex.test' });
  assert.equal(form.url.origin, demo.globex, `${form}`);
  const stopped = await okta(browser, form, 'hank@globex.test');
  const tokens = await client.authorizationCodeGrant(config, stopped.url, checks);
  assert.equal(tokens.claims().identities[0].providerName, 'globex-okta');
});

test('a form_post answer carries code, state and iss in the body', async () => {
  const config = await discover(WEB, methods.client_secret_basic);
  const { url, checks } = await begin(config, { identity_provider: 'acme-okta', response_mode: 'form_post' });
  const browser = new Browser({ stopAt: [CALLBACK] });
  const relay = await okta(browser, await browser.open(url));
  assert.equal(relay.url.origin, demo.origin, `${relay}`);
  const posted = await browser.submit(relay);
  assert.equal(posted.method, 'POST');
  const request = new Request(CALLBACK, {
    method: 'POST', body: posted.body, headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
  const tokens = await client.authorizationCodeGrant(config, request, checks);
  assert.equal(tokens.claims().email, 'ada@acme.test');
});

test('a session answers prompt=none silently until RP-initiated logout ends it', async () => {
  const config = await discover(WEB, methods.client_secret_basic);
  const browser = new Browser({ stopAt: [CALLBACK, SIGNED_OUT] });
  const tokens = await tokensFor(config, {}, browser);

  const silent = await begin(config, { prompt: 'none' });
  const again = await browser.open(silent.url);
  const second = await client.authorizationCodeGrant(config, again.url, silent.checks);
  assert.equal(second.claims().sub, tokens.claims().sub);

  const state = client.randomState();
  const out = await browser.open(client.buildEndSessionUrl(config, {
    id_token_hint: second.id_token, post_logout_redirect_uri: SIGNED_OUT, state,
  }));
  assert.equal(out.url.origin, SIGNED_OUT, `${out}`);
  assert.equal(out.url.searchParams.get('state'), state);

  const refused = await begin(config, { prompt: 'none' });
  const answer = await browser.open(refused.url);
  await refusedAs('login_required', undefined, client.authorizationCodeGrant(config, answer.url, refused.checks));
});

test("logout in Cognito's dialect ends the session too", async () => {
  const config = await discover(WEB, methods.client_secret_basic);
  const browser = new Browser({ stopAt: [CALLBACK, SIGNED_OUT] });
  await tokensFor(config, {}, browser);
  const out = await browser.open(`${demo.origin}/logout?${new URLSearchParams({ client_id: WEB.id, logout_uri: SIGNED_OUT })}`);
  assert.equal(out.url.origin, SIGNED_OUT, `${out}`);
  const refused = await begin(config, { prompt: 'none' });
  const answer = await browser.open(refused.url);
  await refusedAs('login_required', undefined, client.authorizationCodeGrant(config, answer.url, refused.checks));
});

test('the machine client gets an access token for its scope, and nothing else', async () => {
  const config = await discover(MACHINE, client.ClientSecretBasic(MACHINE.secret));
  const tokens = await client.clientCredentialsGrant(config, { scope: MACHINE.scope });
  assert.equal(tokens.id_token, undefined);
  assert.equal(tokens.refresh_token, undefined);
  const claims = JSON.parse(Buffer.from(tokens.access_token.split('.')[1], 'base64url'));
  assert.equal(claims.scope, MACHINE.scope);
  assert.equal(claims.sub, MACHINE.id);
  assert.equal(claims.token_use, 'access');
  await refusedAs('invalid_scope', 400, client.clientCredentialsGrant(config, { scope: 'demo-api/write' }));
});

test('metadata is found at both RFC 8414 paths as well', async () => {
  const config = await client.discovery(new URL(demo.issuer), WEB.id, undefined, methods.client_secret_basic, {
    algorithm: 'oauth2', execute: [client.allowInsecureRequests],
  });
  assert.equal(config.serverMetadata().issuer, demo.issuer);
  const appended = await (await fetch(`${demo.issuer}/.well-known/oauth-authorization-server`)).json();
  assert.equal(appended.issuer, demo.issuer);
});
