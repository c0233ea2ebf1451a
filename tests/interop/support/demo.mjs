// `forebay demo`, and the values it promises (README, "The demo").

import assert from 'node:assert/strict';
import { Browser } from './browser.mjs';
import { freePorts, freshDatabase, ready, scratch, start } from './process.mjs';

export const POOL = 'us-local-1_Forebay01';
export const WEB = { id: 'demowebapp0000000000000001', secret: 'demo_secret_for_the_sample_web_app_0001' };
export const SPA = { id: 'demospa0000000000000000001' };
export const MACHINE = { id: 'demomachine000000000000001', secret: 'demo_secret_for_the_machine_client_0001', scope: 'demo-api/read' };
/** Nothing listens here unless a suite does: both interactive clients may be called back at it. */
export const CALLBACK = 'http://127.0.0.1:9999/callback';
export const SIGNED_OUT = 'http://127.0.0.1:9999';

/** Starts a demo on free ports and a database of its own. `faults`: the stand-ins can be told to misbehave (`misbehave`). */
export async function startDemo({ faults = false } = {}) {
  const folder = await scratch();
  const [port, app, acme, globex] = await freePorts(4);
  const server = start(
    [
      'demo', '--port', port, '--app-port', app, '--acme-port', acme, '--globex-port', globex,
      ...(faults ? ['--faults'] : []),
      ...(process.env.POSTGRES_URL ? ['--empty-database', await freshDatabase(folder.path)] : []),
    ].map(String),
    { cwd: folder.path },
  );
  const origin = `http://localhost:${port}`;
  const demo = {
    server, origin, port,
    issuer: `${origin}/${POOL}`,
    app: `http://127.0.0.1:${app}`,
    acme: `http://127.0.0.1:${acme}`,
    globex: `http://127.0.0.1:${globex}`,
    async stop() {
      const code = await server.stop();
      await folder.remove();
      assert.equal(code, 0, `Ctrl-C should end the demo with 0, not ${code}:\n${server.output}`);
    },
  };
  await ready(server, [
    `${demo.issuer}/.well-known/openid-configuration`,
    `${demo.app}/`,
    `${demo.acme}/.well-known/openid-configuration`,
    `${demo.globex}/oauth2/default/.well-known/openid-configuration`,
  ]);
  return demo;
}

/** Fills the stand-in Okta's sign-in form, when that is where the browser stands. */
export async function okta(browser, page, person = 'ada@acme.test') {
  assert.equal(page.status, 200, `expected a sign-in form at ${page}`);
  return browser.submit(page, { username: person, password: 'demo' });
}

/** From an authorize URL to the URL of the app's callback, by way of the connection's sign-in form. */
export async function signIn(authorizeUrl, person = 'ada@acme.test', browser = new Browser({ stopAt: [CALLBACK] })) {
  let page = await browser.open(authorizeUrl);
  if (page.status !== undefined) page = await okta(browser, page, person);
  assert.ok(page.url.href.startsWith(CALLBACK), `the sign-in should end at the app's callback, not at ${page}`);
  return page.url;
}
