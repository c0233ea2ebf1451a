// Chromium from the distribution, driven by playwright-core; screenshots kept; whatever the browser complains of is a finding.

import assert from 'node:assert/strict';
import { readFileSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const here = dirname(fileURLToPath(import.meta.url));
const screens = process.env.SCREENS ?? join(here, '../../output/screens');
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--disable-default-apps',
    ],
  });
}

/** A page in a context of its own. `findings` gathers CSP violations, script errors, dialogs and failed resources. */
export async function newPage(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-US', ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const findings = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || /content security policy/i.test(message.text())) {
      findings.push(`${page.url()}: ${message.text()} (${message.location().url})`);
    }
  });
  page.on('pageerror', (error) => findings.push(`${page.url()}: ${error}`));
  page.on('dialog', (dialog) => {
    findings.push(`${page.url()}: a dialog says ${dialog.message()}`);
    return dialog.dismiss();
  });
  if (options.javaScriptEnabled !== false) {
    await context.exposeBinding('reportFinding', (_, text) => void findings.push(text));
    await context.addInitScript(() => document.addEventListener('securitypolicyviolation', (event) => {
      globalThis.reportFinding(`${location.href}: CSP ${event.violatedDirective} blocked ${event.blockedURI}`);
    }));
  }
  return { page, context, findings };
}

/** Nothing was complained of; an error status of the document itself is not a complaint of the page. */
export function nothingFound(findings) {
  assert.deepEqual(findings.filter((f) => !/favicon\.ico|the server responded with a status of 4\d\d/.test(f)), []);
}

export async function screenshot(page, name) {
  const path = join(screens, `${name}.png`);
  mkdirSync(dirname(path), { recursive: true });
  await page.screenshot({ path, fullPage: true, animations: 'disabled' });
}

/** axe-core over the page as it stands, with all its rules or these: any violation fails, told with the elements it is about. */
export async function accessible(page, rules) {
  // Evaluated over the debugging protocol, so the page's own policy stays as it is; once for each document.
  if (!await page.evaluate('typeof globalThis.axe === "object"')) await page.evaluate(`${axe}; undefined`);
  const { violations, passes } = await page.evaluate((only) => globalThis.axe.run(document, {
    runOnly: only ?? ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  }), rules);
  assert.ok(rules || passes.length > 5, 'axe-core looked at nothing');
  const told = violations.map((v) => `${v.id}: ${v.help}\n${v.nodes.map((n) => `  ${n.html}\n  ${n.failureSummary}`).join('\n')}`);
  assert.deepEqual(told, []);
}

/** The page fits its window: no sideways scrolling. */
export async function fits(page) {
  const { wanted, width } = await page.evaluate(() => ({
    wanted: document.documentElement.scrollWidth, width: document.documentElement.clientWidth,
  }));
  assert.ok(wanted <= width, `${page.url()} is ${wanted} wide in a window of ${width}`);
}
