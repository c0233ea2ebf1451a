// The app of a set-up: it knows an issuer, a client id and a secret, and has openid-client. Signing in at `/`, the login start
// URL `/login`, the callback, and signing out. What it was told last is on its page and in `claims`, `tokens` and `error`.

import { createServer } from 'node:http';
import { once } from 'node:events';
import * as client from 'openid-client';

const escape = (text) => text.replace(/[&<"]/g, (c) => `&#${c.charCodeAt(0)};`);

export async function startApp(port, { callback = '/callback' } = {}) {
  const app = { origin: `http://127.0.0.1:${port}`, started: [] };
  const begun = new Map();

  /** What it is given once it is registered: everything else it finds by discovery. */
  app.know = async (issuer, id, secret) => {
    app.config = await client.discovery(new URL(issuer), id, secret, undefined, { execute: [client.allowInsecureRequests] });
  };
  app.forget = () => { app.claims = app.tokens = app.error = undefined; };

  async function signIn(more) {
    const checks = { pkceCodeVerifier: client.randomPKCECodeVerifier(), expectedState: client.randomState(), expectedNonce: client.randomNonce() };
    begun.set(checks.expectedState, checks);
    return client.buildAuthorizationUrl(app.config, {
      redirect_uri: `${app.origin}${callback}`, scope: 'openid email profile', state: checks.expectedState, nonce: checks.expectedNonce,
      code_challenge: await client.calculatePKCECodeChallenge(checks.pkceCodeVerifier), code_challenge_method: 'S256', ...more,
    }).href;
  }

  async function finish(url) {
    try {
      app.tokens = await client.authorizationCodeGrant(app.config, url, begun.get(url.searchParams.get('state')));
      app.claims = app.tokens.claims();
    } catch (refusal) {
      app.error = refusal.error ?? String(refusal);
    }
  }

  const page = () => `<!doctype html><html lang="en"><title>The app</title><link rel="icon" href="data:,"><h1>The app</h1>
    <p><a href="/sign-in">Sign in</a> <a href="/sign-out">Sign out</a></p>
    <pre>${escape(app.claims ? JSON.stringify(app.claims, undefined, 2) : app.error ?? 'signed out')}</pre></html>`;

  const server = createServer(async (request, response) => {
    const url = new URL(request.url, app.origin);
    const to = (location) => response.writeHead(302, { location }).end();
    if (url.pathname === '/sign-in') return to(await signIn(Object.fromEntries(url.searchParams)));
    if (url.pathname === '/login') {
      // Third-party-initiated login (OIDC Core §4): the hint goes on, the issuer must be the one it knows.
      app.started.push(Object.fromEntries(url.searchParams));
      if (url.searchParams.get('iss') !== app.config.serverMetadata().issuer) return response.writeHead(400).end('another issuer');
      const hint = url.searchParams.get('login_hint');
      return to(await signIn(hint ? { login_hint: hint } : {}));
    }
    if (url.pathname === '/sign-out') {
      const hint = app.tokens?.id_token;
      app.forget();
      return to(client.buildEndSessionUrl(app.config, { post_logout_redirect_uri: app.origin, ...(hint && { id_token_hint: hint }) }).href);
    }
    if (url.pathname === callback) {
      app.forget();
      await finish(url);
      return to('/');
    }
    response.setHeader('content-type', 'text/html; charset=utf-8');
    return response.end(page());
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  app.stop = () => { server.closeAllConnections(); server.close(); };
  return app;
}
