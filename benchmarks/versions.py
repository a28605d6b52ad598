"""Names the versions of distributions: ``python -m benchmarks.versions NAME...``."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version


def main(*names: str) -> list[str]:
    return [f"{name} {version(name)}" for name in names]


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))  # noqa: T201
