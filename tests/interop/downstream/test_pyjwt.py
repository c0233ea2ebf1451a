"""PyJWT verifies both kinds of token from our JWKS alone."""

import httpx
import jwt
import pytest
from authlib.integrations.httpx_client import OAuth2Client

from stage import CALLBACK, WEB, Browser


@pytest.fixture(scope="module")
def metadata(demo):
    return httpx.get(f"{demo.issuer}/.well-known/openid-configuration").json()


@pytest.fixture(scope="module")
def tokens(metadata):
    client = OAuth2Client(*WEB, scope="openid email", redirect_uri=CALLBACK, code_challenge_method="S256")
    verifier = "v" * 64
    url, state = client.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=verifier, nonce="the-nonce", identity_provider="acme-okta"
    )
    answer, _ = Browser().sign_in(url)
    return client.fetch_token(metadata["token_endpoint"], authorization_response=answer, state=state, code_verifier=verifier)


@pytest.fixture(scope="module")
def keys(metadata):
    return jwt.PyJWKClient(metadata["jwks_uri"])


def test_id_token(demo, tokens, keys):
    token = tokens["id_token"]
    key = keys.get_signing_key_from_jwt(token)
    claims = jwt.decode(
        token, key, algorithms=["RS256"], audience=WEB[0], issuer=demo.issuer,
        options={"require": ["exp", "iat", "sub", "auth_time", "token_use", "nonce", "at_hash", "jti", "event_id", "origin_jti"]},
    )
    assert claims["token_use"] == "id"
    assert claims["nonce"] == "the-nonce"
    assert claims["email"] == "ada@acme.test"
    assert isinstance(claims["email_verified"], bool)
    assert claims["identities"][0]["providerType"] == "OIDC"


def test_access_token(demo, tokens, keys):
    token = tokens["access_token"]
    key = keys.get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key, algorithms=["RS256"], issuer=demo.issuer, options={"verify_aud": False})
    assert claims["token_use"] == "access"
    assert claims["client_id"] == WEB[0]
    assert claims["version"] == 2
    assert set(claims["scope"].split()) == {"openid", "email"}


def test_the_keys_are_two_and_not_interchangeable(tokens, keys):
    of_id = keys.get_signing_key_from_jwt(tokens["id_token"])
    of_access = keys.get_signing_key_from_jwt(tokens["access_token"])
    assert of_id.key_id != of_access.key_id
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(tokens["id_token"], of_access, algorithms=["RS256"], audience=WEB[0])


def test_a_wrong_audience_or_issuer_is_refused(demo, tokens, keys):
    key = keys.get_signing_key_from_jwt(tokens["id_token"])
    with pytest.raises(jwt.InvalidAudienceError):
        jwt.decode(tokens["id_token"], key, algorithms=["RS256"], audience="someone-else", issuer=demo.issuer)
    with pytest.raises(jwt.InvalidIssuerError):
        jwt.decode(tokens["id_token"], key, algorithms=["RS256"], audience=WEB[0], issuer=demo.origin)


def test_at_hash_binds_the_access_token(tokens):
    import base64
    import hashlib

    claims = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert claims["at_hash"] == base64.urlsafe_b64encode(half).rstrip(b"=").decode()
