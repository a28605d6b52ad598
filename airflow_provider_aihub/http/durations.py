"""Time spans in words."""

from __future__ import annotations


def span(seconds: float) -> str:
    """Write a time span as people say it: ``45 s``, ``12 min``, ``3.5 h``."""
    if seconds < 100:
        return f"{max(seconds, 0):.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
