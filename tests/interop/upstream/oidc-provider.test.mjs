// A certified provider shaped like Okta in place of the stand-in: a pool set up from the shell, one connection per client
// authentication method, signed in through end to end.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { calculateJwkThumbprint } from 'jose';
import * as client from 'openid-client';
import { Browser } from '../support/browser.mjs';
import { CALLBACK, SIGNED_OUT } from '../support/demo.mjs';
import { forebay, forebayJson, freePorts, freshDatabase, ready, scratch, start } from '../support/process.mjs';
import { startOkta } from './okta-shaped.mjs';

const POOL = 'us-local-1_Interop01';
const APP = { id: 'interopapp000000000000001', secret: 'interop_secret_for_the_app_of_this_suite' };
/** Characters that only a client which encodes them as RFC 6749 §2.3.1 says gets through in a Basic header. */
const SECRET = 'a+b/c:d%20e&f=g~and-long-enough-for-any-rule';
const METHODS = ['client_secret_basic', 'client_secret_post', 'private_key_jwt'];

const nameOf = (method) => `okta-${method.replaceAll('_', '-')}`;

let okta, server, folder, shell, origin, issuer;

before(async () => {
  folder = await scratch();
  const [port, oktaPort] = await freePorts(2);
  origin = `http://localhost:${port}`;
  issuer = `${origin}/${POOL}`;

  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = join(folder.path, 'okta-client.pem');
  await writeFile(pem, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  // Registered under its RFC 7638 thumbprint, which is the `kid` that assertions carry unless told otherwise.
  const jwk = publicKey.export({ format: 'jwk' });
  Object.assign(jwk, { use: 'sig', alg: 'RS256', kid: await calculateJwkThumbprint(jwk) });
  okta = await startOkta(oktaPort, METHODS.map((method) => ({
    client_id: `0oa-${method}`,
    token_endpoint_auth_method: method,
    redirect_uris: [`${origin}/oauth2/idpresponse/${nameOf(method)}`],
    post_logout_redirect_uris: [`${origin}/logout/idpresponse/${nameOf(method)}`],
    ...(method === 'private_key_jwt'
      ? { jwks: { keys: [jwk] } }
      : { client_secret: SECRET }),
  })));

  shell = {
    cwd: folder.path,
    env: {
      FOREBAY_DATABASE: await freshDatabase(folder.path),
      FOREBAY_PUBLIC_URL: origin,
      FOREBAY_LISTEN: `127.0.0.1:${port}`,
      FOREBAY_ALLOW_UPSTREAM: `127.0.0.1:${oktaPort}`,
    },
  };
  await forebayJson(['pool', 'create', '--name', 'Interop', '--id', POOL, '--attribute', 'zone:string'], shell);
  for (const method of METHODS) await connect(nameOf(method), method);
  await forebayJson([
    'client', 'create', '--pool', POOL, '--name', 'App', '--id', APP.id, '--secret', APP.secret,
    '--callback', CALLBACK, '--logout-url', SIGNED_OUT, '--flow', 'code',
    ...['openid', 'email', 'profile'].flatMap((scope) => ['--scope', scope]),
    ...METHODS.flatMap((method) => ['--provider', nameOf(method)]),
  ], shell);
  const args = ['serve', '--allow-upstream', `127.0.0.1:${oktaPort}`];
  server = start(args, shell);
  await ready(server, [`${issuer}/.well-known/openid-configuration`]);
});

after(async () => {
  const code = await server?.stop();
  await okta?.stop();
  await folder?.remove();
  if (server) assert.equal(code, 0, `Ctrl-C should end serve with 0, not ${code}:\n${server.output}`);
});

async function connect(name, method, { clientId = `0oa-${method}`, secret = SECRET } = {}) {
  const file = join(folder.path, `${name}.secret`);
  await writeFile(file, `${secret}\n`, { mode: 0o600 });
  return forebayJson([
    'provider', 'create', '--pool', POOL, '--name', name, '--slug', name, '--issuer', okta.issuer,
    '--client-id', clientId, '--auth-method', method,
    ...(method === 'private_key_jwt'
      ? ['--private-key-file', join(folder.path, 'okta-client.pem')]
      : ['--client-secret-file', file]),
    '--scope', 'openid profile email groups', '--groups-claim', 'groups', '--groups', 'create', '--upstream-logout',
    '--map', 'email=email', '--map', 'given_name=given_name', '--map', 'custom:zone=zoneinfo',
  ], shell);
}

const discover = () => client.discovery(new URL(issuer), APP.id, undefined, client.ClientSecretBasic(APP.secret), {
  execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
});

async function signIn(config, provider, browser, person) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const expectedNonce = client.randomNonce();
  const expectedState = client.randomState();
  let page = await browser.open(client.buildAuthorizationUrl(config, {
    redirect_uri: CALLBACK, scope: 'openid email profile', identity_provider: provider,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier), code_challenge_method: 'S256',
    state: expectedState, nonce: expectedNonce,
  }));
  if (page.url.origin === okta.issuer) page = await browser.submit(page, { username: person, password: 'demo' });
  assert.ok(page.url.href.startsWith(CALLBACK), `the sign-in should end at the app's callback, not at ${page}`);
  return client.authorizationCodeGrant(config, page.url, { pkceCodeVerifier, expectedNonce, expectedState, idTokenExpected: true });
}

