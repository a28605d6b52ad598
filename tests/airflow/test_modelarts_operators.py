"""The operators for ModelArts against a small ModelArts, waiting in place and deferred."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS, AIRFLOW_V_3_3_PLUS
from small_modelarts import PROJECT, SmallModelArts, serving
from task_life import TaskLife

from airflow_provider_aihub.modelarts.errors import (
    ModelArtsAmbiguousSubmit,
    ModelArtsExistsError,
    ModelArtsJobFailed,
    ModelArtsJobStopped,
    ModelArtsJobTimeout,
    ModelArtsNotFoundError,
    ModelArtsParameterError,
)
from airflow_provider_aihub.operators.modelarts_app import ModelArtsCreateAppOperator
from airflow_provider_aihub.operators.modelarts_notebook import (
    ModelArtsStartNotebookOperator,
    ModelArtsStopNotebookOperator,
)
from airflow_provider_aihub.operators.modelarts_training_job import (
    ModelArtsDeleteTrainingJobOperator,
    ModelArtsSaveImageOperator,
    ModelArtsStopTrainingJobOperator,
    ModelArtsTagTrainingJobOperator,
    ModelArtsTrainingJobOperator,
)
from airflow_provider_aihub.operators.modelarts_workflow import (
    ModelArtsStepExecutionActionOperator,
    ModelArtsWorkflowExecutionOperator,
    ModelArtsWorkflowSubscriptionOperator,
)
from airflow_provider_aihub.operators.modelarts_workspace import ModelArtsWorkspaceQuotaOperator
from airflow_provider_aihub.sensors.modelarts import (
    ModelArtsNotebookSensor,
    ModelArtsSavedImageSensor,
    ModelArtsTrainingJobSensor,
    ModelArtsWorkflowExecutionSensor,
    ModelArtsWorkflowStepSensor,
)
from airflow_provider_aihub.tasks import task_try
from airflow_provider_aihub.triggers.job import JobTrigger

deferred_or_not = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "in place"])
old_and_new = pytest.mark.parametrize("remembers", [True, False], ids=["Airflow remembers", "by the marker alone"])
SECRET_KEY = "SKexample/0000000000000000000000000TEST+"


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        task_try, "PATIENCE", task_try.Patience(settled=0.3, shown=0.2, first_pause=0.05, longest_pause=0.1)
    )
    monkeypatch.setattr(task_try, "HIDDEN", 0.1)
    monkeypatch.setenv("AIRFLOW__MODELARTS__POLL_FLOOR", "0.1")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallModelArts]:
    with serving() as modelarts:
        connection = {
            "conn_type": "modelarts",
            "host": modelarts.url,
            "login": "AKEXAMPLE",
            "password": SECRET_KEY,
            "extra": {"project_id": PROJECT, "web_url": "http://console"},
        }
        monkeypatch.setenv("AIRFLOW_CONN_MODELARTS_DEFAULT", json.dumps(connection))
        yield modelarts


def train(**given: Any) -> Callable[[], ModelArtsTrainingJobOperator]:
    known: dict[str, Any] = {"task_id": "train", "name": "mnist", "image": "i", "command": "true"}
    return lambda: ModelArtsTrainingJobOperator(**{**known, **given})


def execute(**given: Any) -> Callable[[], ModelArtsWorkflowExecutionOperator]:
    return lambda: ModelArtsWorkflowExecutionOperator(**{"task_id": "flow", "workflow_id": "w-1", **given})


def done(operator: Any) -> Any:
    return operator.execute({"ti": None})


@deferred_or_not
def test_a_training_job_runs_to_its_end(world: SmallModelArts, deferrable: bool) -> None:
    life = TaskLife(
        train(
            deferrable=deferrable,
            description="a test",
            inputs={"data": "/bucket/mnist/"},
            environments={"A": 1},
            parameters={"lr": 0.1},
            tags={"team": "vision"},
        )
    )
    result = life.try_once()
    (job,) = world.jobs.values()
    name = job["metadata"]["name"]
    assert result == {
        "id": "job-1",
        "name": name,
        "status": "succeeded",
        "create_time": job["metadata"]["create_time"],
        "start_time": 0,
        "duration": 0,
    }
    assert life.deferrals == int(deferrable)
    assert name.startswith("mnist-")
    assert job["metadata"]["description"].startswith("a test [airflow:")
    assert job["metadata"]["description"].endswith(f".{name.removeprefix('mnist-')}]")
    assert job["metadata"]["workspace_id"] == "0"
    assert job["algorithm"] == {
        "command": "true",
        "engine": {"image_url": "i"},
        "environments": {"A": "1"},
        "inputs": [{"name": "data", "remote": {"obs": {"obs_url": "/bucket/mnist/"}}}],
        "parameters": [{"name": "lr", "value": "0.1"}],
    }
    assert world.tags == {"team": "vision"}
    assert life.ti.xcoms["job_id"] == "job-1"
    assert life.ti.xcoms["_link_ViewInModelArtsLink"] == "http://console/#/trainingJobs/job-1"


@deferred_or_not
def test_a_failure_says_all_that_is_known(world: SmallModelArts, deferrable: bool, told: Callable[[], str]) -> None:
    world.phases = ["Running", "Failed"]
    world.logs = "step 1\nKilled by a signal\n"
    world.more = {
        "secondary_phase": "Lost",
        "task_statuses": [{"task": "worker-0", "exit_code": 137, "message": "OOM"}],
        "running_records": [{"start_at": 5, "end_at": 1, "end_reason": "node died", "end_related_task": "worker-0"}],
    }
    with pytest.raises(ModelArtsJobFailed) as caught:
        TaskLife(train(deferrable=deferrable)).try_once()
    for words in (
        "ModelArts's training job job-1 (mnist-",
        'task worker-0 failed: "exit code 137, OOM"',
        'its log ends with "Killed by a signal"',
        "it ended as Failed (Lost)",
        "worker-0 ended: node died",
        "event: the node is out of memory",
    ):
        assert words in str(caught.value)
    assert "step 1\nKilled by a signal" in told()


@deferred_or_not
def test_a_job_that_was_stopped_is_no_success(world: SmallModelArts, deferrable: bool) -> None:
    world.phases = ["Running", "Terminating", "Terminated"]
    with pytest.raises(ModelArtsJobStopped):
        TaskLife(train(deferrable=deferrable)).try_once()


@deferred_or_not
def test_an_unknown_phase_is_waited_for(world: SmallModelArts, deferrable: bool, told: Callable[[], str]) -> None:
    world.phases = ["Pondering", "completed"]
    TaskLife(train(deferrable=deferrable)).try_once()
    assert told().count("Pondering, which this provider does not know") == 1


@deferred_or_not
@pytest.mark.parametrize("taken", [True, False], ids=["the name is taken", "the answer is lost"])
def test_a_job_that_was_created_in_silence_is_found_by_its_name(
    world: SmallModelArts, deferrable: bool, taken: bool
) -> None:
    world.taken, world.lose = taken, 0 if taken else 1
    assert TaskLife(train(deferrable=deferrable)).try_once()["id"] == "job-1"
    assert world.count("POST", "/training-jobs") == len(world.jobs) == 1
    (first, *_) = world.bodies("POST", "/training-job-searches")
    assert first["filters"] == [{"key": "name", "operator": "like", "value": [world.jobs["job-1"]["metadata"]["name"]]}]


def test_a_name_that_is_anothers_is_a_refusal(world: SmallModelArts, monkeypatch: pytest.MonkeyPatch) -> None:
    world.taken = True
    monkeypatch.setattr(world, "jobs", type("Forgetful", (dict,), {"__setitem__": lambda *_: None})())
    with pytest.raises(ModelArtsExistsError, match="choose another name"):
        TaskLife(train()).try_once()
    assert world.count("POST", "/training-jobs") == 1


@old_and_new
def test_a_retry_takes_the_job_up(world: SmallModelArts, remembers: bool) -> None:
    life = TaskLife(train(deferrable=True, retries=2), remembers=remembers)
    life.start()
    assert life.try_once()["id"] == "job-1"
    assert len(world.jobs) == 1


@old_and_new
def test_a_retry_after_a_failure_has_a_new_name(world: SmallModelArts, remembers: bool) -> None:
    world.phases = ["Failed"]
    life = TaskLife(train(retries=1), remembers=remembers)
    with pytest.raises(ModelArtsJobFailed):
        life.try_once()
    world.phases = ["Completed"]
    assert life.try_once()["id"] == "job-2"
    names = {job["metadata"]["name"] for job in world.jobs.values()}
    assert len(names) == 2


@deferred_or_not
def test_a_deadline_stops_the_job(world: SmallModelArts, deferrable: bool) -> None:
    world.phases = ["Running"]
    with pytest.raises(ModelArtsJobTimeout, match="ModelArts was asked to stop it"):
        TaskLife(train(deferrable=deferrable, job_timeout=0.3)).try_once()
    assert world.count("POST", "/actions") == 1


def test_a_kill_stops_the_job(world: SmallModelArts) -> None:
    operator = train(deferrable=True)()
    life = TaskLife(lambda: operator)
    life.start()
    operator.on_kill()
    assert world.bodies("POST", "/actions") == [{"action_type": "terminate"}]


@deferred_or_not
def test_logs_are_streamed_each_line_once(world: SmallModelArts, deferrable: bool, told: Callable[[], str]) -> None:
    world.phases, world.logs = ["Running"] * 3 + ["Completed"], "epoch one\nepoch two\n"
    world.full_size = len(world.logs) + 3 * 1024
    TaskLife(train(deferrable=deferrable, stream_logs=True)).try_once()
    text = told()
    assert [text.count(line) for line in ("epoch one", "epoch two")] == [1, 1]
    assert "3 KiB of the log are left out here" in text


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": "a b"}, "name must be 1 to 64 letters, digits, '_' and '-'"),
        ({"name": None}, "name must be a non-empty text, not None"),
        ({"name": ""}, "name must be a non-empty text"),
        ({"image": None}, "what runs must be given in one way"),
        ({"environments": {str(n): n for n in range(101)}}, "at most 100 variables, not 101"),
        ({"environments": {"A": "$B"}}, "no '$'"),
        ({"inputs": 7}, "inputs must be a list or a dict, not 7"),
        ({"inputs": [{"name": "x", "remote": {}}]}, "must have one of obs and dataset"),
        ({"node_count": 0}, "node_count must be a whole number of at least 1"),
        ({"notification_topic": "urn"}, "notification_topic and notification_events belong together"),
        ({"tags": {"_sys_x": "y"}}, "must not begin with _sys_"),
        ({"tags": "team"}, "tags must be a dict of keys and values, not 'team'"),
        ({"volumes": [{}]}, "must have one of nfs, pfs and obs"),
    ],
)
def test_a_wrong_parameter_is_refused_unsent(world: SmallModelArts, given: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelArtsParameterError, match=words.replace("$", r"\$")) as caught:
        TaskLife(train(**given)).try_once()
    assert isinstance(caught.value, AirflowFailException)
    assert not world.asked


@deferred_or_not
def test_a_job_is_stopped_and_waited_for(world: SmallModelArts, deferrable: bool) -> None:
    world.phases = ["Running"]
    TaskLife(train(wait_for_completion=False)).try_once()

    def stop() -> Any:
        given = {"task_id": "stop", "training_job_id": "job-1", "deferrable": deferrable}
        return TaskLife(lambda: ModelArtsStopTrainingJobOperator(**given)).try_once()

    assert stop() == {"id": "job-1", "status": "stopped"}
    # It is over already.
    assert stop() == {"id": "job-1", "status": "stopped"}


@pytest.mark.parametrize("nothing", [None, "None", ""])
def test_what_is_not_there_needs_no_teardown(world: SmallModelArts, nothing: str | None) -> None:
    for operator in (
        ModelArtsStopTrainingJobOperator(task_id="a", training_job_id=nothing),
        ModelArtsDeleteTrainingJobOperator(task_id="b", training_job_id=nothing),
        ModelArtsStopNotebookOperator(task_id="c", notebook_id=nothing),
    ):
        with pytest.raises(AirflowSkipException):
            done(operator)
    assert not world.asked


def test_a_job_is_deleted_once_and_for_all(world: SmallModelArts) -> None:
    TaskLife(train()).try_once()
    for _ in range(2):
        assert done(ModelArtsDeleteTrainingJobOperator(task_id="t", training_job_id="job-1")) == {"id": "job-1"}
    assert not world.jobs


def test_tags_come_and_go(world: SmallModelArts) -> None:
    add = ModelArtsTagTrainingJobOperator(task_id="a", training_job_id="job-1", tags={"team": "vision", "cost": 7})
    assert done(add) == {"id": "job-1", "tags": {"team": "vision", "cost": "7"}}
    remove = ModelArtsTagTrainingJobOperator(task_id="r", training_job_id="job-1", tags=["team"], action="remove")
    assert done(remove) == {"id": "job-1", "tags": {"cost": "7"}}
    assert world.bodies("DELETE", "/delete") == [{"tags": [{"key": "team"}]}]


@deferred_or_not
@pytest.mark.parametrize("lose", [0, 1])
def test_an_image_is_saved_once(world: SmallModelArts, deferrable: bool, lose: int) -> None:
    world.lose = lose
    given = {"training_job_id": "job-1", "name": "model", "namespace": "org", "tag": 0.1, "deferrable": deferrable}
    result = TaskLife(lambda: ModelArtsSaveImageOperator(task_id="save", **given)).try_once()
    assert result == {
        "id": "job-1/worker-0",
        "name": "model",
        "namespace": "org",
        "tag": "0.1",
        "status": "succeeded",
    }
    assert world.count("POST", "/save-image-job") == 1
    sensor = ModelArtsSavedImageSensor(task_id="s", training_job_id="job-1", deferrable=deferrable)
    assert TaskLife(lambda: sensor).try_once() == {"id": "job-1/worker-0", "status": "succeeded"}


@deferred_or_not
@pytest.mark.parametrize("lose", [0, 1])
def test_a_workflow_runs_to_its_end_once(world: SmallModelArts, deferrable: bool, lose: int) -> None:
    world.lose = lose
    life = TaskLife(execute(deferrable=deferrable, name="nightly", parameters={"epochs": 3}))
    assert life.try_once() == {
        "id": "w-1/e-1",
        "workflow_id": "w-1",
        "execution_id": "e-1",
        "name": "nightly",
        "status": "succeeded",
        "duration": 0,
        "steps": [{"name": "prepare", "status": "completed"}, {"name": "review", "status": "completed"}],
    }
    assert world.count("POST", "/executions") == len(world.executions) == 1
    (sent,) = world.bodies("POST", "/executions")
    assert sent["parameters"] == [{"name": "epochs", "value": 3}]
    assert life.ti.xcoms["job_id"] == "w-1/e-1"


@deferred_or_not
def test_a_waiting_step_goes_on_with_its_inputs(world: SmallModelArts, deferrable: bool) -> None:
    world.more = {"waits": True}
    inputs = {"review": {"parameters": {"approved": True}}}
    life = TaskLife(execute(deferrable=deferrable, on_waiting_step="continue", waiting_step_inputs=inputs))
    assert life.try_once()["status"] == "succeeded"
    assert world.bodies("POST", "/step-executions/uuid-review/actions") == [
        {"action_name": "continue", "parameters": [{"name": "approved", "value": True}]}
    ]


@deferred_or_not
def test_a_waiting_step_may_be_a_failure(world: SmallModelArts, deferrable: bool) -> None:
    world.more = {"waits": True}
    with pytest.raises(ModelArtsJobFailed, match='step review ended as wait_inputs: "it waits for a person"'):
        TaskLife(execute(deferrable=deferrable, on_waiting_step="fail")).try_once()
    assert world.executions["e-1"]["status"] == "stopped"


@deferred_or_not
def test_a_waiting_step_is_waited_for(world: SmallModelArts, deferrable: bool, told: Callable[[], str]) -> None:
    world.more = {"waits": True}
    with pytest.raises(ModelArtsJobTimeout):
        TaskLife(execute(deferrable=deferrable, job_timeout=0.5)).try_once()
    assert told().count("step review waits for a person (wait_inputs)") == 1
    assert world.executions["e-1"]["status"] == "stopped"


@old_and_new
def test_a_retry_attends_to_what_an_earlier_try_left_waiting(world: SmallModelArts, remembers: bool) -> None:
    world.more = {"waits": True}
    life = TaskLife(execute(deferrable=True, on_waiting_step="continue", retries=1), remembers=remembers)
    life.start()
    assert life.try_once()["status"] == "succeeded"
    assert len(world.executions) == 1


def test_an_execution_is_run_again(world: SmallModelArts) -> None:
    TaskLife(execute(description="by another task")).try_once()
    again = execute(execution_id="w-1/e-1", rerun_steps=["review"])
    assert TaskLife(again).try_once()["status"] == "succeeded"
    assert world.bodies("POST", "/e-1/actions") == [{"action_name": "rerun", "policies": {"rerun_steps": ["review"]}}]
    assert len(world.executions) == 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"rerun_steps": ["review"]}, "give its execution_id, too"),
        ({"action": "rerun", "execution_id": ""}, "execution_id must be an id, <execution>, not ''"),
        ({"action": "pause", "execution_id": "e-1"}, "action must be rerun or stop"),
        ({"waiting_step_inputs": "review"}, "waiting_step_inputs must be a dict of steps, not 'review'"),
    ],
)
def test_a_wrong_execution_is_refused_unsent(world: SmallModelArts, given: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelArtsParameterError, match=words):
        TaskLife(execute(**given)).try_once()
    assert not world.asked


def test_a_step_is_acted_on_by_its_name(world: SmallModelArts) -> None:
    world.more = {"waits": True}
    TaskLife(execute(wait_for_completion=False)).try_once()
    act = {"task_id": "t", "workflow_id": "w-1", "execution_id": "w-1/e-1", "action": "continue"}
    step = done(ModelArtsStepExecutionActionOperator(step="review", **act))
    assert step == {"id": "uuid-review", "name": "review", "status": "completed"}
    with pytest.raises(ModelArtsParameterError, match="has prepare, review"):
        done(ModelArtsStepExecutionActionOperator(step="x", **act))


def test_a_subscription_comes_and_goes(world: SmallModelArts) -> None:
    create = ModelArtsWorkflowSubscriptionOperator(
        task_id="t", workflow_id="w-1", topic_urns=["urn:x"], events=["*:failed"]
    )
    assert done(create) == {"id": "s-1"}
    assert world.bodies("POST", "/subscriptions") == [{"topic_urns": ["urn:x"], "events": ["*:failed"]}]
    delete = ModelArtsWorkflowSubscriptionOperator(
        task_id="t", workflow_id="w-1", action="delete", subscription_id="s-1"
    )
    assert done(delete) == {"id": "s-1"}


@deferred_or_not
def test_a_notebook_is_started_and_stopped(world: SmallModelArts, deferrable: bool) -> None:
    def run(kind: type[Any], **given: Any) -> Any:
        make = lambda: kind(task_id="t", notebook_id="n-1", deferrable=deferrable, **given)  # noqa: E731
        return TaskLife(make).try_once()

    started = run(ModelArtsStartNotebookOperator, duration=timedelta(hours=2))
    assert started == {"id": "n-1", "name": "lab", "status": "RUNNING", "lease": 7_200_000}
    assert run(ModelArtsNotebookSensor) == {"id": "n-1", "status": "succeeded"}
    renewed = run(ModelArtsStartNotebookOperator, duration=3_600_000, lease_type="idle")
    assert (renewed["lease"], world.notebook["lease"]) == (3_600_000, {"duration": 3_600_000, "type": "idle"})
    for _ in range(2):
        assert run(ModelArtsStopNotebookOperator)["status"] == "STOPPED"
    assert run(ModelArtsNotebookSensor, until="stopped") == {"id": "n-1", "status": "succeeded"}


def test_a_task_killed_while_it_starts_a_notebook_stops_it(
    world: SmallModelArts, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ModelArtsStartNotebookOperator(task_id="t", notebook_id="n-1", deferrable=True)
    really = SmallModelArts.answer

    def answer(world: SmallModelArts, method: str, path: str, *given: Any) -> Any:
        if path.endswith("/start"):
            # What a kill interrupts goes on.
            made.on_kill()
        return really(world, method, path, *given)

    monkeypatch.setattr(SmallModelArts, "answer", answer)
    with pytest.raises(ModelArtsJobStopped, match="was killed"):
        TaskLife(lambda: made).start()
    assert world.notebook["status"] == "STOPPING"


@pytest.mark.parametrize("kind", [ModelArtsStartNotebookOperator, ModelArtsStopNotebookOperator])
def test_what_a_dead_worker_was_asking_of_a_notebook_is_asked_again(world: SmallModelArts, kind: Any) -> None:
    life = TaskLife(lambda: kind(task_id="t", notebook_id="n-1"))
    life.ti.max_tries = life.retries = 1
    done = life.try_once()
    assert life.store is not None
    # As it stood while the call was under way.
    life.store.set("modelarts_job", {**life.store.get("modelarts_job"), "state": "submitting", "job_id": None})
    assert life.try_once() == done


@pytest.mark.parametrize("duration", ["soon", 1, timedelta(days=4)])
def test_a_lease_has_its_bounds(world: SmallModelArts, duration: Any) -> None:
    with pytest.raises(ModelArtsParameterError, match="1 to 72 hours"):
        TaskLife(lambda: ModelArtsStartNotebookOperator(task_id="t", notebook_id="n-1", duration=duration)).try_once()


def test_quotas_keep_to_their_bounds(world: SmallModelArts) -> None:
    world.quotas = [
        {"resource": "gpu", "quota": -1, "min_quota": -1, "max_quota": -1},
        {"resource": "notebook", "quota": 5, "min_quota": 1, "max_quota": 10},
    ]

    def put(**quotas: Any) -> Any:
        return done(ModelArtsWorkspaceQuotaOperator(task_id="t", quotas=quotas))

    assert put(gpu=-1, notebook="7") == {"id": "0", "quotas": {"gpu": -1, "notebook": 7}}
    for wrong, words in (
        ({"notebook": 11}, "from 1 to 10, not 11"),
        ({"x": 1}, "x is none"),
        ({"notebook": 0}, "not 0"),
    ):
        with pytest.raises(ModelArtsParameterError, match=words):
            put(**wrong)
    assert world.count("PUT", "/quotas") == 1


def test_the_secret_of_an_app_goes_where_it_was_told_to(
    world: SmallModelArts, monkeypatch: pytest.MonkeyPatch, told: Callable[[], str]
) -> None:
    from airflow.providers.common.compat.sdk import Variable

    kept: dict[str, str] = {}
    monkeypatch.setattr(Variable, "set", lambda key, value, **_: kept.update({key: value}))
    result = done(ModelArtsCreateAppOperator(task_id="t", app_name="web", secret_variable="web_secret"))
    assert result == {"id": "a-1", "name": "web", "type": ""}
    assert json.loads(kept["web_secret"]) == {
        "app_key": "key-secret",
        "app_secret": "app-secret",
        "app_codes": ["code-secret"],
    }
    assert "-secret" not in told()


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ({}, "One of secret_variable and secret_conn_id must be given"),
        ({"secret_variable": "a", "secret_conn_id": "b"}, "One of secret_variable and secret_conn_id must be given"),
        ({"secret_variable": ""}, "a name of 1 to 250 characters, not"),
        ({"secret_variable": "x" * 251}, "a name of 1 to 250 characters, not"),
        ({"secret_variable": "elsewhere_secret"}, "reads from AIRFLOW_VAR_ELSEWHERE_SECRET"),
    ],
)
def test_where_a_secret_cannot_go_no_app_is_made(
    world: SmallModelArts, monkeypatch: pytest.MonkeyPatch, place: dict[str, str], words: str
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_ELSEWHERE_SECRET", "{}")
    with pytest.raises(ModelArtsParameterError, match=words) as caught:
        done(ModelArtsCreateAppOperator(task_id="t", app_name="web", **place))
    assert isinstance(caught.value, AirflowFailException)
    assert not world.asked


def test_a_connection_takes_the_secret_where_a_task_may_make_one(
    world: SmallModelArts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create() -> Any:
        return done(ModelArtsCreateAppOperator(task_id="t", app_name="web", secret_conn_id="web"))

    if AIRFLOW_V_3_0_PLUS:
        with pytest.raises(ModelArtsParameterError, match=r"a task of Airflow 3 cannot make a connection"):
            create()
        assert not world.asked
        return
    from airflow.models import Connection
    from sqlalchemy import create_engine
    from sqlalchemy.orm import sessionmaker

    engine = create_engine("sqlite://")
    Connection.__table__.create(engine)
    session = sessionmaker(engine)
    monkeypatch.setattr("airflow.utils.session.create_session", session.begin)
    for _ in range(2):
        create()
    with session() as reading:
        (kept,) = reading.query(Connection).all()
        assert (kept.conn_id, kept.conn_type, kept.login) == ("web", "http", "key-secret")
        assert kept.password == "app-secret"
        assert kept.extra_dejson == {"app_codes": ["code-secret"]}


def test_an_app_whose_secret_is_lost_is_deleted(world: SmallModelArts, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers.common.compat.sdk import Variable

    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("no variables today")

    monkeypatch.setattr(Variable, "set", refuse)
    with pytest.raises(RuntimeError):
        done(ModelArtsCreateAppOperator(task_id="t", app_name="web", secret_variable="web_secret"))
    assert (world.count("POST", "/apps"), world.apps) == (1, [])


def test_what_cannot_be_looked_up_is_not_asked_for_twice(
    world: SmallModelArts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world, "answer", lambda *_: (500, {"error_code": "ModelArts.0010"}))
    with pytest.raises(ModelArtsAmbiguousSubmit) as caught:
        done(ModelArtsWorkflowSubscriptionOperator(task_id="t", workflow_id="w-1", topic_urns=["urn:x"]))
    assert isinstance(caught.value, AirflowFailException)


class TeamsTraining(ModelArtsTrainingJobOperator):
    """An operator of users' own, which keeps nothing of its parameter."""

    def __init__(self, *, team: str, **kwargs: Any) -> None:
        super().__init__(name=f"{team}-job", **kwargs)


