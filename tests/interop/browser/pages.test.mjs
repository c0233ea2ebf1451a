// The broker's own pages in Chromium: light and dark, narrow and wide, by keyboard, without JavaScript, under axe-core and
// their own strict policy.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { accessible, fits, launch, newPage, nothingFound, screenshot } from '../support/chromium.mjs';
import { CALLBACK, WEB, startDemo } from '../support/demo.mjs';

let demo, browser;
before(async () => { demo = await startDemo(); browser = await launch(); });
after(async () => { await browser?.close(); await demo?.stop(); });

const SCHEMES = ['light', 'dark'];
const WINDOWS = { narrow: { width: 360, height: 740 }, wide: { width: 1280, height: 800 } };

const authorize = (extra = {}) => `${demo.origin}/oauth2/authorize?${new URLSearchParams({
  response_type: 'code', client_id: WEB.id, redirect_uri: CALLBACK, scope: 'openid email', state: 's', ...extra,
})}`;

const PAGES = {
  login: { url: () => authorize(), status: 200 },
  'unknown-app': { url: () => authorize({ client_id: 'nobodyknowsthisone00000001' }), status: 400 },
  'redirect-mismatch': { url: () => authorize({ redirect_uri: 'https://evil.example/callback' }), status: 400 },
  'unknown-connection': { url: () => authorize({ identity_provider: 'nobody-okta' }), status: 401 },
  'unknown-domain': { url: () => authorize(), status: 200, email: 'someone@nowhere.test' },
  'stray-callback': { url: () => `${demo.origin}/oauth2/idpresponse/acme-okta?code=x&state=y`, status: 403 },
  'signed-out': { url: () => `${demo.origin}/logout`, status: undefined },
};

for (const [name, { url, status, email }] of Object.entries(PAGES)) {
  for (const colorScheme of SCHEMES) {
    for (const [width, viewport] of Object.entries(WINDOWS)) {
      test(`${name}, ${colorScheme}, ${width}`, async () => {
        const { page, context, findings } = await newPage(browser, { colorScheme, viewport });
        const response = await page.goto(url());
        if (status) assert.equal(response.status(), status);
        if (email) {
          await page.fill('input[type=email]', email);
          await page.keyboard.press('Enter');
          await page.getByRole('alert').first().waitFor();
        }
        assert.equal(new URL(page.url()).origin, demo.origin);
        await screenshot(page, `${name}-${colorScheme}-${width}`);
        assert.match(await page.title(), /\S/);
        await fits(page);
        await accessible(page);
        nothingFound(findings);
        await context.close();
      });
    }
  }
}

test('the two colour schemes differ', async () => {
  const backgrounds = await Promise.all(SCHEMES.map(async (colorScheme) => {
    const { page, context } = await newPage(browser, { colorScheme });
    await page.goto(authorize());
    const colours = await page.evaluate(() => [document.documentElement, document.body].map((e) => getComputedStyle(e).backgroundColor).join());
    await context.close();
    return colours;
  }));
  assert.notEqual(backgrounds[0], backgrounds[1]);
});

test('every page forbids inline script, framing and sniffing', async () => {
  for (const { url } of Object.values(PAGES)) {
    const { headers, status } = await fetch(url(), { redirect: 'follow' });
    const policy = headers.get('content-security-policy') ?? '';
    assert.match(policy, /default-src 'none'/, `${url()} (${status}): ${policy}`);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.doesNotMatch(policy, /unsafe-inline|unsafe-eval/);
    // Only where a form may end is wide: at the app, by way of any organisation's Okta.
    for (const kind of ['script-src', 'style-src', 'img-src']) assert.match(policy, new RegExp(`${kind} 'self';`), policy);
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.match(headers.get('referrer-policy') ?? '', /no-referrer|same-origin|strict-origin/);
    assert.match(headers.get('cache-control') ?? '', /no-store/);
  }
});

test('by keyboard alone: Tab to the connection, Enter, and the focus is always to be seen', async () => {
  const { page, context, findings } = await newPage(browser);
  await page.goto(authorize());
  let reached = false;
  for (let i = 0; i < 15 && !reached; i++) {
    await page.keyboard.press('Tab');
    const focus = await page.evaluate(() => {
      const style = getComputedStyle(document.activeElement);
      return {
        tag: document.activeElement.tagName, text: document.activeElement.textContent,
        seen: (style.outlineStyle !== 'none' && style.outlineWidth !== '0px') || style.boxShadow !== 'none',
      };
    });
    assert.ok(focus.seen, `the focus on ${focus.tag} “${focus.text.trim()}” does not show`);
    reached = /acme/i.test(focus.text) && ['A', 'BUTTON'].includes(focus.tag);
  }
  assert.ok(reached, 'Tab never reached the acme connection');
  await screenshot(page, 'login-focus');
  await page.keyboard.press('Enter');
  await page.waitForURL((url) => url.origin === demo.acme);
  nothingFound(findings);
  await context.close();
});

test('without JavaScript: the button, and the email field', async () => {
  const { page, context } = await newPage(browser, { javaScriptEnabled: false });
  await page.goto(authorize());
  await page.locator('a, button').filter({ hasText: /acme/i }).first().click();
  await page.waitForURL((url) => url.origin === demo.acme);
  await page.goto(authorize());
  await page.fill('input[type=email]', 'hank@globex.test');
  await page.locator('form:has(input[type=email]) button').first().click();
  await page.waitForURL((url) => url.origin === demo.globex);
  await context.close();
});

test('without JavaScript: a form_post answer offers its button', async () => {
  const { page, context } = await newPage(browser, { javaScriptEnabled: false });
  await page.goto(authorize({ identity_provider: 'acme-okta', response_mode: 'form_post' }));
  await page.fill('input[name=username]', 'ada@acme.test');
  await page.fill('input[name=password]', 'demo');
  await page.keyboard.press('Enter');
  await page.waitForURL((url) => url.origin === demo.origin);
  await screenshot(page, 'form-post-without-javascript');
  assert.equal(await page.getAttribute('form', 'action'), CALLBACK);
  assert.ok(await page.locator('form button').isVisible());
  await context.close();
});

test('with JavaScript: a form_post answer posts itself', async () => {
  const { page, context, findings } = await newPage(browser);
  let posted;
  await page.route(`${CALLBACK}**`, async (route) => {
    posted = { method: route.request().method(), body: route.request().postData() };
    await route.fulfill({ status: 200, contentType: 'text/plain', body: 'received' });
  });
  await page.goto(authorize({ identity_provider: 'acme-okta', response_mode: 'form_post' }));
  await page.fill('input[name=username]', 'ada@acme.test');
  await page.fill('input[name=password]', 'demo');
  await page.keyboard.press('Enter');
  await page.waitForURL(`${CALLBACK}**`);
  assert.equal(posted.method, 'POST');
  const answer = new URLSearchParams(posted.body);
  assert.ok(answer.get('code'));
  assert.equal(answer.get('state'), 's');
  assert.equal(answer.get('iss'), demo.issuer);
  nothingFound(findings);
  await context.close();
});
