// The whole console by keyboard alone: every control of every page is reached by Tab, shows that it is, and lets go again.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, newPage, nothingFound, screenshot } from '../../support/chromium.mjs';
import { OPERATOR, crawl, enter } from '../../support/console.mjs';
import { startDemo } from '../../support/demo.mjs';

let demo, browser;
before(async () => { demo = await startDemo(); browser = await launch(); });
after(async () => { await browser?.close(); await demo?.stop(); });

/** Presses Tab until `wanted` (a locator) has the focus. */
async function tabTo(page, wanted, most = 80) {
  for (let i = 0; i < most; i++) {
    await page.keyboard.press('Tab');
    if (await wanted.evaluate((element) => element === document.activeElement).catch(() => false)) return;
  }
  assert.fail(`${most} times Tab on ${page.url()} never reached ${wanted}`);
}

/** Tab from the top of the page to its end: what was passed, what was left out, and what did not show its focus. */
async function walk(page) {
  const count = await page.evaluate(() => {
    const controls = 'a[href], button, input, select, textarea, summary, [tabindex]';
    const reachable = (element) => element.tabIndex >= 0 && !element.disabled && element.type !== 'hidden'
      && element.checkVisibility({ visibilityProperty: true })
      // Of radio buttons that belong together Tab reaches one.
      && !(element.type === 'radio' && element.name && element !== (document.querySelector(`input[type=radio][name="${CSS.escape(element.name)}"]:checked`)
        ?? document.querySelector(`input[type=radio][name="${CSS.escape(element.name)}"]`)));
    globalThis.left = new Set([...document.querySelectorAll(controls)].filter(reachable));
    globalThis.unseen = [];
    document.addEventListener('focusin', ({ target }) => {
      globalThis.left.delete(target);
      const style = getComputedStyle(target);
      const shows = (style.outlineStyle !== 'none' && style.outlineWidth !== '0px') || style.boxShadow !== 'none';
      const box = target.getBoundingClientRect();
      if (!shows || box.bottom <= 0 || box.top >= innerHeight) globalThis.unseen.push(target.outerHTML.slice(0, 200));
    });
    return globalThis.left.size;
  });
  // More than there are: a date has four stops, and what scrolls is a stop of its own.
  for (let i = 0; i < 2 * count + 20; i++) {
    await page.keyboard.press('Tab');
    if (i >= count - 1 && await page.evaluate(() => globalThis.left.size === 0)) break;
  }
  return page.evaluate(() => ({ left: [...globalThis.left].map((element) => element.outerHTML.slice(0, 200)), unseen: globalThis.unseen }));
}

test('sign in, skip to the content, go by the menu to a connection and back', async () => {
  const { page, context, findings } = await newPage(browser);
  await page.goto(`${demo.origin}/console/connections`);
  await tabTo(page, page.getByLabel('Email address'));
  await page.keyboard.type(OPERATOR.email);
  await tabTo(page, page.getByLabel('Password'));
  await page.keyboard.type(OPERATOR.password);
  await page.keyboard.press('Enter');
  await page.waitForURL(`${demo.origin}/console/connections`);

  await page.keyboard.press('Tab');
  const skip = page.getByRole('link', { name: 'Skip to the content' });
  assert.ok(await skip.evaluate((link) => link === document.activeElement), 'the first Tab reaches the skip link');
  await screenshot(page, 'console/keyboard-skip-link');
  await page.keyboard.press('Enter');
  assert.ok(await page.locator('#main').evaluate((main) => main === document.activeElement));
  await page.keyboard.press('Tab');
  assert.ok(await page.evaluate(() => document.activeElement.closest('#main')), 'after the skip link Tab goes on in the content');

  await tabTo(page, page.getByRole('table').getByRole('link', { name: /acme/i }).first());
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/console\/connections\/[^/?]+/);
  await tabTo(page, page.getByRole('navigation', { name: 'Console' }).getByRole('link', { name: 'Sign-ins' }));
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/console\/traces/);
  nothingFound(findings);
  await context.close();
});

test('on a narrow screen Enter opens the menu, Escape closes it, and its links lead on', async () => {
  const { page, context, findings } = await newPage(browser, { viewport: { width: 360, height: 740 } });
  await enter(page, demo.origin, OPERATOR);
  const menu = page.getByRole('button', { name: 'Menu' });
  const users = page.getByRole('navigation', { name: 'Console' }).getByRole('link', { name: 'Users' });
  assert.ok(!(await users.isVisible()));
  await tabTo(page, menu);
  await page.keyboard.press('Enter');
  await users.waitFor();
  await screenshot(page, 'console/keyboard-menu');
  await page.keyboard.press('Escape');
  await users.waitFor({ state: 'hidden' });
  await page.keyboard.press('Space');
  await tabTo(page, users, 12);
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/console\/users/);
  nothingFound(findings);
  await context.close();
});

test('on every page Tab reaches every control, shows where it is, and never gets caught', async () => {
  const { page, context, findings } = await newPage(browser);
  await enter(page, demo.origin, OPERATOR);
  const problems = {};
  const visited = await crawl(page, demo.origin, async (_, kind) => {
    const { left, unseen } = await walk(page);
    if (left.length || unseen.length) problems[kind] = { left, unseen };
  });
  assert.ok(visited.length > 20, `only ${visited.join(' ')}`);
  assert.deepEqual(problems, {});
  nothingFound(findings);
  await context.close();
});
