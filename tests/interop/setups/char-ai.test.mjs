// Char AI's page: a page of the customer's own, whose people are signed in at Okta, brings the ID token in one call. The snippet
// is the page's, in Chromium, with a library of the same shape in place of Okta Auth JS. The numbers are those of the lines in
// the table at the end of src/setups/char_ai.md.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { newPage, nothingFound, screenshot } from '../support/chromium.mjs';
import { freePorts } from '../support/process.mjs';
import { atOkta, setUp, shown } from '../support/setup.mjs';

const [PRODUCTION, PREVIEW, OTHER] = ['0oa1widgetofacme0001', '0oa2widgetofacme0002', '0oa3otherofacme00003'];
const WIDGET = 'widget00000000000000000001';

let stage, okta, preview, host, site, ada, sub;
before(async () => {
  const [port] = await freePorts(1);
  host = `http://127.0.0.1:${port}`;
  const library = createRequire(import.meta.url).resolve('oidc-client-ts').replace(/\/dist\/.*/, '/dist/browser/oidc-client-ts.min.js');
  const html = readFileSync(new URL('./char-ai.html', import.meta.url));
  site = createServer((request, response) => {
    const script = request.url === '/oidc-client-ts.js';
    response.writeHead(200, { 'content-type': script ? 'text/javascript' : 'text/html; charset=utf-8' });
    response.end(script ? readFileSync(library) : html);
  });
  // At 127.0.0.1, which the connection knows, and at localhost, another origin.
  site.listen(port);
  await once(site, 'listening');
  const spa = (client_id) => ({ client_id, token_endpoint_auth_method: 'none', redirect_uris: [`${host}/callback`] });
  stage = await setUp('char_ai', {
    oktas: 2, fat: true,
    clients: () => [[spa(PRODUCTION), spa(OTHER)], [spa(PREVIEW)]],
    hosts: ({ origin, okta }) => ({
      'https://login.example.com': origin, 'https://host.example.com': host, 'acme.okta.com': okta[0].issuer,
      'acme.oktapreview.com': okta[1].issuer, 'acme.example': 'acme.test',
    }),
  });
  [okta, preview] = stage.okta;
});
after(async () => {
  await stage?.stop();
  site?.closeAllConnections();
  site?.close();
});

/** Signs Ada in at the host's page, at that Okta and for that app of it. */
async function signedIn(from, client) {
  const opened = await newPage(stage.browser);
  await opened.page.goto(`${host}/?${new URLSearchParams({ okta: from.issuer, client })}`);
  await opened.page.getByRole('button', { name: 'Sign in at Okta' }).click();
  await atOkta(opened.page, from);
  await opened.page.getByText('ada@acme.test').waitFor();
  // The snippet is at hand in the page, as it stands in the documentation.
  await opened.page.addScriptTag({ content: stage.snippet('js') });
  return opened;
}

const idToken = (page) => page.evaluate(async () =>
  (await globalThis.oktaAuth.token.getWithoutPrompt({ scopes: ['openid', 'profile', 'email'], nonce: 'of-the-page' })).tokens.idToken.idToken);

/** The one call by a page, with any token: status and body; `unread` where the browser does not let the page have the answer. */
const bring = (page, subject_token, more = {}) => page.evaluate(async ([url, fields]) => {
  const answer = await fetch(url, { method: 'POST', body: new URLSearchParams(fields) }).catch(() => undefined);
  return answer ? { status: answer.status, ...await answer.json() } : 'unread';
}, [`${stage.origin}/oauth2/token`, {
  grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange', client_id: WIDGET,
  subject_token_type: 'urn:ietf:params:oauth:token-type:id_token', subject_token, ...more,
}]);

const claims = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));

async function refusedAs(code, answer, status = 400) {
  assert.equal(answer.code, code, JSON.stringify(answer));
  assert.equal(answer.status, status);
  assert.ok(answer.error && answer.error_description.startsWith(code), JSON.stringify(answer));
  const trace = JSON.stringify(await stage.json('trace', 'show', answer.trace));
  assert.ok(trace.toUpperCase().includes(code), trace);
  return trace;
}