def test_an_operator_of_ones_own_has_the_templated_fields_that_it_says(world: SmallModelArts) -> None:
    known = {"task_id": "t", "image": "i", "command": "true"}
    assert TeamsTraining.template_fields == ModelArtsTrainingJobOperator.template_fields
    assert TaskLife(lambda: TeamsTraining(team="vision", **known)).try_once()["name"].startswith("vision-job-")


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferred"])
def test_sensors_wait_in_every_mode(world: SmallModelArts, mode: str) -> None:
    def wait(kind: type[Any], **given: Any) -> Any:
        how = {"deferrable": True} if mode == "deferred" else {"mode": mode, "deferrable": False}
        return TaskLife(lambda: kind(task_id="wait", poke_interval=0.1, **how, **given)).try_once()

    TaskLife(train(wait_for_completion=False)).try_once()
    assert wait(ModelArtsTrainingJobSensor, training_job_id="job-1") == {"id": "job-1", "status": "succeeded"}
    TaskLife(execute(wait_for_completion=False)).try_once()
    one = {"workflow_id": "w-1", "execution_id": "e-1"}
    assert wait(ModelArtsWorkflowExecutionSensor, **one) == {"id": "w-1/e-1", "status": "succeeded"}
    one["execution_id"] = "w-1/e-1"
    assert wait(ModelArtsWorkflowStepSensor, step="review", **one) == {
        "id": "w-1/e-1/review",
        "status": "succeeded",
    }
    with pytest.raises(ModelArtsJobFailed, match=r"s workflow step w-1/e-1/deploy .*it is not run"):
        wait(ModelArtsWorkflowStepSensor, step="deploy", **one)


