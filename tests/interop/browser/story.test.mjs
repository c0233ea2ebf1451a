// The story a newcomer lives through, in Chromium: the demo's app, Okta SSO, signed in, signed out; and what a person meets
// who is not assigned to the app.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { accessible, launch, newPage, nothingFound, screenshot } from '../support/chromium.mjs';
import { startDemo } from '../support/demo.mjs';

let demo, browser;
before(async () => { demo = await startDemo(); browser = await launch(); });
after(async () => { await browser?.close(); await demo?.stop(); });

/** What a person would click: a link or button that shows this text. */
const control = (page, text) => page.locator('a:visible, button:visible, input[type=submit]:visible').filter({ hasText: text }).first();

async function okta(page, person) {
  await page.waitForURL((url) => url.origin === demo.acme);
  await page.fill('input[name=username]', person);
  await page.fill('input[name=password]', 'demo');
  await page.keyboard.press('Enter');
}

test('ada signs in through Okta SSO, uses the app and signs out', async () => {
  const { page, context, findings } = await newPage(browser);
  await page.goto(demo.app);
  await screenshot(page, '01-app');
  await accessible(page);
  await control(page, /sign in/i).click();
  await page.waitForURL((url) => url.origin === demo.origin);
  await screenshot(page, '02-login');
  await control(page, /Okta SSO.*acme|acme.*Okta SSO/is).click();
  await page.waitForURL((url) => url.origin === demo.acme);
  await screenshot(page, '03-okta');
  await accessible(page);
  await okta(page, 'ada@acme.test');

  await page.waitForURL((url) => url.origin === demo.app);
  const shown = await page.innerText('body');
  for (const expected of ['ada@acme.test', 'token_use', 'cognito:username', 'cognito:groups', 'Engineering', demo.issuer]) {
    assert.ok(shown.includes(expected), `the app should show ${expected}:\n${shown}`);
  }
  await screenshot(page, '04-app-signed-in');
  await accessible(page);

  await control(page, /user ?info/i).click();
  await page.waitForLoadState();
  assert.match(await page.innerText('body'), /"?username"?[:\s]+"?acme-okta_/);
  await screenshot(page, '05-app-userinfo');
  await accessible(page);

  await page.goto(demo.app);
  await control(page, /refresh/i).click();
  await page.waitForLoadState();
  assert.match(await page.innerText('body'), /ada@acme\.test/);
  await screenshot(page, '06-app-refreshed');

  await control(page, /sign out/i).click();
  await page.waitForURL((url) => url.origin === demo.app);
  assert.ok(await control(page, /sign in/i).isVisible());
  assert.ok(!(await page.innerText('body')).includes('token_use'));
  await screenshot(page, '07-app-signed-out');
  await accessible(page);
  nothingFound(findings);
  await context.close();
});

test('linus, who is not assigned, learns why and can sign in as someone else', async () => {
  const { page, context, findings } = await newPage(browser);
  await page.goto(demo.app);
  await control(page, /sign in/i).click();
  await control(page, /acme/i).click();
  await okta(page, 'linus@acme.test');

  await page.waitForURL((url) => url.origin === demo.origin);
  const shown = await page.innerText('main');
  assert.match(shown, /administrator|admin/i);
  assert.match(shown, /assign/i);
  assert.match(shown, /\b[0-9A-Z]{3}-[0-9A-Z]{3}\b/);
  await accessible(page);
  await screenshot(page, '08-not-assigned');

  await control(page, /someone else|another|different/i).click();
  await screenshot(page, '09-someone-else');
  if (new URL(page.url()).origin === demo.origin) await control(page, /acme/i).click();
  await okta(page, 'ada@acme.test');
  await page.waitForURL((url) => url.origin === demo.app);
  assert.match(await page.innerText('body'), /ada@acme\.test/);
  nothingFound(findings);
  await context.close();
});

test('hank of the other organisation gets there by his email address', async () => {
  const { page, context, findings } = await newPage(browser);
  await page.goto(demo.app);
  await control(page, /sign in/i).click();
  await page.fill('input[type=email]', 'hank@globex.test');
  await page.keyboard.press('Enter');
  await page.waitForURL((url) => url.origin === demo.globex);
  // His address came along as the login hint.
  assert.equal(await page.inputValue('input[name=username]'), 'hank@globex.test');
  await page.fill('input[name=password]', 'demo');
  await page.keyboard.press('Enter');
  await page.waitForURL((url) => url.origin === demo.app);
  assert.match(await page.innerText('body'), /globex-okta_/);
  nothingFound(findings);
  await context.close();
});
