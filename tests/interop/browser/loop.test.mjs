// Sign-ins by the hundred in Chromium, from the app by way of the broker to the stand-in Okta and back, by people who do what
// people do: go back, reload, submit twice, block cookies. Whatever page they end at says how to go on, and going on works.
// FOREBAY_SIGN_INS says how many; 1000 is the whole of fault F43.

import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { launch, newPage, nothingFound } from '../support/chromium.mjs';
import { startDemo } from '../support/demo.mjs';
import { scratch } from '../support/process.mjs';

const SIGN_INS = Number(process.env.FOREBAY_SIGN_INS ?? 30);
const PEOPLE = ['ada@acme.test', 'grace@acme.test'];
/** So many people sign in at a time. */
const LANES = 3;
/** A person who has taken so many steps is going round in circles. */
const STEPS = 8;

let demo, browser, folder;
/** Browsers whose person has forbidden cookies: to the broker, to the app, to everybody. */
const blocking = [];
before(async () => {
  [demo, browser, folder] = await Promise.all([startDemo(), launch(), scratch()]);
  const exception = (origin) => ({ content_settings: { exceptions: { cookies: { [`${origin},*`]: { setting: 2 } } } } });
  const profiles = [exception(demo.origin), exception(demo.app), { default_content_setting_values: { cookies: 2 } }];
  for (const [i, profile] of profiles.entries()) blocking.push(await launchWith(profile, join(folder.path, String(i))));
});
after(async () => {
  await Promise.all([browser, ...blocking].map((b) => b?.close()));
  await demo?.stop();
  await folder?.remove();
});

/** Chromium with a person's settings, which its contexts inherit: it really takes no cookies, not even on a redirect. */
async function launchWith(profile, directory) {
  await mkdir(join(directory, 'Default'), { recursive: true });
  await writeFile(join(directory, 'Default/Preferences'), JSON.stringify({ profile }));
  const context = await chromium.launchPersistentContext(directory, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  });
  return context.browser();
}

const seen = { pages: 0 };
/** What should never be, each with how often it was. */
const wrong = new Map();
const complain = (what) => wrong.set(what, (wrong.get(what) ?? 0) + 1);
const complaints = () => [...wrong].map(([what, times]) => `${times} times: ${what}`).join('\n\n');
/** Headings of the pages at which a sign-in stopped, each with how often. */
const deadEnds = new Map();
const looked = new Set();
let stuck = 0;

/** Somebody in a browser of their own, without cookies of anybody else's. */
async function someone(person, inBrowser = browser) {
  const { page, context, findings } = await newPage(inBrowser);
  const visit = { person, page, context, findings, forms: 0, callbacks: [] };
  context.on('response', (response) => {
    const request = response.request();
    const url = new URL(response.url());
    if (response.status() >= 500) complain(`${response.status()} ${request.method()} ${url.origin}${url.pathname}`);
    if (!request.isNavigationRequest()) return;
    if (response.status() < 300 || response.status() >= 400) seen.pages++;
    if (url.searchParams.has('code')) visit.callbacks.push(url.href);
  });
  // A navigation that another one overtakes is aborted; anything else is a page that never came.
  context.on('requestfailed', (request) => {
    const cause = request.failure().errorText;
    if (cause !== 'net::ERR_ABORTED') complain(`${cause} ${request.method()} ${new URL(request.url()).origin}`);
  });
  return visit;
}

async function leave({ forms, findings, context }) {
  assert.ok(forms > 0, 'a sign-in came past the form of the stand-in Okta');
  nothingFound(findings);
  await context.close();
}

/** Does what leads to another page, and waits for that page. */
const onto = (page, act) => Promise.all([page.waitForEvent('load'), act()]);

const at = (page, origin, path) => page.url().startsWith(`${origin}${path}`);
const formShown = (page) => page.locator('input[name=username]').isVisible();
const greeted = async ({ person }, page) => page.url() === `${demo.app}/` && (await page.innerText('main')).includes(person);

async function toForm({ page }) {
  await page.goto(demo.app);
  await onto(page, () => page.click('main a:has-text("Sign in")'));
  await onto(page, () => page.click('main a:has-text("acme-okta")'));
  assert.ok(await formShown(page), `no form of the stand-in at ${page.url()}`);
}

async function fill(visit, page = visit.page) {
  visit.forms++;
  await page.fill('input[name=username]', visit.person);
  await page.fill('input[name=password]', 'demo');
}

async function signIn(visit) {
  await toForm(visit);
  await fill(visit);
  await onto(visit.page, () => visit.page.keyboard.press('Enter'));
}

