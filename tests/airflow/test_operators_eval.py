"""Evaluations of models, reports of them, and workflow templates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
from task_life import TaskLife, stopped

from airflow_provider_aihub.aihub.errors import (
    AIHubAmbiguousSubmit,
    AIHubJobFailed,
    AIHubJobTimeout,
    AIHubNotFoundError,
    AIHubParameterError,
    AIHubRejectedError,
)
from airflow_provider_aihub.aihub.model_center import ModelSpec
from airflow_provider_aihub.aihub.model_tasks import ModelEvalSpec
from airflow_provider_aihub.emulators.aihub import Emulator, Node, Pipeline, PipelineVersion
from airflow_provider_aihub.emulators.aihub.services import model_tasks
from airflow_provider_aihub.emulators.aihub.settings import PIPELINES
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.operators.eval_report import EvalReportOperator
from airflow_provider_aihub.operators.model import ModelUploadOperator
from airflow_provider_aihub.operators.model_eval import ModelEvalOperator
from airflow_provider_aihub.operators.workflow_template import WorkflowTemplateRunOperator

deferred_or_not = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "in place"])
CREATE = {
    ModelEvalOperator: "/model-center/api/v1/models/*/eval_task",
    WorkflowTemplateRunOperator: "/workflow-center/api/v1/templates/*/run",
}


def pipeline(number: int, name: str, command: str) -> Pipeline:
    nodes = (Node(name="only", command=command),)
    return Pipeline(id=number, name=name, versions=(PipelineVersion(id=number, name="V1", nodes=nodes),))


OWN = (
    pipeline(11, "asks", 'test "$day" = 3'),
    pipeline(12, "sleeps", "sleep 600 & wait"),
    pipeline(13, "breaks", "echo too bad; exit 3"),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("eval"), pipelines=(*PIPELINES, *OWN)) as emulator:
        yield emulator


@pytest.fixture
def evals(server: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", server.connection_json())
    monkeypatch.setattr("airflow_provider_aihub.operators.late.PAUSE", 0.05)
    server.faults.clear()
    return server


@pytest.fixture
def model(evals: Emulator, new_name: str) -> str:
    AIHubHook().create_model(ModelSpec.build(name=new_name))
    return new_name


def evaluate(**given: Any) -> Callable[[], ModelEvalOperator]:
    arguments = {"task_id": "evaluate", "name": "e", **given}
    return lambda: ModelEvalOperator(**arguments)


def run(**given: Any) -> Callable[[], WorkflowTemplateRunOperator]:
    arguments = {"task_id": "run", "name": "r", "template": "asks", "virtual_cluster": "vc-4090", **given}
    return lambda: WorkflowTemplateRunOperator(**arguments)


def report(**given: Any) -> Callable[[], EvalReportOperator]:
    arguments = {"task_id": "report", "name": "r", **given}
    return lambda: EvalReportOperator(**arguments)


def posted(server: Emulator, path: str, since: int = 0) -> int:
    return sum(one.method == "POST" and path in one.path for one in list(server.requests)[since:])


@deferred_or_not
def test_a_model_is_evaluated_and_reported(evals: Emulator, tmp_path: Path, new_name: str, deferrable: bool) -> None:
    (tmp_path / "weights.bin").write_bytes(b"12345")
    TaskLife(lambda: ModelUploadOperator(task_id="up", model=new_name, local_path=str(tmp_path))).try_once()
    life = TaskLife(
        evaluate(
            model=new_name,
            template="evaluate-model",
            template_params={"REPORT_NAME": "size"},
            virtual_cluster="vc-cpu",
            deferrable=deferrable,
        )
    )
    result = life.try_once()
    assert life.deferrals == int(deferrable)
    hook = AIHubHook()
    (task,) = hook.list_model_tasks(result["model_id"]).data
    assert task.task_name.startswith("e [airflow:")
    assert result == {
        "id": life.ti.xcoms["job_id"],
        "model_id": task.model_id,
        "task_id": task.id,
        "name": "e",
        "status": "succeeded",
        "workflow_run_id": task.workflow_run_id,
        "eval_report_id": task.eval_report_id,
        "duration": hook.get_workflow_run(task.workflow_run_id).duration,
        "nodes": [{"name": "evaluate", "status": "success"}],
    }
    (made,) = hook.list_eval_reports(run_id=str(task.workflow_run_id)).data
    assert (made.id, made.name, made.model_id) == (result["eval_report_id"], "size", result["model_id"])
    assert made.metrics_summary["overall_metrics"]["overall"] == {"files": 1, "bytes": 5}


@deferred_or_not
def test_an_evaluation_that_fails_shows_the_log_of_its_node(model: str, deferrable: bool) -> None:
    with pytest.raises(AIHubJobFailed, match=r"model evaluation \d+/\d+ .*node only.*code 3.*ends with \"too bad\""):
        TaskLife(evaluate(model=model, template=13, deferrable=deferrable)).try_once()


@deferred_or_not
@pytest.mark.parametrize("kind", [ModelEvalOperator, WorkflowTemplateRunOperator])
def test_a_run_is_stopped_at_its_deadline(request: Any, evals: Emulator, kind: Any, deferrable: bool) -> None:
    given: dict[str, Any] = {"template": "sleeps", "job_timeout": 0.5, "deferrable": deferrable}
    if kind is ModelEvalOperator:
        given["model"] = request.getfixturevalue("model")
    made = (evaluate if kind is ModelEvalOperator else run)(**given)
    with pytest.raises(AIHubJobTimeout, match="was asked to stop it"):
        TaskLife(made).try_once()
    newest = AIHubHook().list_workflow_runs().data[0].id
    stopped(lambda: AIHubHook().get_workflow_run(newest))


@deferred_or_not
@pytest.mark.parametrize("remembers", [True, False])
@pytest.mark.parametrize("kind", CREATE)
def test_a_lost_answer_or_a_dead_worker_starts_nothing_twice(
    evals: Emulator, model: str, kind: Any, remembers: bool, deferrable: bool, patience: None
) -> None:
    given: dict[str, Any] = {"deferrable": deferrable, "template_params": {"day": 3}, "template": "asks"}
    life = TaskLife(run(**given) if kind is WorkflowTemplateRunOperator else evaluate(model=model, **given))
    life.ti.max_tries = life.retries = 1
    before = len(evals.requests)
    evals.faults.add("lost", path=CREATE[kind], method="POST", count=1)
    life.start()
    # The next try, after the worker died.
    result = life.try_once()
    assert (result["status"], result["name"]) == ("succeeded", "r" if kind is WorkflowTemplateRunOperator else "e")
    assert posted(evals, CREATE[kind].rpartition("/")[2], before) == 1


@deferred_or_not
def test_a_killed_task_stops_the_run_of_its_evaluation(model: str, deferrable: bool) -> None:
    made = evaluate(model=model, template="sleeps", deferrable=True)()
    life = TaskLife(lambda: made)
    life.start()
    if not deferrable:
        made.on_kill()
    else:
        hook = AIHubHook()
        hook.send(made.job_kind.stop(life.ti.xcoms["job_id"]))  # type: ignore[misc]
    (task,) = AIHubHook().list_model_tasks(AIHubHook().get_model_record(name=model).id).data
    stopped(lambda: AIHubHook().get_workflow_run(task.workflow_run_id))


def test_a_task_killed_before_its_evaluation_has_a_run_stops_that_run(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = evaluate(model=model, template="sleeps", deferrable=True)()
    TaskLife(lambda: made).start()
    with_run, looks = model_tasks._show, iter([{"workflow_run_id": 0}] * 2)
    # AIHub has none to show for two looks more.
    monkeypatch.setattr(model_tasks, "_show", lambda call, row: with_run(call, row) | next(looks, {}))
    made.on_kill()
    (task,) = AIHubHook().list_model_tasks(AIHubHook().get_model_record(name=model).id).data
    stopped(lambda: AIHubHook().get_workflow_run(task.workflow_run_id))


def test_another_evaluation_under_the_same_id_is_left_alone(model: str) -> None:
    made = evaluate(model=model, template="sleeps", deferrable=True)
    life = TaskLife(made)
    life.ti.max_tries = life.retries = 1
    life.start()
    hook = AIHubHook()
    record = hook.get_model_record(name=model)
    other = hook.create_model_eval_task(record.id, ModelEvalSpec.build(task_name="other", workflow_tmp_id=12))
    assert life.store is not None
    life.store.set("aihub_job", {**life.store.get("aihub_job"), "job_id": f"{record.id}/{other}"})
    life.start()
    tasks = {task.id: task for task in hook.list_model_tasks(record.id).data}
    assert len(tasks) == 3
    assert hook.get_workflow_run(tasks[other].workflow_run_id).status == 2


def test_an_evaluation_is_found_on_whatever_page(evals: Emulator, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = AIHubHook()
    number = hook.get_model_record(name=model).id
    kind = evaluate(model=model)().job_kind
    made = [
        hook.create_model_eval_task(number, ModelEvalSpec.build(task_name="t", workflow_tmp_id=1)) for _ in range(3)
    ]
    monkeypatch.setattr("airflow_provider_aihub.aihub.model_tasks.PAGE_SIZE", 1)
    found = [hook.send(kind.read(f"{number}/{task}")) for task in made]
    assert [one.task.id for one in found] == made
    assert all(one.run.id == one.task.workflow_run_id for one in found)
    for key, words in ((f"{number}/9999", "has no task 9999"), ("x", "two ids")):
        with pytest.raises((AIHubNotFoundError, AIHubParameterError), match=words):
            hook.send(kind.read(key))


def test_an_evaluation_waits_for_its_run(evals: Emulator, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as AIHub shows no run of it, there is nothing to stop either."""
    hook, made = AIHubHook(), evaluate(model=model, template=1)()
    number = hook.get_model_record(name=model).id
    task = hook.create_model_eval_task(number, ModelEvalSpec.build(task_name="t", workflow_tmp_id=1))
    shown = {"id": task, "task_name": "t", "workflow_run_id": 0}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_tasks, "_show", lambda call, row: shown)
        key = f"{number}/{task}"
        state = made.job_kind.state(key, hook.send(made.job_kind.read(key)))
        assert (state.id, str(state.phase)) == (key, "waiting")
        assert made.job_kind.stop is not None
        with pytest.raises(AIHubRejectedError, match="has no workflow run yet"):
            hook.send(made.job_kind.stop(key))


