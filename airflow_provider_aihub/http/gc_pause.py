"""Making many objects at once without a search for garbage among all others."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_under_way = 0
_collects = True


@contextmanager
def gc_paused() -> Iterator[None]:
    """Let Python collect no garbage, in any thread, for the moment in which many objects are made and dropped.

    It would look at all that Airflow has in memory because of them, which stops every thread for a quarter of a second.
    They are dropped without that.
    """
    global _under_way, _collects
    with _lock:
        if not _under_way:
            _collects = gc.isenabled()
            gc.disable()
        _under_way += 1
    try:
        yield
    finally:
        with _lock:
            _under_way -= 1
            if not _under_way and _collects:
                gc.enable()