for (const method of METHODS) {
  test(`signs in through it with ${method}`, async () => {
    const config = await discover();
    const browser = new Browser({ stopAt: [CALLBACK] });
    okta.seen.length = 0;
    const tokens = await signIn(config, nameOf(method), browser, 'ada@acme.test');
    const claims = tokens.claims();
    assert.equal(claims.email, 'ada@acme.test');
    assert.equal(claims.given_name, 'Ada');
    assert.equal(claims['custom:zone'], 'Europe/London');
    assert.equal(claims['cognito:username'], `${nameOf(method)}_${okta.subject('ada@acme.test')}`);
    for (const group of [`${POOL}_${nameOf(method)}`, 'Everyone', 'Engineering']) {
      assert.ok(claims['cognito:groups'].includes(group), `${group} in ${claims['cognito:groups']}`);
    }
    const info = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
    assert.equal(info.given_name, 'Ada');
    // The thin ID token of the upstream had none of it: userinfo was asked, with the token, and PKCE was used.
    const asked = (path) => okta.seen.filter((r) => r.path === path);
    assert.equal(asked('/oauth2/v1/userinfo').length, 1);
    assert.equal(asked('/oauth2/v1/authorize')[0].query.code_challenge_method, 'S256');
    assert.ok(asked('/oauth2/v1/authorize')[0].query.nonce);
    assert.equal(/^Basic /.test(asked('/oauth2/v1/token')[0].authorization), method === 'client_secret_basic');
  });

  test(`provider test finds nothing wrong with ${method}`, async () => {
    const { code, stdout, stderr } = await forebay(['provider', 'test', nameOf(method), '--json'], shell);
    assert.equal(code, 0, `${stdout}${stderr}`);
    JSON.parse(stdout);
    const told = await forebay(['provider', 'test', nameOf(method)], shell);
    assert.equal(told.code, 0, `${told.stdout}${told.stderr}`);
  });
}

test('groups that are gone upstream are gone here, and a second person is another user', async () => {
  const config = await discover();
  const ada = await signIn(config, 'okta-client-secret-basic', new Browser({ stopAt: [CALLBACK] }), 'ada@acme.test');
  const grace = await signIn(config, 'okta-client-secret-basic', new Browser({ stopAt: [CALLBACK] }), 'grace@acme.test');
  assert.notEqual(ada.claims().sub, grace.claims().sub);
  assert.ok(grace.claims()['cognito:groups'].includes('Finance'));
  okta.people['grace@acme.test'].groups = ['Everyone'];
  const later = await signIn(config, 'okta-client-secret-basic', new Browser({ stopAt: [CALLBACK] }), 'grace@acme.test');
  assert.equal(later.claims().sub, grace.claims().sub);
  assert.ok(!later.claims()['cognito:groups'].includes('Finance'), `${later.claims()['cognito:groups']}`);
});

