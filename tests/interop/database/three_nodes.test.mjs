// What the README says under "Running it", as it stands there: the unit for systemd, and three nodes over one PostgreSQL behind
// nginx and behind haproxy. A node dies, another is stopped, a key is revoked by a command; nobody who signs in notices.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import * as client from 'openid-client';
import { Browser } from '../support/browser.mjs';
import { CALLBACK } from '../support/demo.mjs';
import { BINARY, forebay, forebayJson, freePorts, freshDatabase, ready, scratch, start } from '../support/process.mjs';
import { startOkta } from '../upstream/okta-shaped.mjs';

const POOL = 'us-local-1_Three0001';
const APP = { id: 'threenodes0000000000000001', secret: 'the_secret_of_the_app_of_the_three_nodes' };
/** As the README has them. */
const ORIGIN = 'http://localhost:8100';
const PORTS = [8101, 8102, 8103];

const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
const block = (language) => readme.match(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, 'm'))[1];

// Where Debian has them, which is not on everybody's path.
process.env.PATH += ':/usr/sbin';

let folder;
before(async () => { folder = await scratch(); chmodSync(folder.path, 0o755); });
after(() => folder?.remove());

test("systemd finds nothing wrong with the README's unit, and little that is open", () => {
  const unit = join(folder.path, 'forebay.service');
  writeFileSync(unit, block('ini').replaceAll('/usr/local/bin/forebay', BINARY));
  const said = execFileSync('systemd-analyze', ['verify', unit], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  assert.doesNotMatch(said, /forebay/);
  const exposure = execFileSync('systemd-analyze', ['security', '--offline=yes', unit], { encoding: 'utf8' });
  const level = Number(exposure.match(/exposure level for \S+: ([\d.]+)/)[1]);
  assert.ok(level < 2, exposure);
});

/** The balancers, each on port 8100 with its part of the README. */
const balancers = {
  nginx() {
    const home = join(folder.path, 'nginx');
    mkdirSync(home);
    writeFileSync(join(home, 'forebay.conf'), block('nginx'));
    // What a distribution's nginx.conf says around it.
    const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${home};`).join(' ');
    writeFileSync(join(home, 'nginx.conf'), `daemon off; pid ${home}/pid; error_log stderr;
      events { worker_connections 512; } http { access_log off; ${paths} include ${home}/forebay.conf; }`);
    const told = ['-p', home, '-c', join(home, 'nginx.conf'), '-e', 'stderr'];
    execFileSync('nginx', ['-t', ...told], { stdio: 'pipe' });
    return spawn('nginx', told, { stdio: 'ignore' });
  },
  haproxy() {
    const path = join(folder.path, 'haproxy.cfg');
    writeFileSync(path, block('haproxy'));
    execFileSync('haproxy', ['-c', '-f', path], { stdio: 'pipe' });
    return spawn('haproxy', ['-db', '-f', path], { stdio: 'ignore' });
  },
};

async function until(what, holds, within = 10_000) {
  const deadline = Date.now() + within;
  while (!await holds()) {
    assert.ok(Date.now() < deadline, `${what} takes more than ${within} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

for (const [name, balance] of Object.entries(balancers)) {
  test(`three nodes behind ${name}: no sticky sessions, one dies, one is stopped, and sign-ins go on`, async () => {
    const [oktaPort, ...metrics] = await freePorts(4);
    const shared = {
      FOREBAY_DATABASE: await freshDatabase(folder.path),
      FOREBAY_PUBLIC_URL: ORIGIN,
      FOREBAY_KEYS: join(folder.path, 'keys'),
      FOREBAY_ALLOW_UPSTREAM: `127.0.0.1:${oktaPort}`,
      FOREBAY_TRUSTED_PROXY: '127.0.0.1',
      FOREBAY_DRAIN_DELAY: '3',
    };
    const shell = { cwd: folder.path, env: shared };
    const upstream = { id: '0oa-three', secret: 'a-secret-between-okta-and-the-three-nodes' };
    const okta = await startOkta(oktaPort, [
      { client_id: upstream.id, client_secret: upstream.secret, redirect_uris: [`${ORIGIN}/oauth2/idpresponse/acme`] },
    ]);
    await forebayJson(['pool', 'create', '--name', 'Three', '--id', POOL], shell);
    await forebayJson([
      'provider', 'create', '--pool', POOL, '--name', 'acme', '--slug', 'acme', '--issuer', okta.issuer, '--client-id', upstream.id,
      '--client-secret', upstream.secret, '--map', 'email=email',
    ], shell);
    await forebayJson([
      'client', 'create', '--pool', POOL, '--name', 'App', '--id', APP.id, '--secret', APP.secret, '--callback', CALLBACK,
      '--flow', 'code', '--scope', 'openid', '--scope', 'email', '--provider', 'acme', '--rotate-refresh',
    ], shell);
    const startNode = (i) => start(['serve'], {
      cwd: folder.path, env: { ...shared, FOREBAY_LISTEN: `127.0.0.1:${PORTS[i]}`, FOREBAY_METRICS_LISTEN: `127.0.0.1:${metrics[i]}` },
    });
    const isReady = (node, i) => ready(node, [`http://127.0.0.1:${PORTS[i]}/readyz`]);
    const nodes = PORTS.map((_, i) => startNode(i));
    await Promise.all(nodes.map(isReady));
    const proxy = balance();
    const served = (i) => fetch(`http://127.0.0.1:${metrics[i]}/metrics`).then((answer) => answer.text())
      .then((text) => [...text.matchAll(/http_requests_total\{[^}]*route="\/oauth2\/[^}]*\} (\d+)/g)].reduce((sum, [, n]) => sum + Number(n), 0));
    let ended;
    try {
      await until(`${name} is there`, () => fetch(`${ORIGIN}/healthz`).then((answer) => answer.ok, () => false));
      const config = await client.discovery(
        new URL(`${ORIGIN}/${POOL}`), APP.id, undefined, client.ClientSecretBasic(APP.secret),
        { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] },
      );
      const signIn = async () => {
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
        return renewed;
      };
      for (let round = 0; round < 6; round++) await signIn();
      const shares = await Promise.all(PORTS.map((_, i) => served(i)));
      assert.ok(shares.every((count) => count >= 5), `${shares}`);

      // A leaked key, taken away by a command, is gone from every node's key set.
      const { access_token: signed } = await signIn();
      const { kid } = JSON.parse(Buffer.from(signed.split('.')[0], 'base64url'));
      const keySets = () => Promise.all(PORTS.map((port) => fetch(`http://127.0.0.1:${port}/${POOL}/.well-known/jwks.json`).then((answer) => answer.text())));
      assert.ok((await keySets()).every((body) => body.includes(kid)));
      await forebayJson(['keys', 'revoke', POOL, kid, '--yes'], shell);
      const revoked = Date.now();
      await until('the key goes from every key set', async () => (await keySets()).every((body) => !body.includes(kid)), 2_000);
      console.log(`${name}: ${Date.now() - revoked} ms after the command ended no node publishes the revoked key`);
      await signIn();

      nodes[0].child.kill('SIGKILL');
      for (let round = 0; round < 6; round++) await signIn();
      // Told to stop, a node finishes what it has: of requests that keep coming none fails.
      let stopped = false;
      nodes[1].child.kill('SIGTERM');
      const stopping = nodes[1].ended.then((code) => { stopped = true; return code; });
      while (!stopped) assert.equal((await fetch(`${ORIGIN}/${POOL}/.well-known/jwks.json`)).status, 200);
      assert.equal(await stopping, 0, nodes[1].output);
      for (let round = 0; round < 3; round++) await signIn();
      // Both back, they take their share.
      for (const i of [0, 1]) {
        nodes[i] = startNode(i);
        await isReady(nodes[i], i);
      }
      await until('a node that is back serves again', async () => { await signIn(); return (await served(0)) > 0 && (await served(1)) > 0; }, 30_000);
    } finally {
      proxy.kill('SIGTERM');
      await once(proxy, 'exit');
      await okta.stop();
      ended = await Promise.all(nodes.map((node) => node.stop()));
    }
    assert.deepEqual(ended, [0, 0, 0], nodes.map((node) => node.output).join('\n'));
  });
}

test('a node of an older version starts on a newer database, until that says that it is too old', async () => {
  const database = await freshDatabase(folder.path);
  const shell = { cwd: folder.path, env: { FOREBAY_DATABASE: database } };
  const sql = (statement) => execFileSync('psql', [database, '-q', '-v', 'ON_ERROR_STOP=1', '-c', statement]);
  await forebayJson(['migrate'], shell);
  sql("INSERT INTO __diesel_schema_migrations (version) VALUES ('20990101000000')");
  await forebayJson(['migrate'], shell);
  sql("INSERT INTO schema_floor (version) VALUES ('20990101000000')");
  const [port] = await freePorts(1);
  for (const command of [['serve', '--listen', `127.0.0.1:${port}`], ['migrate'], ['pool', 'list']]) {
    const { code, stderr } = await forebay(command, shell);
    assert.equal(code, 1, `${command}: ${stderr}`);
    const told = stderr.split('\n').filter((line) => line.includes('newer Forebay'));
    assert.equal(told.length, 1, stderr);
    assert.match(told[0], /20990101000000/);
  }
});