async function signedIn(visit) {
  await signIn(visit);
  assert.ok(await greeted(visit, visit.page), `an ordinary sign-in ended at ${visit.page.url()}`);
}

/** The page at which a sign-in has stopped: it has to tell what happened, and to lead on or to say how. The way on, if there is one. */
async function deadEnd(page) {
  const { loaded, url, status, type, heading, text } = await page.evaluate(() => ({
    loaded: performance.timeOrigin,
    url: location.origin + location.pathname,
    status: performance.getEntriesByType('navigation')[0].responseStatus,
    type: document.contentType,
    heading: document.querySelector('main h1')?.innerText.trim() ?? '',
    text: document.querySelector('main')?.innerText.trim() ?? '',
  }));
  const step = page.locator('main a[href^="/"]:visible, main a[href^="http"]:visible, main form button:visible').first();
  const leadsOn = await step.count() > 0;
  // A callback that belongs to no sign-in does not know the app: there the next step is said.
  const told = /What you can do\n+\S/.test(text);
  // A page that is looked at on arriving and again on going on is one.
  const key = `${loaded} ${page.url()}`;
  if (!looked.has(key)) {
    looked.add(key);
    deadEnds.set(heading, (deadEnds.get(heading) ?? 0) + 1);
    // A code that is made anew for each page would make the same complaint another one.
    const shown = `${url} (${status}, ${type}):\n${text.replace(/\b[0-9A-Z]{3}-[0-9A-Z]{3}\b/g, 'XXX-XXX')}`;
    if (type !== 'text/html') complain(`not a page: ${shown}`);
    if (!heading) complain(`no heading: ${shown}`);
    if (text.length < heading.length + 20) complain(`nothing is explained: ${shown}`);
    if (!leadsOn && !told) {
      stuck++;
      complain(`no next step: ${shown}`);
    }
  }
  return leadsOn ? step : undefined;
}

/** What a person does who stands here, until the app greets them: fills the form, or takes the step that the page offers. */
async function finish(visit, page = visit.page) {
  const walked = [];
  while (!await greeted(visit, page)) {
    walked.push(page.url());
    assert.ok(walked.length <= STEPS, `no way to the app:\n${walked.join('\n')}`);
    if (await formShown(page)) {
      await fill(visit, page);
      await onto(page, () => page.keyboard.press('Enter'));
    } else if (at(page, demo.origin, '/login?')) {
      await onto(page, () => page.click('main a:has-text("acme-okta")'));
    } else if (page.url() === `${demo.app}/`) {
      await onto(page, () => page.click('main a:has-text("Sign in")'));
    } else {
      const step = await deadEnd(page);
      if (step) await onto(page, () => step.click());
      // At the organisation's own pages, and where there is nothing to click, people go back to the app.
      if (!step || at(page, demo.acme, '/') && !await formShown(page)) await page.goto(demo.app);
    }
  }
}

/** A disturbance that leads to the very page the undisturbed would see is none. */
async function stopped(visit, page = visit.page) {
  assert.ok(!await greeted(visit, page) && !await formShown(page), `${page.url()} is no dead end`);
  return deadEnd(page);
}

const BACK = [
  async (visit) => {
    await signedIn(visit);
    await visit.page.goBack();
  },
  // Past the page of Okta, to the broker's.
  async (visit) => {
    await signedIn(visit);
    await visit.page.goBack();
    await stopped(visit);
    await visit.page.goBack();
  },
  // Okta has forgotten them meanwhile, so there is its form once more, of a sign-in that is over.
  async (visit) => {
    await signedIn(visit);
    await visit.context.clearCookies({ name: 'sid-acme' });
    await visit.page.goBack();
    assert.ok(await formShown(visit.page), `no form at ${visit.page.url()}`);
    await fill(visit);
    await onto(visit.page, () => visit.page.keyboard.press('Enter'));
    await stopped(visit);
  },
  // Second thoughts before the password: the broker's page again, and from there another sign-in.
  async (visit) => {
    await toForm(visit);
    await visit.page.goBack();
    assert.ok(at(visit.page, demo.origin, '/login?'), `back is ${visit.page.url()}`);
  },
];

