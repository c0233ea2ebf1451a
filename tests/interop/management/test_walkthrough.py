"""The README's walkthrough with the AWS CLI, word for word (but for the ports), and a sign-in through what it made."""

import re

import httpx
import jwt
import pytest

from shell import run, script_below
from stage import CALLBACK, Browser


@pytest.fixture(scope="module")
def printed(demo, tmp_path_factory):
    """What the walkthrough leaves in its variables."""
    script = script_below("### A walkthrough with the AWS CLI")
    for port, server in ((8080, demo.origin), (8091, demo.acme)):
        script = script.replace(f":{port}", f":{server.rsplit(':', 1)[1]}")
    output = run(script + '\nprintf "\\n%s\\n" "$POOL" "$CLIENT" "$SECRET"\n', tmp_path_factory.mktemp("walkthrough"))
    pool, client, secret = output.split()[-3:]
    return {"pool": pool, "client": client, "secret": secret, "output": output}


def test_it_prints_where_to_sign_in(printed, demo):
    assert f"{demo.origin}/oauth2/authorize?client_id={printed['client']}&" in printed["output"]
    assert "walk-okta" in printed["output"]


def test_somebody_signs_in_through_what_it_made(printed, demo):
    url = re.search(r"http://localhost\S+/oauth2/authorize\S+", printed["output"]).group(0)
    back, _ = Browser().sign_in(url, "grace@acme.test")
    code = httpx.URL(back).params["code"]
    answer = httpx.post(
        f"{demo.origin}/oauth2/token", auth=(printed["client"], printed["secret"]),
        data={"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK},
    )
    assert answer.status_code == 200, answer.text
    issuer = f"{demo.origin}/{printed['pool']}"
    key = jwt.PyJWKClient(f"{issuer}/.well-known/jwks.json").get_signing_key_from_jwt(answer.json()["id_token"])
    claims = jwt.decode(answer.json()["id_token"], key, ["RS256"], audience=printed["client"], issuer=issuer)
    assert claims["email"] == "grace@acme.test"
    assert claims["identities"][0]["providerName"] == "walk-okta"
