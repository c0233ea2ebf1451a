"""The README's shell scripts, run as they stand, with the AWS CLI of this environment."""

import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[3] / "README.md"


def script_below(*headings):
    """The first shell block below the last of these headings or sentences, each looked for after the one before."""
    text = README.read_text()
    for heading in headings:
        assert heading in text, f"README.md has no {heading!r}"
        text = text.split(heading, 1)[1]
    return re.search(r"```sh\n(.*?)```", text, re.S).group(1)


def environment(home):
    """Without this machine's own AWS configuration and Forebay's; the CLI stands beside the interpreter."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "FOREBAY_"))}
    path = f"{Path(sys.executable).parent}:{kept['PATH']}"
    return kept | {"PATH": path, "HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": ""}


def run(script, home, **more):
    """Runs it in `home`; what it printed."""
    done = subprocess.run(
        ["bash", "-c", f"set -euo pipefail\n{script}"], cwd=home, env=environment(home) | more, capture_output=True,
        text=True, timeout=150,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
