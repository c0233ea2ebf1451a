// Cortex's page: an administrator of the customer fills in the connector, tests it, and only then enforces it. The numbers are
// those of the lines in the table at the end of src/setups/cortex.md.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { accessible, newPage, nothingFound, screenshot } from '../support/chromium.mjs';
import { connectOkta } from '../support/console.mjs';
import { aSecond, atApp, atOkta, setUp, shown } from '../support/setup.mjs';

const OKTA_APP = { client_id: '0oa1b2c3d4e5f6g7h8i9', client_secret: 'a-secret-between-okta-and-the-broker' };
const GOOGLE_APP = { client_id: '1234567890-abc.apps.googleusercontent.com', client_secret: 'a-secret-between-google-and-the-broker' };
const ROOM = '/console/pools/us-local-1_Customers/tenants/acme';

let stage, okta, google, admin;
before(async () => {
  stage = await setUp('cortex', {
    oktas: 2,
    clients: ({ origin }) => [
      [{ ...OKTA_APP, redirect_uris: [`${origin}/oauth2/idpresponse/acme-okta`] }],
      [{ ...GOOGLE_APP, redirect_uris: [`${origin}/oauth2/idpresponse/google`] }],
    ],
    hosts: ({ origin, okta, app }) => ({
      'https://login.example.com': origin, 'https://accounts.google.com': okta[1].issuer, 'https://app.example.com': app.origin,
      'acme.example': 'acme.test',
    }),
  });
  [okta, google] = stage.okta;
});
after(() => stage?.stop());

/** From the app by Google's button to Google and back. */
async function byGoogle(page) {
  await page.goto(`${stage.app.origin}/sign-in`);
  await page.getByRole('link', { name: 'Continue with Google' }).click();
  await atOkta(page, google);
}

test('Cortex 1: the customer\'s administrator gets a role of its own, by a link', async () => {
  stage.file('google.txt', GOOGLE_APP.client_secret);
  const told = await stage.follow('The tenant and its administrator');
  const [, secret] = /client secret +(\S+)/.exec(told) ?? assert.fail(told);
  await stage.app.know(`${stage.origin}/us-local-1_Customers`, 'productweb0000000000000001', secret);
  const link = /http\S+\/console\/\S+/.exec(told)?.[0] ?? assert.fail(told);
  admin = await newPage(stage.browser);
  await admin.page.goto(link);
  await admin.page.getByLabel('Password').fill('a password of some length');
  await admin.page.getByRole('button', { name: 'Begin' }).click();
  await admin.page.waitForURL((url) => url.pathname === '/console/account');
  const status = async (path) => (await admin.context.request.get(`${stage.origin}${path}`)).status();
  assert.equal(await status(ROOM), 200);
  for (const path of ['/console/pools/us-local-1_Customers', '/console/credentials', '/console/connections/google']) {
    assert.equal(await status(path), 404, path);
  }
});

test('Cortex 2 to 6, 10, 16: type, identifier, secret, issuer; the checks; a test sign-in', async () => {
  const { page } = admin;
  await page.goto(`${stage.origin}/console/connections/new`);
  await connectOkta(page, {
    typed: `${okta.issuer}/.well-known/openid-configuration`, issuer: okta.issuer, name: 'acme-okta', clientId: OKTA_APP.client_id,
    secret: OKTA_APP.client_secret, app: 'The product', atOkta: (at) => atOkta(at, okta),
    async pause(step) {
      await accessible(page);
      await screenshot(page, `setups/cortex-${step}`);
      const text = await shown(page);
      const wanted = {
        'in-okta': ['/oauth2/idpresponse/acme-okta', '/start-login?connection=acme-okta', 'Authorization Code'],
        check: [
          'Name resolution', 'Network connection', 'TLS certificate', 'Discovery document', 'Signing keys', 'Client credentials',
          'Sign-in redirect URI',
        ],
      }[step] ?? [];
      for (const each of wanted) assert.ok(text.includes(each), `${each} on\n${text}`);
    },
  });
  await page.getByText('live', { exact: true }).first().waitFor();
  assert.ok(!(await page.content()).includes(OKTA_APP.client_secret));
});

test('Cortex 7: saved and live, and every other way in is still open', async () => {
  const { page, context, findings } = await newPage(stage.browser);
  await byGoogle(page);
  assert.equal((await atApp(page, stage.app)).identities[0].providerName, 'google');
  nothingFound(findings);
  await context.close();
});

