// aws-jwt-verify's JwtVerifier, the verifier that Cognito's users have in their APIs, reads our JWKS.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { JwtVerifier } from 'aws-jwt-verify';
import { SimpleJwksCache } from 'aws-jwt-verify/jwk';
import * as client from 'openid-client';
import { CALLBACK, MACHINE, WEB, signIn, startDemo } from '../support/demo.mjs';

let demo, tokens, machine;

before(async () => {
  demo = await startDemo();
  const options = { execute: [client.allowInsecureRequests] };
  const config = await client.discovery(new URL(demo.issuer), WEB.id, undefined, client.ClientSecretBasic(WEB.secret), options);
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const callback = await signIn(client.buildAuthorizationUrl(config, {
    redirect_uri: CALLBACK, scope: 'openid email', identity_provider: 'acme-okta', state: 's',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier), code_challenge_method: 'S256',
  }));
  tokens = await client.authorizationCodeGrant(config, callback, { pkceCodeVerifier, expectedState: 's' });
  const api = await client.discovery(new URL(demo.issuer), MACHINE.id, undefined, client.ClientSecretBasic(MACHINE.secret), options);
  machine = await client.clientCredentialsGrant(api, { scope: MACHINE.scope });
});
after(() => demo?.stop());

/** Its own fetcher speaks https only; the issuer of the demo is http. The JWKS address is its own guess from the issuer. */
const jwksCache = () => new SimpleJwksCache({
  fetcher: { fetch: async (uri) => (await fetch(uri)).arrayBuffer() },
});

const use = (wanted) => ({ payload }) => {
  if (payload.token_use !== wanted) throw new Error(`token_use is ${payload.token_use}, not ${wanted}`);
};

const verifier = (wanted, extra) =>
  JwtVerifier.create({ issuer: demo.issuer, audience: null, customJwtCheck: use(wanted), ...extra }, { jwksCache: jwksCache() });

test('verifies the ID token, for its audience', async () => {
  const payload = await verifier('id', { audience: WEB.id }).verify(tokens.id_token);
  assert.equal(payload.email, 'ada@acme.test');
});

test('verifies the access token', async () => {
  const payload = await verifier('access').verify(tokens.access_token);
  assert.equal(payload.client_id, WEB.id);
  assert.ok(payload.scope.split(' ').includes('openid'));
});

test("verifies the machine's access token, with its scope", async () => {
  const payload = await verifier('access', { scope: MACHINE.scope }).verify(machine.access_token);
  assert.equal(payload.client_id, MACHINE.id);
});

test('refuses each kind where the other is wanted', async () => {
  await assert.rejects(verifier('access').verify(tokens.id_token), /token_use is id/);
  await assert.rejects(verifier('id').verify(tokens.access_token), /token_use is access/);
});

test('the two kinds are signed by different keys of one JWKS', async () => {
  const kid = (token) => JSON.parse(Buffer.from(token.split('.')[0], 'base64url')).kid;
  assert.notEqual(kid(tokens.id_token), kid(tokens.access_token));
  const { keys } = await (await fetch(`${demo.issuer}/.well-known/jwks.json`)).json();
  const known = keys.map((k) => k.kid);
  assert.ok(known.includes(kid(tokens.id_token)) && known.includes(kid(tokens.access_token)));
  assert.ok(keys.every((k) => k.kty === 'RSA' && k.use === 'sig' && k.alg === 'RS256' && !('d' in k)), JSON.stringify(keys));
});

test('refuses a token of another issuer, another audience, or with a changed claim', async () => {
  await assert.rejects(
    JwtVerifier.create({ issuer: `${demo.origin}/us-local-1_Other`, audience: null, jwksUri: `${demo.issuer}/.well-known/jwks.json` },
      { jwksCache: jwksCache() }).verify(tokens.id_token), /[Ii]ssuer/);
  await assert.rejects(verifier('id', { audience: 'someone-else' }).verify(tokens.id_token), /[Aa]udience/);
  const [header, body, signature] = tokens.id_token.split('.');
  const changed = { ...JSON.parse(Buffer.from(body, 'base64url')), email: 'mallory@acme.test' };
  const forged = [header, Buffer.from(JSON.stringify(changed)).toString('base64url'), signature].join('.');
  await assert.rejects(verifier('id').verify(forged), /[Ss]ignature/);
});
