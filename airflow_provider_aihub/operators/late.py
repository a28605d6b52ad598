"""Waits for things that AIHub may show late, because it may still work on a call whose answer was lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from airflow_provider_aihub.hooks.platform import PlatformHook

T = TypeVar("T")

PAUSE = 5.0
"""Seconds between two looks."""


def wait_until_shown(hook: PlatformHook[Any], look: Callable[[], T | None]) -> T | None:
    """Call ``look`` until it returns something, for ``Patience.settled`` seconds at most. Return that, or ``None``."""
    from airflow_provider_aihub.tasks.task_try import PATIENCE

    client, waited = hook.get_conn(), 0.0
    while not (found := look()) and waited < PATIENCE.settled:
        client.sleep(PAUSE)
        waited += PAUSE
    return found