@deferred_or_not
def test_a_template_runs(evals: Emulator, deferrable: bool) -> None:
    life = TaskLife(run(template_params={"day": 3}, deferrable=deferrable))
    result = life.try_once()
    found = AIHubHook().get_workflow_run(result["id"])
    assert result == {
        "id": life.ti.xcoms["job_id"],
        "name": "r",
        "status": "succeeded",
        "duration": found.duration,
        "nodes": [{"name": "only", "status": "success"}],
    }
    assert found.name.startswith("r [airflow:")
    assert [one.virtual_cluster.name for one in found.node_virtual_clusters] == ["vc-4090"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"template": "ask"}, r"template is 'ask', which AIHub does not have; the nearest .*'asks'"),
        ({"template_params": {"dya": 1}}, r"template_params holds 'dya', which workflow template 11 .*knows 'day'\."),
        ({"virtual_cluster": "vc"}, r"virtual_cluster is 'vc', which AIHub does not have"),
        ({"name": ""}, "name must be a non-empty text"),
        ({"template_params": [1]}, "params"),
    ],
)
def test_what_is_wrong_with_a_template_is_said_before_it_runs(evals: Emulator, given: Any, words: str) -> None:
    before = posted(evals, "/run")
    for made in (run(**given), evaluate(**{"model": 1, "template": "asks", **given})):
        with pytest.raises(AIHubParameterError, match=words):
            TaskLife(made).try_once()
    assert posted(evals, "/run") == before


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (run(template=1, virtual_cluster=1), "This AIHub has no workflow templates, which newer platforms have; run a"),
        (run(), "This AIHub has no workflow templates"),
        (evaluate(model=1, infer_service_id=1), "This AIHub has no model center"),
        (report(), "This AIHub has no evaluation platform, which newer platforms have; import a model"),
    ],
)
def test_the_document_has_none_of_it(document: Emulator, made: Any, words: str) -> None:
    with pytest.raises(AIHubParameterError, match=words):
        TaskLife(made).try_once()


