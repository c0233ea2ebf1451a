// Rapticore's page: a host for each tenant, Cognito's surface, and the day on which the customer switches the app off.
// The numbers are those of the lines in the table at the end of src/setups/rapticore.md.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CognitoIdentityProviderClient, DescribeIdentityProviderCommand } from '@aws-sdk/client-cognito-identity-provider';
import * as client from 'openid-client';
import { newPage, nothingFound, screenshot } from '../support/chromium.mjs';
import { atApp, atOkta, setUp, shown } from '../support/setup.mjs';

const OKTA_APP = { client_id: '0oa1b2c3d4e5f6g7h8i9', client_secret: 'a-secret-between-okta-and-the-broker' };
const POOL = 'us-local-1_Customers';
const CLIENT = 'productweb0000000000000001';

let stage, host, first, refresh;
before(async () => {
  stage = await setUp('rapticore', {
    clients: ({ origin, port }) => [[{
      ...OKTA_APP, redirect_uris: [`http://auth.acme.localhost:${port}/oauth2/idpresponse`, `${origin}/oauth2/idpresponse/acme-okta`],
    }]],
    hosts: ({ origin, okta, app }) => ({
      'https://login.example.com': origin, 'acme.okta.com': okta[0].issuer, 'https://app.example.com': app.origin,
      'acme.example': 'acme.test',
    }),
  });
  host = `http://auth.acme.localhost:${stage.port}`;
});
after(() => stage?.stop());

/** Ada at the app, by the tenant's host or by the common one. */
async function signIn(page, { at, person, prompt } = {}) {
  stage.app.forget();
  const { searchParams } = new URL((await page.request.get(`${stage.app.origin}/sign-in`, { maxRedirects: 0 })).headers().location);
  if (prompt) searchParams.set('prompt', prompt);
  await page.goto(`${at ?? stage.origin}/oauth2/authorize?${searchParams}`);
  if (person) await atOkta(page, stage.okta[0], person);
}

test('Rapticore 1 to 6: a tenant with a host, three values from Okta, an app', async () => {
  await stage.follow('A pool and a tenant');
  stage.file('secret.txt', OKTA_APP.client_secret);
  const told = await stage.follow('The three values');
  assert.match(told, /idpresponse\/acme-okta/);
  const made = await stage.follow('The app');
  const [, secret] = /client secret +(\S+)/.exec(made) ?? assert.fail(made);
  await stage.app.know(`${stage.origin}/${POOL}`, CLIENT, secret);
  await assert.rejects(stage.json('tenant', 'create', '--pool', POOL, '--id', 'Acme Corp', '--name', 'x'), /id/);
});

test('Rapticore 1, 8, 10, 17: at the tenant\'s host straight to its Okta and back, with Cognito\'s claims', async () => {
  const { page, context, findings } = await newPage(stage.browser);
  await signIn(page, { at: host });
  await page.waitForURL((url) => url.origin === stage.okta[0].issuer);
  const asked = stage.okta[0].seen.findLast((seen) => seen.path === '/oauth2/v1/authorize');
  assert.equal(asked.query.redirect_uri, `${host}/oauth2/idpresponse`);
  await atOkta(page, stage.okta[0]);
  first = await atApp(page, stage.app);
  refresh = stage.app.tokens.refresh_token;
  assert.equal(first.iss, `${stage.origin}/${POOL}`);
  assert.equal(first['custom:tenant_id'], 'acme');
  assert.equal(first['cognito:username'], `acme-okta_${stage.okta[0].subject('ada@acme.test')}`);
  assert.ok(first['cognito:groups'].includes('Engineering'), JSON.stringify(first));
  assert.deepEqual([first.email, first.email_verified, first.given_name, first.locale], ['ada@acme.test', true, 'Ada', 'en-US']);
  assert.deepEqual([first.identities[0].providerName, first.identities[0].providerType, first.token_use], ['acme-okta', 'OIDC', 'id']);
  assert.ok(first.origin_jti);
  const info = await client.fetchUserInfo(stage.app.config, stage.app.tokens.access_token, first.sub);
  assert.equal(info.username, first['cognito:username']);
  nothingFound(findings);
  await context.close();
});

