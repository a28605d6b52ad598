"""The settings for all triggers of a platform, from its section of Airflow's configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from airflow.providers.common.compat.sdk import conf

from airflow_provider_aihub.provider_info import SETTINGS

SHORTEST_FLOOR = 0.1


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings.

    :param poll_floor: Shortest pause between two polls of a job, in seconds; at least 0.1.
    :param page_threshold: Number of jobs from which on lists are read; 0 for never.
    :param pool_size: Maximum of open connections to the platform; at least 1.
    """

    poll_floor: float
    page_threshold: int
    pool_size: int

    @classmethod
    def of(cls, section: str) -> Self:
        """Read a section."""

        def default(name: str) -> str:
            # Airflow 2 does not know the defaults of a provider in every process.
            return str(SETTINGS[name]["default"])

        return cls(
            max(conf.getfloat(section, "poll_floor", fallback=float(default("poll_floor"))), SHORTEST_FLOOR),
            max(conf.getint(section, "page_threshold", fallback=int(default("page_threshold"))), 0),
            max(conf.getint(section, "pool_size", fallback=int(default("pool_size"))), 1),
        )