const TWICE = [
  async (visit) => {
    await toForm(visit);
    await fill(visit);
    await onto(visit.page, () => visit.page.evaluate(() => {
      const form = document.querySelector('form');
      form.requestSubmit();
      form.requestSubmit();
    }));
  },
  async (visit) => {
    await toForm(visit);
    await fill(visit);
    await onto(visit.page, () => visit.page.dblclick('form button'));
  },
  // Once into another tab and once here.
  async (visit) => {
    await toForm(visit);
    await fill(visit);
    const [tab] = await Promise.all([
      visit.context.waitForEvent('page'),
      visit.page.click('form button', { modifiers: ['Control'] }),
    ]);
    await onto(visit.page, () => visit.page.click('form button'));
    await tab.waitForURL((url) => url.protocol === 'http:');
    await finish(visit, tab);
  },
  // The organisation's answer comes in two tabs at once: the code is good for one of them.
  async (visit) => {
    await toForm(visit);
    visit.forms++;
    const { context, page } = visit;
    const action = new URL(await page.getAttribute('form', 'action'), page.url()).href;
    const answer = await context.request.post(action, { form: { username: visit.person, password: 'demo' }, maxRedirects: 0 });
    const { location } = answer.headers();
    assert.ok(location.startsWith(`${demo.origin}/oauth2/idpresponse/`), location);
    const tab = await context.newPage();
    await Promise.all([page, tab].map((p) => p.goto(location)));
    const there = [await greeted(visit, page), await greeted(visit, tab)];
    assert.equal(there.filter(Boolean).length, 1, `of two tabs one is signed in: ${page.url()}, ${tab.url()}`);
    await finish(visit, tab);
  },
];

const WAYS = {
  plain: signedIn,
  back: (visit, round) => BACK[round % BACK.length](visit),
  async reload(visit, round) {
    await signedIn(visit);
    const ours = visit.callbacks.find((url) => url.startsWith(`${demo.origin}/oauth2/idpresponse/`));
    const theirs = visit.callbacks.find((url) => url.startsWith(`${demo.app}/callback`));
    // They go on from the one or from the other.
    for (const callback of round % 2 ? [theirs, ours] : [ours, theirs]) {
      await visit.page.goto(callback);
      await stopped(visit);
      await visit.page.reload();
      await stopped(visit);
    }
  },
  twice: (visit, round) => TWICE[round % TWICE.length](visit),
  async blocked(visit, round) {
    const settings = blocking[round % (blocking.length + 1)];
    if (!settings) {
      // The cookies are gone when the answer comes, and the next ones are kept: the step is taken on the spot.
      await toForm(visit);
      await visit.context.clearCookies();
      await fill(visit);
      await onto(visit.page, () => visit.page.keyboard.press('Enter'));
      await stopped(visit);
      return;
    }
    const strict = await someone(visit.person, settings);
    await signIn(strict);
    const step = await stopped(strict);
    const href = await step?.getAttribute('href');
    const onward = href ? new URL(href, strict.page.url()).href : demo.app;
    await leave(strict);
    // They allow cookies, and take that step.
    await visit.page.goto(onward);
  },
};

test(`${SIGN_INS} sign-ins: back button, reloaded callbacks, double submits, blocked cookies`, async () => {
  const ways = Object.entries(WAYS);
  assert.ok(SIGN_INS >= ways.length && SIGN_INS % ways.length === 0, `FOREBAY_SIGN_INS is a multiple of ${ways.length}`);
  const began = Date.now();
  const seconds = () => Math.round((Date.now() - began) / 1000);
  let next = 0;
  let done = 0;
  const lane = async () => {
    while (next < SIGN_INS) {
      const n = next++;
      const [name, way] = ways[n % ways.length];
      const round = Math.floor(n / ways.length);
      try {
        const visit = await someone(PEOPLE[n % PEOPLE.length]);
        await way(visit, round);
        await finish(visit);
        await leave(visit);
      } catch (error) {
        error.message = `sign-in ${n} (${name}, round ${round}): ${error.message}\n${complaints()}`;
        throw error;
      }
      if (++done % 100 === 0) console.log(`${done} sign-ins, ${seen.pages} pages, ${seconds()} s`);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  const failed = [...wrong].reduce((sum, [what, times]) => sum + (/^5\d\d /.test(what) ? times : 0), 0);
  const ends = [...deadEnds.values()].reduce((sum, times) => sum + times, 0);
  const kinds = [...deadEnds].map(([heading, times]) => `${times} “${heading}”`).join(', ');
  console.log(`F43: ${SIGN_INS} sign-ins, ${SIGN_INS / ways.length} of each way, ${seen.pages} pages, ${failed} of them 5xx, `
    + `${ends} dead ends (${kinds}), ${stuck ? `${stuck} of them without` : 'each with'} a next step, ${seconds()} s`);
  assert.equal(complaints(), '');
});
