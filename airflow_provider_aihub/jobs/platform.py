"""What a platform is to those who wait for its jobs; found by its key when it is needed."""

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

    :param key: Begins the keys of its kinds, and names its connection type and its section of Airflow's settings.
    :param name: What people call it.
    :param kinds: Its kinds of job, by their names.
    :param config: Makes the configuration of a client out of an Airflow connection and its extra.
    :param client: Makes the asynchronous client of a configuration; ``limit`` says how many connections it opens.
    :param errors: Its own kinds of error, by the general kinds that they are of.
    :param page_link: Key of the XCom that holds the address of a job's page.
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
