"""Pauses Python's garbage collection while a large answer is decoded."""

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
    """Turn Python's garbage collection off, in all threads, as long as any thread is in such a ``with`` block.

    The many new objects would start a collection, which looks at all objects of Airflow and stops every thread for a
    quarter of a second. Reference counting alone frees the new objects.
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
