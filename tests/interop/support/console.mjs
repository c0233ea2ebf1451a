// The console as its people use it: who they are in the demo, how they come in, and every page that links lead to.

import assert from 'node:assert/strict';
import { Browser } from './browser.mjs';
import { POOL } from './demo.mjs';

export const OPERATOR = { email: 'operator@forebay.test', password: 'demo-operator-password' };
export const ACME_ADMIN = { email: 'admin@acme.test', password: 'demo-tenant-password' };
export const GLOBEX_ADMIN = { email: 'admin@globex.test', password: 'demo-tenant-password' };

/** Signs in on the console's own page, in Chromium. */
export async function enter(page, origin, who, next = '/console') {
  await page.goto(`${origin}${next}`);
  await page.waitForURL((url) => url.pathname === '/console/sign-in');
  await page.getByLabel('Email address').fill(who.email);
  await page.getByLabel('Password').fill(who.password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.waitForURL((url) => url.pathname !== '/console/sign-in');
}

/** The same without rendering: a browser that reads forms and links. */
export async function enterQuickly(origin, who) {
  const browser = new Browser();
  const form = await browser.open(`${origin}/console/sign-in`);
  const page = await browser.submit(form, { email: who.email, password: who.password });
  assert.equal(page.url.pathname, '/console', `the sign-in should end on the overview, not at ${page}`);
  return browser;
}

/** Tells a stand-in Okta what to do wrong from now on; nothing, without `faults`. The demo runs with `faults: true`. */
export async function misbehave(okta, faults = {}) {
  const answer = await fetch(`${okta}/_faults`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(faults),
  });
  assert.equal(answer.status, 200, await answer.text());
}

const NAMES = new Set([POOL, 'acme', 'globex', 'acme-okta', 'globex-okta', 'demo-api']);

// What a path is about, whatever the thing: `/console/connections/*/mapping?after`.
export function shape(url) {
  const { pathname, searchParams } = new URL(url);
  const words = pathname.split('/').map((word) => (NAMES.has(word) || /[^a-z-]/.test(decodeURIComponent(word)) ? '*' : word));
  const asked = [...new Set(searchParams.keys())].filter((key) => key !== 'done').sort();
  return words.join('/') + (asked.length ? `?${asked.join('&')}` : '');
}

/**
 * Opens the pages of the console that links lead to, one of each shape, and calls `visit(page, shape)` on each. A link to
 * something else than a page (an export) is only fetched. Answers the shapes.
 */
export async function crawl(page, origin, visit, { start = '/console', most = 200 } = {}) {
  const queue = [`${origin}${start}`];
  const seen = new Set([shape(queue[0])]);
  const visited = [];
  while (queue.length) {
    const url = queue.shift();
    const answer = await page.request.get(url);
    assert.ok(answer.ok(), `${url} answers ${answer.status()}`);
    if (!/^text\/html/.test(answer.headers()['content-type'] ?? '')) continue;
    await page.goto(url);
    await visit(page, shape(url));
    visited.push(shape(url));
    const links = await page.locator('a[href]').evaluateAll((found) => found.map((link) => link.href));
    for (const link of links.map((text) => text.replace(/#.*$/, ''))) {
      if (!link.startsWith(`${origin}/console`) || seen.has(shape(link))) continue;
      seen.add(shape(link));
      queue.push(link);
    }
    assert.ok(seen.size <= most, `more than ${most} kinds of pages: ${[...seen].join(' ')}`);
  }
  return visited;
}

/** A name for files: `console-connections-x-mapping`. */
export const fileName = (kind) => kind.slice(1).replace(/\*/g, 'x').replace(/[^a-z0-9-]+/gi, '-').replace(/-+$/, '');

/**
 * The wizard from the typed domain to being live, by whoever stands at `/console/connections/new`. `atOkta(page)` signs in there;
 * `pause(step)` is called with each page of it, `draft(strings)` with what is to be pasted into Okta.
 */
export async function connectOkta(page, { typed, issuer, name, clientId, secret, atOkta, draft = () => {}, app, pause = async () => {} }) {
  const press = (label) => page.getByRole('button', { name: label, exact: true }).click();
  await page.getByLabel('Okta domain or issuer').fill(typed);
  await press('Look it up');
  await page.getByRole('radio', { name: issuer }).first().check();
  await page.getByLabel('Name', { exact: true }).fill(name);
  await pause('issuer');
  await press('Make the draft');
  await page.locator('#redirect').waitFor();
  await pause('in-okta');
  await draft({ redirect: await page.locator('#redirect').innerText(), start: await page.locator('#start-1').innerText() });
  await page.getByRole('link', { name: 'Enter the credentials' }).click();
  await page.getByLabel('Client ID').fill(clientId);
  await page.locator('#client_secret').fill(secret);
  await press('Save');
  await press('Test connection');
  await page.getByText('Every stage passed').waitFor({ timeout: 30_000 });
  await pause('check');
  await page.getByRole('link', { name: 'Go on: test sign-in' }).click();
  await press('Sign in through Okta');
  await atOkta(page);
  await page.getByText('The test sign-in passed.').waitFor();
  await pause('test');
  await page.getByRole('link', { name: 'Go on: go live' }).click();
  if (app) await page.getByLabel(app).check();
  await press('Go live');
}
