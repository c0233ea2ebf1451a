// Two tenant admins who cannot see each other: every address and every form that one is shown, sent by the other.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, newPage, nothingFound, screenshot } from '../../support/chromium.mjs';
import { ACME_ADMIN, GLOBEX_ADMIN, enter, enterQuickly } from '../../support/console.mjs';
import { CALLBACK, WEB, signIn, startDemo } from '../../support/demo.mjs';

let demo, browser;
before(async () => {
  demo = await startDemo();
  browser = await launch();
  // Something of each to be seen: a user, a session, a trace.
  for (const person of ['ada@acme.test', 'hank@globex.test']) {
    const [, organisation] = person.split(/[@.]/);
    await signIn(`${demo.origin}/oauth2/authorize?${new URLSearchParams({
      response_type: 'code', client_id: WEB.id, redirect_uri: CALLBACK, scope: 'openid email', state: 's', identity_provider: `${organisation}-okta`,
    })}`, person);
  }
});
after(async () => { await browser?.close(); await demo?.stop(); });

/** All that an administrator is led to: the addresses, and the forms that change something, as they stand there. */
async function reach(who) {
  const guest = await enterQuickly(demo.origin, who);
  const queue = [`${demo.origin}/console`];
  const addresses = new Set(queue);
  const forms = new Map();
  let csrf;
  while (queue.length) {
    const page = await guest.open(queue.shift());
    assert.equal(page.status, 200, `${who.email} is led to ${page}`);
    if (!/^text\/html/.test(page.headers.get('content-type'))) continue;
    for (const form of page.forms.filter(({ method }) => method === 'POST')) {
      const action = new URL(form.action ?? page.url, page.url);
      csrf ??= form.fields.find(({ name }) => name === 'csrf')?.value;
      if (action.pathname !== '/console/sign-out') forms.set(action.pathname, form.fields);
    }
    for (const { href } of page.links) {
      const url = new URL(href, page.url);
      url.hash = '';
      if (url.origin !== demo.origin || !url.pathname.startsWith('/console') || addresses.has(url.href)) continue;
      addresses.add(url.href);
      queue.push(url.href);
    }
    assert.ok(addresses.size < 600, `no end: ${[...addresses].slice(-20).join('\n')}`);
  }
  return { guest, addresses, forms, csrf };
}

test('what one is shown does not exist for the other', async () => {
  const admins = { acme: await reach(ACME_ADMIN), globex: await reach(GLOBEX_ADMIN) };
  const nowhere = await admins.globex.guest.open(`${demo.origin}/console/connections/there-is-none`);
  assert.equal(nowhere.status, 404);
  for (const [mine, other] of [['acme', 'globex'], ['globex', 'acme']]) {
    const own = [...admins[mine].addresses].filter((address) => !admins[other].addresses.has(address));
    let hidden = 0;
    for (const address of own) {
      const page = await admins[other].guest.open(address);
      if (page.status === 404) {
        hidden++;
        assert.equal(page.text, nowhere.text, 'a 404 does not tell why');
      } else {
        // A list with a filter or a page of it: there, but without a trace of the other tenant.
        assert.doesNotMatch(page.text, new RegExp(`\\b${mine}\\b`, 'i'), `${other}'s admin sees ${page}`);
      }
    }
    assert.ok(hidden > 10, `${mine} has only ${hidden} addresses of its own: ${own.join('\n')}`);

    const { guest, csrf } = admins[other];
    const theirs = [...admins[mine].forms].filter(([path]) => !admins[other].forms.has(path));
    assert.ok(theirs.length > 5, `${mine} has only these forms of its own: ${theirs.map(([path]) => path).join(' ')}`);
    for (const [path, fields] of theirs) {
      const form = { action: `${demo.origin}${path}`, method: 'POST', fields, buttons: [] };
      const answer = await guest.send({ url: new URL(`${demo.origin}/console`) }, form, { csrf });
      assert.equal(answer.status, 404, `${other}'s admin sent a form to ${path} and got ${answer}`);
    }
  }
});

test('in Chromium: another tenant\'s connection is a page that does not exist, and lists hold one\'s own', async () => {
  const { page, context, findings } = await newPage(browser);
  await enter(page, demo.origin, ACME_ADMIN, '/console/connections');
  const own = page.getByRole('table').getByRole('link', { name: /acme/i }).first();
  const address = await own.evaluate((link) => link.href);
  assert.doesNotMatch(await page.innerText('main'), /globex/i);
  await context.clearCookies();
  await enter(page, demo.origin, GLOBEX_ADMIN, new URL(address).pathname);
  assert.ok(await page.getByRole('heading', { name: 'This page does not exist' }).isVisible());
  await screenshot(page, 'console/not-within-reach');
  for (const room of ['connections', 'traces', 'users', 'audit', 'administrators']) {
    await page.goto(`${demo.origin}/console/${room}`);
    assert.doesNotMatch(await page.innerText('main'), /acme|ada@/i, `${room} of globex's admin`);
  }
  nothingFound(findings);
  await context.close();
});
