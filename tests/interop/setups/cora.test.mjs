// Cora's page: the customer connects its Okta alone, behind a link; people come by their address or by a tile; who was here by
// Google keeps the account. The numbers are those of the lines in the table at the end of src/setups/cora.md.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { accessible, newPage, nothingFound, screenshot } from '../support/chromium.mjs';
import { connectOkta } from '../support/console.mjs';
import { atApp, atOkta, setUp, shown } from '../support/setup.mjs';

const OKTA_APP = { client_id: '0oa1b2c3d4e5f6g7h8i9', client_secret: 'a-secret-between-okta-and-the-broker' };
const GOOGLE_APP = { client_id: '1234567890-abc.apps.googleusercontent.com', client_secret: 'a-secret-between-google-and-the-broker' };
const PRODUCT = 'productweb0000000000000001';

let stage, okta, google, byGoogle, pasted;
before(async () => {
  stage = await setUp('cora', {
    oktas: 2,
    clients: ({ origin }) => [
      [{ ...OKTA_APP, redirect_uris: [`${origin}/oauth2/idpresponse/acme-okta`] }],
      [{ ...GOOGLE_APP, redirect_uris: [`${origin}/oauth2/idpresponse/google`] }],
    ],
    hosts: ({ origin, okta, app }) => ({
      'https://login.example.com': origin, 'https://accounts.google.com': okta[1].issuer, 'https://app.example.com': app.origin,
    }),
  });
  [okta, google] = stage.okta;
});
after(() => stage?.stop());

/** From the app to the login page, and an address typed there. */
async function type(page, address) {
  await page.goto(`${stage.app.origin}/sign-in`);
  await page.getByLabel(/email/i).fill(address);
  await page.keyboard.press('Enter');
}

/** A click on the tile, as Okta makes it of the app's Initiate login URI. */
const tile = (hint) => `${pasted.start}&${new URLSearchParams({ iss: okta.issuer, ...(hint ? { login_hint: hint } : {}) })}`;

test('Cora 2, 25: before, Ada comes by Google, and her address leads nowhere', async () => {
  stage.file('google.txt', GOOGLE_APP.client_secret);
  const made = await stage.follow('What there is before');
  const [, secret] = /client secret +(\S+)/.exec(made) ?? assert.fail(made);
  await stage.app.know(`${stage.origin}/us-local-1_Customers`, PRODUCT, secret);
  const { page, context, findings } = await newPage(stage.browser);
  await type(page, 'ada@acme.test');
  await screenshot(page, 'setups/cora-login');
  await page.getByRole('link', { name: 'Continue with Google' }).click();
  await atOkta(page, google);
  byGoogle = await atApp(page, stage.app);
  assert.equal(byGoogle.identities[0].providerName, 'google');
  nothingFound(findings);
  await context.close();
});

