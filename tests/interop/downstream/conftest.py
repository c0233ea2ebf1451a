"""The demo that every suite here talks to."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))

from stage import demo  # noqa: E402, F401
