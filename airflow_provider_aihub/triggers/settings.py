"""What an administrator may set for all triggers of a platform, in its section of Airflow's configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from airflow.providers.common.compat.sdk import conf

from airflow_provider_aihub.provider_info import SETTINGS

SHORTEST_FLOOR = 0.1


@dataclass(frozen=True, slots=True)
class Settings:
    """What is set.

    :param poll_floor: Seconds between two polls of a job at least.
    :param page_threshold: From how many jobs on they are read in lists; 0 for never.
    :param pool_size: Connections to the platform that are open at a time at most.
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
