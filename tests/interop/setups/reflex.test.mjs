// Reflex's page: apps that come and go, three environments, one Okta that knows nothing of all this. The numbers are those of
// the lines in the table at the end of src/setups/reflex.md.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as client from 'openid-client';
import { Browser } from '../support/browser.mjs';
import { newPage, nothingFound, screenshot } from '../support/chromium.mjs';
import { okta as signInAtOkta } from '../support/demo.mjs';
import { atApp, atOkta, setUp, shown } from '../support/setup.mjs';

const CALLBACK = '/authorization-code/callback';
const PREVIEW_HOST = 'https://pr-42.preview.example.com';
const POOL = 'us-local-1_Sandboxes';
const APPS = Object.fromEntries(['preview', 'staging', 'production'].map((environment, index) => [environment, {
  client_id: `0oa${index + 1}appofacme0000000${index + 1}`, client_secret: `the-secret-of-${environment}-at-the-okta-of-acme`,
}]));

let stage, okta, initialAccessToken, sandbox;
before(async () => {
  stage = await setUp('reflex', {
    app: { callback: CALLBACK },
    clients: ({ origin }) => [Object.entries(APPS).map(([environment, app]) => (
      { ...app, redirect_uris: [`${origin}/oauth2/idpresponse/acme-${environment}`] }
    ))],
    hosts: ({ origin, okta, app }) => ({
      'https://login.example.com': origin, 'https://acme.okta.com': okta[0].issuer,
      'https://sandbox-7.sandboxes.example.com': app.origin, 'acme.example': 'acme.test',
    }),
  });
  [okta] = stage.okta;
});
after(() => stage?.stop());

test('Reflex 4, 7: the three lines of each environment make a connection', async () => {
  await stage.follow('A pool for the apps');
  for (const [environment, app] of Object.entries(APPS)) {
    const lines = [`OKTA_CLIENT_ID=${app.client_id}`, `OKTA_CLIENT_SECRET="${app.client_secret}"`, `OKTA_ISSUER_URI=${okta.issuer}`];
    stage.file(`${environment}.env`, lines.join('\n'));
  }
  const told = await stage.follow('An Okta app for each environment');
  for (const environment of Object.keys(APPS)) assert.ok(told.includes(environment), environment);
  assert.ok(!told.includes(APPS.preview.client_secret));
});

test('Reflex 1, 2: a sandbox registers itself as its page says, and Ada signs in there', async () => {
  const told = await stage.follow('The generator\'s credential');
  const [, key] = /access key id +(\S+)/i.exec(told) ?? assert.fail(told);
  const [, secret] = /secret access key +(\S+)/i.exec(told) ?? assert.fail(told);
  initialAccessToken = `${key}.${secret}`;
  const [, metadata] = /-d '([^']+)'/.exec(stage.snippet('shell'));
  const config = await client.dynamicClientRegistration(new URL(`${stage.origin}/${POOL}`), JSON.parse(metadata), undefined, {
    initialAccessToken, execute: [client.allowInsecureRequests],
  });
  sandbox = config.clientMetadata();
  assert.ok(sandbox.client_expires_at > Date.now() / 1000 + 86_000);
  await stage.app.know(`${stage.origin}/${POOL}`, sandbox.client_id, sandbox.client_secret);

  const { page, context, findings } = await newPage(stage.browser);
  await page.goto(stage.app.origin);
  await page.getByRole('link', { name: 'Sign in' }).click();
  await page.getByRole('link', { name: 'Okta SSO' }).click();
  await atOkta(page, okta);
  const claims = await atApp(page, stage.app);
  assert.deepEqual([claims.aud, claims.email, claims['custom:tenant_id']], [sandbox.client_id, 'ada@acme.test', 'acme'], 'Reflex 9');
  await screenshot(page, 'setups/reflex-sandbox');
  await page.getByRole('link', { name: 'Sign out' }).click();
  await page.waitForURL(`${stage.app.origin}/`);
  assert.match(await page.innerText('body'), /signed out/);
  nothingFound(findings);
  await context.close();
});

test('Reflex 1: deleted, it is an app that nobody knows', async () => {
  const authorization = `Bearer ${sandbox.registration_access_token}`;
  const gone = await fetch(sandbox.registration_client_uri, { method: 'DELETE', headers: { authorization } });
  assert.equal(gone.status, 204);
  const { page, context } = await newPage(stage.browser);
  const answer = await page.goto(`${stage.app.origin}/sign-in`);
  assert.equal(answer.status(), 400);
  assert.equal(new URL(page.url()).origin, stage.origin, 'nobody is sent on to an address that is not registered');
  await context.close();
  const refused = await fetch(`${stage.origin}/oauth2/register`, { method: 'POST', body: '{"redirect_uris": ["https://evil.example/"]}' });
  assert.equal(refused.status, 401);
});

