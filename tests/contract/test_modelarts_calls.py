"""Calls of ModelArts that no operator makes, by both clients: what becomes of them at the emulator."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from test_modelarts_coverage import config_of
from waiting import until

from airflow_provider_aihub.emulators.modelarts import Emulator
from airflow_provider_aihub.modelarts.apps import AppSpec
from airflow_provider_aihub.modelarts.client import AsyncModelArtsClient, ModelArtsClient
from airflow_provider_aihub.modelarts.errors import ModelArtsNotFoundError, ModelArtsParameterError
from airflow_provider_aihub.modelarts.images import NotebookImageSpec
from airflow_provider_aihub.modelarts.notebooks import NotebookChange, NotebookSpec
from airflow_provider_aihub.modelarts.training_jobs import TrainingJobChange, TrainingJobSpec
from airflow_provider_aihub.modelarts.workflows import SubscriptionSpec, WorkflowExecutionSpec

Calls = Callable[..., Any]


@pytest.fixture(scope="module")
def modelarts() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(params=["blocking", "asynchronous"])
def call(request: pytest.FixtureRequest, modelarts: Emulator) -> Calls:
    """Calls a method of a client by its name."""

    def blocking(name: str, /, *given: Any, **more: Any) -> Any:
        with ModelArtsClient(config_of(modelarts)) as client:
            return getattr(client, name)(*given, **more)

    async def asynchronous(name: str, /, *given: Any, **more: Any) -> Any:
        async with AsyncModelArtsClient(config_of(modelarts)) as client:
            return await getattr(client, name)(*given, **more)

    if request.param == "blocking":
        return blocking
    return lambda *given, **more: asyncio.run(asynchronous(*given, **more))


def job(call: Calls, name: str, command: str = "echo hello") -> str:
    spec = TrainingJobSpec.build(name=name, image="a/b:1", command=command, flavor_id="f", priority=1)
    return str(call("create_training_job", spec))


def ended(call: Calls, number: str) -> Any:
    look = lambda: call("get_training_job", number)  # noqa: E731
    return until("the job has ended", look, lambda found: found.status.phase == "Completed", every=0.02)


def test_what_there_is_for_training_jobs(call: Calls) -> None:
    assert "PyTorch" in {engine.engine_name for engine in call("list_training_job_engines")}
    assert {flavor.flavor_type for flavor in call("list_training_job_flavors")} == {"CPU", "GPU"}
    assert [flavor.flavor_type for flavor in call("list_training_job_flavors", "GPU")] == ["GPU"]
    assert [(quota.resource, quota.quota) for quota in call("get_training_quotas")] == [("nodes", 64)]


def test_what_a_job_leaves_behind(call: Calls) -> None:
    number = job(call, "leaves")
    ended(call, number)
    (run,) = call("list_training_job_stages", number)
    assert [(stage.name, bool(stage.end_time)) for stage in run.stages] == [("Creating", True), ("Running", True)]
    assert {metric.value[0] for metric in call("get_training_job_metrics", number, "worker-0")} == {-1.0}
    assert call("get_training_job_log_url", number, "worker-0").startswith("http://127.0.0.1:")
    call("delete_training_job", number)


def test_jobs_are_changed_and_deleted(call: Calls) -> None:
    numbers = [job(call, f"many-{index}", "sleep 1000") for index in range(2)]
    change = TrainingJobChange.build(description="new", priority="3")
    assert change.body() == {"description": "new", "spec": {"schedule_policy": {"priority": 3}}}
    call("change_training_job", numbers[0], change)
    changed = call("get_training_job", numbers[0])
    assert (changed.metadata.description, changed.spec["schedule_policy"]["priority"]) == ("new", 3)
    assert changed.metadata.name == "many-0"
    call("delete_training_jobs", numbers)
    for number in numbers:
        with pytest.raises(ModelArtsNotFoundError):
            call("get_training_job", number)


def test_too_many_jobs_are_not_deleted(call: Calls) -> None:
    for ids in ([], ["a"] * 101):
        with pytest.raises(ModelArtsParameterError, match=f"1 to 100 ids, not {len(ids)}"):
            call("delete_training_jobs", ids)


def test_a_workflow_and_its_executions(call: Calls, modelarts: Emulator) -> None:
    workflow = modelarts.settings.workflows[0].id
    assert workflow in {one.workflow_id for one in call("list_workflows")}
    found = call("get_workflow", workflow)
    assert [step["name"] for step in found.steps] == ["prepare", "train", "report"]
    execution = call("create_workflow_execution", workflow, WorkflowExecutionSpec.build(name="n")).execution_id
    call("stop_workflow_execution", workflow, execution)
    call("delete_workflow_execution", workflow, execution)
    # Once more will do, too.
    call("delete_workflow_execution", workflow, execution)
    with pytest.raises(ModelArtsNotFoundError):
        call("get_workflow_execution", workflow, execution)


def test_a_subscription_is_changed(call: Calls, modelarts: Emulator) -> None:
    workflow, given = modelarts.settings.workflows[0].id, {"topic_urns": ["urn:smn:t"], "entity": "e"}
    made = call("create_workflow_subscription", workflow, SubscriptionSpec.build(**given, events=["*:failed"]))
    one = made.subscription_id
    call("update_workflow_subscription", workflow, one, SubscriptionSpec.build(**given, events=["train:stop"]))
    assert call("get_workflow_subscription", workflow, one).events == ["train:stop"]
    assert call("get_workflow", workflow).subscription_id == one
    call("delete_workflow_subscription", workflow, one)


def test_a_notebook_from_its_creation_to_its_end(call: Calls, modelarts: Emulator) -> None:
    volume = {"category": "EFS", "ownership": "MANAGED"}
    spec = NotebookSpec.build(name="third", image_id="i", volume=volume, duration=3_600_000)
    made = call("create_notebook", spec)
    assert (made.status, made.name) == ("STARTING", "third")
    for listed in ("list_notebooks", "list_all_notebooks"):
        assert [one.id for one in call(listed, name="thir")] == [made.id]
        assert call(listed, name="thir", status="STOPPED") == []
    modelarts.clock.advance(1)
    call("change_notebook", made.id, NotebookChange.build(description="new"))
    assert call("get_notebook", made.id).description == "new"
    assert call("renew_notebook_lease", made.id, timedelta(hours=2)).duration == 7_200_000
    assert call("get_notebook_lease", made.id).duration == 7_200_000
    image = call("save_notebook_image", made.id, NotebookImageSpec.build(name="mine", namespace="team"))
    assert image.status == "INIT"
    modelarts.clock.advance(1)
    assert call("get_image", image.id).status == "ACTIVE"
    for _ in range(2):
        call("delete_notebook", made.id)
    assert made.id not in {one.id for one in call("list_notebooks")}


def test_what_else_is_listed(call: Calls, modelarts: Emulator) -> None:
    assert [(tag.key, tag.values) for tag in call("list_notebook_tags")] == [("team", ["vision"])]
    assert [one.name for one in call("list_workspaces", name="rese", filter_accessible=True)] == ["research"]
    assert [one.id for one in call("list_projects", modelarts.region)] == [modelarts.project_id]
    made = call("create_app", AppSpec.build(app_name="listed"))
    assert [one.app_id for one in call("list_apps", "listed")] == [made.app_id]
    call("delete_app", made.app_id)
    assert call("list_apps", "listed") == []
