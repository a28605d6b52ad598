"""A worker dies while AIHub is still at work on its create call; the next try comes before the job does."""

from __future__ import annotations

import threading
from typing import Any
from uuid import uuid4

import pytest
from task_life import TaskLife

from airflow_provider_aihub.aihub.client import AIHubClient
from airflow_provider_aihub.aihub.errors import AIHubJobFailed
from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.operators.training import TrainingOperator

TRAININGS = "/model-training-platform/api/v1/trainings"


class WorkerKilled(BaseException):
    """Nothing in the task's code runs after it, as after SIGKILL."""


@pytest.mark.parametrize("remembers", [True, False], ids=["Airflow remembers", "by the marker alone"])
@pytest.mark.parametrize("failed_before", [0, 1])
def test_a_job_that_comes_after_the_next_try_has_begun_is_taken_up(
    aihub: Emulator, monkeypatch: pytest.MonkeyPatch, remembers: bool, failed_before: int
) -> None:
    name = f"slow-{uuid4().hex[:8]}"
    task = TaskLife(
        lambda: TrainingOperator(
            task_id="train", name=name, command="sleep 1", image="any", virtual_cluster=1, project=1
        ),
        remembers=remembers,
    )
    good = task.make
    task.make = lambda: TrainingOperator(
        task_id="train", name=name, command="exit 1", image="any", virtual_cluster=1, project=1
    )
    for _ in range(failed_before):
        with pytest.raises(AIHubJobFailed):
            task.try_once()
    task.make = good
    real = AIHubClient.send
    sent: list[threading.Timer] = []

    def killed(client: AIHubClient, request: Any, **given: Any) -> Any:
        if request.creates and not sent:
            # What the dead worker has sent, AIHub handles two seconds later.
            sent.append(threading.Timer(2, real, (AIHubHook().get_conn(), request)))
            sent[0].start()
            raise WorkerKilled
        return real(client, request, **given)

    monkeypatch.setattr(AIHubClient, "send", killed)
    with pytest.raises(WorkerKilled):
        task.try_once()
    result = task.try_once()
    sent[0].join()
    found = [job.id for job in AIHubHook().list_trainings(name=name, page_size=100).data]
    assert len(found) == failed_before + 1
    assert result["id"] == max(found)
