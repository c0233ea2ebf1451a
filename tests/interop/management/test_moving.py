"""The demo's pool, dumped with the AWS CLI as the README says, moves into an empty Forebay."""

import json
import os
import subprocess

import httpx
import pytest

from aws import ACCESS_KEY, SECRET_KEY
from shell import environment, run, script_below
from stage import CALLBACK, Browser

POOL = "us-local-1_Forebay01"
WEB = "demowebapp0000000000000001"


@pytest.fixture(scope="module")
def dump(demo, tmp_path_factory):
    """With somebody in it who came through Okta and is in groups."""
    query = {
        "client_id": WEB, "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid", "identity_provider": "acme-okta",
    }
    back, _ = Browser().sign_in(f"{demo.origin}/oauth2/authorize?{httpx.QueryParams(query)}")
    assert "code=" in back
    home = tmp_path_factory.mktemp("dump")
    script = script_below("## Moving in, and out", "Files are told by what is in them").replace("eu-west-1_Ab3dE6gHi", POOL)
    run(
        script, home, AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER=demo.origin, AWS_DEFAULT_REGION="us-local-1",
        AWS_ACCESS_KEY_ID=ACCESS_KEY, AWS_SECRET_ACCESS_KEY=SECRET_KEY,
    )
    return home / "dump"


def forebay(demo, folder, *arguments):
    hosts = ",".join(server.removeprefix("http://") for server in (demo.acme, demo.globex))
    own = {"FOREBAY_DATABASE": f"sqlite://{folder}/moved.db", "FOREBAY_ALLOW_UPSTREAM": hosts}
    done = subprocess.run(
        [os.environ["FOREBAY_BIN"], *arguments, "--json"], cwd=folder, env=environment(folder) | own, capture_output=True,
        text=True, timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_moves_in(demo, dump, tmp_path, cognito):
    told = forebay(demo, tmp_path, "import", "cognito", str(dump), "--yes")
    assert {f"user pool {POOL}", f"app client {WEB}", "connection acme-okta", "group Everyone"} <= set(told["made"])
    assert told["users"]["refused"] == []
    there = [user for page in cognito.get_paginator("list_users").paginate(UserPoolId=POOL) for user in page["Users"]]
    assert told["users"]["made"] == len(there) > 0
    assert told["users"]["memberships"] >= 3

    again = forebay(demo, tmp_path, "import", "cognito", str(dump), "--yes")
    assert (again["made"], again["differing"], again["users"]["equal"]) == ([], [], len(there))