def test_a_report_is_made_once_for_a_run_and_anew_when_cleared(evals: Emulator, model: str) -> None:
    datasets = [{"dataset_name": "d/V1", "metrics": {"metrics": {"map": 0.5}}}]
    life = TaskLife(report(name="once", eval_type="cv", model=model, datasets=datasets, eval_config={"a": 1}))
    life.ti.max_tries = life.retries = 1
    first = life.try_once()
    (made,) = AIHubHook().list_eval_reports(run_id=first["run_id"]).data
    assert first == {"id": made.id, "name": "once", "run_id": made.run_id, "created": True}
    assert (made.type, made.model_name, made.eval_config) == ("cv", model, {"a": 1})
    assert made.metrics_summary == {"metrics": {"map": 0.5}}
    assert life.try_once() == {**first, "created": False}
    life.clear()
    second = life.try_once()
    assert (second["created"], second["run_id"] != first["run_id"]) == (True, True)


def test_a_report_that_is_not_public_is_shared(evals: Emulator) -> None:
    result = TaskLife(report(public="false", access_user_ids=["1"], eval_run_id=77)).try_once()
    (made,) = AIHubHook().list_eval_reports(run_id="77").data
    assert (made.id, made.is_public) == (result["id"], False)
    assert posted(evals, f"/run/{made.id}/permissions") == 1


