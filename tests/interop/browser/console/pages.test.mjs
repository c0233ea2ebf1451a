// Every page of the console that a link leads to, as the operator and as a tenant's admin: axe-core in both colour schemes
// and two widths, screenshots in four sizes, no sideways scrolling, and nothing runs of the markup that stands in every name,
// claim and parameter.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { accessible, fits, launch, newPage, nothingFound, screenshot } from '../../support/chromium.mjs';
import { ACME_ADMIN, OPERATOR, crawl, enter, fileName } from '../../support/console.mjs';
import { startDemo } from '../../support/demo.mjs';

const SIZES = [{ width: 360, height: 740 }, { width: 768, height: 1024 }, { width: 1280, height: 800 }, { width: 1920, height: 1080 }];

let demo, browser;
before(async () => { demo = await startDemo({ faults: true }); browser = await launch(); });
after(async () => { await browser?.close(); await demo?.stop(); });

/** One page in all its forms; the page stays as it is, only the window changes (and without motion, at once). */
async function look(page, name) {
  for (const viewport of SIZES) {
    await page.setViewportSize(viewport);
    await fits(page);
    await screenshot(page, `console/${name}-${viewport.width}`);
  }
  // Only the contrasts depend on the scheme.
  await page.setViewportSize(SIZES[2]);
  await accessible(page);
  await page.emulateMedia({ colorScheme: 'dark' });
  await accessible(page, ['color-contrast']);
  await screenshot(page, `console/${name}-dark`);
  await page.setViewportSize(SIZES[0]);
  await accessible(page);
  await page.emulateMedia({ colorScheme: 'light' });
  await accessible(page, ['color-contrast']);
}

for (const [name, who] of Object.entries({ operator: OPERATOR, tenant: ACME_ADMIN })) {
  test(`every page of the ${name}`, async () => {
    const { page, context, findings } = await newPage(browser, { reducedMotion: 'reduce' });
    await enter(page, demo.origin, who);
    const problems = [];
    const visited = await crawl(page, demo.origin, async (_, kind) => {
      try {
        await look(page, `${name}-${fileName(kind)}`);
      } catch (error) {
        problems.push(`${page.url()}\n${error.message}`);
      }
    });
    assert.ok(visited.length > 15, `only ${visited.join(' ')}`);
    assert.equal(problems.join('\n\n'), '');
    nothingFound(findings);
    await context.close();
  });
}

test('the pages before the sign-in', async () => {
  const { page, context, findings } = await newPage(browser, { reducedMotion: 'reduce' });
  for (const path of ['sign-in', 'set-up/an-old-link', 'sign-in?next=%2Fconsole%2Fusers']) {
    await page.goto(`${demo.origin}/console/${path}`);
    await look(page, fileName(`/${path}`));
  }
  nothingFound(findings);
  await context.close();
});
