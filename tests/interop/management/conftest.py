"""The demo, a boto3 client of its management API, and the differential table at the end of the run."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))

from aws import management_client, observed  # noqa: E402
from stage import demo  # noqa: E402, F401


@pytest.fixture(scope="session")
def cognito(demo):  # noqa: F811
    return management_client(demo)


def pytest_terminal_summary(terminalreporter):
    if observed.answers:
        terminalreporter.write_line("")
        for line in observed.table():
            terminalreporter.write_line(line)
        terminalreporter.write_line("")
