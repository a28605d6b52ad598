"""The parts of a job: pods, nodes or steps; and their logs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_provider_aihub.http.request import Request

PENDING, RUNNING, SUCCEEDED, FAILED = "Pending", "Running", "Succeeded", "Failed"
"""States of a part that mean the same on every platform; there may be others."""


@dataclass(frozen=True, slots=True)
class PartLog:
    """A log file of a part: its URL, its text, or both.

    :param url: Where the file can be read. It may have a signature, so it must not be shown.
    :param text: The file's text, or the end of it.
    :param start: Offset in the file at which ``text`` begins, in bytes.
    """

    name: str
    url: str = field(default="", repr=False)
    text: str = field(default="", repr=False)
    start: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a job, such as a pod.

    :param key: Unique among the parts of the job.
    :param name: Its name in messages.
    :param state: ``Pending``, ``Running``, ``Succeeded``, ``Failed``, or another word of the platform.
    :param place: What the log shows in parentheses: the machine of a pod, the name of a workflow's node.
    :param machine: The machine that it runs on; "" if unknown.
    :param message: The platform's message about a failure.
    :param logs: The request that returns its log files; ``None`` if there is none.
    :param logs_otherwise: The request to use if ``logs`` is refused, or returns no files although the part has ended.
    :param events: The request that reads its events; ``None`` if there is none.
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
