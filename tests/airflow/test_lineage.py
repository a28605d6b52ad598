"""What OpenLineage and Airflow's collector of lineage are told, and that nothing of them is needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
import pytest
from airflow.providers.common.compat.lineage import hook as collectors
from airflow.providers.openlineage.extractors import OperatorLineage
from airflow.providers.openlineage.extractors.base import DefaultExtractor
from openlineage.client.serde import Serde
from task_life import TaskLife

from airflow_provider_aihub import __version__, lineage
from airflow_provider_aihub.aihub.dataset_management import DatasetSpec
from airflow_provider_aihub.aihub.errors import AIHubError
from airflow_provider_aihub.aihub.model_center import ModelSpec
from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.operators.base import JobOperator
from airflow_provider_aihub.operators.dataset import DatasetVersionOperator
from airflow_provider_aihub.operators.deployment import StartDeploymentOperator
from airflow_provider_aihub.operators.eval_report import EvalReportOperator
from airflow_provider_aihub.operators.evaluation import EvalImportOperator
from airflow_provider_aihub.operators.model_eval import ModelEvalOperator
from airflow_provider_aihub.operators.quota_task import QuotaTaskOperator
from airflow_provider_aihub.operators.s3_relay import S3RelayUploadOperator
from airflow_provider_aihub.operators.training import TrainingOperator
from airflow_provider_aihub.operators.warehouse import WarehouseSearchOperator
from airflow_provider_aihub.operators.workflow import WorkflowRunOperator

deferred_or_not = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "in place"])
CLUSTER_JOB = {"name": "n", "image": "registry/image:1", "virtual_cluster": 1, "project": 1}
SECRET = "hunter2-and-more"


class Watched:
    """Runs a task through all its instances, and asks as OpenLineage does: before it runs, and the last one after."""

    def __init__(self, kind: type[JobOperator], **given: Any) -> None:
        self.made: list[JobOperator] = []

        def make() -> JobOperator:
            self.made.append(kind(task_id="t", **given))
            return self.made[-1]

        self.life = TaskLife(make)

    def start(self) -> dict[str, Any]:
        return plain(DefaultExtractor(self.life.make()).extract())

    def complete(self) -> dict[str, Any]:
        self.result = self.life.try_once()
        return plain(DefaultExtractor(self.made[-1]).extract_on_complete(self.life.ti))

    def fail(self) -> dict[str, Any]:
        with pytest.raises(AIHubError):
            self.life.try_once()
        return plain(DefaultExtractor(self.made[-1]).extract_on_failure(self.life.ti))


def plain(found: OperatorLineage[Any, Any] | None) -> dict[str, Any]:
    """Give what goes over the wire, without what every facet has."""
    assert found is not None
    parts = ("inputs", "outputs", "job_facets", "run_facets")

    def strip(value: Any) -> Any:
        if attrs.has(type(value)):
            value = json.loads(Serde.to_json(value))
        if isinstance(value, list):
            return [strip(one) for one in value]
        if not isinstance(value, dict):
            return value
        if "_producer" in value:
            assert value["_producer"] == f"pkg:pypi/airflow-provider-aihub@{__version__}"
            assert value["_schemaURL"].startswith("https://openlineage.io/spec/")
        return {key: strip(one) for key, one in value.items() if key not in ("_producer", "_schemaURL") and one != {}}

    return {part: strip(getattr(found, part)) for part in parts}


def facts(told: dict[str, Any], key: str) -> Any:
    return told["job_facets" if key != "aihub_run" else "run_facets"][key]


@deferred_or_not
def test_a_search(aihub: Emulator, tmp_path: Path, deferrable: bool) -> None:
    sql = "select object_name from meta where width > 1000"
    saved = tmp_path / "result.csv"
    task = Watched(WarehouseSearchOperator, name="n", sql=sql, output_path=str(saved), deferrable=deferrable)
    assert task.start() == {"inputs": [], "outputs": [], "job_facets": {"sql": {"query": sql}}, "run_facets": {}}
    told = task.complete()
    url = urlsplit(task.result["result_url"])
    written = {"outputFacets": {"outputStatistics": {"rowCount": 2}}}
    assert told["outputs"] == [
        {"namespace": f"http://{url.netloc}", "name": url.path.lstrip("/"), **written},
        {"namespace": "file", "name": str(saved), **written},
    ]
    assert facts(told, "sql") == {"query": sql}
    assert facts(told, "aihub_run") == {"id": task.result["id"], "status": "succeeded"}
    assert "?" not in json.dumps(told["outputs"])


@deferred_or_not
def test_a_dataset_version(aihub: Emulator, data: Path, new_name: str, deferrable: bool) -> None:
    AIHubHook().create_dataset(DatasetSpec(name=new_name))
    folder = data / "texts"
    folder.mkdir(exist_ok=True)
    (folder / "a.txt").write_text("123")
    task = Watched(
        DatasetVersionOperator, dataset=new_name, upload_path=str(folder), upload_type="host", deferrable=deferrable
    )
    source = {"namespace": f"aihub://{urlsplit(aihub.url).netloc}", "name": str(folder)}
    assert (task.start()["inputs"], task.start()["outputs"]) == ([source], [])
    told = task.complete()
    assert told["inputs"] == [source]
    assert told["outputs"] == [
        {
            "namespace": f"aihub://{urlsplit(aihub.url).netloc}",
            "name": f"datasets/{new_name}",
            "facets": {"version": {"datasetVersion": "V1"}},
            "outputFacets": {"outputStatistics": {"size": 3, "fileCount": 1}},
        }
    ]


@deferred_or_not
@pytest.mark.parametrize("kind", [TrainingOperator, QuotaTaskOperator])
def test_a_job_on_a_cluster(aihub: Emulator, kind: type[JobOperator], deferrable: bool) -> None:
    hook = AIHubHook()
    storage = hook.list_storages()[0]
    given = {**CLUSTER_JOB, "command": "true", "storages": [storage.name], "envs": {"PASSWORD": SECRET}}
    task = Watched(kind, **given, deferrable=deferrable)
    started = task.start()
    assert facts(started, "aihub_job") == {
        "name": "n",
        "image": "registry/image:1",
        "command": "true",
        "virtual_cluster": 1,
    }
    told = task.complete()
    assert told["inputs"] == [{"namespace": f"file://{storage.server_host}", "name": storage.server_path}]
    asked, came = facts(told, "aihub_job"), facts(told, "aihub_run")
    cluster = hook.list_virtual_clusters(1, 1)[0]
    assert (asked["image"], asked["command"]) == ("registry/image:1", "true")
    assert (asked["virtual_cluster"], asked["sku_cnt"], asked["instances"]) == (cluster.name, 1, 1)
    assert asked["gpu_type"]
    assert (came["id"], came["status"]) == (task.result["id"], "succeeded")
    assert came["avg_gpu_util"] == task.result["avg_gpu_util"]
    assert SECRET not in json.dumps([started, told])


def test_a_job_that_fails(aihub: Emulator) -> None:
    told = Watched(TrainingOperator, **CLUSTER_JOB, command="exit 3", deferrable=True).fail()
    assert facts(told, "aihub_run")["status"] == "failed"
    assert facts(told, "aihub_job")["command"] == "exit 3"


def test_a_task_that_fails_before_it_has_a_job(aihub: Emulator) -> None:
    told = Watched(TrainingOperator, **{**CLUSTER_JOB, "command": ""}).fail()
    assert told["run_facets"] == {}


def test_a_workflow_run(aihub: Emulator) -> None:
    task = Watched(
        WorkflowRunOperator, name="n", pipeline=1, pipeline_version=1, project=1, pipeline_params={"name": SECRET}
    )
    started = task.start()
    assert facts(started, "aihub_job") == {"pipeline": 1, "pipeline_version": 1}
    told = task.complete()
    assert facts(told, "aihub_run")["nodes"] == task.result["nodes"]
    assert SECRET not in json.dumps([started, told])


def test_an_evaluation(aihub: Emulator, tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("model_file", "pred_file")}
    for file in files.values():
        file.write_text("{}\n")
    task = Watched(
        EvalImportOperator,
        model_name="m",
        model_type="face",
        epoch=3,
        dataset_name="d",
        id_dataset_name="e",
        gallery_dataset_name="d",
        **{name: str(file) for name, file in files.items()},
    )
    inputs = [{"namespace": "file", "name": str(file)} for file in files.values()]
    assert task.start()["inputs"] == inputs
    told = task.complete()
    host = f"aihub://{urlsplit(aihub.url).netloc}"
    assert told["inputs"] == [*inputs, *({"namespace": host, "name": f"datasets/{name}"} for name in ("d", "e"))]
    assert facts(told, "aihub_run") == task.result


def test_what_newer_platforms_evaluate(aihub: Emulator, new_name: str) -> None:
    AIHubHook().create_model(ModelSpec.build(name=new_name))
    host = f"aihub://{urlsplit(aihub.url).netloc}"
    model = {"namespace": host, "name": f"models/{new_name}"}
    task = Watched(
        ModelEvalOperator, model=new_name, name="n", template="greet", template_params={"name": SECRET}, deferrable=True
    )
    started = task.start()
    assert facts(started, "aihub_job") == {"model": new_name, "template": "greet"}
    told = task.complete()
    assert told["inputs"] == [model]
    ids = ("id", "status", "workflow_run_id", "eval_report_id")
    assert facts(told, "aihub_run") == {name: task.result[name] for name in ids}
    assert SECRET not in json.dumps([started, told])
    datasets = [{"dataset_name": "d/V1"}, {"dataset_name": "d/V2"}]
    report = Watched(EvalReportOperator, name="n", eval_type="cv", model=new_name, datasets=datasets)
    told = report.complete()
    assert told["inputs"] == [model, {"namespace": host, "name": "datasets/d"}]
    assert facts(told, "aihub_run") == {"id": report.result["id"], "run_id": report.result["run_id"]}


def test_a_deployment(aihub: Emulator, new_name: str) -> None:
    task = Watched(StartDeploymentOperator, deployment=new_name, create={"virtual_cluster": 1})
    told = task.complete()
    assert facts(told, "aihub_job") == {"deployment": new_name}
    assert facts(told, "aihub_run") == {"id": task.result["id"], "status": "online"}
    assert told["inputs"] == []


@pytest.mark.parametrize(
    ("place", "namespace", "name", "uri"),
    [
        ("/a b/c", "file", "/a b/c", "file:///a%20b/c"),
        ("file:///a/c", "file", "/a/c", "file:///a/c"),
        ("s3://conn@bucket/key", "s3://bucket", "key", "s3://bucket/key"),
        ("https://u:p@h:1/x.csv?signature=s#f", "https://h:1", "x.csv", "https://h:1/x.csv"),
        ("aihub://h:1/datasets/a%2Fb", "aihub://h:1", "datasets/a%2Fb", "aihub://h:1/datasets/a%2Fb"),
    ],
)
def test_a_place_has_one_name(place: str, namespace: str, name: str, uri: str) -> None:
    data = lineage.located(place)
    assert (data.namespace, data.name, lineage.address(place)) == (namespace, name, uri)


def test_a_dataset_has_the_name_of_its_asset(aihub: Emulator) -> None:
    from airflow_provider_aihub.assets import convert_asset_to_openlineage, dataset_asset

    host = urlsplit(aihub.url).netloc
    asset = convert_asset_to_openlineage(dataset_asset("a/图", host=host), None)
    (data,) = lineage.dataset(AIHubHook(), "a/图")
    assert (asset.namespace, asset.name) == (data.namespace, data.name)


class Collector:
    """Takes what Airflow's own takes."""

    def __init__(self) -> None:
        self.inputs: list[str] = []
        self.outputs: list[str] = []

    def add_input_asset(self, context: Any, *, uri: str) -> None:
        assert isinstance(context, AIHubHook)
        self.inputs.append(uri)

    def add_output_asset(self, context: Any, *, uri: str) -> None:
        assert isinstance(context, AIHubHook)
        self.outputs.append(uri)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Collector:
    collector = Collector()
    monkeypatch.setattr(collectors, "get_hook_lineage_collector", lambda: collector)
    return collector


