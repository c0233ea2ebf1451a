// The README's container file, as it stands there, built by buildah over a plain Debian and run as it says. The build inside is
// stood in for: a `cargo` that takes the one command of that file and gives the binary that the other tests have.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { BINARY, freePorts, ready, scratch } from '../support/process.mjs';

/** A root file system of Debian's, as a tar file: `tests/run` makes it. */
const BASE = process.env.CONTAINER_BASE;
const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');

let folder;
before(async () => { folder = await scratch(); });
after(() => {
  // The layers belong to users of their own.
  execFileSync(...asRoot('rm', '-rf', join(folder.path, 'storage'), join(folder.path, 'state')));
  return folder.remove();
});

const asRoot = (...command) => process.getuid() === 0 ? [command[0], command.slice(1)] : ['sudo', ['-n', ...command]];
/** Without a daemon, kernel modules or an overlay: it works in a container of somebody else's, too. */
const buildah = (...words) => asRoot(
  'buildah', '--root', join(folder.path, 'storage'), '--runroot', join(folder.path, 'state'), '--storage-driver', 'vfs', ...words,
);
const told = (...words) => execFileSync(...buildah(...words), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();

/** An image of that name, made of these lines and the files of a folder. */
function image(name, files, lines) {
  writeFileSync(join(folder.path, 'Dockerfile'), lines);
  told('bud', '--isolation', 'chroot', '--pull-never', '-q', '-t', name, '-f', join(folder.path, 'Dockerfile'), join(folder.path, files));
}

test('the container file builds, runs as a user of its own, is ready, and ends with 0', async () => {
  for (const files of ['debian', 'source']) mkdirSync(join(folder.path, files));
  copyFileSync(BASE, join(folder.path, 'debian', 'base.tar'));
  writeFileSync(join(folder.path, 'debian', 'cargo'), `#!/bin/sh
    [ "$*" = "build --release --locked" ] && mkdir -p target/release && cp prebuilt target/release/forebay\n`, { mode: 0o755 });
  copyFileSync(BINARY, join(folder.path, 'source', 'prebuilt'));
  image('docker.io/library/debian:bookworm-slim', 'debian', 'FROM scratch\nADD base.tar /\n');
  image('docker.io/library/rust:1-bookworm', 'debian', 'FROM debian:bookworm-slim\nCOPY cargo /usr/local/bin/cargo\n');
  image('localhost/forebay', 'source', readme.match(/^```dockerfile\n([^]*?)^```/m)[1]);

  const container = told('from', '--pull-never', 'localhost/forebay');
  const config = JSON.parse(told('inspect', container)).OCIv1.config;
  assert.equal(config.User, '10001');
  assert.deepEqual([...config.Entrypoint, ...config.Cmd], ['/usr/local/bin/forebay', 'serve']);
  assert.deepEqual(Object.keys(config.ExposedPorts), ['8080/tcp']);
  assert.deepEqual(Object.keys(config.Volumes), ['/var/lib/forebay']);
  assert.equal(config.StopSignal, 'SIGTERM');

  const [port] = await freePorts(1);
  const environment = { FOREBAY_LISTEN: `127.0.0.1:${port}`, FOREBAY_PUBLIC_URL: `http://localhost:${port}` };
  const child = spawn(...buildah(
    'run', '--isolation', 'chroot', ...Object.entries(environment).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
    container, '--', ...config.Entrypoint, ...config.Cmd,
  ), { stdio: ['ignore', 'pipe', 'pipe'] });
  const served = { output: '', ended: new Promise((resolve) => child.once('close', resolve)) };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (served.output += chunk));
  await ready(served, [`http://localhost:${port}/readyz`]);
  const owner = told('run', '--isolation', 'chroot', container, '--', 'stat', '-c', '%u %a', 'forebay.db', 'keys/root.key');
  assert.equal(owner, '10001 644\n10001 600');
  execFileSync(...asRoot('pkill', '-TERM', '-u', '10001', '-x', 'forebay'));
  assert.equal(await served.ended, 0, served.output);
});
