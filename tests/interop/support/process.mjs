// Starting and stopping what the suites talk to: the Forebay binary, on free ports, on the database under test.

import { spawn, execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const BINARY = process.env.FOREBAY_BIN;
if (!BINARY) throw new Error('FOREBAY_BIN names no binary: run this suite through tests/run');

/** As many free loopback ports as asked for, all different. */
export async function freePorts(count) {
  const servers = await Promise.all(
    Array.from({ length: count }, () => new Promise((resolve, reject) => {
      const server = createServer();
      server.once('error', reject);
      server.listen(0, '127.0.0.1', () => resolve(server));
    })),
  );
  const ports = servers.map((s) => s.address().port);
  await Promise.all(servers.map((s) => new Promise((resolve) => s.close(resolve))));
  return ports;
}

/** A database of its own: a file, or a new database on the server that POSTGRES_URL names. */
export async function freshDatabase(directory) {
  const server = process.env.POSTGRES_URL;
  if (!server) return `sqlite://${join(directory, 'forebay.db')}`;
  const name = `interop_${randomBytes(6).toString('hex')}`;
  await run('psql', [server, '-q', '-v', 'ON_ERROR_STOP=1', '-c', `CREATE DATABASE ${name}`]);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

export async function scratch() {
  const path = await mkdtemp(join(tmpdir(), 'forebay-interop-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Settings of the machine it runs on must not leak into the tests. */
function environment(extra) {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('FOREBAY_'));
  return { ...Object.fromEntries(kept), ...extra };
}

/** Runs one command to its end: `{ code, stdout, stderr }`. */
export async function forebay(args, { cwd, env = {} } = {}) {
  try {
    const { stdout, stderr } = await run(BINARY, args, { cwd, env: environment(env), timeout: 60_000 });
    return { code: 0, stdout, stderr };
  } catch (error) {
    if (typeof error.code !== 'number') throw error;
    return { code: error.code, stdout: error.stdout, stderr: error.stderr };
  }
}

/** The same, for a command with `--json` that has to succeed. */
export async function forebayJson(args, options) {
  const { code, stdout, stderr } = await forebay([...args, '--json'], options);
  if (code !== 0) throw new Error(`forebay ${args.join(' ')} ended with ${code}\n${stderr}${stdout}`);
  return JSON.parse(stdout);
}

/** A running server: `output` is all it wrote, `stop()` is Ctrl-C and resolves to its exit code. */
export function start(args, { cwd, env = {} }) {
  const child = spawn(BINARY, args, { cwd, env: environment(env), stdio: ['ignore', 'pipe', 'pipe'] });
  const server = { child, output: '' };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (server.output += chunk));
  server.ended = new Promise((resolve) => {
    child.once('error', (error) => { server.output += error; resolve(-1); });
    child.once('close', (code, signal) => resolve(code ?? signal));
  });
  process.once('exit', () => child.kill('SIGKILL'));
  server.stop = async () => {
    child.kill('SIGINT');
    const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
    const code = await server.ended;
    clearTimeout(late);
    return code;
  };
  return server;
}

/** Resolves when every URL answers 200; rejects with the server's output when it ends first or takes too long. */
export async function ready(server, urls, { within = 20_000 } = {}) {
  const deadline = Date.now() + within;
  let ended = false;
  server.ended.then(() => (ended = true));
  for (const url of urls) {
    for (;;) {
      const response = await fetch(url, { redirect: 'manual' }).catch(() => undefined);
      await response?.arrayBuffer();
      if (response?.status === 200) break;
      if (ended) throw new Error(`it ended before ${url} answered:\n${server.output}`);
      if (Date.now() > deadline) throw new Error(`${url} does not answer 200 (${response?.status}):\n${server.output}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
