// oidc-client-ts in Chromium: a single-page app, a public client, everything across origins.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { launch, newPage, nothingFound, screenshot } from '../support/chromium.mjs';
import { CALLBACK, SIGNED_OUT, SPA, startDemo } from '../support/demo.mjs';

let demo, browser, site;

before(async () => {
  demo = await startDemo();
  browser = await launch();
  const library = createRequire(import.meta.url).resolve('oidc-client-ts').replace(/\/dist\/.*/, '/dist/browser/oidc-client-ts.min.js');
  const files = {
    '/oidc-client-ts.js': ['text/javascript', readFileSync(library)],
    '/settings.json': ['application/json', JSON.stringify({
      authority: demo.issuer,
      client_id: SPA.id,
      redirect_uri: CALLBACK,
      post_logout_redirect_uri: SIGNED_OUT,
      scope: 'openid email profile',
      loadUserInfo: true,
      automaticSilentRenew: false,
      extraQueryParams: { identity_provider: 'acme-okta' },
    })],
  };
  const html = readFileSync(new URL('./oidc-client-ts.html', import.meta.url));
  site = createServer((request, response) => {
    const { pathname } = new URL(request.url, SIGNED_OUT);
    const [type, body] = files[pathname] ?? ['text/html; charset=utf-8', html];
    response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' });
    response.end(body);
  });
  site.listen(9999, '127.0.0.1');
  await once(site, 'listening');
});

after(async () => {
  await browser?.close();
  site?.closeAllConnections();
  site?.close();
  await demo?.stop();
});

test('signs in, reads userinfo, renews by refresh token, signs out', async () => {
  const { page, context, findings } = await newPage(browser);
  const state = async (holding) => {
    await page.waitForFunction((text) => document.getElementById('state')?.textContent.includes(text), holding)
      .catch(async () => assert.fail(`no “${holding}” at ${page.url()}:\n${await page.textContent('body')}`));
    return page.textContent('#state');
  };
  await page.goto(SIGNED_OUT);
  await state('signed out');
  await page.click('#in');
  await page.fill('input[name=username]', 'grace@acme.test');
  await page.fill('input[name=password]', 'demo');
  await page.keyboard.press('Enter');

  const first = JSON.parse(await state('access_token'));
  assert.equal(first.profile.email, 'grace@acme.test');
  assert.equal(first.profile.iss, demo.issuer);
  assert.ok(first.profile['cognito:groups'].includes('Finance'), JSON.stringify(first.profile));
  // `username` is what only our userinfo says: loadUserInfo merged it.
  assert.match(first.profile.username, /^acme-okta_/);
  assert.ok(first.refresh_token);
  await screenshot(page, 'spa-signed-in');

  const requests = [];
  page.on('request', (request) => requests.push(`${request.method()} ${new URL(request.url()).pathname} ${request.postData() ?? ''}`));
  await page.click('#renew');
  await page.waitForFunction((old) => {
    const text = document.getElementById('state').textContent;
    return text.includes('failed') || (text.includes('access_token') && !text.includes(old));
  }, first.access_token);
  const renewed = JSON.parse(await state('access_token'));
  assert.notEqual(renewed.access_token, first.access_token);
  assert.equal(renewed.profile.sub, first.profile.sub);
  assert.ok(requests.some((r) => /^POST \/oauth2\/token .*grant_type=refresh_token/.test(r)), requests.join('\n'));

  await page.click('#out');
  await state('signed out with bye');
  assert.equal(new URL(page.url()).origin, SIGNED_OUT);

  // Our session is gone with it.
  await page.evaluate(() => void globalThis.manager.signinRedirect({ prompt: 'none' }));
  assert.match(await state('failed'), /login_required/);
  nothingFound(findings);
  await context.close();
});
