"""boto3 clients of the demo's management API. What they are answered is held against the model."""

import boto3
from botocore import UNSIGNED
from botocore.config import Config

from model import Observed

ACCESS_KEY = "FOREBAYDEMOKEY000001"
SECRET_KEY = "demo/management/secret/key/0000000000001"

observed = Observed()


def management_client(demo, access_key=ACCESS_KEY, secret_key=SECRET_KEY, signed=True, validated=True):
    """A client that knows another endpoint and nothing else of Forebay."""
    options = {"signature_version": "v4" if signed else UNSIGNED, "parameter_validation": validated}
    client = boto3.client(
        "cognito-idp", endpoint_url=demo.origin, region_name="us-local-1",
        aws_access_key_id=access_key, aws_secret_access_key=secret_key,
        config=Config(retries={"total_max_attempts": 1}, **options),
    )
    observed.watch(client)
    return client
