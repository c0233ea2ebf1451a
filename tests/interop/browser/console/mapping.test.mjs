// A tenant's admin shapes the mapping: tries it on a past sign-in and on all of them, saves it, sees who it is for, rolls it
// back; with scripts and without; and does not overwrite what somebody else saved meanwhile.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { accessible, launch, newPage, nothingFound, screenshot } from '../../support/chromium.mjs';
import { ACME_ADMIN, OPERATOR, enter } from '../../support/console.mjs';
import { CALLBACK, WEB, signIn, startDemo } from '../../support/demo.mjs';

const MAPPING = '/console/connections/acme-okta/mapping';

let demo, browser;
const come = (person) => signIn(`${demo.origin}/oauth2/authorize?${new URLSearchParams({
  response_type: 'code', client_id: WEB.id, redirect_uri: CALLBACK, scope: 'openid email profile', state: 's', identity_provider: 'acme-okta',
})}`, person);
before(async () => {
  demo = await startDemo();
  browser = await launch();
  for (const person of ['ada@acme.test', 'grace@acme.test']) await come(person);
});
after(async () => { await browser?.close(); await demo?.stop(); });

const press = (page, name) => page.getByRole('button', { name, exact: true }).click();
const inForce = async (page) => Number(/Version (\d+) is in force/.exec(await page.innerText('main'))[1]);

/** One more rule at the end of the table. */
async function addRule(page, attribute, claim) {
  const rules = page.locator('tr.rule');
  const before = await rules.count();
  await press(page, 'Add a rule');
  await rules.nth(before).waitFor();
  await rules.nth(before).getByLabel('Attribute', { exact: true }).selectOption(attribute);
  await rules.nth(before).getByLabel('Claim', { exact: true }).fill(claim);
}

/** The version in force after the page's draft is saved with this note. */
async function save(page, note) {
  await page.getByLabel('Note').fill(note);
  await page.getByRole('button', { name: /^Save as version/ }).click();
  await page.getByText(`“${note}”`).first().waitFor();
  return inForce(page);
}

for (const javaScriptEnabled of [true, false]) {
  test(`preview, replay, save and roll back ${javaScriptEnabled ? 'with' : 'without'} scripts`, async () => {
    const { page, context, findings } = await newPage(browser, { javaScriptEnabled });
    const shot = (name) => screenshot(page, `console/mapping-${name}${javaScriptEnabled ? '' : '-without-scripts'}`);
    await enter(page, demo.origin, ACME_ADMIN, MAPPING);
    const began = await inForce(page);
    await addRule(page, 'nickname', 'nickname');

    // One past sign-in, attribute by attribute.
    const past = page.getByLabel('A recent sign-in');
    const codes = await past.locator('option').evaluateAll((options) => options.map((option) => option.value).filter(Boolean));
    assert.equal(codes.length, 2 + (javaScriptEnabled ? 0 : 1), 'each sign-in is there to be tried on');
    await past.selectOption(codes.at(-1));
    await press(page, 'Preview');
    const effect = page.getByRole('region', { name: 'Attributes in the preview' }).getByRole('row').filter({ has: page.getByRole('rowheader', { name: 'nickname' }) });
    // The run before left the attribute in the profile.
    await effect.getByText(javaScriptEnabled ? 'written' : 'unchanged').first().waitFor();
    assert.match(await page.innerText('#preview'), /ID token.*Access token.*userInfo|What apps would get/s);
    await shot('preview');
    if (javaScriptEnabled) await accessible(page);

    // All of them, against what is in force.
    await press(page, 'Replay');
    const replay = page.locator('#replay');
    await replay.waitFor();
    assert.match(await replay.innerText(), new RegExp(`Replay of the last ${codes.length} sign-ins`));
    await replay.locator('summary').first().click();
    assert.ok(await replay.getByRole('link', { name: /^[0-9A-Z]{3}-[0-9A-Z]{3}$/ }).first().isVisible(), 'who is concerned can be opened');
    await shot('replay');
    if (javaScriptEnabled) await accessible(page);

    assert.equal(await save(page, `nicknames ${javaScriptEnabled}`), began + 1);
    // The next sign-in brings it.
    await come('ada@acme.test');

    await page.getByRole('link', { name: 'History' }).click();
    await page.getByRole('heading', { name: `Version ${began + 1} in force` }).waitFor();
    await shot('history');
    if (javaScriptEnabled) await accessible(page);
    await page.getByRole('button', { name: `Roll back to this version ${began}`, exact: true }).click();
    await page.getByText(`Version ${began + 2} is in force`).waitFor();
    assert.ok(!(await page.locator('tr.rule input[name=claim]').evaluateAll((inputs) => inputs.map((input) => input.value))).includes('nickname'));
    nothingFound(findings);
    await context.close();
  });
}

test('two at once: the second is shown what the first saved, and loses nothing', async () => {
  const [first, second] = [await newPage(browser), await newPage(browser)];
  await enter(first.page, demo.origin, ACME_ADMIN, MAPPING);
  await enter(second.page, demo.origin, OPERATOR, MAPPING);
  await addRule(first.page, 'nickname', 'nickname');
  await addRule(second.page, 'profile', 'profile');
  const saved = await save(first.page, 'mine first');
  await second.page.getByRole('button', { name: /^Save as version/ }).click();
  await second.page.getByText('Not saved: somebody else saved in between').waitFor();
  await screenshot(second.page, 'console/mapping-conflict');
  await accessible(second.page);
  assert.match(await second.page.locator('[aria-labelledby=conflict]').innerText(), /nickname.*profile/s);
  const claims = await second.page.locator('tr.rule input[name=claim]').evaluateAll((inputs) => inputs.map((input) => input.value));
  assert.ok(claims.includes('profile'), 'the draft stands as it was left');
  await first.page.reload();
  assert.equal(await inForce(first.page), saved);
  for (const { findings, context } of [first, second]) {
    nothingFound(findings);
    await context.close();
  }
});

test('a mistake is said at its rule, and nothing is saved', async () => {
  const { page, context } = await newPage(browser);
  await enter(page, demo.origin, ACME_ADMIN, MAPPING);
  const began = await inForce(page);
  await addRule(page, 'nickname', 'nickname');
  const rule = page.locator('tr.rule').last();
  await rule.getByLabel('Where the value comes from').selectOption('expression');
  await rule.getByLabel('Expression', { exact: true }).fill('claims.nickname +');
  await page.getByRole('button', { name: /^Save as version/ }).click();
  await page.locator('tr.rule .field__error').first().waitFor();
  await screenshot(page, 'console/mapping-mistake');
  await accessible(page);
  await page.goto(`${demo.origin}${MAPPING}`);
  assert.equal(await inForce(page), began);
  await context.close();
});
