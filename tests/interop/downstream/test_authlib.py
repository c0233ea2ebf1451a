"""Authlib, as its users use it: sessions on requests and on httpx, and its Flask integration from the discovery URL alone."""

import threading

import httpx
import pytest
from authlib.common.security import generate_token
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.flask_client import OAuth
from authlib.integrations.httpx_client import OAuth2Client
from authlib.integrations.requests_client import OAuth2Session
from flask import Flask, jsonify, url_for
from werkzeug.serving import make_server

from aws import management_client
from stage import CALLBACK, MACHINE, WEB, Browser


@pytest.fixture(scope="session")
def metadata(demo):
    return httpx.get(f"{demo.issuer}/.well-known/openid-configuration").json()


@pytest.mark.parametrize("session", [OAuth2Session, OAuth2Client], ids=["requests", "httpx"])
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_code_pkce_userinfo_refresh_and_revoke(metadata, session, method):
    client = session(
        *WEB, token_endpoint_auth_method=method, scope="openid email profile", redirect_uri=CALLBACK,
        code_challenge_method="S256",
    )
    verifier = generate_token(48)
    url, state = client.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=verifier, nonce="n", identity_provider="acme-okta"
    )
    answer, _ = Browser().sign_in(url)
    token = client.fetch_token(metadata["token_endpoint"], authorization_response=answer, state=state, code_verifier=verifier)
    assert token["token_type"].lower() == "bearer"

    info = client.get(metadata["userinfo_endpoint"])
    assert info.status_code == 200
    assert info.json()["email"] == "ada@acme.test"

    first = token["refresh_token"]
    renewed = client.refresh_token(metadata["token_endpoint"], refresh_token=first)
    assert renewed["access_token"] != token["access_token"]
    newest = renewed.get("refresh_token") or first

    revoked = client.revoke_token(metadata["revocation_endpoint"], token=newest, token_type_hint="refresh_token")
    assert revoked.status_code == 200
    with pytest.raises(OAuthError, match="invalid_grant"):
        client.refresh_token(metadata["token_endpoint"], refresh_token=newest)


def test_client_credentials(metadata):
    client = OAuth2Session(*MACHINE, scope="demo-api/read")
    token = client.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")
    assert token["access_token"].count(".") == 2
    assert "id_token" not in token and "refresh_token" not in token


def test_flask_knows_the_discovery_url_and_nothing_else(demo):
    app = Flask(__name__)
    app.secret_key = "a test's"
    # A port of its own: the suites of the other database run at the same time.
    server = make_server("127.0.0.1", 0, app, threaded=True)
    origin = f"http://127.0.0.1:{server.server_port}"
    registered = management_client(demo).create_user_pool_client(
        UserPoolId=demo.pool, ClientName="flask", GenerateSecret=True, CallbackURLs=[f"{origin}/callback"],
        SupportedIdentityProviders=["acme-okta"], AllowedOAuthFlowsUserPoolClient=True, AllowedOAuthFlows=["code"],
        AllowedOAuthScopes=["openid", "email", "profile"],
    )["UserPoolClient"]
    provider = OAuth(app).register(
        "forebay", client_id=registered["ClientId"], client_secret=registered["ClientSecret"],
        server_metadata_url=f"{demo.issuer}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid email profile", "code_challenge_method": "S256"},
    )

    @app.get("/signin")
    def signin():
        return provider.authorize_redirect(url_for("callback", _external=True), identity_provider="acme-okta")

    @app.get("/callback")
    def callback():
        # Verifies signature, issuer, audience, nonce and expiry of the ID token.
        token = provider.authorize_access_token()
        return jsonify(claims=token["userinfo"], info=provider.userinfo(token=token))

    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        _, response = Browser(stop_at=None).sign_in(f"{origin}/signin", "grace@acme.test")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert response.status_code == 200, response.text
    body = response.json()
    assert body["claims"]["iss"] == demo.issuer
    assert body["claims"]["email"] == "grace@acme.test"
    assert "Finance" in body["claims"]["cognito:groups"]
    assert body["info"]["sub"] == body["claims"]["sub"]