def test_a_lost_answer_makes_no_second_report(
    evals: Emulator, little_patience: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    evals.faults.add("lost", path="/eval-platform/api/v2/run/", method="POST", count=1)
    result = TaskLife(report(name="lost")).try_once()
    assert [row.id for row in AIHubHook().list_eval_reports(run_id=result["run_id"]).data] == [result["id"]]
    evals.faults.add("garbage", path="/eval-platform/api/v2/run/", method="POST", count=1)
    with pytest.raises(AIHubAmbiguousSubmit):
        TaskLife(report(name="never came", eval_run_id="no")).try_once()


def test_a_report_takes_numbers_of_numpy(evals: Emulator) -> None:
    accuracy, count = numpy.float32(0.5), numpy.int64(7)
    datasets = [{"dataset_name": "faces/V1", "metrics": {"metrics": {"all": accuracy, "classes": {1: [count]}}}}]
    performance = [{"metric_name": "speed", "value": accuracy, "unit": "s"}]
    result = TaskLife(report(name="numpy", datasets=datasets, performance=performance)).try_once()
    (row,) = AIHubHook().list_eval_reports(run_id=result["run_id"]).data
    assert row.metrics_summary["metrics"] == {"all": 0.5, "classes": {"1": [7]}}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"eval_type": "audio"}, "type must be one of cv, llm, reid, performance"),
        ({"datasets": [{"metrics": {}}]}, r"datasets\[0\].dataset_name is missing"),
        ({"performance": [{"metric_name": "a", "value": "fast", "unit": "s"}]}, r"performance\[0\].value"),
        ({"access_user_ids": ["me"]}, "access_user_ids must be a whole number"),
        ({"access_user_ids": 1.5}, "access_user_ids must be a list of ids, not 1.5"),
        ({"eval_run_id": "None"}, "eval_run_id must be a non-empty text, not 'None', as a template renders"),
        ({"overall_metrics": {"map": 1}}, "overall_metrics"),
        ({"eval_config": {"a": [object()]}}, "eval_config must hold nothing that JSON cannot hold, here <object"),
        ({"overall_metrics": {"overall": {"map": float("nan")}}}, "overall_metrics.overall must .*, here nan"),
        ({"eval_config": {(1, 2): 3}}, "eval_config must hold nothing that JSON cannot hold, here {"),
    ],
)
def test_what_is_wrong_with_a_report_is_said_before_anything_is_sent(
    evals: Emulator, given: dict[str, Any], words: str
) -> None:
    before = len(evals.requests)
    with pytest.raises(AIHubParameterError, match=words):
        TaskLife(report(**given)).try_once()
    assert len(evals.requests) == before
