// Every page of the console that a link leads to, as the operator and as a tenant's admin: axe-core in both colour schemes
// and two widths, screenshots in four sizes, no sideways scrolling, and nothing runs of the markup that stands in every name,
// claim and parameter.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Browser } from '../../support/browser.mjs';
import { accessible, fits, launch, newPage, nothingFound, screenshot } from '../../support/chromium.mjs';
import { ACME_ADMIN, OPERATOR, crawl, enter, enterQuickly, fileName, misbehave } from '../../support/console.mjs';
import { CALLBACK, POOL, WEB, okta, signIn, startDemo } from '../../support/demo.mjs';

const SIZES = [{ width: 360, height: 740 }, { width: 768, height: 1024 }, { width: 1280, height: 800 }, { width: 1920, height: 1080 }];

/** Would run if a page took it for markup, and would be seen if it did. */
const CANARY = '"><img src=x onerror=alert(1)><script>alert(2)</script>';

let demo, browser;
before(async () => {
  demo = await startDemo({ faults: true });
  browser = await launch();
  await nameThingsAfterCanaries();
  await signInWithCanaries();
});
after(async () => { await browser?.close(); await demo?.stop(); });

/** Tenants, an administrator, a button and a note on a mapping that are called like the canary; pools and app clients may not be. */
async function nameThingsAfterCanaries() {
  const operator = await enterQuickly(demo.origin, OPERATOR);
  const make = async (path, values) => {
    const form = await operator.open(`${demo.origin}/console/${path}`);
    const made = await operator.submit(form, values);
    assert.equal(made.status, 200, `${path} was refused: ${made}`);
  };
  await make(`pools/${POOL}/tenants/new`, { name: CANARY, id: 'canary' });
  await make(`pools/${POOL}/tenants/acme`, { name: CANARY });
  await make('administrators/invite', { name: CANARY, email: 'canary@forebay.test', role: 'viewer', scope: 'tenant:acme' });

  const admin = await enterQuickly(demo.origin, ACME_ADMIN);
  const settings = await admin.open(`${demo.origin}/console/connections/acme-okta/settings`);
  assert.equal((await admin.submit(settings, { label: CANARY })).status, 200);
  const editor = await admin.open(`${demo.origin}/console/connections/acme-okta/mapping`);
  const isSave = (button) => button.value === 'save';
  const form = editor.forms.find((f) => f.buttons.some(isSave));
  assert.equal((await admin.send(editor, form, { note: CANARY }, form.buttons.find(isSave))).status, 200);
}

/** Sign-ins that work and that fail, with the canary in every claim and every parameter that anybody may choose. */
async function signInWithCanaries() {
  const claims = { name: CANARY, given_name: CANARY, nickname: CANARY, department: CANARY, preferred_username: CANARY, groups: ['Everyone', CANARY] };
  const parameters = (more) => new URLSearchParams({
    response_type: 'code', client_id: WEB.id, redirect_uri: CALLBACK, scope: 'openid email', state: CANARY, nonce: CANARY,
    identity_provider: 'acme-okta', ...more,
  });
  await misbehave(demo.acme, { id_token: [{ set: claims }], userinfo: [{ set: claims }] });
  await signIn(`${demo.origin}/oauth2/authorize?${parameters()}`);
  const guest = () => new Browser({ stopAt: [CALLBACK] });
  for (const fault of [{ error: { error: 'server_error', description: CANARY } }, { error: { error: CANARY, description: CANARY } }, { iss: CANARY }]) {
    await misbehave(demo.acme, { authorize: [fault] });
    const person = guest();
    const page = await person.open(`${demo.origin}/oauth2/authorize?${parameters({ login_hint: `${CANARY}@acme.test` })}`);
    if (page.url.origin === demo.acme) await okta(person, page);
  }
  await misbehave(demo.acme);
  for (const odd of [{ client_id: CANARY }, { redirect_uri: CANARY }, { scope: CANARY }, { identity_provider: CANARY }, { prompt: CANARY }]) {
    await guest().open(`${demo.origin}/oauth2/authorize?${parameters(odd)}`);
  }
  await guest().open(`${demo.origin}/oauth2/idpresponse/acme-okta?${new URLSearchParams({ code: CANARY, state: CANARY, error: CANARY })}`);
}

/** One page in all its forms; the page stays as it is, only the window changes (and without motion, at once). */
async function look(page, name) {
  for (const viewport of SIZES) {
    await page.setViewportSize(viewport);
    await fits(page);
    await screenshot(page, `console/${name}-${viewport.width}`);
  }
  await accessible(page);
  // Of the rules only these depend on the scheme or the width.
  await page.emulateMedia({ colorScheme: 'dark' });
  await accessible(page, ['color-contrast']);
  await screenshot(page, `console/${name}-dark`);
  await page.setViewportSize(SIZES[0]);
  await accessible(page, ['color-contrast', 'target-size', 'scrollable-region-focusable']);
  await page.emulateMedia({ colorScheme: 'light' });
  await accessible(page, ['color-contrast']);
}

// The two walk at once, for a machine has more than one core.
describe('every page', { concurrency: 2 }, () => {
  for (const [name, who] of [['operator', OPERATOR], ['tenant', ACME_ADMIN]]) {
    test(`those of the ${name}`, async () => {
      const { page, context, findings } = await newPage(browser, { reducedMotion: 'reduce' });
      await enter(page, demo.origin, who);
      const problems = [];
      let canaries = 0;
      const visited = await crawl(page, demo.origin, async (_, kind) => {
        try {
          assert.equal(await page.locator('img[src="x"]').count(), 0, 'the canary became markup');
          canaries += (await page.content()).includes('&lt;img src=x');
          await look(page, `${name}-${fileName(kind)}`);
        } catch (error) {
          problems.push(`${page.url()}\n${error.message}`);
        }
      });
      assert.ok(visited.length > 15, `only ${visited.join(' ')}`);
      assert.equal(problems.join('\n\n'), '');
      assert.ok(canaries > 4, `the canary was seen on ${canaries} pages only`);
      nothingFound(findings);
      await context.close();
    });
  }
});

test('what is searched for and asked for stays text', async () => {
  const { page, context, findings } = await newPage(browser);
  await enter(page, demo.origin, OPERATOR);
  for (const room of ['connections', 'traces', 'users', 'pools', 'clients', 'audit', 'administrators']) {
    for (const query of [{ q: CANARY, done: CANARY }, { after: CANARY }, { pool: CANARY, tenant: CANARY, state: CANARY, from: CANARY }]) {
      const answer = await page.goto(`${demo.origin}/console/${room}?${new URLSearchParams(query)}`);
      assert.ok(answer.status() < 500, `${page.url()} answers ${answer.status()}`);
      assert.equal(await page.locator('img[src="x"]').count(), 0);
    }
  }
  nothingFound(findings);
  await context.close();
});

test('the pages before the sign-in', async () => {
  const { page, context, findings } = await newPage(browser, { reducedMotion: 'reduce' });
  for (const path of ['sign-in', 'set-up/an-old-link', 'sign-in?next=%2Fconsole%2Fusers']) {
    await page.goto(`${demo.origin}/console/${path}`);
    await look(page, fileName(`/${path}`));
  }
  nothingFound(findings);
  await context.close();
});