test('Cora 1, 3, 4, 8 to 12, 15 to 19, 25, 30: behind the link the customer gets to “live” alone', async () => {
  const told = await stage.follow('The customer and its link');
  const [link] = /http\S+\/console\/connect\/\S+/.exec(told) ?? assert.fail(told);
  const { page, context, findings } = await newPage(stage.browser);
  const press = (label) => page.getByRole('button', { name: label }).click();
  await page.goto(link);
  await press('Begin');

  // The domain: claimed, looked for in vain, proven.
  await page.getByRole('link', { name: 'Add a domain' }).click();
  await page.getByLabel('Domain', { exact: true }).fill('ACME.test');
  await page.getByLabel('Subdomains count, too').check();
  await press('Add the domain');
  await press('Look for the record now');
  await page.getByText('not proven').first().waitFor();
  const [record] = /_forebay-challenge\.acme\.test/.exec(await shown(page));
  const [value] = /forebay-domain-verification=\S+/.exec(await shown(page));
  stage.dns.texts.set(record, value);
  await press('Look for the record now');
  await page.locator('.pill--good', { hasText: 'proven' }).waitFor();
  await accessible(page);
  await screenshot(page, 'setups/cora-domain');

  // The wizard; a pause in it is picked up in another browser, by the same link.
  await page.goto(`${stage.origin}/console/connections/new`);
  await connectOkta(page, {
    typed: `${okta.issuer}/`, issuer: okta.issuer, name: 'acme-okta', clientId: OKTA_APP.client_id, secret: OKTA_APP.client_secret,
    app: 'The product', atOkta: (at) => atOkta(at, okta),
    async pause(step) {
      if (step !== 'in-okta') return;
      const text = await shown(page);
      for (const wanted of ['May stay empty', 'Trusted Origins', stage.origin, 'Either Okta or App', 'Authorization Code']) {
        assert.ok(text.includes(wanted), wanted);
      }
    },
    async draft(strings) {
      pasted = strings;
      assert.equal(strings.redirect, `${stage.origin}/oauth2/idpresponse/acme-okta`);
      assert.match(strings.start, /\/start-login\?connection=acme-okta/);
      const plan = await stage.follow('Who was here by Google');
      assert.match(plan, /^1 one to one, 0 ambiguous, 0 without a counterpart$/m);
      const elsewhere = await newPage(stage.browser);
      await elsewhere.page.goto(link);
      await elsewhere.page.getByRole('button', { name: 'Begin' }).click();
      await elsewhere.page.getByRole('link', { name: 'Make the app in Okta' }).waitFor();
      await elsewhere.context.close();
    },
  });
  await page.getByRole('heading', { name: 'Acme Corp is connected' }).waitFor();
  assert.match(await shown(page), /start-login\?connection=acme-okta/);
  await screenshot(page, 'setups/cora-live');
  assert.equal((await context.request.get(link)).status(), 404, 'the link has done its work');
  assert.ok(!(await page.content()).includes(OKTA_APP.client_secret));
  nothingFound(findings);
  await context.close();
});

test('Cora 2, 5, 22, 25, 29: the address leads to Okta and goes along; Ada is who she was', async () => {
  const { page, context, findings } = await newPage(stage.browser);
  await type(page, 'Ada@Acme.test');
  await page.waitForURL((url) => url.origin === okta.issuer);
  assert.equal((await page.inputValue('input[name=username]')).toLowerCase(), 'ada@acme.test');
  await atOkta(page, okta);
  const claims = await atApp(page, stage.app);
  assert.deepEqual([claims.sub, claims.iss, claims.aud], [byGoogle.sub, byGoogle.iss, byGoogle.aud]);
  assert.equal(claims.email_verified, true);
  assert.equal(claims['custom:tenant_id'], 'acme');
  nothingFound(findings);
  await context.close();
});

test('Cora 2, 3: the domain\'s subdomains count; a domain that nobody has proven says no more than an unknown one', async () => {
  const { page, context, findings } = await newPage(stage.browser);
  await type(page, 'someone@eu.acme.test');
  await page.waitForURL((url) => url.origin === okta.issuer);
  await stage.change('tenant', 'domain', 'add', 'acme', 'notacme.test');
  const words = [];
  for (const address of ['someone@notacme.test', 'someone@nobodys.test']) {
    await type(page, address);
    await page.getByText('We found no sign-in for this address').waitFor();
    words.push((await shown(page)).replaceAll(address, ''));
  }
  assert.equal(words[0], words[1]);
  assert.match(words[0], /Continue with Google/);
  nothingFound(findings);
  await context.close();
});

