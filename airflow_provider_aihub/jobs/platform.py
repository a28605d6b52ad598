"""Describes a platform for the code that waits for its jobs. It is imported by its key when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from airflow_provider_aihub.http.errors import OwnKinds
from airflow_provider_aihub.jobs.kind import JobKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """A platform that runs jobs.

    :param key: Its short name in lower case: the connection type, the section of Airflow's settings, and the first part
        of ``JobKind.key``.
    :param name: Its name in messages.
    :param kinds: Its kinds of job, by their names.
    :param config: Returns the configuration of a client for an Airflow connection and its extra.
    :param client: Returns the asynchronous client for a configuration; ``limit`` is its number of connections.
    :param errors: Its own error classes, by the general error class that each extends.
    :param page_link: Key of the XCom that holds the URL of a job's page.
    """

    key: str
    name: str
    kinds: Mapping[str, JobKind]
    config: Callable[[Any, dict[str, Any]], Any]
    client: Callable[..., Any]
    errors: OwnKinds
    page_link: str


def platform_of(key: str) -> Platform:
    """Return the platform of a key: the constant ``PLATFORM`` of its package's module ``platform``.

    :param key: Name of a package within this one.
    """
    platform: Platform = import_module(f"airflow_provider_aihub.{key}.platform").PLATFORM
    return platform
