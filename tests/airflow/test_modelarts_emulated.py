"""ModelArts' operators and sensors against an emulated ModelArts, which checks every signature and really runs jobs."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from task_life import TaskLife
from waiting import until

from airflow_provider_aihub.emulators.modelarts import Emulator, settings
from airflow_provider_aihub.hooks.modelarts import ModelArtsHook
from airflow_provider_aihub.http.blocking import Client
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.modelarts.errors import (
    ModelArtsAmbiguousSubmit,
    ModelArtsJobFailed,
    ModelArtsJobTimeout,
    ModelArtsRejectedError,
)
from airflow_provider_aihub.operators.modelarts_notebook import (
    ModelArtsStartNotebookOperator,
    ModelArtsStopNotebookOperator,
)
from airflow_provider_aihub.operators.modelarts_training_job import (
    ModelArtsSaveImageOperator,
    ModelArtsTrainingJobOperator,
)
from airflow_provider_aihub.operators.modelarts_workflow import ModelArtsWorkflowExecutionOperator
from airflow_provider_aihub.sensors.modelarts import ModelArtsTrainingJobSensor
from airflow_provider_aihub.triggers import hand_over
from airflow_provider_aihub.triggers.job import JobTrigger

PLAIN, WAITING = settings.WORKFLOWS
JOBS = "*/training-jobs"
deferred_or_not = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "in place"])
old_and_new = pytest.mark.parametrize("remembers", [True, False], ids=["Airflow remembers", "by the marker alone"])


def training(*, remembers: bool = True, **given: Any) -> TaskLife:
    known = {"name": "digits", "image": "registry/torch:2", "flavor_id": "gpu", "command": "echo hello"}
    return TaskLife(
        lambda: ModelArtsTrainingJobOperator(task_id="train", **known | given),  # type: ignore[arg-type, return-value]
        remembers=remembers,
    )


def phase(job_id: str) -> str:
    return str(ModelArtsHook().get_training_job(job_id).status.phase)


@deferred_or_not
def test_a_training_job_runs_its_command(
    modelarts: Emulator, deferrable: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    task = training(deferrable=deferrable, stream_logs=True, environments={"WHO": "boats"}, command="echo hello $WHO")
    result = task.try_once()
    assert result["status"] == "succeeded"
    assert result["name"].startswith("digits-")
    assert phase(result["id"]) == "Completed"
    assert modelarts.requests.count("POST", JOBS) == 1


@deferred_or_not
@pytest.mark.parametrize(
    "preview", [{"status": 403, "code": "ModelArts.0108"}, {"status": 204}], ids=["is refused", "shows nothing"]
)
def test_the_whole_log_is_read_where_its_preview(
    modelarts: Emulator, deferrable: bool, preview: dict[str, Any], told: Callable[[], str]
) -> None:
    modelarts.faults.add("status", path="*/logs/preview", **preview)
    task = training(deferrable=deferrable, stream_logs=True, command="seq 4999; echo out of memory; exit 7")
    with pytest.raises(ModelArtsJobFailed, match='its log ends with "out of memory"'):
        task.try_once()
    assert [line.split()[-1] for line in told().splitlines()].count("4999") == 1
    assert modelarts.requests.count("GET", "*/logs/url") <= 4


def test_the_whole_log_is_left_alone_where_its_preview_shows_it(modelarts: Emulator) -> None:
    training(stream_logs=True).try_once()
    assert modelarts.requests.count("GET", "*/logs/preview")
    assert not modelarts.requests.count("GET", "*/logs/url")


@deferred_or_not
def test_a_failure_names_the_task_its_exit_code_and_its_last_line(modelarts: Emulator, deferrable: bool) -> None:
    with pytest.raises(ModelArtsJobFailed) as failed:
        training(deferrable=deferrable, command="echo out of memory; exit 7").try_once()
    for words in ("worker-0", "7", "out of memory"):
        assert words in str(failed.value)


@old_and_new
def test_a_lost_answer_makes_no_second_job(modelarts: Emulator, remembers: bool) -> None:
    lost = modelarts.faults.add("lost", method="POST", path=JOBS, count=1)
    result = training(remembers=remembers).try_once()
    assert lost.struck == 1
    assert result["status"] == "succeeded"
    assert [job.metadata.id for job in ModelArtsHook().search_training_jobs()] == [result["id"]]


def test_a_lost_answer_is_looked_for_in_the_workspace_of_the_job(modelarts: Emulator) -> None:
    workspace = settings.WORKSPACES[0].id
    modelarts.faults.add("lost", method="POST", path=JOBS, count=1)
    result = training(workspace_id=workspace).try_once()
    assert [job.metadata.id for job in ModelArtsHook().search_training_jobs(workspace_id=workspace)] == [result["id"]]


def test_an_execution_whose_answer_was_lost_is_looked_for_in_its_workspace(modelarts: Emulator) -> None:
    workspace = settings.WORKSPACES[0].id
    lost = modelarts.faults.add("lost", method="POST", path="*/executions", count=1)
    given = {"task_id": "run", "workflow_id": PLAIN.id, "name": "digits", "workspace_id": workspace}
    result = TaskLife(lambda: ModelArtsWorkflowExecutionOperator(**given)).try_once()
    assert lost.struck == 1
    there = ModelArtsHook().list_workflow_executions(PLAIN.id, workspace_id=workspace)
    assert [f"{PLAIN.id}/{one.execution_id}" for one in there] == [result["id"]]


def test_a_list_that_knows_no_names_is_read_once_for_a_look(modelarts: Emulator) -> None:
    def start() -> ModelArtsWorkflowExecutionOperator:
        return ModelArtsWorkflowExecutionOperator(task_id="run", workflow_id=PLAIN.id, name="digits", retries=1)

    executions, task = "*/executions", TaskLife(start)
    modelarts.faults.add("status", status=400, method="POST", path=executions, count=1)
    with pytest.raises(ModelArtsRejectedError):
        task.try_once()
    assert task.try_once()["status"] == "succeeded"
    assert modelarts.requests.count("GET", executions) == 1


@old_and_new
def test_a_retry_takes_the_job_up(modelarts: Emulator, remembers: bool) -> None:
    task = training(remembers=remembers, deferrable=True, retries=1, command="sleep 1")
    trigger = task.start()
    assert isinstance(trigger, JobTrigger)
    assert task.try_once()["id"] == task.ti.xcoms["job_id"]
    assert modelarts.requests.count("POST", JOBS) == 1


def test_after_a_failure_a_retry_has_a_name_of_its_own(modelarts: Emulator) -> None:
    task = training(retries=1, command="exit 1")
    for _ in range(2):
        with pytest.raises(ModelArtsJobFailed):
            task.try_once()
    assert len({job.metadata.name for job in ModelArtsHook().search_training_jobs()}) == 2


@deferred_or_not
def test_a_deadline_terminates_the_job(modelarts: Emulator, deferrable: bool) -> None:
    with pytest.raises(ModelArtsJobTimeout):
        training(deferrable=deferrable, command="sleep 600", job_timeout=1.5).try_once()
    (job,) = ModelArtsHook().search_training_jobs()
    until("the job is terminated", lambda: phase(job.metadata.id), "Terminated".__eq__)


@pytest.mark.parametrize("where", ["worker", "triggerer"])
def test_a_kill_terminates_the_job(modelarts: Emulator, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    async def no_more(_: Any) -> bool:
        return False

    task = training(command="sleep 600", deferrable=where == "triggerer")
    if where == "triggerer":
        monkeypatch.setattr(hand_over, "still_deferred", no_more)
        trigger = task.start()
        trigger.task_instance = SimpleNamespace(dag_id="d", task_id="t", run_id="r", map_index=-1, id="1")
        asyncio.run(trigger.on_kill())
    else:
        operator, context = task.make(), task.context
        context["ti"].try_number = 1
        running = threading.Thread(target=_to_its_end, args=(operator, context))
        running.start()
        until("the job runs", lambda: [job.status.phase for job in ModelArtsHook().search_training_jobs()])
        until("its id is known", lambda: context["ti"].xcoms.get("job_id"))
        operator.on_kill()
        running.join()
    (job,) = ModelArtsHook().search_training_jobs()
    until("the job is terminated", lambda: phase(job.metadata.id), "Terminated".__eq__)


def _to_its_end(operator: Any, context: Any) -> None:
    with pytest.raises(Exception, match="was stopped"):
        operator.execute(context)


@pytest.mark.parametrize("mode", [{"mode": "poke"}, {"mode": "reschedule"}, {"deferrable": True}], ids=str)
def test_a_sensor_waits_for_a_job(modelarts: Emulator, mode: dict[str, Any]) -> None:
    job_id = training(command="sleep 1", wait_for_completion=False).try_once()["id"]
    sensor: Any = lambda: ModelArtsTrainingJobSensor(  # noqa: E731
        task_id="see", training_job_id=job_id, poke_interval=0.3, **mode
    )
    came = TaskLife(sensor).try_once()
    assert getattr(came, "xcom_value", came) == {"id": job_id, "status": "succeeded"}


@deferred_or_not
def test_a_workflow_runs_step_by_step(modelarts: Emulator, deferrable: bool) -> None:
    run: Any = lambda: ModelArtsWorkflowExecutionOperator(  # noqa: E731
        task_id="run", workflow_id=PLAIN.id, name="nightly", parameters={"dataset": "boats"}, deferrable=deferrable
    )
    result = TaskLife(run).try_once()
    assert result["status"] == "succeeded"
    assert result["steps"] == [{"name": step.name, "status": "completed"} for step in PLAIN.steps]


@deferred_or_not
def test_a_waiting_step_may_be_a_failure(modelarts: Emulator, deferrable: bool) -> None:
    run: Any = lambda: ModelArtsWorkflowExecutionOperator(  # noqa: E731
        task_id="run", workflow_id=WAITING.id, on_waiting_step="fail", deferrable=deferrable
    )
    with pytest.raises(ModelArtsJobFailed, match="label"):
        TaskLife(run).try_once()


@deferred_or_not
def test_an_execution_is_stopped_once_and_whatever_became_of_it(
    modelarts: Emulator, deferrable: bool, told: Callable[[], str]
) -> None:
    start = ModelArtsWorkflowExecutionOperator(task_id="run", workflow_id=WAITING.id, wait_for_completion=False)
    run = TaskLife(lambda: start).try_once()["id"]
    stop: Any = lambda: ModelArtsWorkflowExecutionOperator(  # noqa: E731
        task_id="stop", workflow_id=WAITING.id, execution_id=run, action="stop", deferrable=deferrable
    )
    for _ in range(2):
        result = TaskLife(stop).try_once()
        assert (result["id"], result["status"]) == (run, "stopped")
    assert modelarts.requests.count("POST", "*/actions") == 1
    assert f"Asked ModelArts to stop execution {run.rpartition('/')[2]} of workflow" in told()


class Died(BaseException):
    """The worker is no more."""


@pytest.mark.parametrize("action", ["stop", "rerun"])
@pytest.mark.parametrize("sent", [False, True], ids=["before it is sent", "before it is answered"])
def test_a_worker_that_dies_in_the_call_about_an_execution(
    modelarts: Emulator, monkeypatch: pytest.MonkeyPatch, action: str, sent: bool
) -> None:
    """A stop is asked for again; whether an execution was run again nobody can tell."""
    workflow = WAITING.id if action == "stop" else PLAIN.id
    given = {"task_id": "run", "workflow_id": workflow, "wait_for_completion": action != "stop"}
    run = TaskLife(lambda: ModelArtsWorkflowExecutionOperator(**given)).try_once()["id"]
    task = TaskLife(
        lambda: ModelArtsWorkflowExecutionOperator(
            task_id="act", workflow_id=workflow, execution_id=run, action=action, retries=1
        )
    )
    send = Client.send

    def dying(client: Client, request: Request[Any], **given: Any) -> Any:
        if not request.path.endswith("/actions"):
            return send(client, request, **given)
        if sent:
            send(client, request, **given)
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(Client, "send", dying)
        with pytest.raises(Died):
            task.try_once()
    if action == "stop":
        assert task.try_once()["status"] == "stopped"
    else:
        look = "look there whether the rerun of workflow execution exists and stop it if it does; then"
        with pytest.raises(ModelArtsAmbiguousSubmit, match=look) as unknown:
            task.try_once()
        assert unknown.value.final
    assert modelarts.requests.count("POST", "*/actions") == int(sent) + (action == "stop" and not sent)


@deferred_or_not
def test_an_image_is_saved_and_a_notebook_started_and_stopped(modelarts: Emulator, deferrable: bool) -> None:
    job_id = training(command="sleep 600", wait_for_completion=False).try_once()["id"]
    until("the job runs", lambda: phase(job_id), "Running".__eq__)
    given = {"task_id": "save", "training_job_id": job_id, "name": "torch", "namespace": "team", "tag": "0.1"}
    save: Any = lambda: ModelArtsSaveImageOperator(**given, deferrable=deferrable)  # noqa: E731
    assert TaskLife(save).try_once()["status"] == "succeeded"
    notebook = modelarts.settings.notebooks[0].id
    for kind, status in ((ModelArtsStartNotebookOperator, "RUNNING"), (ModelArtsStopNotebookOperator, "STOPPED")):
        act: Any = lambda kind=kind: kind(task_id="act", notebook_id=notebook, deferrable=deferrable)  # noqa: E731
        assert TaskLife(act).try_once()["status"] == status
