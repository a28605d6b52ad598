"""An AIHub on your own machine: the same API over HTTP, with jobs that really run.

Needs the extra ``emulator``. From the command line: ``aihub-emulator --help``.
"""

from __future__ import annotations

from ..clock import Clock
from ..faults import Fault, Faults
from ..journal import Entry, Journal
from ..settings import SettingsError
from .server import Emulator
from .settings import Cluster, Node, Pipeline, PipelineVersion

__all__ = [
    "Clock",
    "Cluster",
    "Emulator",
    "Entry",
    "Fault",
    "Faults",
    "Journal",
    "Node",
    "Pipeline",
    "PipelineVersion",
    "SettingsError",
]
