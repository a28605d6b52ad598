"""Of several jobs with one marker, the oldest is the task's: whoever copies a job copies its marker."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_aihub.aihub.kinds import MODEL_EVAL, TRAINING
from airflow_provider_aihub.aihub.model_tasks import ModelEval, ModelTask
from airflow_provider_aihub.aihub.model_training import Training
from airflow_provider_aihub.jobs.kind import JobKind
from airflow_provider_aihub.tasks.job_state import Marker
from airflow_provider_aihub.tasks.search import JobMatcher

MARKER = Marker("0" * 16, "0" * 8, 2, 2, 1, "0" * 8)


def evaluation(number: int) -> tuple[str, Any]:
    """Return an evaluation as AIHub lists it, without a time."""
    task = ModelTask.read({"id": number, "model_id": 3, "task_name": f"job {MARKER}"})
    return f"3/{number}", ModelEval(f"3/{number}", task)


def training(number: int, created_at: int) -> tuple[int, Any]:
    shown = {"id": number, "name": "job", "description": str(MARKER), "status": 2, "created_at": created_at}
    return number, Training.read(shown)


@pytest.mark.parametrize(
    ("kind", "jobs"),
    [
        (MODEL_EVAL, [evaluation(9), evaluation(10)]),
        (TRAINING, [training(9, 1_800_000_000_000), training(10, 1_800_000_000_000)]),
        (TRAINING, [training(9, 1_800_000_000_000), training(8, 1_800_000_001_000)]),
        (TRAINING, [training(9, 1_800_000_000_000), training(8, 1_800_000_001_000), training(10, 1_800_000_002_000)]),
    ],
    ids=["numbers alone", "of one moment", "times", "three"],
)
@pytest.mark.parametrize("newest_first", [True, False])
def test_the_oldest_of_several_jobs_with_one_marker_is_the_task_s(
    kind: JobKind, jobs: list[tuple[Any, Any]], newest_first: bool
) -> None:
    matcher = JobMatcher(kind, lambda marker: marker == MARKER, lambda _: False)
    for job_id, row in reversed(jobs) if newest_first else jobs:
        matcher.add(job_id, row)
    assert [(marker, state.job_id) for marker, state in matcher.marked] == [(MARKER, jobs[0][0])]