@pytest.mark.parametrize("form", ["file", "folder", "archive"])
def test_the_relay(aihub: Emulator, tmp_path: Path, collector: Collector, form: str) -> None:
    (tmp_path / "a.txt").write_text("1")
    path = tmp_path / "a.txt" if form == "file" else tmp_path
    operator = S3RelayUploadOperator(
        task_id="t", local_path=str(path), bucket="b1", key="k/", archive=form == "archive"
    )
    result = operator.execute({})
    assert (collector.inputs, collector.outputs) == ([path.as_uri()], [result["path"]])


def test_an_upload_for_a_version(aihub: Emulator, tmp_path: Path, new_name: str, collector: Collector) -> None:
    AIHubHook().create_dataset(DatasetSpec(name=new_name))
    (tmp_path / "a.txt").write_text("1")
    task = Watched(DatasetVersionOperator, dataset=new_name, local_path=str(tmp_path))
    told = task.complete()
    assert told["inputs"] == [{"namespace": "file", "name": str(tmp_path)}]
    uploaded = AIHubHook().get_dataset_version(task.result["id"]).upload_path
    assert (collector.inputs, collector.outputs) == ([tmp_path.as_uri()], [uploaded.rstrip("/")])


def test_a_download(aihub: Emulator, tmp_path: Path, collector: Collector) -> None:
    saved = tmp_path / "x.csv"
    task = Watched(WarehouseSearchOperator, name="n", sql="select 1 as a", output_path=str(saved))
    task.complete()
    assert collector.inputs == [task.result["result_url"].partition("?")[0]]
    assert collector.outputs == [saved.as_uri()]


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ("s3://b/k?signature=1", ("s3://b", "k")),
        ("bucket/folder", ("aihub://10.0.0.1", "bucket/folder")),
        ("/mnt/a b", ("aihub://10.0.0.1", "/mnt/a b")),
    ],
)
def test_where_the_data_of_a_version_lies(monkeypatch: pytest.MonkeyPatch, given: str, known: tuple[str, str]) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", "aihub://10.0.0.1")
    operator = DatasetVersionOperator(task_id="t", dataset="d", upload_path=given, upload_type="s3")
    (data,) = operator.lineage(None, None).inputs
    assert (data.namespace, data.name) == known