E_1 = {"workflow_id": "w-1", "execution_id": "e-1"}
SENSORS: list[tuple[type[Any], dict[str, str], str, str, str]] = [
    (ModelArtsTrainingJobSensor, {"training_job_id": "job-1"}, "training_job", "training_job_id", "job-1"),
    (ModelArtsWorkflowExecutionSensor, E_1, "workflow_execution", "execution_id", "w-1/e-1"),
    (ModelArtsWorkflowStepSensor, {**E_1, "step": "review"}, "workflow_step", "execution_id", "w-1/e-1/review"),
    (ModelArtsNotebookSensor, {"notebook_id": "n-1", "until": "running"}, "notebook", "notebook_id", "n-1"),
    (ModelArtsNotebookSensor, {"notebook_id": "n-1", "until": "stopped"}, "stopped_notebook", "notebook_id", "n-1"),
    (
        ModelArtsSavedImageSensor,
        {"training_job_id": "job-1", "task": "worker-0"},
        "saved_image",
        "training_job_id",
        "job-1/worker-0",
    ),
]
each_sensor = pytest.mark.parametrize(
    ("sensor", "given", "kind", "field", "job"),
    SENSORS,
    ids=[f"{kind} {given.get('until', '')}".strip() for _, given, kind, *_ in SENSORS],
)
STARTS = AIRFLOW_V_3_3_PLUS or not AIRFLOW_V_3_0_PLUS
"""Whether this Airflow can start a task in the triggerer."""


