"""Every row of AIHub's API as at least one case."""

from __future__ import annotations

from . import (
    artifacts,
    data_warehouse,
    dataset_management,
    eval_platform,
    evaluation,
    labelfree,
    model_center,
    model_deployment,
    model_tasks,
    model_training,
    notebooks,
    pipelines,
    quota_schedule,
    s3_relay,
    tag_system,
    templates,
    user_system,
    workflow_center,
)
from .case import Case

CASES: tuple[Case, ...] = (
    *user_system.CASES,
    *data_warehouse.CASES,
    *dataset_management.CASES,
    *workflow_center.CASES,
    *pipelines.CASES,
    *templates.CASES,
    *model_training.CASES,
    *quota_schedule.CASES,
    *evaluation.CASES,
    *model_center.CASES,
    *model_tasks.CASES,
    *eval_platform.CASES,
    *model_deployment.CASES,
    *notebooks.CASES,
    *labelfree.CASES,
    *artifacts.CASES,
    *tag_system.CASES,
    *s3_relay.CASES,
)


def case(name: str) -> Case:
    """The case of an id."""
    (found,) = (one for one in CASES if one.id == name)
    return found


def shape(one: Case) -> tuple[object, ...]:
    """What decides how an answer is taken, before it comes to what is read from it."""
    sent = one.request()
    decoded = sent.decode is not None, bool(one.list_key), bool(one.vital)
    return (
        sent.method,
        sent.auth,
        sent.creates,
        sent.form is not None,
        sent.optional,
        sent.fallback is not None,
        decoded,
    )


SHAPES: tuple[Case, ...] = tuple({shape(one): one for one in reversed(CASES)}.values())
"""One case of each shape, for what is the same for all of them."""

__all__ = ["CASES", "SHAPES", "Case", "case"]