test('Char 2 to 4, 14: two connections without a secret, tested without a sign-in', async () => {
  await stage.follow('What there is before');
  const told = await stage.follow('Provider type, client ID, domain');
  assert.match(told, /discovery[\s\S]*jwks/);
  assert.doesNotMatch(told, /idpresponse/, 'nothing to paste into Okta');
  await stage.follow('The widget\'s client');
});

test('Char 1, 15, 17: the page\'s snippet gets our tokens for Okta\'s, without a redirect', async () => {
  ada = await signedIn(okta, PRODUCTION);
  const before = ada.page.url();
  const tokens = await ada.page.evaluate(() => globalThis.tokensOfTheWidget(globalThis.oktaAuth));
  assert.equal(ada.page.url(), before);
  const issuer = `${stage.origin}/us-local-1_Customers`;
  const { payload } = await jwtVerify(tokens.id_token, createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`)), { issuer, audience: WIDGET });
  assert.deepEqual([payload.email, payload.email_verified, payload['custom:tenant_id']], ['ada@acme.test', true, 'acme']);
  assert.equal(payload.identities[0].providerName, 'acme-widget');
  assert.equal(tokens.refresh_token, undefined);
  sub = payload.sub;
});

test('Char 12: renewed by a fresh token, she is the same user', async () => {
  const again = await ada.page.evaluate(() => globalThis.tokensOfTheWidget(globalThis.oktaAuth));
  assert.equal(claims(again.id_token).sub, sub);
});

test('Char 6, 7, 11: replayed, or with another nonce', async () => {
  const token = await idToken(ada.page);
  await refusedAs('NONCE_MISMATCH', await bring(ada.page, token, { nonce: 'of-somebody-else' }));
  assert.equal((await bring(ada.page, token)).status, 200);
  await refusedAs('TOKEN_REPLAYED', await bring(ada.page, token));
});

test('Char 5 to 8: of another Okta, of another app, changed on its way, no ID token at all', async () => {
  const [header, payload, signature] = (await idToken(ada.page)).split('.');
  const altered = (changes) => Buffer.from(JSON.stringify({ ...claims(`.${payload}`), ...changes })).toString('base64url');
  const stranger = 'https://evil.example';
  const trace = await refusedAs('INVALID_ISSUER', await bring(ada.page, `${header}.${altered({ iss: stranger })}.${signature}`));
  assert.ok(trace.includes(stranger) && trace.includes(okta.issuer), 'expected and received');
  const access = { aud: 'api://default', scp: ['openid'], cid: PRODUCTION };
  await refusedAs('WRONG_TOKEN_TYPE', await bring(ada.page, `${header}.${altered(access)}.${signature}`));
  await refusedAs('INVALID_SIGNATURE', await bring(ada.page, `${header}.${altered({ name: 'Somebody' })}.${signature}`));
  await refusedAs('MALFORMED_TOKEN', await bring(ada.page, 'an-opaque-access-token'));
  const other = await signedIn(okta, OTHER);
  await refusedAs('INVALID_AUDIENCE', await bring(other.page, await idToken(other.page)));
  await other.context.close();
});

test('Char 1: a page of another origin does not get to read the answer', async () => {
  const token = await idToken(ada.page);
  const elsewhere = await newPage(stage.browser);
  await elsewhere.page.goto(`${host.replace('127.0.0.1', 'localhost')}/?okta=x&client=x`);
  assert.equal(await bring(elsewhere.page, token), 'unread');
  await elsewhere.context.close();
  const console = await stage.console('/console/traces');
  assert.match(await shown(console.page), /ORIGIN_NOT_ALLOWED/i);
  await screenshot(console.page, 'setups/char-ai-traces');
  await console.context.close();
});

test('Char 13, 14: the preview organisation works beside it; when its keys cannot be had, production goes on', async () => {
  const inPreview = await signedIn(preview, PREVIEW);
  const token = await idToken(inPreview.page);
  await preview.stop();
  await refusedAs('JWKS_FETCH_FAILED', await bring(inPreview.page, token), 503);
  await inPreview.context.close();
  const tokens = await ada.page.evaluate(() => globalThis.tokensOfTheWidget(globalThis.oktaAuth));
  assert.equal(claims(tokens.id_token).sub, sub);
  nothingFound(ada.findings.filter((finding) => !finding.includes('a status of 503')));
  await ada.context.close();
  stage.okta.pop();
  assert.deepEqual(stage.unfollowed(), []);
});