def test_a_job_that_is_not_waited_for(aihub: Emulator) -> None:
    task = Watched(TrainingOperator, **CLUSTER_JOB, command="true", wait_for_completion=False)
    assert facts(task.complete(), "aihub_run") == {"id": task.result["id"]}


def test_what_is_no_asset_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    class Strict(Collector):
        def add_input_asset(self, context: Any, *, uri: str) -> None:
            raise ValueError("no such asset")

    strict = Strict()
    monkeypatch.setattr(collectors, "get_hook_lineage_collector", lambda: strict)
    lineage.tell_collector(AIHubHook(), inputs=["s3://b"], outputs=["s3://b/k"])
    assert strict.outputs == ["s3://b/k"]


SCRIPT = """
import os, sys

sys.modules["openlineage"] = None
# Not the whole provider, since Airflow itself asks every one that is installed what it has.
sys.modules["airflow.providers.openlineage.extractors"] = None
from task_life import TaskLife
from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.operators.warehouse import WarehouseSearchOperator

with Emulator(data=sys.argv[1]) as aihub:
    os.environ["AIRFLOW_CONN_AIHUB_DEFAULT"] = aihub.connection_json()
    search = dict(task_id="t", name="n", sql="select 1 as a", output_path=sys.argv[2], deferrable=False)
    print(TaskLife(lambda: WarehouseSearchOperator(**search)).try_once()["result_count"])
print(*[name for name, module in sys.modules.items() if name.partition(".")[0] == "openlineage" and module])
"""


def test_nothing_of_openlineage_is_needed(data: Path, tmp_path: Path) -> None:
    """A task runs where it is not installed, and imports nothing of it where it is."""
    program = [sys.executable, "-c", SCRIPT, str(data), str(tmp_path / "x.csv")]
    here = Path(__file__).parent
    folders = os.pathsep.join([str(here), str(here.parent), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": folders}
    done = subprocess.run(program, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ["1", ""]
