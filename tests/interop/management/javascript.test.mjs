// The AWS SDK for JavaScript and amazon-cognito-identity-js sign native users in by SRP, with a password to choose first, and
// refresh: both know another endpoint and nothing else of Forebay.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  AdminCreateUserCommand, CognitoIdentityProviderClient, CreateUserPoolClientCommand, CreateUserPoolCommand,
  GetTokensFromRefreshTokenCommand, GetUserCommand, InitiateAuthCommand, NotAuthorizedException,
  RespondToAuthChallengeCommand, paginateListUsers,
} from '@aws-sdk/client-cognito-identity-provider';
import { AuthenticationDetails, CognitoUser, CognitoUserPool } from 'amazon-cognito-identity-js';
import { startDemo } from '../support/demo.mjs';
import { begin } from '../support/srp.mjs';

const FIRST = 'Temporary-1-password';
const CHOSEN = 'Chosen-2-password';

let demo, sdk, poolId, clientId;

before(async () => {
  demo = await startDemo();
  sdk = new CognitoIdentityProviderClient({
    endpoint: demo.origin, region: 'us-local-1', maxAttempts: 1,
    credentials: { accessKeyId: 'FOREBAYDEMOKEY000001', secretAccessKey: 'demo/management/secret/key/0000000000001' },
  });
  const { UserPool } = await sdk.send(new CreateUserPoolCommand({ PoolName: 'javascript' }));
  poolId = UserPool.Id;
  const { UserPoolClient } = await sdk.send(new CreateUserPoolClientCommand({
    UserPoolId: poolId, ClientName: 'spa', SupportedIdentityProviders: ['COGNITO'],
    ExplicitAuthFlows: ['ALLOW_USER_SRP_AUTH', 'ALLOW_REFRESH_TOKEN_AUTH'], PreventUserExistenceErrors: 'ENABLED',
  }));
  clientId = UserPoolClient.ClientId;
  for (const Username of ['sdk', 'identity-js']) {
    const { User } = await sdk.send(new AdminCreateUserCommand({
      UserPoolId: poolId, Username, TemporaryPassword: FIRST, MessageAction: 'SUPPRESS',
      UserAttributes: [{ Name: 'email', Value: `${Username}@app.example` }],
    }));
    assert.equal(User.UserStatus, 'FORCE_CHANGE_PASSWORD');
  }
});
after(() => demo?.stop());

/** USER_SRP_AUTH up to what the right or the wrong proof is answered with. */
async function signIn(username, password) {
  const srp = begin();
  const begun = await sdk.send(new InitiateAuthCommand({
    ClientId: clientId, AuthFlow: 'USER_SRP_AUTH', AuthParameters: { USERNAME: username, SRP_A: srp.A },
  }));
  assert.equal(begun.ChallengeName, 'PASSWORD_VERIFIER');
  return sdk.send(new RespondToAuthChallengeCommand({
    ClientId: clientId, ChallengeName: 'PASSWORD_VERIFIER', Session: begun.Session,
    ChallengeResponses: srp.respond(poolId, begun.ChallengeParameters, password),
  }));
}

test('the SDK: SRP, a new password, SRP again, refresh', async () => {
  const challenge = await signIn('sdk', FIRST);
  assert.equal(challenge.ChallengeName, 'NEW_PASSWORD_REQUIRED');
  const { AuthenticationResult: first } = await sdk.send(new RespondToAuthChallengeCommand({
    ClientId: clientId, ChallengeName: 'NEW_PASSWORD_REQUIRED', Session: challenge.Session,
    ChallengeResponses: { USERNAME: 'sdk', NEW_PASSWORD: CHOSEN },
  }));
  assert.ok(first.AccessToken);

  const { AuthenticationResult: tokens } = await signIn('sdk', CHOSEN);
  const user = await sdk.send(new GetUserCommand({ AccessToken: tokens.AccessToken }));
  assert.equal(user.Username, 'sdk');
  const { AuthenticationResult: fresh } = await sdk.send(new GetTokensFromRefreshTokenCommand({
    ClientId: clientId, RefreshToken: tokens.RefreshToken,
  }));
  assert.notEqual(fresh.AccessToken, tokens.AccessToken);
});

test('the SDK: a wrong password and an unknown user are refused alike', async () => {
  const refusals = [];
  for (const [who, password] of [['sdk', 'Wrong-3-password'], ['nobody', CHOSEN]]) {
    const refused = await signIn(who, password).then(() => undefined, (error) => error);
    assert.ok(refused instanceof NotAuthorizedException, `${refused}`);
    refusals.push(refused.message);
  }
  assert.equal(refusals[0], refusals[1]);
});

test('the SDK: its paginator and its error classes', async () => {
  const names = [];
  for await (const page of paginateListUsers({ client: sdk, pageSize: 1 }, { UserPoolId: poolId })) {
    names.push(...page.Users.map((user) => user.Username));
  }
  assert.deepEqual(names.sort(), ['identity-js', 'sdk']);
});

/** The library's callbacks as one promise of [how it ended, what it gave]. */
const ended = (start) => new Promise((resolve, reject) => start({
  onSuccess: (session) => resolve(['signed in', session]),
  newPasswordRequired: (attributes) => resolve(['new password', attributes]),
  onFailure: reject,
}));

test('amazon-cognito-identity-js: SRP, a new password, SRP again, attributes, refresh', async () => {
  const Pool = new CognitoUserPool({ UserPoolId: poolId, ClientId: clientId, endpoint: demo.origin });
  const details = (Password) => new AuthenticationDetails({ Username: 'identity-js', Password });
  const user = new CognitoUser({ Username: 'identity-js', Pool });

  const [asked] = await ended((callbacks) => user.authenticateUser(details(FIRST), callbacks));
  assert.equal(asked, 'new password');
  const [chosen] = await ended((callbacks) => user.completeNewPasswordChallenge(CHOSEN, {}, callbacks));
  assert.equal(chosen, 'signed in');

  await assert.rejects(
    ended((callbacks) => user.authenticateUser(details('Wrong-3-password'), callbacks)),
    { name: 'NotAuthorizedException' },
  );
  const [how, session] = await ended((callbacks) => user.authenticateUser(details(CHOSEN), callbacks));
  assert.equal(how, 'signed in');
  assert.equal(session.getIdToken().payload.iss, `${demo.origin}/${poolId}`);
  assert.equal(session.getIdToken().payload.email, 'identity-js@app.example');

  const attributes = await new Promise((resolve, reject) =>
    user.getUserAttributes((error, found) => (error ? reject(error) : resolve(found))));
  assert.ok(attributes.some((attribute) => attribute.getName() === 'sub'));
  const fresh = await new Promise((resolve, reject) =>
    user.refreshSession(session.getRefreshToken(), (error, found) => (error ? reject(error) : resolve(found))));
  assert.notEqual(fresh.getAccessToken().getJwtToken(), session.getAccessToken().getJwtToken());
});
