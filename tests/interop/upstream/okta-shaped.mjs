// oidc-provider, a certified OpenID provider, in the shape of an Okta org: its paths, PKCE for everyone, thin ID
// tokens and full userinfo, groups behind a scope of their own, and no consent page.

import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

const people = {
  'ada@acme.test': { name: 'Ada Lovelace', given_name: 'Ada', family_name: 'Lovelace', groups: ['Everyone', 'Engineering'] },
  'grace@acme.test': { name: 'Grace Hopper', given_name: 'Grace', family_name: 'Hopper', groups: ['Everyone', 'Finance'] },
  'linus@acme.test': { name: 'Linus', assigned: false },
};

/** Okta's user ids look like `00u…`: they are not what anybody types. */
const subject = (login) => `00u${createHash('sha256').update(login).digest('hex').slice(0, 17)}`;

/** The sign-in page: the same plain form as the demo's stand-in has; every password is `demo`. */
async function signIn(provider, request, response) {
  const { params } = await provider.interactionDetails(request, response);
  if (request.method === 'POST') {
    let body = '';
    for await (const chunk of request) body += chunk;
    const form = new URLSearchParams(body);
    if (form.get('username') in people && form.get('password') === 'demo') {
      const result = people[form.get('username')].assigned === false
        ? { error: 'access_denied', error_description: 'User is not assigned to the client application.' }
        : { login: { accountId: subject(form.get('username')), amr: ['pwd'] } };
      return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
    }
  }
  const hint = String(params.login_hint ?? '').replace(/[^\w@.+-]/g, '');
  response.setHeader('content-type', 'text/html; charset=utf-8');
  response.end(`<!doctype html><title>Sign in</title><form method="post">
    <input name="username" value="${hint}"><input name="password" type="password"><button>Sign in</button></form>`);
}

/**
 * Starts it on a port with the clients given (oidc-provider's metadata); `stop()` ends it. `fat`: ID tokens carry the claims
 * themselves, as those of a single-page app at Okta do. After `deactivate()`
 * the token endpoint knows its apps no more.
 */
export async function startOkta(port, clients, { fat = false } = {}) {
  const issuer = `http://127.0.0.1:${port}`;
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const provider = new Provider(issuer, {
    jwks: { keys: [{ ...(await exportJWK(privateKey)), use: 'sig', alg: 'RS256' }] },
    clients: clients.map((c) => ({ grant_types: ['authorization_code'], response_types: ['code'], ...c })),
    routes: {
      authorization: '/oauth2/v1/authorize',
      token: '/oauth2/v1/token',
      jwks: '/oauth2/v1/keys',
      userinfo: '/oauth2/v1/userinfo',
      end_session: '/oauth2/v1/logout',
      introspection: '/oauth2/v1/introspect',
      revocation: '/oauth2/v1/revoke',
      pushed_authorization_request: '/oauth2/v1/par',
    },
    scopes: ['openid', 'profile', 'email', 'groups'],
    claims: {
      openid: ['sub'],
      email: ['email', 'email_verified'],
      profile: ['name', 'given_name', 'family_name', 'preferred_username', 'locale', 'zoneinfo', 'updated_at'],
      groups: ['groups'],
    },
    conformIdTokenClaims: !fat,
    clientBasedCORS: () => true,
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: false },
      introspection: { enabled: true },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: true },
    },
    interactions: { url: (ctx, interaction) => `/signin/${interaction.uid}` },
    ttl: { Interaction: 600, Session: 3600, Grant: 3600, AuthorizationCode: 60, IdToken: 3600, AccessToken: 3600 },
    cookies: { keys: ['not a secret: it lives as long as one test'] },
    async findAccount(ctx, id) {
      const login = Object.keys(people).find((known) => known === id || subject(known) === id);
      if (!login) return undefined;
      return {
        accountId: subject(login),
        claims: async () => ({
          sub: subject(login), email: login, email_verified: true, preferred_username: login,
          locale: 'en-US', zoneinfo: 'Europe/London', updated_at: 1764000000, ...people[login],
        }),
      };
    },
    // Okta asks nobody for consent to their own company's apps.
    async loadExistingGrant(ctx) {
      const { client, session, params } = ctx.oidc;
      const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope(params.scope);
      await grant.save();
      return grant;
    },
  });
  const seen = [];
  let deactivated = false;
  provider.use(async (ctx, next) => {
    if (deactivated && ctx.path === '/oauth2/v1/token') {
      ctx.status = 401;
      ctx.body = { error: 'invalid_client', error_description: 'The client is deactivated.' };
    } else {
      await next();
    }
    seen.push({ method: ctx.method, path: ctx.path, query: ctx.query, status: ctx.status, authorization: ctx.get('authorization') });
  });
  // Why it refused, for whoever reads the output of a failed run.
  for (const event of ['server_error', 'grant.error', 'authorization.error', 'userinfo.error', 'end_session.error']) {
    provider.on(event, (ctx, error) => console.error(`oidc-provider ${event}: ${error.error_description ?? error} ${error.error_detail ?? ''}`));
  }
  const protocol = provider.callback();
  const server = createServer((request, response) => {
    const signin = request.url.startsWith('/signin/');
    return signin ? signIn(provider, request, response) : protocol(request, response);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    issuer, seen, subject, people,
    deactivate() { deactivated = true; },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
