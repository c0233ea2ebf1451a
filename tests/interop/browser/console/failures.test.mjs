// Somebody could not sign in and has a code from the error page: an administrator finds what failed by that code, and a
// remedy that names the cause. For every way in which the stand-in Okta can misbehave.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Browser } from '../../support/browser.mjs';
import { launch, newPage, nothingFound, screenshot } from '../../support/chromium.mjs';
import { ACME_ADMIN, enter, misbehave } from '../../support/console.mjs';
import { CALLBACK, WEB, okta, startDemo } from '../../support/demo.mjs';

/** What the remedy has to speak of, for each cause. */
const REMEDY = {
  ADDRESS_REFUSED: /private, local or not https/,
  ALGORITHM_MISMATCH: /RS256/,
  AT_HASH_MISMATCH: /Access token and ID token/,
  AUDIENCE_MISMATCH: /another client/,
  AZP_MISMATCH: /azp/,
  BAD_ID_TOKEN_ISSUER: /Issuer \(Sign On tab/,
  CALLBACK_ISSUER_MISMATCH: /another issuer/,
  CLIENT_AUTH_FAILED: /client ID and secret/,
  CODE_REJECTED: /code is unknown, used or older/,
  CONNECTION_LOST: /connection broke/,
  DISCOVERY_404: /no discovery document/,
  DISCOVERY_FAILED: /discovery document cannot be read/,
  DNS_FAILED: /cannot be resolved/,
  DPOP_REQUIRED: /DPoP/,
  ENDPOINT_REFUSED: /not an https URL/,
  GRANT_NOT_ALLOWED: /Authorization Code grant/,
  ID_TOKEN_MALFORMED: /not a signed JWT/,
  ID_TOKEN_MISSING: /scope 'openid'/,
  ISSUED_AT_INVALID: /iat.*clock/s,
  ISSUER_MISMATCH: /names another issuer/,
  NONCE_MISMATCH: /nonce/,
  NOT_YET_VALID: /nbf.*clock/s,
  REDIRECT_REFUSED: /redirect, which is never followed/,
  RESPONSE_MALFORMED: /not the JSON/,
  RESPONSE_TOO_LARGE: /larger than 1 MiB/,
  SIGNATURE_INVALID: /signature is wrong/,
  SUBJECT_INVALID: /sub is missing/,
  TOKEN_EXPIRED: /expired already.*clock/s,
  UNKNOWN_KID: /key that the issuer does not publish/,
  USERINFO_FAILED: /userinfo endpoint/,
  USERINFO_SUBJECT_MISMATCH: /another user than the ID token/,
  access_denied: /System Log/,
  callback_empty: /without code and without error/,
  groups_overflow: /more than 100 groups/,
  invalid_scope: /scope/,
  login_required: /no session/,
  login_unknown: /no login cookie/,
  policy_denied: /Access Policies/,
  provider_unavailable: /server error|overloaded/,
  rate_limited: /rate limit/,
  user_not_assigned: /Assignments/,
};

const idToken = (cause, ...faults) => faults.map((fault) => [{ id_token: [fault] }, cause]);
const token = (cause, ...faults) => faults.map((fault) => [{ token: [fault] }, cause]);
const refused = (status, error) => ({ error: { status, error, description: 'as told' } });
const comesBack = (error) => ({ error: { error, description: null } });
const wire = (cause, endpoint, ...troubles) => troubles.map((trouble) => [{ transport: { [endpoint]: { trouble } } }, cause]);
const discovery = (cause, ...faults) => faults.map((fault) => [{ discovery: [fault] }, cause]);

// In batches, each with a demo of its own: a good discovery document is kept, an Okta that fails is left alone for a while,
// and sixty failures in a minute are enough.
const BATCHES = {
  'the ID token': [
    ...idToken('NONCE_MISMATCH', 'nonce_missing', 'nonce_wrong', { nonce: 'of-another-login' }),
    ...idToken('BAD_ID_TOKEN_ISSUER', { iss: 'https://evil.example' }, 'iss_trailing_slash', 'iss_other_server', 'iss_missing'),
    ...idToken('AUDIENCE_MISMATCH', 'aud_other', 'aud_missing', 'aud_empty_list', 'aud_two', 'aud_two_azp_other'),
    ...idToken('AZP_MISMATCH', 'azp_other'),
    ...idToken('SUBJECT_INVALID', 'sub_missing', 'sub_empty', 'sub_null', 'sub_number', 'sub_long'),
    ...idToken('USERINFO_SUBJECT_MISMATCH', 'sub_other'),
    ...idToken('ISSUED_AT_INVALID', 'iat_missing', { iat_ahead: 600 }, { iat_ago: 90_000 }),
    ...idToken('TOKEN_EXPIRED', 'exp_missing', { exp_ago: 600 }, 'exp_string', 'exp_negative', 'exp_huge'),
    ...idToken('NOT_YET_VALID', { nbf_ahead: 600 }),
    ...idToken('AT_HASH_MISMATCH', 'at_hash_wrong'),
    ...idToken('SIGNATURE_INVALID', 'signature_altered', 'payload_altered', 'signed_by_stranger', 'brings_its_key'),
    ...idToken('ID_TOKEN_MALFORMED', 'signature_empty', 'alg_none', 'crit', 'encrypted', 'not_a_jwt'),
    ...idToken('ALGORITHM_MISMATCH', 'hs256_client_secret', 'hs256_public_key', 'es256_garbage', { alg: 'PS256' }),
    ...idToken('UNKNOWN_KID', 'key_for_encryption', 'kid_unknown'),
  ],
  'the way back, the token answer, userinfo, groups': [
    ...discovery('ISSUER_MISMATCH', { issuer: 'https://evil.example' }, 'issuer_trailing_slash', 'issuer_other_server'),
    ...discovery('ENDPOINT_REFUSED', 'http_endpoints'),
    [{ authorize: ['unassigned'] }, 'user_not_assigned'],
    [{ authorize: ['policy_failed'] }, 'policy_denied'],
    [{ authorize: ['code_and_error'] }, 'access_denied'],
    [{ authorize: [{ iss: 'https://evil.example' }] }, 'CALLBACK_ISSUER_MISMATCH'],
    [{ authorize: ['code_missing'] }, 'callback_empty'],
    [{ authorize: [{ code: 'made-up' }] }, 'CODE_REJECTED'],
    [{ authorize: [comesBack('login_required')] }, 'login_required'],
    [{ authorize: [comesBack('invalid_scope')] }, 'invalid_scope'],
    [{ groups: 'too_many' }, 'groups_overflow'],
    ...token('RESPONSE_MALFORMED', { type: 'mac' }, 'no_access_token'),
    ...token('ID_TOKEN_MISSING', 'no_id_token'),
    ...token('CLIENT_AUTH_FAILED', refused(401, 'invalid_client')),
    ...token('CODE_REJECTED', refused(400, 'invalid_grant')),
    ...token('GRANT_NOT_ALLOWED', refused(400, 'unauthorized_client')),
    ...token('DPOP_REQUIRED', refused(400, 'use_dpop_nonce'), refused(400, 'invalid_dpop_proof')),
    [{ userinfo: ['someone_else'] }, 'USERINFO_SUBJECT_MISMATCH'],
    [{ userinfo: ['sub_missing'] }, 'USERINFO_SUBJECT_MISMATCH'],
    [{ userinfo: ['unauthorized'] }, 'USERINFO_FAILED'],
    [{ userinfo: ['signed'] }, 'USERINFO_FAILED'],
    ...wire('RESPONSE_MALFORMED', 'token', 'html', 'empty', 'truncated'),
    ...wire('RESPONSE_TOO_LARGE', 'token', { huge: { bytes: 4_000_000 } }),
    ...wire('REDIRECT_REFUSED', 'token', { redirect: { location: 'https://evil.example/' } }),
    ...wire('CONNECTION_LOST', 'token', 'cut'),
    ...wire('provider_unavailable', 'token', 'server_error'),
    ...wire('rate_limited', 'token', { rate_limited: { reset_in: 30 } }),
  ],
};

let browser;
before(async () => { browser = await launch(); });
after(() => browser?.close());

/** A sign-in at acme that fails; the code of the page at which it ends. */
async function failure(demo, faults) {
  await misbehave(demo.acme, faults);
  const guest = new Browser({ stopAt: [CALLBACK] });
  let page = await guest.open(`${demo.origin}/oauth2/authorize?${new URLSearchParams({
    response_type: 'code', client_id: WEB.id, redirect_uri: CALLBACK, scope: 'openid email', state: 's', identity_provider: 'acme-okta',
  })}`);
  if (page.url.origin === demo.acme) page = await okta(guest, page);
  const code = /\b[0-9A-Z]{3}-[0-9A-Z]{3}\b/.exec(page.text)?.[0];
  assert.ok(page.status >= 400 && code, `${JSON.stringify(faults)} should end on a page with a code, not at ${page}`);
  return code;
}

for (const [batch, faults] of Object.entries(BATCHES)) {
  test(`found by its code: ${batch}`, async () => {
    const demo = await startDemo({ faults: true });
    try {
      const failures = [];
      for (const [fault, cause] of faults) failures.push({ fault: JSON.stringify(fault), cause, code: await failure(demo, fault) });
      await misbehave(demo.acme);

      const { page, context, findings } = await newPage(browser);
      await enter(page, demo.origin, ACME_ADMIN, '/console/traces');
      const wrong = [];
      const shot = new Set();
      for (const { fault, cause, code } of failures) {
        let shown;
        if (shot.has(cause)) {
          // The page of this cause has been looked at; what it says of this fault is enough.
          shown = await (await page.request.get(`${demo.origin}/console/traces/${code}`)).text();
          shown = shown.replaceAll('&#39;', "'");
        } else {
          await search(page, demo, code);
          await screenshot(page, `console/failure-${cause.toLowerCase()}`);
          shown = await page.innerText('main');
          shot.add(cause);
        }
        if (!shown.includes(code) || !shown.includes(cause) || !REMEDY[cause].test(shown)) wrong.push(`${fault} (${code}) should show ${cause} and ${REMEDY[cause]}:\n${shown}`);
      }
      assert.equal(wrong.join('\n\n'), '');
      nothingFound(findings);
      await context.close();
    } finally {
      await demo.stop();
    }
  });
}

/** From the list of sign-ins to the one with this code, typed as it is read out on the telephone: without its hyphen. */
async function search(page, demo, code) {
  await page.goto(`${demo.origin}/console/traces`);
  await page.getByRole('searchbox').fill(code.replace('-', '').toLowerCase());
  await page.keyboard.press('Enter');
  await page.waitForURL(`${demo.origin}/console/traces/${code}`);
}