def wait_from_the_start(arguments: dict[str, Any]) -> Any:
    """Let a sensor wait as the scheduler starts it in the triggerer; give the trigger's event."""

    async def wait() -> Any:
        (event,) = [event async for event in JobTrigger(**arguments).run()]
        return event.payload

    return asyncio.run(wait())


@each_sensor
def test_the_waiting_can_start_in_the_triggerer(
    world: SmallModelArts, sensor: type[Any], given: dict[str, str], kind: str, field: str, job: str
) -> None:
    TaskLife(train(wait_for_completion=False)).try_once()
    TaskLife(execute(wait_for_completion=False)).try_once()
    world.images["job-1/worker-0"] = {"name": "i", "status": "ACTIVE", "ahead": []}
    if given.get("until") == "running":
        world.notebook["status"] = "RUNNING"
    how = {"task_id": "wait", "start_from_trigger": True, "poke_interval": 0.1, "timeout": 60}
    starting = sensor(**how, **given).start_trigger_args
    assert (starting is not None) is STARTS
    if starting is None:
        return
    assert starting.timeout.total_seconds() == 60
    assert starting.trigger_kwargs == {
        "modelarts_conn_id": "modelarts_default",
        "kind": f"modelarts.{kind}",
        field: job,
        "poll_interval": 0.1,
        "backoff": 1.0,
        "poll_tolerance": 900.0,
        "owner": False,
    }
    event = wait_from_the_start(starting.trigger_kwargs)
    life = TaskLife(lambda: sensor(**how, **given))
    assert life.make().execute_complete(life.context, event) == {"id": job, "status": "succeeded"}
    assert not world.count("POST", "/actions")


