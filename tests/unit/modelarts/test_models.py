"""What is sent is strict, what comes back is read with tolerance; and what the kinds make of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_aihub.jobs.kind import JobKind, Phase
from airflow_provider_aihub.modelarts import apps, images, notebooks, training_jobs, workflows, workspaces
from airflow_provider_aihub.modelarts.config import Config
from airflow_provider_aihub.modelarts.errors import ModelArtsConfigError, ModelArtsParameterError
from airflow_provider_aihub.modelarts.kinds import KINDS, WAITS
from airflow_provider_aihub.modelarts.parts import steps, tasks
from airflow_provider_aihub.modelarts.training_jobs import TrainingJobSpec

IMAGE = {"image": "swr/mnist:1", "command": "python train.py"}


def built(**given: Any) -> dict[str, Any]:
    return TrainingJobSpec.build(name="t", **given).body()


def test_the_whole_body_of_a_training_job() -> None:
    body = TrainingJobSpec.build(
        name="TestModelArtsJob",
        description="a job",
        workspace_id="0",
        annotations={"job_template": "Template DL"},
        code_dir="/bucket/code/",
        boot_file="/bucket/code/train.py",
        engine_name="TensorFlow",
        engine_version="2.1",
        parameters={"lr": 0.1, "shuffle": True},
        auto_search={"skip_search_params": ""},
        inputs=[
            {
                "name": "data_url",
                "local_dir": "/in",
                "access_method": "parameter",
                "remote": {"obs": {"obs_url": "/b/in/"}},
            },
            {"name": "set", "remote": {"dataset": {"id": "d", "version_id": "v"}}},
        ],
        outputs=[{"name": "train_url", "remote": {"obs": {"obs_url": "/b/out/"}}}],
        environments={"A": 1},
        node_count="2",
        flavor_id="modelarts.p3.large.public",
        pool_id="pool",
        log_path="/b/logs/",
        volumes=[{"nfs": {"nfs_server_path": "h:/", "local_path": "/v", "read_only": False}}],
        auto_stop_hours=2,
        notification_topic="urn:t",
        notification_events=["JobFailed", "jobcompleted"],
        priority=3,
        preemptible="true",
    ).body()
    assert body == {
        "kind": "job",
        "metadata": {
            "name": "TestModelArtsJob",
            "workspace_id": "0",
            "description": "a job",
            "annotations": {"job_template": "Template DL"},
        },
        "algorithm": {
            "code_dir": "/bucket/code/",
            "boot_file": "/bucket/code/train.py",
            "engine": {"engine_name": "TensorFlow", "engine_version": "2.1"},
            "parameters": [{"name": "lr", "value": "0.1"}, {"name": "shuffle", "value": "true"}],
            "policies": {"auto_search": {"skip_search_params": ""}},
            "inputs": [
                {
                    "name": "data_url",
                    "local_dir": "/in",
                    "access_method": "parameter",
                    "remote": {"obs": {"obs_url": "/b/in/"}},
                },
                {"name": "set", "remote": {"dataset": {"id": "d", "version_id": "v"}}},
            ],
            "outputs": [{"name": "train_url", "remote": {"obs": {"obs_url": "/b/out/"}}}],
            "environments": {"A": "1"},
        },
        "spec": {
            "resource": {"node_count": 2, "flavor_id": "modelarts.p3.large.public", "pool_id": "pool"},
            "log_export_path": {"obs_url": "/b/logs/"},
            "volumes": [{"nfs": {"nfs_server_path": "h:/", "local_path": "/v", "read_only": False}}],
            "auto_stop": {"time_unit": "HOURS", "duration": 2},
            "notification": {"topic_urn": "urn:t", "events": ["JobFailed", "JobCompleted"]},
            "schedule_policy": {"priority": 3, "preemptible": True},
        },
    }


@pytest.mark.parametrize(
    ("given", "algorithm"),
    [
        ({"algorithm_id": "a"}, {"id": "a"}),
        ({"subscription_id": "s", "item_version_id": "v"}, {"subscription_id": "s", "item_version_id": "v"}),
        (IMAGE, {"engine": {"image_url": "swr/mnist:1"}, "command": "python train.py"}),
        (
            {"code_dir": "/c", "boot_file": "/c/b.py", "image": "i"},
            {"code_dir": "/c", "boot_file": "/c/b.py", "engine": {"image_url": "i"}},
        ),
    ],
)
def test_what_runs_is_said_in_one_of_four_ways(given: dict[str, Any], algorithm: dict[str, Any]) -> None:
    assert built(**given)["algorithm"] == algorithm


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: TrainingJobSpec.build(name="x" * 65, **IMAGE), "name must be 1 to"),
        (lambda: TrainingJobSpec.build(name="a.b", **IMAGE), "name must be 1 to"),
        (lambda: built(**IMAGE, description="x" * 257), "description must have at most 256 characters"),
        (lambda: built(**IMAGE, algorithm_id="a"), "must be given in one way"),
        (lambda: built(code_dir="/c"), "code_dir and boot_file belong together"),
        (lambda: built(**IMAGE, environments={"A": "x" * 4097}), "at most 4096 characters"),
        (lambda: built(**IMAGE, auto_stop_hours=0), "auto_stop_hours must be a whole number of at least 1"),
        (lambda: built(**IMAGE, priority=4), "priority"),
        (lambda: built(**IMAGE, colour="red"), "colour is none of its parameters"),
        (lambda: built(**IMAGE, notification_topic="u", notification_events=["x"]), "must be one of"),
        (lambda: images.SaveImageSpec.build(name="Upper", namespace="n", tag="1"), "name must be 1 to"),
        (
            lambda: images.SaveImageSpec.build(name="a", namespace="n", tag="a b"),
            "tag must be 1 to 64 letters, digits, '-', '_' and '.'",
        ),
        (lambda: workspaces.QuotaSpec.build(resource="r", quota=-2), "quota must be 1 or more, or -1 for no limit"),
        (lambda: workspaces.QuotaSpec.build(resource="r", quota=0), "quota must be 1 or more, or -1 for no limit"),
        (lambda: workflows.SubscriptionSpec.build(topic_urns=[]), "topic_urns"),
        (lambda: apps.AppSpec.build(app_name="a", app_remark="x" * 201), "app_remark"),
        (lambda: training_jobs.TagSpec.build(key=" a"), "key"),
        (lambda: training_jobs.get_training_job("../x"), "training_job_id must be an id"),
        (lambda: training_jobs.get_training_job("None/x"), "training_job_id must be an id"),
        (lambda: workflows.act_on_workflow_step("w", "e", "s", "skip"), "action must be stop, retry or continue"),  # type: ignore[arg-type]
        (lambda: notebooks.start_notebook("n", 3_599_999), "duration must be a timedelta of 1 to 72 hours"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(ModelArtsParameterError, match=words):
        make()


def test_a_tag_is_text_though_an_example_shows_a_number() -> None:
    assert images.SaveImageSpec.build(name="a", namespace="n", tag=0.1).body()["tag"] == "0.1"


def test_a_job_is_read_whatever_else_it_has() -> None:
    job = training_jobs.TrainingJob.read(
        {
            "kind": "job",
            "metadata": {"id": 7, "name": "t", "create_time": "1636447346315", "tag": 0.1},
            "status": {
                "phase": "Pondering",
                "node_count_metrics": None,
                "tasks": None,
                "task_statuses": None,
                "duration": "soon",
                "running_records": [{"start_at": 1636447347, "end_at": 1636440000}, "odd"],
            },
            "spec": None,
            "algorithm": {"policies": {}},
        }
    )
    assert (job.metadata.id, job.metadata.create_time) == ("7", 1636447346315)
    assert (job.status.duration, job.status.tasks, len(job.status.running_records)) == (0, [], 1)


def test_an_execution_is_read_before_it_has_a_state() -> None:
    run = workflows.WorkflowExecution.read({"execution_id": "e", "steps_execution": None, "policies": {}})
    assert (run.status, run.steps_execution) == ("", [])


def test_a_workspace_is_read_though_its_id_is_a_number() -> None:
    found = workspaces.list_workspaces().read({"total_count": 10, "count": 1, "workspaces": [{"id": 0}]})
    assert [one.id for one in found] == ["0"]


def test_what_opens_something_is_not_shown() -> None:
    app = apps.App.read({"app_id": "a", "app_key": "k-secret", "app_secret": "s-secret", "app_codes": ["c-secret"]})
    notebook = notebooks.Notebook.read({"id": "n", "status": "RUNNING", "token": "t-secret", "url": "u-secret"})
    assert "-secret" not in f"{app!r} {notebook!r}"


JOB = {"metadata": {"id": "j", "create_time": 5000}, "status": {"phase": "RUNNING", "start_time": 6000, "duration": 0}}


@pytest.mark.parametrize(
    ("kind", "job_id", "answer", "status", "phase"),
    [
        ("training_job", "j", JOB, "Running", Phase.RUNNING),
        ("training_job", "j", {**JOB, "status": {"phase": "Abnormal"}}, "Abnormal", Phase.FAILED),
        ("training_job", "j", {**JOB, "status": {"phase": "Terminated"}}, "Terminated", Phase.STOPPED),
        ("training_job", "j", {**JOB, "status": {"phase": "Odd"}}, "Odd", Phase.UNKNOWN),
        ("training_job_end", "j", {**JOB, "status": {"phase": "Terminated"}}, "Terminated", Phase.SUCCEEDED),
        ("workflow_execution", "w/e", {"execution_id": "e", "status": "abnormal"}, "abnormal", Phase.FAILED),
        (
            "workflow_execution",
            "w/e",
            {"execution_id": "e", "status": "running", "steps_execution": [{"status": "hold"}]},
            WAITS,
            Phase.WAITING,
        ),
        (
            "workflow_execution_attended",
            "w/e",
            {"execution_id": "e", "status": "running", "steps_execution": [{"status": "wait_inputs"}]},
            WAITS,
            Phase.HELD,
        ),
        ("workflow_step", "w/e/s", {"execution_id": "e", "steps_execution": None}, "init", Phase.WAITING),
        (
            "workflow_step",
            "w/e/s",
            {"execution_id": "e", "steps_execution": [{"step_name": "s", "status": "timeout"}]},
            "timeout",
            Phase.FAILED,
        ),
        ("workflow_step", "w/e/s", {"execution_id": "e", "status": "stopped"}, "not run", Phase.FAILED),
        ("saved_image", "j/t", {"status": "ACTIVE", "name": "a"}, "ACTIVE", Phase.SUCCEEDED),
        ("saved_image", "j/t", {"status": "CREATE_FAILED"}, "CREATE_FAILED", Phase.FAILED),
        ("notebook", "n", {"id": "n", "status": "STOPPED"}, "STOPPED", Phase.WAITING),
        ("notebook", "n", {"id": "n", "status": "FROZEN"}, "FROZEN", Phase.FAILED),
        ("started_notebook", "n", {"id": "n", "status": "STOPPED"}, "STOPPED", Phase.STOPPED),
        ("stopped_notebook", "n", {"id": "n", "status": "STOPPED"}, "STOPPED", Phase.SUCCEEDED),
        ("stopped_notebook", "n", {"id": "n", "status": "RUNNING"}, "RUNNING", Phase.RUNNING),
    ],
)
def test_what_a_state_means(kind: str, job_id: str, answer: Any, status: str, phase: Phase) -> None:
    of: JobKind = KINDS[kind]
    for data in (answer, of.brief(answer)):
        state = of.state(job_id, data)
        assert (state.job_id, state.status, state.phase) == (job_id, status, phase)
        assert isinstance(state.facts.message, str)
    assert of.key == f"modelarts.{kind}"


def test_times_are_seconds() -> None:
    facts = KINDS["training_job"].state("j", {**JOB, "status": {**JOB["status"], "duration": 2000}}).facts  # type: ignore[dict-item]
    assert (facts.created, facts.started, facts.finished) == (5.0, 6.0, 8.0)
    early = KINDS["training_job"].state("j", {**JOB, "status": {"phase": "Pending", "start_time": 0}}).facts
    assert early.started is None
    run = {"execution_id": "e", "status": "init", "created_at": "1970-01-01T08:00:07.123456789+08:00"}
    assert KINDS["workflow_execution"].state("w/e", run).facts.created == pytest.approx(7.123456)


def test_what_a_job_consists_of() -> None:
    job = training_jobs.TrainingJob.read(
        {
            "metadata": {"id": "j"},
            "status": {
                "phase": "Failed",
                "tasks": ["worker-0", "worker-1"],
                "task_statuses": [{"task": "worker-0", "exit_code": 1, "message": " bad "}],
            },
        }
    )
    assert [(part.name, part.state, part.message) for part in tasks(job)] == [
        ("worker-0", "Failed", "exit code 1, bad"),
        ("worker-1", "", ""),
    ]
    run = workflows.WorkflowExecution.read(
        {
            "execution_id": "e",
            "steps_execution": [
                {"step_name": "a", "status": "completed"},
                {"step_name": "b", "status": "failed", "error_info": {"error_code": "E.1", "error_message": "no"}},
                {"step_name": "c", "status": "hold"},
            ],
        }
    )
    assert [(part.name, part.state, part.message) for part in steps(run)] == [
        ("a", "Succeeded", ""),
        ("b", "Failed", "E.1 no"),
        ("c", "hold", "it waits for a person"),
    ]


def test_a_search_is_in_pages_of_fifty() -> None:
    request = KINDS["training_job"].states(None, size=250)  # type: ignore[misc]
    assert (request.json or {})["limit"] == 50
    batch = request.read({"items": [JOB, "odd"], "count": 60, "total": 900})
    assert (len(batch.rows), batch.following, batch.total) == (1, 1, 60)
    assert request.read({"items": None}).following is None


REGION = {
    "modelarts": "https://modelarts.cn-north-4.myhuaweicloud.com",
    "iam": "https://iam.cn-north-4.myhuaweicloud.com",
}


@pytest.mark.parametrize(
    ("given", "addresses"),
    [
        ({"extra": {"region": "cn-north-4"}}, REGION),
        ({"extra": {"region": "ap-southeast-1"}}, "https://modelarts.ap-southeast-1.myhuaweicloud.cn"),
        ({"host": "ma.corp", "port": 8443, "extra": {"region": "cn-north-4"}}, {"modelarts": "https://ma.corp:8443"}),
        (
            {"host": "http://ma.corp/", "extra": {"iam_url": "https://iam.corp"}},
            {"modelarts": "http://ma.corp", "iam": "https://iam.corp"},
        ),
    ],
)
def test_where_modelarts_is(given: dict[str, Any], addresses: Any) -> None:
    found = Config.from_connection(**given).addresses
    assert addresses in (found, found["modelarts"])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"extra": {"region": "CN North"}}, "'region' is 'CN North'"),
        ({"extra": {"workspace_id": "mine"}}, "'workspace_id' is 'mine'"),
        ({"extra": {"project_id": "a/b"}}, "'project_id' is 'a/b'"),
        ({"login": "AK", "extra": {}}, "only one of login"),
        ({"extra": {"timeout": "soon"}}, "'timeout' is 'soon'"),
        ({"extra": {"iam_url": "iam.corp"}}, "'iam_url' cannot be used as an address"),
        ({"host": "http://a:1", "port": 2, "extra": {}}, "says port 1 but its 'port' is 2"),
        ({"extra": {"link_templates": {"x": "/"}}}, "has a page for 'x'"),
        ({"extra": {"ca_file": "/nowhere"}}, "cannot be read"),
    ],
)
def test_a_connection_that_is_wrong_is_told_in_a_sentence(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelArtsConfigError, match=words):
        Config.from_connection(**given)


@pytest.mark.parametrize("nothing", [None, "None", "", " "], ids=repr)
@pytest.mark.parametrize(("kind", "before"), [("training_job", ""), ("workflow_execution", "w-1/")])
def test_an_id_that_a_template_did_not_find_is_refused_unsent(kind: str, before: str, nothing: str | None) -> None:
    job_id = f"{before}{nothing}" if before else nothing
    with pytest.raises(ModelArtsParameterError, match="must be"):
        KINDS[kind].read(job_id)
