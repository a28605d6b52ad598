"""A Huawei Cloud ModelArts on your own machine: the same API over HTTP, with jobs that really run.

Needs the extra ``emulator``. From the command line: ``modelarts-emulator --help``.
"""

from __future__ import annotations

from ..clock import Clock
from ..faults import Fault, Faults
from ..journal import Entry, Journal
from ..settings import SettingsError
from .server import Emulator
from .settings import Algorithm, Notebook, Quota, Step, Workflow, Workspace

__all__ = [
    "Algorithm",
    "Clock",
    "Emulator",
    "Entry",
    "Fault",
    "Faults",
    "Journal",
    "Notebook",
    "Quota",
    "SettingsError",
    "Step",
    "Workflow",
    "Workspace",
]
