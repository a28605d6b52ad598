"""Every row of AIHub's API as at least one case."""

from __future__ import annotations

from . import (
    data_warehouse,
    dataset_management,
    evaluation,
    model_training,
    quota_schedule,
    s3_relay,
    tag_system,
    user_system,
    workflow_center,
)
from .case import Case

CASES: tuple[Case, ...] = (
    *user_system.CASES,
    *data_warehouse.CASES,
    *dataset_management.CASES,
    *workflow_center.CASES,
    *model_training.CASES,
    *quota_schedule.CASES,
    *evaluation.CASES,
    *tag_system.CASES,
    *s3_relay.CASES,
)


def case(name: str) -> Case:
    """The case of an id."""
    (found,) = (one for one in CASES if one.id == name)
    return found


__all__ = ["CASES", "Case", "case"]