test('Cortex 9, 12: with tenantCode straight to Okta; with a code that nobody has to the login page', async () => {
  const { page, context, findings } = await newPage(stage.browser);
  await page.goto(`${stage.app.origin}/sign-in?tenantCode=acme`);
  await atOkta(page, okta, 'grace@acme.test');
  assert.equal((await atApp(page, stage.app)).email, 'grace@acme.test');
  await context.clearCookies();
  await page.goto(`${stage.app.origin}/sign-in?tenantCode=initech`);
  await page.getByRole('link', { name: 'Continue with Google' }).waitFor();
  assert.equal(new URL(page.url()).origin, stage.origin);
  assert.doesNotMatch(await shown(page), /initech/);
  nothingFound(findings);
  await context.close();
});

test('Cortex 10, 11: a tile at the callback starts a sign-in; where no connection is named the trace says what to enter', async () => {
  const { page, context, findings } = await newPage(stage.browser);
  const iss = new URLSearchParams({ iss: okta.issuer });
  stage.app.forget();
  await page.goto(`${stage.origin}/oauth2/idpresponse/acme-okta?${iss}`);
  await atOkta(page, okta);
  assert.equal((await atApp(page, stage.app)).email, 'ada@acme.test');
  const answer = await page.goto(`${stage.origin}/login/callback?${iss}`);
  assert.equal(answer.status(), 400);
  const [code] = /\b[0-9A-Z]{3}-[0-9A-Z]{3}\b/.exec(await shown(page)) ?? assert.fail(await shown(page));
  assert.match(JSON.stringify(await stage.json('trace', 'show', code)), /Initiate login URI/);
  await screenshot(page, 'setups/cortex-tile-at-callback');
  nothingFound(findings);
  await context.close();
});

test('Cortex 7, 8: only through Okta is a step of its own, is confirmed from a new sign-in, and closes the other doors', async () => {
  const { page } = admin;
  await page.goto(`${stage.origin}${ROOM}/enforcement`);
  await accessible(page);
  await screenshot(page, 'setups/cortex-before');
  assert.match(await shown(page), /of the \d people of these domains/);
  await page.getByRole('button', { name: 'Let people in through Okta only' }).click();
  await page.getByText('on, unconfirmed').waitFor();
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.getByText(/Nobody has signed in through Okta/).waitFor();

  // A sign-in in the very second of the switch would not be after it.
  await aSecond();
  await page.goto(`${stage.app.origin}/sign-in?tenantCode=acme&prompt=login`);
  await atOkta(page, okta);
  await atApp(page, stage.app);
  await page.goto(`${stage.origin}${ROOM}/enforcement`);
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.getByText(/Confirmed/).waitFor();
  await screenshot(page, 'setups/cortex-enforced');

  const guest = await newPage(stage.browser);
  await byGoogle(guest.page);
  await guest.page.getByText('only_through_sso').first().waitFor({ state: 'attached' });
  assert.match(await shown(guest.page), /acme\.test/);
  await accessible(guest.page);
  await screenshot(guest.page, 'setups/cortex-only-through-okta');
  assert.equal(stage.app.claims.email, 'ada@acme.test', 'the app has heard of nobody else');
  nothingFound(guest.findings);

  await stage.follow('Only through Okta');
  await guest.context.clearCookies();
  await byGoogle(guest.page);
  assert.equal((await atApp(guest.page, stage.app)).identities[0].providerName, 'google');
  await guest.context.close();
  nothingFound(admin.findings);
});

test('Cortex 6, 17, 19, 20: a next secret, a wrong one that is told by its name, and an issuer that stays', async () => {
  stage.file('next.txt', 'the-next-secret-between-okta-and-the-broker');
  const told = await stage.follow('A new secret, a new issuer');
  assert.match(told, /client_auth/);
  await stage.change('provider', 'update', 'acme-okta', '--client-secret', 'not-the-secret-of-this-app');
  const { page } = admin;
  await page.goto(`${stage.origin}/console/connections/acme-okta/check`);
  await page.getByRole('button', { name: 'Test connection' }).click();
  await page.getByText('CLIENT_AUTH_FAILED').first().waitFor({ timeout: 30_000 });
  await screenshot(page, 'setups/cortex-client-auth-failed');
  await stage.change('provider', 'update', 'acme-okta', '--client-secret', OKTA_APP.client_secret);
  await assert.rejects(stage.json('provider', 'update', 'acme-okta', '--issuer', google.issuer), /strangers/);
  await page.goto(`${stage.origin}/console/traces`);
  assert.match(await shown(page), /acme-okta/);
  await admin.context.close();
  assert.deepEqual(stage.unfollowed(), []);
});
