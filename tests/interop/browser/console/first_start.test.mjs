// From an empty database to the first person signed in, by the console alone: the set-up link, a pool, an app client, and the
// wizard that connects an Okta; then an app of somebody else's making signs Ada in.

import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import * as client from 'openid-client';
import { accessible, launch, newPage, nothingFound, screenshot } from '../../support/chromium.mjs';
import { freePorts, freshDatabase, ready, scratch, start } from '../../support/process.mjs';
import { startOkta } from '../../upstream/okta-shaped.mjs';

const CLIENT = { client_id: '0oa1firststart000001', client_secret: 'a-secret-between-okta-and-the-first-start' };

let folder, server, browser, okta, origin, oktaPort, callback;
before(async () => {
  folder = await scratch();
  let port, appPort;
  [port, oktaPort, appPort] = await freePorts(3);
  callback = `http://127.0.0.1:${appPort}/callback`;
  origin = `http://localhost:${port}`;
  server = start(['serve'], {
    cwd: folder.path,
    env: {
      FOREBAY_DATABASE: await freshDatabase(folder.path), FOREBAY_LISTEN: `127.0.0.1:${port}`, FOREBAY_PUBLIC_URL: origin,
      FOREBAY_ALLOW_UPSTREAM: `127.0.0.1:${oktaPort}`,
    },
  });
  await ready(server, [`${origin}/healthz`]);
  okta = await startOkta(oktaPort, []);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await okta?.stop();
  await server?.stop();
  await folder?.remove();
});

test('first start to first sign-in', async () => {
  const { page, context, findings } = await newPage(browser);
  const shot = async (name) => {
    await screenshot(page, `console/first-start-${name}`);
    await accessible(page);
  };
  const press = (name) => page.getByRole('button', { name, exact: true }).click();

  // The operator.
  const [link] = /http\S+\/console\/setup\/\S+/.exec(server.output) ?? assert.fail(`no set-up link:\n${server.output}`);
  await page.goto(link);
  await shot('set-up');
  await page.getByLabel('Email address').fill('first@forebay.test');
  await page.getByLabel('Your name').fill('The First');
  await page.getByLabel('Password').fill('four words make it long');
  await press('Make the first operator');
  await page.waitForURL((url) => !url.pathname.includes('setup'));
  await shot('welcome');
  const again = await context.request.get(link);
  assert.ok(again.status() >= 400, 'the link is good for one use');

  // A pool and an app client.
  await page.goto(`${origin}/console/pools/new`);
  await page.getByLabel('Name', { exact: true }).fill('Customers');
  // Its keys are made while one waits.
  await page.getByRole('button', { name: 'Make the pool' }).click({ timeout: 60_000 });
  await page.waitForURL(/\/console\/pools\/(?!new)[^/?]+/);
  const pool = decodeURIComponent(new URL(page.url()).pathname.split('/')[3]);
  await page.goto(`${origin}/console/clients/new?pool=${encodeURIComponent(pool)}`);
  await page.getByLabel('Name', { exact: true }).fill('Portal');
  await page.getByLabel('Callback URLs', { exact: true }).fill(callback);
  for (const scope of [/^openid\b/, /^email\b/, /^profile\b/]) await page.getByRole('group', { name: 'Scopes' }).getByRole('checkbox', { name: scope }).check();
  await press('Make the app client');
  await page.locator('#client-secret').waitFor();
  const app = { id: await page.locator('#client-id').innerText(), secret: await page.locator('#client-secret').innerText() };
  await shot('client-secret');

  // The wizard.
  await page.goto(`${origin}/console/connections`);
  await page.getByRole('link', { name: 'Connect Okta' }).first().click();
  await page.getByLabel('Okta domain or issuer').fill(`${okta.issuer}/`);
  await press('Look it up');
  await page.getByRole('radio').first().waitFor();
  await shot('issuer');
  await page.getByRole('radio', { name: okta.issuer }).first().check();
  await page.getByLabel('Name', { exact: true }).fill('acme-okta');
  await press('Make the draft');
  await page.locator('#redirect').waitFor();
  await shot('paste');
  // What an Okta admin does with the strings: from now on the app exists over there.
  await okta.stop();
  okta = await startOkta(oktaPort, [{ ...CLIENT, redirect_uris: [await page.locator('#redirect').innerText()] }]);
  await page.getByRole('link', { name: 'Enter the credentials' }).click();
  await page.getByLabel('Client ID').fill(CLIENT.client_id);
  await page.locator('#client_secret').fill(CLIENT.client_secret);
  await page.getByLabel('Scopes').fill('openid profile email groups');
  await press('Save');
  await page.waitForLoadState();
  await page.goto(`${page.url().replace(/(connections\/[^/]+).*/, '$1')}/check`);
  await press('Test connection');
  await page.getByText(/Every stage passed|stages? failed/).waitFor({ timeout: 30_000 });
  await shot('check');
  assert.match(await page.innerText('main'), /Every stage passed/);
  await page.getByRole('link', { name: 'Go on: test sign-in' }).click();
  await press('Sign in through Okta');
  await page.waitForURL((url) => url.port === String(oktaPort));
  await page.fill('input[name=username]', 'ada@acme.test');
  await page.fill('input[name=password]', 'demo');
  await page.keyboard.press('Enter');
  await page.getByText('The test sign-in passed.').waitFor();
  await shot('test-result');
  for (const shown of ['ada@acme.test', 'Ada Lovelace', 'Engineering']) assert.ok((await page.innerText('main')).includes(shown), shown);
  await page.getByRole('link', { name: 'Go on: go live' }).click();
  await page.getByLabel('Portal').check();
  await shot('go-live');
  await press('Go live');
  await page.getByText('live', { exact: true }).first().waitFor();
  await shot('live');
  nothingFound(findings);
  await context.close();

  // An app, and Ada.
  const config = await client.discovery(new URL(`${origin}/${pool}`), app.id, app.secret, undefined, { execute: [client.allowInsecureRequests] });
  const ada = await newPage(browser);
  // Where the app waits for its code: a route of the page would not see the redirect that leads there.
  let called;
  const listener = http.createServer((request, response) => {
    if (request.url.startsWith('/callback')) called = new URL(request.url, callback);
    response.end('signed in');
  });
  await new Promise((listening) => listener.listen(new URL(callback).port, '127.0.0.1', listening));
  after(() => listener.close());
  const verifier = client.randomPKCECodeVerifier();
  await ada.page.goto(client.buildAuthorizationUrl(config, {
    redirect_uri: callback, scope: 'openid email profile', state: 'a-state',
    code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
  }).href);
  await ada.page.getByText('Okta SSO').click();
  await ada.page.waitForURL((url) => url.port === String(oktaPort));
  await ada.page.fill('input[name=username]', 'ada@acme.test');
  await ada.page.fill('input[name=password]', 'demo');
  await ada.page.keyboard.press('Enter');
  await ada.page.waitForURL(`${callback}**`);
  const tokens = await client.authorizationCodeGrant(config, called, { pkceCodeVerifier: verifier, expectedState: 'a-state' });
  assert.equal(tokens.claims().email, 'ada@acme.test');
  nothingFound(ada.findings);
  await ada.context.close();
});
