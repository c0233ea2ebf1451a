// Terraform with HashiCorp's own AWS provider makes a pool, sees nothing to change in it, changes it, adopts it, and takes
// it away. Needs `terraform`; the provider comes from its registry, or from the folder that FOREBAY_TF_PLUGINS names.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startDemo } from '../support/demo.mjs';
import { scratch } from '../support/process.mjs';

let demo, folder, environment;

before(async () => {
  demo = await startDemo();
  folder = await scratch();
  await cp(fileURLToPath(new URL('main.tf', import.meta.url)), join(folder.path, 'main.tf'));
  environment = { ...process.env, CHECKPOINT_DISABLE: '1', TF_IN_AUTOMATION: '1', TF_CLI_ARGS: '-no-color' };
  if (process.env.FOREBAY_TF_PLUGINS) {
    environment.TF_CLI_CONFIG_FILE = join(folder.path, 'terraformrc');
    const path = JSON.stringify(process.env.FOREBAY_TF_PLUGINS);
    await writeFile(environment.TF_CLI_CONFIG_FILE, `provider_installation {\n  filesystem_mirror {\n    path = ${path}\n  }\n}\n`);
  }
  // The registration of the demo's first organisation, as src/demo has it.
  const okta = { issuer: demo.acme, client_id: '0oa1forebayacme00000', client_secret: 'demo-secret-of-forebay-at-acme-000000000001' };
  await writeFile(join(folder.path, 'terraform.tfvars.json'), JSON.stringify({ endpoint: demo.origin, okta }));
  await terraform(['init']);
});
after(async () => {
  await folder?.remove();
  await demo?.stop();
});

/** Runs Terraform; `codes` are the exit codes that are no failure. */
function terraform(args, codes = [0]) {
  return new Promise((resolve, reject) => {
    const options = { cwd: folder.path, env: environment, timeout: 150_000, maxBuffer: 1 << 26 };
    execFile('terraform', args, options, (error, stdout, stderr) => {
      const code = error ? error.code : 0;
      if (codes.includes(code)) resolve({ code, stdout });
      else reject(new Error(`terraform ${args.join(' ')} ended with ${code}\n${stdout}${stderr}`));
    });
  });
}

/** A plan that would change something fails with what it would change. */
async function nothingToDo(...variables) {
  const { code, stdout } = await terraform(['plan', '-input=false', '-detailed-exitcode', ...variables], [0, 2]);
  assert.equal(code, 0, `the plan should be empty:\n${stdout}`);
}

const output = async (name) => (await terraform(['output', '-raw', name])).stdout.trim();

test('what was applied is what is there: the next plan is empty', async () => {
  await terraform(['apply', '-input=false', '-auto-approve']);
  await nothingToDo();
  const [pool, client] = [await output('user_pool_id'), await output('client_id')];
  const metadata = await (await fetch(`${demo.origin}/${pool}/.well-known/openid-configuration`)).json();
  assert.equal(metadata.issuer, `${demo.origin}/${pool}`);
  assert.equal(metadata.token_endpoint, `http://tf-customers.localhost:${demo.port}/oauth2/token`);
  const query = new URLSearchParams({
    client_id: client, response_type: 'code', scope: 'openid', redirect_uri: 'https://app.example.com/callback',
  });
  const page = await (await fetch(`${demo.origin}/login?${query}`)).text();
  assert.match(page, /identity_provider=acme-okta/);
  const style = page.match(/href="(\/login\/style\/[^"]+\.css)"/);
  assert.ok(style, page);
  assert.match(await (await fetch(demo.origin + style[1])).text(), /background-color: #336699;/);
});

test('a change is made, and only that', async () => {
  const changes = ['-var', 'group_description=Changed', '-var', 'scopes=openid email', '-var', 'colour=#993333'];
  const { stdout } = await terraform(['apply', '-input=false', '-auto-approve', ...changes]);
  assert.match(stdout, /0 added, 3 changed, 0 destroyed/);
  await nothingToDo(...changes);
  await terraform(['apply', '-input=false', '-auto-approve']);
  await nothingToDo();
});

test('what is there is adopted by import', async () => {
  const pool = await output('user_pool_id');
  const client = await output('client_id');
  // All but the client: the provider reads no `generate_secret` back, and would replace what it has imported.
  for (const [address, id] of [
    ['aws_cognito_user_pool_ui_customization.web', `${pool},${client}`],
    ['aws_cognito_identity_provider.acme', `${pool}:acme-okta`],
    ['aws_cognito_user_group.admins', `${pool}/admins`],
    ['aws_cognito_resource_server.orders', `${pool}|https://orders.example`],
    ['aws_cognito_user_pool_domain.customers', 'tf-customers'],
    ['aws_cognito_user_pool.customers', pool],
  ]) {
    await terraform(['state', 'rm', address]);
    await terraform(['import', '-input=false', address, id]);
  }
  await nothingToDo();
});

test('everything goes', async () => {
  const pool = await output('user_pool_id');
  await terraform(['destroy', '-input=false', '-auto-approve']);
  const gone = await fetch(`${demo.origin}/${pool}/.well-known/openid-configuration`);
  assert.equal(gone.status, 404);
  await rm(join(folder.path, 'terraform.tfstate'));
});
