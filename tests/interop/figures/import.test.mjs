// Moving 100,000 users in from what the AWS CLI prints: how many per second, and that a run that is killed on the way is
// finished by the next with nobody lost and nobody doubled.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { forebayJson, freshDatabase, scratch, start } from '../support/process.mjs';

const USERS = 100_000;
const PER_SECOND = 2_000;
const POOL = 'eu-west-1_Figures01';

let folder;
before(async () => {
  folder = await scratch();
  const dump = join(folder.path, 'dump');
  await mkdir(dump);
  const write = (name, document) => writeFile(join(dump, name), JSON.stringify(document));
  await write('pool.json', { UserPool: { Id: POOL, Name: 'Figures', SchemaAttributes: [] } });
  await write('provider.json', { IdentityProvider: {
    ProviderName: 'okta', ProviderType: 'OIDC', AttributeMapping: { email: 'email' },
    ProviderDetails: { oidc_issuer: 'https://figures.okta.com', client_id: '0oa1', client_secret: 's'.repeat(40) },
  } });
  // As list-users prints it: one document with all of them.
  const file = createWriteStream(join(dump, 'users.json'));
  file.write('{"Users": [');
  for (let i = 0; i < USERS; i++) {
    const subject = `00u${String(i).padStart(17, '0')}`;
    const identities = [{ userId: subject, providerName: 'okta', providerType: 'OIDC', issuer: null, primary: true, dateCreated: 1754000000123 }];
    const attributes = {
      sub: `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`, identities: JSON.stringify(identities),
      email: `person.${i}@company-${i % 500}.example`, email_verified: 'true', name: `Person Number ${i}`, family_name: `Number ${i}`,
    };
    const user = {
      Username: `okta_${subject}`, Enabled: true, UserStatus: 'EXTERNAL_PROVIDER',
      UserCreateDate: 1754000000.123, UserLastModifiedDate: 1754000000.123,
      Attributes: Object.entries(attributes).map(([Name, Value]) => ({ Name, Value })),
    };
    if (!file.write(`${i ? ',' : ''}\n${JSON.stringify(user)}`)) await once(file, 'drain');
  }
  file.end(']}\n');
  await once(file, 'close');
});
after(() => folder?.remove());

const shell = async (name) => {
  const cwd = join(folder.path, name);
  await mkdir(cwd);
  return { cwd, env: { FOREBAY_DATABASE: await freshDatabase(cwd) } };
};
const COMMAND = ['import', 'cognito', '../dump', '--yes'];

test(`${USERS} users move in at ${PER_SECOND} per second or more`, async () => {
  const told = await forebayJson(COMMAND, await shell('whole'));
  assert.equal(told.users.made, USERS);
  const { users_per_second: rate, seconds } = told;
  console.log(`FIGURE import: ${USERS} users in ${seconds.toFixed(1)} s, ${rate} per second (at least ${PER_SECOND})`);
  assert.ok(rate >= PER_SECOND, `${rate} per second`);
});

test('a run that is killed is finished by the next', async () => {
  const place = await shell('killed');
  const first = start(COMMAND, place);
  while (!first.output.includes(`\n40000 of ${USERS} users`)) {
    assert.equal(first.child.exitCode, null, `it ended early:\n${first.output}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  first.child.kill('SIGKILL');
  await first.ended;
  const { users } = await forebayJson(COMMAND, place);
  console.log(`FIGURE import, killed and run again: ${users.equal} users were there, ${users.made} were made`);
  assert.equal(users.equal + users.made, USERS);
  assert.ok(users.equal >= 40_000 && users.made > 0);
  assert.deepEqual(users.refused, []);
});
