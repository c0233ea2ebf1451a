// Passkeys with Chromium's own virtual authenticator: registered in the account, used to sign in, and to prove once more who
// one is before something is deleted.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { accessible, launch, newPage, nothingFound, screenshot } from '../../support/chromium.mjs';
import { OPERATOR, enter } from '../../support/console.mjs';
import { startDemo } from '../../support/demo.mjs';

let demo, browser;
before(async () => { demo = await startDemo(); browser = await launch(); });
after(async () => { await browser?.close(); await demo?.stop(); });

/** A platform authenticator whose owner is always there and always recognised, unless told otherwise. */
async function authenticator(page) {
  const protocol = await page.context().newCDPSession(page);
  await protocol.send('WebAuthn.enable');
  const { authenticatorId } = await protocol.send('WebAuthn.addVirtualAuthenticator', {
    options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true },
  });
  return {
    recognise: (isUserVerified) => protocol.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified }),
    credentials: async () => (await protocol.send('WebAuthn.getCredentials', { authenticatorId })).credentials,
  };
}

test('a passkey is added, signs in without a password, and proves who one is', async () => {
  const { page, context, findings } = await newPage(browser);
  const device = await authenticator(page);
  await enter(page, demo.origin, OPERATOR, '/console/account');
  await page.getByLabel('Name of the new passkey').fill('This laptop');
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await page.getByRole('rowheader', { name: 'This laptop' }).waitFor();
  await screenshot(page, 'console/passkey-added');
  await accessible(page);
  const [credential] = await device.credentials();
  assert.ok(credential.isResidentCredential, 'the browser finds it without an address typed');

  await page.getByRole('button', { name: 'Sign out', exact: true }).click();
  await page.waitForURL(/\/console\/sign-in/);
  await screenshot(page, 'console/passkey-sign-in');
  await accessible(page);
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await page.waitForURL((url) => !/sign-in/.test(url.pathname));
  assert.match(await page.innerText('body'), new RegExp(OPERATOR.email.replace('.', '\\.')));

  await page.goto(`${demo.origin}/console/prove?next=${encodeURIComponent('/console/users')}`);
  await screenshot(page, 'console/passkey-prove');
  await accessible(page);
  await page.getByRole('button', { name: 'Use a passkey' }).click();
  await page.waitForURL(/\/console\/users/);
  nothingFound(findings);
  await context.close();
});

test('whoever holds the device but is not recognised does not get in, and is told so', async () => {
  const { page, context } = await newPage(browser);
  const device = await authenticator(page);
  await enter(page, demo.origin, OPERATOR, '/console/account');
  await page.getByLabel('Name of the new passkey').fill('A stolen laptop');
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await page.getByRole('rowheader', { name: 'A stolen laptop' }).waitFor();
  await device.recognise(false);
  await page.getByRole('button', { name: 'Sign out', exact: true }).click();
  await page.waitForURL(/\/console\/sign-in/);
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await page.getByText('No passkey was used').waitFor();
  await screenshot(page, 'console/passkey-refused');
  await page.goto(`${demo.origin}/console`);
  await page.waitForURL(/\/console\/sign-in/);
  await context.close();
});

test('without JavaScript passkeys are not offered, and the password is', async () => {
  const { page, context } = await newPage(browser, { javaScriptEnabled: false });
  await page.goto(`${demo.origin}/console/sign-in`);
  assert.ok(!(await page.getByRole('button', { name: 'Sign in with a passkey' }).isVisible()));
  await enter(page, demo.origin, OPERATOR);
  await context.close();
});
