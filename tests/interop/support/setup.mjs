// What the set-up tests stand on: a broker with an empty database, certified OpenID providers in the shape of the customers'
// Okta, an app that has an OIDC library and nothing else, and Chromium. The commands are those of the set-up's page under
// src/setups, word for word but for the names of hosts.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startOkta } from '../upstream/okta-shaped.mjs';
import { startApp } from './app.mjs';
import { launch, newPage } from './chromium.mjs';
import { enter } from './console.mjs';
import { startNameServer } from './dns.mjs';
import { BINARY, forebayJson, freePorts, freshDatabase, ready, scratch, start } from './process.mjs';

const run = promisify(execFile);
const OPERATOR = { email: 'operator@customers.test', password: 'four words make it long' };

/**
 * The server counts in seconds, and reads its configuration again after one: then it knows what another process has changed, and
 * what comes is later than what was.
 */
export const aSecond = () => new Promise((resolve) => setTimeout(resolve, 1_100));

/** The shell blocks of a set-up's page, by the heading each stands under. */
function blocks(name) {
  const text = readFileSync(new URL(`../../../src/setups/${name}.md`, import.meta.url), 'utf8');
  const found = new Map();
  for (const part of text.split(/^## /m).slice(1)) {
    const [heading] = part.split('\n', 1);
    const scripts = [...part.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, script]) => script);
    if (scripts.length) found.set(heading, scripts);
  }
  return found;
}

/**
 * `oktas`: how many organisations there are; `clients(stage)`: what each knows of us, a list of clients for each, in
 * oidc-provider's words. `hosts(stage)`: the names on the page and what stands for them here.
 */
export async function setUp(name, { oktas = 1, clients, hosts, app = {}, fat }) {
  const folder = await scratch();
  const [port, appPort, ...oktaPorts] = await freePorts(2 + oktas);
  const origin = `http://localhost:${port}`;
  const dns = await startNameServer();
  const env = {
    FOREBAY_DATABASE: await freshDatabase(folder.path), FOREBAY_LISTEN: `127.0.0.1:${port}`, FOREBAY_PUBLIC_URL: origin,
    FOREBAY_ALLOW_UPSTREAM: oktaPorts.map((each) => `127.0.0.1:${each}`).join(), FOREBAY_DNS_SERVER: dns.address,
  };
  const server = start(['serve'], { cwd: folder.path, env });
  await ready(server, [`${origin}/healthz`]);
  const stage = {
    origin, port, dns, server, folder: folder.path,
    okta: oktaPorts.map((each) => ({ issuer: `http://127.0.0.1:${each}` })),
    app: await startApp(appPort, app),
    browser: await launch(),
  };
  stage.okta = await Promise.all(oktaPorts.map((each, index) => startOkta(each, clients(stage)[index], { fat })));
  mkdirSync(join(folder.path, 'bin'));
  symlinkSync(BINARY, join(folder.path, 'bin/forebay'));
  const page = blocks(name);
  const names = Object.entries(hosts(stage)).sort(([a], [b]) => b.length - a.length);

  /** What is written on the page, with this stage's hosts. */
  stage.here = (text) => names.reduce((result, [there, here]) => result.replaceAll(there, here), text);
  stage.file = (file, content) => writeFileSync(join(folder.path, file), content);
  /** Runs the commands under a heading of the page, in order, and answers what they printed. */
  stage.follow = async (heading) => {
    const scripts = page.get(heading) ?? assert.fail(`${name}.md has no commands under “${heading}”: ${[...page.keys()]}`);
    page.delete(heading);
    const script = `set -eu\n${stage.here(scripts.join('\n'))}`;
    const path = `${join(folder.path, 'bin')}:${process.env.PATH}`;
    const told = await run('bash', ['-c', script], { cwd: folder.path, env: { ...process.env, ...env, PATH: path }, timeout: 60_000 })
      .catch((error) => assert.fail(`${script}\n${error.stdout}${error.stderr}`));
    await aSecond();
    return told.stdout;
  };
  /** The first block of that language on the page, with this stage's hosts. */
  stage.snippet = (language) => {
    const text = readFileSync(new URL(`../../../src/setups/${name}.md`, import.meta.url), 'utf8');
    const [, code] = new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, 'm').exec(text) ?? assert.fail(`${name}.md has no ${language}`);
    return stage.here(code);
  };
  /** The headings whose commands nobody has run. */
  stage.unfollowed = () => [...page.keys()];
  stage.json = (...args) => forebayJson(args, { cwd: folder.path, env });
  stage.change = async (...args) => { await stage.json(...args); await aSecond(); };
  /** The operator in the console, made by the link of the first start. */
  stage.console = async (next = '/console') => {
    const opened = await newPage(stage.browser);
    const link = /http\S+\/console\/setup\/\S+/.exec(server.output)?.[0];
    if (!stage.operator) {
      await opened.page.goto(link);
      await opened.page.getByLabel('Email address').fill(OPERATOR.email);
      await opened.page.getByLabel('Your name').fill('Operator');
      await opened.page.getByLabel('Password').fill(OPERATOR.password);
      await opened.page.getByRole('button', { name: 'Make the first operator' }).click();
      await opened.page.waitForURL((url) => !url.pathname.includes('setup'));
      stage.operator = OPERATOR;
      await opened.page.goto(`${origin}${next}`);
    } else {
      await enter(opened.page, origin, OPERATOR, next);
    }
    return opened;
  };
  stage.stop = async () => {
    await stage.browser.close();
    stage.app.stop();
    dns.stop();
    await Promise.all(stage.okta.map((each) => each.stop()));
    await server.stop();
    await folder.remove();
  };
  return stage;
}

/** Fills the sign-in form of the Okta that the page stands at. */
export async function atOkta(page, okta, person = 'ada@acme.test') {
  await page.waitForURL((url) => url.origin === okta.issuer);
  await page.fill('input[name=username]', person)
    .catch(async () => assert.fail(`no sign-in form at ${page.url()}\n${await page.innerText('body')}`));
  await page.fill('input[name=password]', 'demo');
  await page.keyboard.press('Enter');
}

/** Waits until the app has heard how it ended; a page of the broker instead is told. */
export async function atApp(page, app) {
  await page.waitForURL((url) => url.origin === app.origin && url.pathname === '/', { timeout: 10_000 })
    .catch(async () => assert.fail(`the app was not reached: ${page.url()}\n${await page.innerText('body')}`));
  return app.claims ?? assert.fail(`the app was told ${app.error}`);
}

/** The text of the page as a person reads it. */
export const shown = (page) => page.innerText('main');
