"""What an administrator may set for all triggers, in section ``[aihub]`` of Airflow's configuration."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import conf

from airflow_provider_aihub.provider_info import SECTION, SETTINGS

SHORTEST_FLOOR = 0.1


def poll_floor() -> float:
    """Seconds between two polls of a job at least."""
    floor: float = conf.getfloat(SECTION, "poll_floor", fallback=float(_default("poll_floor")))
    return max(floor, SHORTEST_FLOOR)


def page_threshold() -> int:
    """From how many jobs on they are read in pages; 0 for never."""
    threshold: int = conf.getint(SECTION, "page_threshold", fallback=int(_default("page_threshold")))
    return max(threshold, 0)


def pool_size() -> int:
    """Connections to AIHub that are open at a time at most."""
    size: int = conf.getint(SECTION, "pool_size", fallback=int(_default("pool_size")))
    return max(size, 1)


def _default(name: str) -> str:
    # Airflow 2 does not know the defaults of a provider in every process.
    return str(SETTINGS[name]["default"])
