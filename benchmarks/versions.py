"""Names the versions of distributions: ``python -m benchmarks.versions NAME...``."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version

if __name__ == "__main__":
    print(json.dumps([f"{name} {version(name)}" for name in sys.argv[1:]]))  # noqa: T201