test('signing out ends the session there too', async () => {
  const config = await discover();
  const browser = new Browser({ stopAt: [CALLBACK, SIGNED_OUT] });
  const tokens = await signIn(config, 'okta-client-secret-basic', browser, 'ada@acme.test');
  let page = await browser.open(client.buildEndSessionUrl(config, {
    id_token_hint: tokens.id_token, post_logout_redirect_uri: SIGNED_OUT, state: 'bye',
  }));
  if (page.url.origin === okta.issuer) page = await browser.click(page, 'Yes, sign me out');
  assert.equal(page.url.origin, SIGNED_OUT, `${page}`);
  assert.equal(page.url.searchParams.get('state'), 'bye');
  // A sign-in after that is asked for the password again.
  const again = await browser.open(client.buildAuthorizationUrl(config, {
    redirect_uri: CALLBACK, scope: 'openid', identity_provider: 'okta-client-secret-basic', state: 's',
    code_challenge: await client.calculatePKCECodeChallenge(client.randomPKCECodeVerifier()), code_challenge_method: 'S256',
  }));
  assert.equal(again.url.origin, okta.issuer, `${again}`);
  assert.ok(again.forms.some((f) => f.fields.some((field) => field.name === 'password')), `${again}`);
});

test('someone who is not assigned gets a page with a code, and the code opens the trace in the shell', async () => {
  const browser = new Browser({ stopAt: [CALLBACK] });
  const config = await discover();
  const form = await browser.open(client.buildAuthorizationUrl(config, {
    redirect_uri: CALLBACK, scope: 'openid', identity_provider: 'okta-client-secret-post', state: 's',
    code_challenge: await client.calculatePKCECodeChallenge(client.randomPKCECodeVerifier()), code_challenge_method: 'S256',
  }));
  const page = await browser.submit(form, { username: 'linus@acme.test', password: 'demo' });
  assert.equal(page.url.origin, origin, `${page}`);
  assert.match(page.text, /assign/i);
  const [code] = page.text.match(/\b[0-9A-Z]{3}-[0-9A-Z]{3}\b/) ?? assert.fail(`no code on ${page}`);
  const trace = JSON.stringify(await forebayJson(['trace', 'show', code], shell));
  assert.match(trace, /access_denied/);
  assert.match(trace, /okta-client-secret-post/);
  assert.ok(!trace.includes(SECRET) && !trace.includes('linus@acme.test'), trace);
  const told = await forebay(['trace', 'show', code], shell);
  assert.equal(told.code, 0);
  assert.match(told.stdout, /assign/i);
});

test('provider test names a wrong secret and an unregistered redirect URI', async () => {
  await connect('okta-wrong-secret', 'client_secret_post', { secret: 'not-the-secret-that-okta-has-for-us' });
  const { code, stdout } = await forebay(['provider', 'test', 'okta-wrong-secret', '--json'], shell);
  assert.equal(code, 1, stdout);
  assert.match(stdout, /CLIENT_AUTH_FAILED/);
  // The connection's own callback is part of its name: this one was never registered there.
  assert.match(stdout, /REDIRECT_URI_NOT_ALLOWED/);
});

test('doctor is content', async () => {
  await forebay(['provider', 'delete', 'okta-wrong-secret', '--pool', POOL, '--yes'], shell);
  const { code, stdout, stderr } = await forebay(['doctor', '--json'], shell);
  assert.equal(code, 0, `${stdout}${stderr}`);
});
