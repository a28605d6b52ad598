"""Workflow runs: names for pipelines, placement of nodes, stopping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from task_life import TaskLife, stopped

from airflow_provider_aihub.aihub.errors import AIHubJobFailed, AIHubJobTimeout, AIHubParameterError
from airflow_provider_aihub.emulators.aihub import Emulator, Node, Pipeline, PipelineVersion
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.operators.workflow import MOST_NODES, WorkflowRunOperator

deferred_or_not = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "in place"])


def run(**given: Any) -> Callable[[], WorkflowRunOperator]:
    arguments = {"task_id": "run", "name": "r", "pipeline": 1, "pipeline_version": 1, "project": "research", **given}
    return lambda: WorkflowRunOperator(**arguments)


def version(number: int, name: str, command: str = "true") -> PipelineVersion:
    return PipelineVersion(id=number, name=name, nodes=(Node(name="only", command=command),))


PIPELINES = (
    Pipeline(id=1, name="clean", versions=(version(1, "V1"), version(2, "V2"))),
    Pipeline(id=2, name="sleep", versions=(version(3, "V1", "sleep 600 & wait"),)),
    Pipeline(id=3, name="break", versions=(version(4, "V1", "exit 3"),)),
    Pipeline(id=4, name="twin", versions=(version(5, "V1"),)),
    Pipeline(id=5, name="twin", versions=(version(6, "V1"),)),
    Pipeline(id=6, name="asks", versions=(version(7, "V1", 'echo "$day ${hour:-0} $day"'),)),
    Pipeline(id=7, name="empty", versions=()),
)


@pytest.fixture
def pipelines(monkeypatch: pytest.MonkeyPatch) -> Any:
    """An AIHub with pipelines of its own, on which nothing ran yet."""
    with Emulator(pipelines=PIPELINES) as emulator:
        monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", emulator.connection_json())
        yield emulator


@deferred_or_not
@pytest.mark.parametrize("server", ["aihub", "document"])
def test_a_workflow_runs(request: pytest.FixtureRequest, server: str, deferrable: bool) -> None:
    request.getfixturevalue(server)
    life = TaskLife(
        run(
            pipeline="2",
            pipeline_version="2",
            pipeline_params={"dataset": 3},
            project=2,
            description="a test",
            deferrable=deferrable,
        )
    )
    result = life.try_once()
    assert life.deferrals == int(deferrable)
    found = AIHubHook().get_workflow_run(result["id"])
    assert (found.name, found.pipeline_id, found.pipeline_version_id) == ("r", 2, 2)
    assert {pair.key: pair.value for pair in found.params} == {"dataset": "3"}
    assert found.description.startswith("a test [airflow:")
    assert result == {
        "id": life.ti.xcoms["job_id"],
        "name": "r",
        "status": "succeeded",
        "duration": found.duration,
        "nodes": [{"name": name, "status": "success"} for name in ("prepare", "train", "report")],
    }


def test_what_only_newer_platforms_know(aihub: Emulator) -> None:
    hook = AIHubHook()
    result = TaskLife(
        run(
            user_id=hook.user_id,
            use_cache="true",
            node_virtual_clusters=[{"virtual_cluster": "vc-4090", "nodes": ["greet"]}],
        )
    ).try_once()
    found = hook.get_workflow_run(result["id"])
    assert found.project.name == "research"
    placed = [(one.virtual_cluster.id, one.virtual_cluster.name, one.nodes) for one in found.node_virtual_clusters]
    assert placed == [(2, "vc-4090", ["greet"])]
    assert found.task_nodes[0].use_cache is True


def test_a_pipeline_is_found_by_its_name(pipelines: Emulator) -> None:
    hook = AIHubHook()
    for pipeline, number, version_id in (("clean", "V1", 1), (1, "V1", 1), ("clean", 1, 1), ("clean", None, 2)):
        result = TaskLife(run(pipeline=pipeline, pipeline_version=number)).try_once()
        found = hook.get_workflow_run(result["id"])
        assert (found.pipeline_id, found.pipeline_version_id) == (1, version_id)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"pipeline": "cleen"}, r"pipeline is 'cleen', which AIHub does not have; the nearest are 'clean', 'sleep'"),
        ({"pipeline": "twin"}, r"pipeline is 'twin'.*give one of the ids 4, 5"),
        ({"pipeline": "clean", "pipeline_version": "V3"}, r"pipeline_version is 'V3'.*nearest are 'V[12]', 'V[12]'"),
        ({"pipeline": "empty", "pipeline_version": None}, r"pipeline is 'empty', but AIHub has no version of it"),
        ({"pipeline_params": {"a": 1}}, r"pipeline_params holds 'a', which version 1 .* does not know; it knows none"),
        (
            {"pipeline": "asks", "pipeline_version": None, "pipeline_params": {"day": 1, "dya": 2, "x": 3}},
            r"pipeline_params holds 'dya', 'x', which version 7 .* does not know; it knows 'day', 'hour'\.",
        ),
    ],
)
def test_what_a_pipeline_does_not_have_is_refused(pipelines: Emulator, given: dict[str, Any], words: str) -> None:
    with pytest.raises(AIHubParameterError, match=words):
        TaskLife(run(**given)).try_once()
    assert AIHubHook().list_workflow_runs().data == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"pipeline": "greet"}, "pipeline is 'greet', but this AIHub does not list pipelines; give the id"),
        ({"pipeline_version": "V1"}, "pipeline_version is 'V1', but this AIHub does not list the versions of pipel"),
        ({"pipeline_version": None}, "pipeline_version is missing, and this AIHub does not say which one is"),
    ],
)
def test_the_document_knows_pipelines_by_their_ids(document: Emulator, given: dict[str, Any], words: str) -> None:
    with pytest.raises(AIHubParameterError, match=words):
        TaskLife(run(project=None, **given)).try_once()


def test_the_document_does_not_say_which_parameters_there_are(document: Emulator) -> None:
    assert TaskLife(run(project=None, pipeline_params={"x": 1})).try_once()["status"] == "succeeded"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"pipeline": ""}, ["pipeline"]),
        ({"pipeline_params": ["a"]}, ["params", "dict"]),
        ({"user_id": "me"}, ["user_id", "whole number"]),
        ({"node_virtual_clusters": [{"cluster": 1}]}, ["node_virtual_clusters", "virtual_cluster", "nodes"]),
        ({"node_virtual_clusters": [{"virtual_cluster": 1, "nodes": "a"}]}, ["node_virtual_clusters[0].nodes"]),
    ],
)
def test_a_bad_parameter_fails_before_anything_is_sent(
    aihub: Emulator, given: dict[str, Any], words: list[str]
) -> None:
    before = len(aihub.requests)
    with pytest.raises(AIHubParameterError) as failure:
        TaskLife(run(**given)).try_once()
    assert len(aihub.requests) == before
    for word in words:
        assert word in str(failure.value)


@deferred_or_not
def test_a_node_that_fails_is_named(pipelines: Emulator, deferrable: bool) -> None:
    with pytest.raises(AIHubJobFailed, match=r"node only.*exited with code 3"):
        TaskLife(run(pipeline=3, pipeline_version=4, deferrable=deferrable)).try_once()


@deferred_or_not
def test_a_run_is_stopped_at_its_deadline(pipelines: Emulator, deferrable: bool) -> None:
    life = TaskLife(run(pipeline=2, pipeline_version=3, job_timeout=0.5, deferrable=deferrable))
    with pytest.raises(AIHubJobTimeout, match="was asked to stop it"):
        life.try_once()
    stopped(lambda: AIHubHook().get_workflow_run(life.ti.xcoms["job_id"]))


def test_the_document_cannot_stop_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    with Emulator(pipelines=PIPELINES, api="document") as emulator:
        monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", emulator.connection_json())
        life = TaskLife(run(pipeline=2, pipeline_version=3, project=None, job_timeout=0.3))
        with pytest.raises(AIHubJobTimeout, match=r"stopping it failed, so it may still be running: .*does not offer"):
            life.try_once()


def test_a_result_stays_small(aihub: Emulator) -> None:
    from airflow_provider_aihub.aihub.kinds import WORKFLOW_RUN
    from airflow_provider_aihub.aihub.workflow_center import WorkflowRun

    nodes = [{"name": f"n{number}", "status": 3 + number % 2 * 6} for number in range(3 * MOST_NODES)]
    answer = WorkflowRun.read({"id": 1, "status": 3, "name": "r", "duration": 5, "task_nodes": nodes})
    result = run()().result(WORKFLOW_RUN.state(1, answer))
    assert len(result["nodes"]) == MOST_NODES
    assert result["nodes"][:2] == [{"name": "n0", "status": "success"}, {"name": "n1", "status": "9"}]
