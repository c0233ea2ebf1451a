// PostgreSQL as operators have it: over TLS that is required or verified, migrated by several nodes at once, and shared by
// nodes between which a browser wanders.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import * as client from 'openid-client';
import { alternate } from '../support/alternate.mjs';
import { Browser } from '../support/browser.mjs';
import { CALLBACK } from '../support/demo.mjs';
import { forebay, forebayJson, freePorts, freshDatabase, ready, scratch, start } from '../support/process.mjs';
import { startOkta } from '../upstream/okta-shaped.mjs';

const CA = process.env.POSTGRES_CA;
let folder;
before(async () => { folder = await scratch(); });
after(() => folder?.remove());

const withMode = (database, parameters) => {
  const url = new URL(database);
  url.search = new URLSearchParams(parameters).toString();
  return url.href;
};
const migrate = (database) => forebay(['migrate'], { cwd: folder.path, env: { FOREBAY_DATABASE: database } });

test('TLS required, and verified against the right certificate', async () => {
  const database = await freshDatabase(folder.path);
  for (const mode of [{ sslmode: 'require' }, { sslmode: 'verify-full', sslrootcert: CA }]) {
    const { code, stdout, stderr } = await migrate(withMode(database, mode));
    assert.equal(code, 0, `${JSON.stringify(mode)}: ${stdout}${stderr}`);
  }
});

test('a certificate of somebody else is refused, and so is a server that insists on TLS when it is off', async () => {
  const database = await freshDatabase(folder.path);
  const other = join(folder.path, 'other.crt');
  execFileSync('openssl', [
    'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost',
    '-keyout', join(folder.path, 'other.key'), '-out', other,
  ], { stdio: 'ignore' });
  const refused = await migrate(withMode(database, { sslmode: 'verify-full', sslrootcert: other }));
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /certificate/i);
  const plain = await migrate(withMode(database, { sslmode: 'disable' }));
  assert.notEqual(plain.code, 0);
  assert.match(plain.stderr, /encrypt|SSL|pg_hba/i);
  // A password is nobody's business, least of all a log's.
  assert.ok(!`${refused.stderr}${plain.stderr}`.includes(new URL(database).password));
});

test('ten nodes start at once on an empty database, and each gets ready', async () => {
  const ports = await freePorts(10);
  const shared = { FOREBAY_DATABASE: await freshDatabase(folder.path), FOREBAY_KEYS: join(folder.path, 'keys-of-ten') };
  const begun = Date.now();
  const nodes = ports.map((port) => start(['serve'], { cwd: folder.path, env: { ...shared, FOREBAY_LISTEN: `127.0.0.1:${port}` } }));
  try {
    await Promise.all(nodes.map((node, i) => ready(node, [`http://127.0.0.1:${ports[i]}/readyz`])));
    console.log(`ten nodes on an empty database: ready after ${Date.now() - begun} ms`);
    // One migrated, all seal with the same root key: each makes a pool whose signing key every other one opens.
    assert.equal(nodes.filter((node) => /schema is brought up to date/.test(node.output)).length, 1);
    await forebayJson(['pool', 'create', '--name', 'Ten'], { cwd: folder.path, env: shared });
    await Promise.all(nodes.map((node, i) => ready(node, [`http://127.0.0.1:${ports[i]}/readyz`])));
  } finally {
    for (const code of await Promise.all(nodes.map((node) => node.stop()))) assert.equal(code, 0);
  }
});

test('a sign-in, its code, its refresh and its revocation wander between two nodes', async () => {
  const POOL = 'us-local-1_Nodes0001';
  const [balancer, one, two, oktaPort] = await freePorts(4);
  const origin = `http://localhost:${balancer}`;
  const shared = {
    FOREBAY_DATABASE: await freshDatabase(folder.path),
    FOREBAY_PUBLIC_URL: origin,
    FOREBAY_KEYS: join(folder.path, 'keys'),
    FOREBAY_ALLOW_UPSTREAM: `127.0.0.1:${oktaPort}`,
  };
  const shell = { cwd: folder.path, env: shared };
  const okta = await startOkta(oktaPort, [{
    client_id: '0oa-nodes', client_secret: 'a-secret-between-okta-and-the-nodes-only',
    redirect_uris: [`${origin}/oauth2/idpresponse/acme`],
  }]);
  await forebayJson(['pool', 'create', '--name', 'Nodes', '--id', POOL], shell);
  await forebayJson([
    'provider', 'create', '--pool', POOL, '--name', 'acme', '--slug', 'acme', '--issuer', okta.issuer, '--client-id', '0oa-nodes',
    '--client-secret', 'a-secret-between-okta-and-the-nodes-only', '--map', 'email=email',
  ], shell);
  await forebayJson([
    'client', 'create', '--pool', POOL, '--name', 'App', '--id', 'nodesapp00000000000000001', '--secret', 'the_secret_of_the_app_of_the_nodes_suite',
    '--callback', CALLBACK, '--flow', 'code', '--scope', 'openid', '--scope', 'email', '--provider', 'acme', '--rotate-refresh',
  ], shell);
  const nodes = [one, two].map((port) => start(['serve'], { cwd: folder.path, env: { ...shared, FOREBAY_LISTEN: `127.0.0.1:${port}` } }));
  for (const [i, port] of [one, two].entries()) {
    await ready(nodes[i], [`http://127.0.0.1:${port}/${POOL}/.well-known/openid-configuration`]);
  }
  const proxy = await alternate(balancer, [one, two]);
  try {
    const config = await client.discovery(
      new URL(`${origin}/${POOL}`), 'nodesapp00000000000000001', undefined,
      client.ClientSecretBasic('the_secret_of_the_app_of_the_nodes_suite'),
      { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] },
    );
    // Six rounds of an odd and an even number of requests, so that each step meets each node.
    for (let round = 0; round < 6; round++) {
      if (round % 2) await (await fetch(`${origin}/${POOL}/.well-known/jwks.json`)).arrayBuffer();
      const pkceCodeVerifier = client.randomPKCECodeVerifier();
      const browser = new Browser({ stopAt: [CALLBACK] });
      let page = await browser.open(client.buildAuthorizationUrl(config, {
        redirect_uri: CALLBACK, scope: 'openid email', identity_provider: 'acme', state: 's',
        code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier), code_challenge_method: 'S256',
      }));
      page = await browser.submit(page, { username: 'ada@acme.test', password: 'demo' });
      assert.ok(page.url.href.startsWith(CALLBACK), `${page}`);
      const tokens = await client.authorizationCodeGrant(config, page.url, { pkceCodeVerifier, expectedState: 's' });
      const renewed = await client.refreshTokenGrant(config, tokens.refresh_token);
      assert.equal((await client.fetchUserInfo(config, renewed.access_token, tokens.claims().sub)).email, 'ada@acme.test');
      await client.tokenRevocation(config, renewed.refresh_token);
      await assert.rejects(client.refreshTokenGrant(config, renewed.refresh_token), (error) => error.error === 'invalid_grant');
    }
    assert.ok(proxy.served.every((count) => count > 20), `${proxy.served}`);
  } finally {
    proxy.stop();
    await okta.stop();
    for (const node of nodes) assert.equal(await node.stop(), 0, node.output);
  }
});