test('Rapticore 14: on the common host the login page has the button', async () => {
  const { page, context, findings } = await newPage(stage.browser);
  await signIn(page);
  await screenshot(page, 'setups/rapticore-login');
  await page.getByRole('link', { name: 'Okta SSO' }).click();
  await atOkta(page, stage.okta[0]);
  assert.equal((await atApp(page, stage.app)).sub, first.sub, 'one person, whichever host');
  nothingFound(findings);
  await context.close();
});

test('Rapticore 2, 17: signing out goes to the registered address and to no other', async () => {
  const { page, context } = await newPage(stage.browser);
  await signIn(page, { at: host, person: 'ada@acme.test' });
  await atApp(page, stage.app);
  const out = (to) => `${host}/logout?${new URLSearchParams({ client_id: CLIENT, logout_uri: to })}`;
  const refused = await page.goto(out('https://elsewhere.example'));
  assert.ok(refused.status() >= 400, `${refused.status()}`);
  assert.equal(new URL(page.url()).origin, host);
  await page.goto(out(stage.app.origin));
  await page.waitForURL((url) => url.origin === stage.app.origin);
  stage.app.forget();
  await signIn(page, { at: host, prompt: 'none' });
  await page.waitForURL(`${stage.app.origin}/`);
  assert.equal(stage.app.error, 'login_required', 'the session is gone');
  await context.close();
});

test('Rapticore 7, 13: the console says that it is live, and which claims came', async () => {
  const { page, context, findings } = await stage.console('/console/connections/acme-okta');
  assert.match(await shown(page), /Last sign-in\s+(?!none)/);
  await page.goto(`${stage.origin}/console/connections/acme-okta/mapping`);
  await screenshot(page, 'setups/rapticore-mapping');
  for (const claim of ['given_name', 'zoneinfo', 'groups']) assert.ok((await page.innerText('main')).includes(claim), claim);
  nothingFound(findings);
  await context.close();
});

test('Rapticore 18: the AWS SDK reads the connection as Cognito\'s object', async () => {
  const told = await stage.follow('Tools that speak Cognito');
  const [, accessKeyId] = /access key id +(\S+)/i.exec(told) ?? assert.fail(told);
  const [, secretAccessKey] = /secret access key +(\S+)/i.exec(told) ?? assert.fail(told);
  const aws = new CognitoIdentityProviderClient({ endpoint: stage.origin, region: 'us-local-1', credentials: { accessKeyId, secretAccessKey } });
  const { IdentityProvider: idp } = await aws.send(new DescribeIdentityProviderCommand({ UserPoolId: POOL, ProviderName: 'acme-okta' }));
  assert.equal(idp.ProviderType, 'OIDC');
  assert.equal(idp.ProviderDetails.oidc_issuer, stage.okta[0].issuer);
  assert.equal(idp.ProviderDetails.client_id, OKTA_APP.client_id);
  assert.equal(idp.ProviderDetails.client_secret, undefined, 'a reader has no use for it');
  assert.equal(idp.AttributeMapping.given_name, 'given_name');
});

test('Rapticore 15: switched off in Okta, a person reads what to do and the operator why', async () => {
  const { page, context, findings } = await newPage(stage.browser);
  stage.okta[0].deactivate();
  await signIn(page, { at: host, person: 'grace@acme.test' });
  await page.waitForURL((url) => url.origin === host && url.pathname === '/oauth2/idpresponse');
  const told = await shown(page);
  assert.match(told, /administrator|admin|organisation/i);
  assert.doesNotMatch(told, /500|internal server/i);
  const [code] = /\b[0-9A-Z]{3}-[0-9A-Z]{3}\b/.exec(told) ?? assert.fail(told);
  await screenshot(page, 'setups/rapticore-switched-off');
  assert.equal(stage.app.claims, undefined);
  const trace = await stage.json('trace', 'show', code);
  assert.match(JSON.stringify(trace), /CLIENT_AUTH_FAILED/);
  nothingFound(findings.filter((finding) => !finding.includes('a status of 502')));
  await context.close();

  // What lived on until now ends when the connection is disabled: the refresh token of Ada among it.
  await stage.follow('The day the customer ends it');
  const deadline = Date.now() + 10_000;
  for (;;) {
    const ended = await client.refreshTokenGrant(stage.app.config, refresh).then(() => undefined, (error) => error.error);
    if (ended === 'invalid_grant') break;
    assert.ok(Date.now() < deadline, 'the refresh token still works');
  }
  assert.deepEqual(stage.unfollowed(), []);
});
