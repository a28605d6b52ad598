"""Addresses of the pages that people open in the console."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CONSOLE: Final = "https://console.huaweicloud.com/modelarts"
"""Where the console of the public regions is."""

PAGES: Final[Mapping[str, str]] = {
    "training_job": "/#/trainingJobs/{id}",
    "workflow_execution": "/#/workflows/{id}",
    "saved_image": "/#/images/{id}",
    "notebook": "/#/notebooks/{id}",
}
"""Where the page of each kind of thing is, below the address of the console.

No document names a page, so a ModelArts may have them elsewhere; a connection can say where.
"""
