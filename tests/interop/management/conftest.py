"""The demo, a boto3 client of its management API, and the differential table at the end of the run."""

import sys
from pathlib import Path

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))

from model import Observed  # noqa: E402
from stage import demo  # noqa: E402, F401

ACCESS_KEY = "FOREBAYDEMOKEY000001"
SECRET_KEY = "demo/management/secret/key/0000000000001"

observed = Observed()


def management_client(demo, access_key=ACCESS_KEY, secret_key=SECRET_KEY, signed=True, validated=True):
    """A client that only knows another endpoint; what it is answered is held against the model."""
    options = {"signature_version": "v4" if signed else UNSIGNED, "parameter_validation": validated}
    client = boto3.client(
        "cognito-idp", endpoint_url=demo.origin, region_name="us-local-1",
        aws_access_key_id=access_key, aws_secret_access_key=secret_key,
        config=Config(retries={"total_max_attempts": 1}, **options),
    )
    observed.watch(client)
    return client


@pytest.fixture(scope="session")
def cognito(demo):  # noqa: F811
    return management_client(demo)


def pytest_terminal_summary(terminalreporter):
    if observed.answers:
        terminalreporter.write_line("")
        for line in observed.table():
            terminalreporter.write_line(line)