test('Cora 14, 25: who has not come by Okta yet still gets in by Google, and is the same person when they do', async () => {
  const operator = await stage.console('/console/pools/us-local-1_Customers/tenants/acme/moves');
  await operator.page.getByLabel('By email address', { exact: true }).check();
  await operator.page.getByRole('button', { name: 'Save', exact: true }).click();
  await operator.page.waitForURL((url) => url.searchParams.has('done'));
  nothingFound(operator.findings);
  await operator.context.close();
  const { page, context, findings } = await newPage(stage.browser);
  await page.goto(`${stage.app.origin}/sign-in`);
  await page.getByRole('link', { name: 'Continue with Google' }).click();
  await atOkta(page, google, 'grace@acme.test');
  const { sub } = await atApp(page, stage.app);
  await context.clearCookies();
  await type(page, 'grace@acme.test');
  await atOkta(page, okta, 'grace@acme.test');
  assert.equal((await atApp(page, stage.app)).sub, sub);
  nothingFound(findings);
  await context.close();
});

test('Cora 18, 20, 22: the tile starts a sign-in that ends at the app, as the same person', async () => {
  const { page, context, findings } = await newPage(stage.browser);
  stage.app.forget();
  await page.goto(tile('ada@acme.test'));
  await atOkta(page, okta);
  assert.equal((await atApp(page, stage.app)).sub, byGoogle.sub);
  assert.deepEqual(stage.app.started.at(-1), { iss: `${stage.origin}/us-local-1_Customers`, login_hint: 'ada@acme.test' });
  // Another organisation's tile, and a target that is not the app's, lead nowhere.
  for (const query of [{ iss: google.issuer }, { iss: okta.issuer, target_link_uri: 'https://elsewhere.example/' }]) {
    const answer = await page.goto(`${pasted.start}&${new URLSearchParams(query)}`);
    assert.equal(answer.status(), 400, JSON.stringify(query));
  }
  nothingFound(findings);
  await context.close();
  const console = await stage.console('/console/connections/acme-okta');
  assert.match(await shown(console.page), /last clicked/);
  await console.page.goto(`${stage.origin}/console`);
  assert.match(await shown(console.page), /went live by a set-up link/);
  await console.context.close();
});

test('Cora 21: a tile in the browser of somebody else asks', async () => {
  const { page, context, findings } = await newPage(stage.browser);
  await type(page, 'grace@acme.test');
  await atOkta(page, okta, 'grace@acme.test');
  const { sub } = await atApp(page, stage.app);
  await page.goto(tile('ada@acme.test'));
  await page.getByText('grace@acme.test').first().waitFor();
  assert.equal(new URL(page.url()).origin, stage.origin);
  await screenshot(page, 'setups/cora-somebody-else');
  await page.getByRole('link', { name: /grace@acme\.test|continue|go on/i }).first().click();
  assert.equal((await atApp(page, stage.app)).sub, sub);
  nothingFound(findings);
  await context.close();
});

test('Cora 13: in the domain and not assigned, Linus reads whom to ask', async () => {
  const { page, context, findings } = await newPage(stage.browser);
  await type(page, 'linus@acme.test');
  await atOkta(page, okta, 'linus@acme.test');
  await page.waitForURL((url) => url.origin === stage.origin);
  const told = await shown(page);
  assert.match(told, /assign/i);
  const [code] = /\b[0-9A-Z]{3}-[0-9A-Z]{3}\b/.exec(told) ?? assert.fail(told);
  assert.match(JSON.stringify(await stage.json('trace', 'show', code)), /user_not_assigned|access_denied/);
  nothingFound(findings);
  await context.close();
});

test('Cora 26: Google is closed to who has moved, with a page that leads on', async () => {
  const { page, context, findings } = await newPage(stage.browser);
  await page.goto(`${stage.app.origin}/sign-in`);
  await page.getByRole('link', { name: 'Continue with Google' }).click();
  await atOkta(page, google);
  await page.getByRole('heading', { name: 'Your organisation signs in another way now' }).waitFor();
  await accessible(page);
  await screenshot(page, 'setups/cora-moved');
  await page.locator('main a.button').first().click();
  await atOkta(page, okta);
  assert.equal((await atApp(page, stage.app)).sub, byGoogle.sub, 'no twin');
  nothingFound(findings);
  await context.close();
  assert.deepEqual(stage.unfollowed(), []);
});