test('Reflex 3, 4: a preview at a host that nobody knew, and at no other', async () => {
  const lines = await stage.follow('Previews whose hosts nobody knows');
  const [, id] = /^OKTA_CLIENT_ID=(\S+)$/m.exec(lines) ?? assert.fail(lines);
  const [, issuer] = /^OKTA_ISSUER_URI=(\S+)$/m.exec(lines) ?? assert.fail(lines);
  const config = await client.discovery(new URL(issuer), id, undefined, client.None(), { execute: [client.allowInsecureRequests] });
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const challenge = { code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier), code_challenge_method: 'S256' };
  const asked = (host, more = challenge) => client.buildAuthorizationUrl(config, {
    redirect_uri: `${host}${CALLBACK}`, scope: 'openid email profile', state: 'a-state', identity_provider: 'acme-preview', ...more,
  });
  const browser = new Browser({ stopAt: [PREVIEW_HOST] });
  const back = await signInAtOkta(browser, await browser.open(asked(PREVIEW_HOST)));
  const tokens = await client.authorizationCodeGrant(config, back.url, { pkceCodeVerifier, expectedState: 'a-state' });
  assert.equal(tokens.claims().email, 'ada@acme.test');
  const others = ['//a.b.preview.example.com', '//preview.example.com', '//pr-42.preview.example.com.evil.example'].map((rest) => `https:${rest}`);
  for (const host of [...others, PREVIEW_HOST.replace('https', 'http')]) {
    const page = await new Browser({ stopAt: ['https:', 'http://pr-42'] }).open(asked(host));
    assert.equal(page.status, 400, `${host} should be refused, not ${page}`);
  }
  const without = await new Browser({ stopAt: [PREVIEW_HOST] }).open(asked(PREVIEW_HOST, {}));
  assert.equal(without.url.searchParams.get('error'), 'invalid_request', 'without PKCE');
  await assert.rejects(stage.json('client', 'update', id, '--non-production=false'), /production/);
});

test('Reflex 8: only Engineering enters; Grace reads which rule it was and whom to ask', async () => {
  await stage.follow('Who may enter which app');
  const { page, context, findings } = await newPage(stage.browser);
  await page.goto(`${stage.origin}/oauth2/authorize?${new URLSearchParams({
    response_type: 'code', client_id: 'previews000000000000000001', redirect_uri: `${PREVIEW_HOST}${CALLBACK}`, scope: 'openid',
    identity_provider: 'acme-preview', code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256',
  })}`);
  await atOkta(page, okta, 'grace@acme.test');
  await page.waitForURL((url) => url.origin === stage.origin);
  const told = await shown(page);
  assert.match(told, /Engineering/);
  assert.match(told, /platform@acme\.test/);
  await screenshot(page, 'setups/reflex-refused');
  nothingFound(findings);
  await context.close();
});

test('Reflex 5, 7, 13: both servers of an address are tried; a mapping goes on to production; a client ID used twice is told', async () => {
  const { page, context, findings } = await stage.console('/console/connections/new');
  await page.getByLabel('Whose connection it is').selectOption('tenant:acme');
  await page.getByLabel('Okta domain or issuer').fill(`${okta.issuer}/oauth2/default`);
  await page.getByRole('button', { name: 'Look it up' }).click();
  await page.getByText('does not answer').waitFor();
  assert.equal(await page.getByRole('radio', { name: okta.issuer }).count(), 2);
  await screenshot(page, 'setups/reflex-issuer');

  await page.goto(`${stage.origin}/console/connections/acme-production/mapping/history`);
  await page.getByLabel('Take over the mapping of').selectOption('acme-preview');
  await page.getByRole('button', { name: 'Open it as a draft here' }).click();
  await page.locator('input[value=locale]').first().waitFor();
  assert.match(await shown(page), /Against the version in force:[\s\S]*locale added/);
  await screenshot(page, 'setups/reflex-promotion');
  await page.getByRole('button', { name: 'Save as version 2' }).click();
  await page.getByText('Version 2 is in force').waitFor();
  const { mapping } = await stage.json('provider', 'show', 'acme-production');
  assert.match(JSON.stringify(mapping), /locale/);

  await stage.change('provider', 'update', 'acme-staging', '--client-id', APPS.production.client_id);
  for (const one of ['acme-staging', 'acme-production']) {
    await page.goto(`${stage.origin}/console/connections/${one}`);
    await page.getByText('The same client ID is used by').waitFor();
  }
  nothingFound(findings);
  await context.close();
  assert.deepEqual(stage.unfollowed(), []);
});