@each_sensor
def test_the_triggerer_renders_the_ids_where_it_can(
    sensor: type[Any], given: dict[str, str], kind: str, field: str, job: str
) -> None:
    how = {"task_id": "wait", "start_from_trigger": True}
    ids = {name: f"{{{{ params.{name} }}}}" for name in given if name != "until"}
    starting = sensor(**how, **given | ids).start_trigger_args
    assert (starting is not None) is AIRFLOW_V_3_3_PLUS
    if starting is not None:
        assert starting.trigger_kwargs[field] == "/".join(ids.values())
    for pull in ("ti.xcom_pull('a')", "ti.xcom_pull('a', map_indexes=-1)"):
        pulled = {name: f"{{{{ {pull}['{name}'] }}}}" for name in ids}
        works = AIRFLOW_V_3_3_PLUS and "map_indexes" in pull
        assert (sensor(**how, **given | pulled).start_trigger_args is not None) is works


@each_sensor
def test_the_waiting_starts_in_a_worker_unless_told_otherwise(
    sensor: type[Any], given: dict[str, str], kind: str, field: str, job: str
) -> None:
    assert sensor(task_id="wait", **given).start_trigger_args is None
    # Airflow would give every mapped task what the class has.
    assert sensor.start_trigger_args is None
    # What a worker must read first.
    later = {"until": "{{ params.until }}"} if "until" in given else {"poll_tolerance": "{{ params.tolerance }}"}
    assert sensor(task_id="wait", start_from_trigger=True, **given | later).start_trigger_args is None


