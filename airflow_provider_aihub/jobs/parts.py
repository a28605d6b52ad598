"""What a job consists of: pods, nodes, steps; and their logs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_provider_aihub.http.request import Request

PENDING, RUNNING, SUCCEEDED, FAILED = "Pending", "Running", "Succeeded", "Failed"
"""States of a part that mean the same on every platform; there may be others."""


@dataclass(frozen=True, slots=True)
class PartLog:
    """A log file of a part: where it lies, or its text. A URL may carry a signature, so it must stay secret.

    :param start: Which byte of the file the text begins with, where it is the end of one.
    """

    name: str
    url: str = field(default="", repr=False)
    text: str = field(default="", repr=False)
    start: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a job, such as a pod.

    :param key: Tells it from the other parts of the job.
    :param name: What people call it.
    :param state: Pending, Running, Succeeded, Failed; others may appear.
    :param place: Where it is, among the parts in the same state: the machine of a pod, the name of a workflow's node.
    :param machine: The machine it runs on, where that is known.
    :param message: The platform's words on a failure.
    :param logs: The request that names its log files, where there is one.
    :param logs_otherwise: Another request, if that one is refused, or names no files although the part has ended.
    :param events: The request that reads its events, where there is one.
    """

    key: str
    name: str
    state: str
    place: str = ""
    machine: str = ""
    message: str = ""
    logs: Request[list[PartLog]] | None = None
    logs_otherwise: Request[list[PartLog]] | None = None
    events: Request[Any] | None = None

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.state not in (PENDING, RUNNING, "")
