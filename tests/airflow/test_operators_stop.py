"""Stopping jobs, and waiting until they are over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException
from task_life import TaskInstance, TaskLife

from airflow_provider_aihub.aihub.errors import (
    AIHubNotFoundError,
    AIHubParameterError,
    AIHubRejectedError,
    AIHubUnavailable,
    AIHubUnsupportedError,
)
from airflow_provider_aihub.aihub.workflow_center import WorkflowRunSpec
from airflow_provider_aihub.emulators.aihub import Emulator, Node, Pipeline, PipelineVersion
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.operators.quota_task import QuotaTaskOperator
from airflow_provider_aihub.operators.stop import (
    StopOperator,
    StopQuotaTaskOperator,
    StopTrainingOperator,
    StopWorkflowRunOperator,
)
from airflow_provider_aihub.operators.training import TrainingOperator

ON_AIHUB: dict[str, Any] = {"image": "any", "virtual_cluster": "vc-cpu", "project": 2, "name": "n"}
SLEEP = "sleep 600 & wait"
PIPELINES = (
    Pipeline(id=1, name="p", versions=(PipelineVersion(id=1, name="V1", nodes=(Node(name="n", command=SLEEP),)),)),
    Pipeline(id=2, name="q", versions=(PipelineVersion(id=2, name="V1", nodes=(Node(name="n", command="true"),)),)),
)
PATHS = {
    "training": "/model-training-platform/api/v1/trainings/*/stop",
    "quota_task": "/quota-schedule-management/api/v1/tasks/*/stop",
    "workflow_run": "/workflow-center/api/v1/runs/*/stop",
}
OPERATORS: dict[str, type[StopOperator]] = {
    "training": StopTrainingOperator,
    "quota_task": StopQuotaTaskOperator,
    "workflow_run": StopWorkflowRunOperator,
}
each_kind = pytest.mark.parametrize("kind", OPERATORS)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Emulator]]:
    with (
        Emulator(tmp_path_factory.mktemp("p"), pipelines=PIPELINES) as platform,
        Emulator(tmp_path_factory.mktemp("d"), pipelines=PIPELINES, api="document") as document,
    ):
        yield {"platform": platform, "document": document}


@pytest.fixture
def use(servers: dict[str, Emulator], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Emulator]]:
    def choose(api: str) -> Emulator:
        monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", servers[api].connection_json())
        return servers[api]

    choose("platform")
    yield choose
    for server in servers.values():
        server.faults.clear()


def started(kind: str, *, lasting: bool = True) -> int:
    """Start a job and give its id."""
    if kind == "workflow_run":
        number = 1 if lasting else 2
        spec = WorkflowRunSpec.build(name="n", pipeline_id=number, pipeline_version_id=number, project_id=1)
        return AIHubHook().create_workflow_run(spec)
    operator = {"training": TrainingOperator, "quota_task": QuotaTaskOperator}[kind]
    arguments = {**ON_AIHUB, "command": SLEEP if lasting else "true", "wait_for_completion": not lasting}
    result: dict[str, Any] = TaskLife(lambda: operator(task_id="start", **arguments)).try_once()
    job_id: int = result["id"]
    return job_id


def stop(kind: str, job_id: Any, **given: Any) -> dict[str, Any]:
    return OPERATORS[kind](task_id="stop", **{f"{kind}_id": job_id, **given}).execute({"ti": TaskInstance("task")})


def status(kind: str, job_id: int) -> int:
    hook = AIHubHook()
    read: Any = {
        "training": hook.get_training,
        "quota_task": hook.get_quota_task,
        "workflow_run": hook.get_workflow_run,
    }[kind]
    return int(read(job_id).status)


@pytest.mark.parametrize(
    ("api", "kind"), [*(("platform", kind) for kind in OPERATORS), ("document", "training"), ("document", "quota_task")]
)
def test_a_job_is_stopped_and_over(use: Callable[[str], Emulator], api: str, kind: str) -> None:
    use(api)
    job_id = started(kind)
    assert stop(kind, str(job_id)) == {"id": job_id, "status": "stopped"}
    assert status(kind, job_id) == 5


@each_kind
def test_a_job_that_is_over_is_left_alone(use: Callable[[str], Emulator], kind: str) -> None:
    job_id = started(kind)
    stop(kind, job_id)
    aihub = use("platform")
    before = aihub.requests.count(path=PATHS[kind])
    assert stop(kind, job_id) == {"id": job_id, "status": "stopped"}
    assert aihub.requests.count(path=PATHS[kind]) == before


def test_a_job_that_has_succeeded(use: Callable[[str], Emulator]) -> None:
    job_id = started("training", lasting=False)
    assert stop("training", job_id) == {"id": job_id, "status": "succeeded"}


@each_kind
def test_without_waiting(use: Callable[[str], Emulator], kind: str) -> None:
    job_id = started(kind)
    result = stop(kind, job_id, wait_for_completion=False)
    assert result["id"] == job_id
    assert result["status"] in ("running", "stopping", "stopped")
    assert stop(kind, job_id)["status"] == "stopped"


@each_kind
@pytest.mark.parametrize("nothing", [None, "", " ", "None"])
def test_nothing_to_stop_skips_the_task(use: Callable[[str], Emulator], kind: str, nothing: Any) -> None:
    aihub = use("platform")
    before = len(aihub.requests)
    with pytest.raises(AirflowSkipException, match=f"{kind}_id is empty"):
        stop(kind, nothing)
    assert len(aihub.requests) == before


@each_kind
def test_what_cannot_be_stopped(use: Callable[[str], Emulator], kind: str) -> None:
    with pytest.raises(AIHubParameterError, match=f"{kind}_id must be a whole number"):
        stop(kind, "twelve")
    with pytest.raises(AIHubNotFoundError):
        stop(kind, 987654)


def test_the_document_cannot_stop_a_workflow_run(use: Callable[[str], Emulator]) -> None:
    use("document")
    with pytest.raises(AIHubUnsupportedError, match=r"stop workflow run .* does not offer it"):
        stop("workflow_run", started("workflow_run"))


def test_a_job_that_ends_while_it_is_stopped(use: Callable[[str], Emulator]) -> None:
    """AIHub refuses to stop what has just ended; what counts is that it is over."""
    aihub, job_id = use("platform"), started("training")
    aihub.faults.add("status", path=PATHS["training"], status=400, code=1, msg="not running", count=1)
    with pytest.raises(AIHubRejectedError, match="not running"):
        stop("training", job_id)

    class Ending(StopTrainingOperator):
        def _stop(self, *arguments: Any) -> Any:
            stop("training", job_id)
            aihub.faults.add("status", path=PATHS["training"], status=400, code=1, msg="not running", count=1)
            return super()._stop(*arguments)

    result = Ending(task_id="stop", training_id=job_id).execute({"ti": TaskInstance("task")})
    assert result == {"id": job_id, "status": "stopped"}


def test_looks_may_fail_for_a_while(use: Callable[[str], Emulator]) -> None:
    aihub, job_id = use("platform"), started("training")
    read = PATHS["training"].removesuffix("/stop")
    aihub.faults.add("status", path=read, method="GET", status=503, after=2, count=2)

    class Slow(StopTrainingOperator):
        def _stop(self, kind: Any, job_id: int) -> Any:
            # As AIHub would be while the pods wind down.
            before = self._read(kind, job_id)
            super()._stop(kind, job_id)
            return before

    result = Slow(task_id="stop", training_id=job_id).execute({"ti": TaskInstance("task")})
    assert result == {"id": job_id, "status": "stopped"}
    assert aihub.requests.count(path=read, status=503) >= 1


def test_looks_that_fail_for_too_long(use: Callable[[str], Emulator]) -> None:
    aihub, job_id = use("platform"), started("training")
    read = PATHS["training"].removesuffix("/stop")

    class Slow(StopTrainingOperator):
        def _stop(self, kind: Any, job_id: int) -> Any:
            before = self._read(kind, job_id)
            super()._stop(kind, job_id)
            aihub.faults.add("status", path=read, method="GET", status=503)
            return before

    with pytest.raises(AIHubUnavailable, match="read training"):
        Slow(task_id="stop", training_id=job_id, poll_tolerance=0.2).execute({"ti": TaskInstance("task")})