def test_a_sensor_of_a_job_that_does_not_exist(world: SmallModelArts) -> None:
    with pytest.raises(ModelArtsNotFoundError):
        TaskLife(lambda: ModelArtsTrainingJobSensor(task_id="t", training_job_id="job-9")).try_once()


def test_lineage_names_what_is_in_object_storage(world: SmallModelArts) -> None:
    known = train(inputs={"data": "/bucket/mnist/"}, outputs={"model": "obs://other/m"})().lineage(None, None)
    assert [(data.namespace, data.name) for data in known.inputs + known.outputs] == [
        ("obs://bucket", "mnist/"),
        ("obs://other", "m"),
    ]


def test_nothing_that_a_trigger_gets_is_secret(world: SmallModelArts) -> None:
    trigger = TaskLife(train(deferrable=True)).start()
    told = json.dumps(trigger.serialize())
    assert SECRET_KEY not in told
    assert "AKEXAMPLE" not in told


def test_the_hook_tests_its_connection(world: SmallModelArts, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_aihub.hooks.modelarts import ModelArtsHook

    assert ModelArtsHook().test_connection() == (
        True,
        "ModelArts takes signatures and lists the training jobs of workspace 0.",
    )
    monkeypatch.setattr(
        ModelArtsHook,
        "get_connection",
        lambda *_: SimpleNamespace(
            conn_id="c", host="", port=None, schema="", login="", password="", extra_dejson={"regions": "x"}
        ),
    )
    well, words = ModelArtsHook().test_connection()
    assert not well
    assert "fill in 'region'" in words
    assert "the nearest field is 'region'" in words
