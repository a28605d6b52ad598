"""The five operators against an AIHub on this machine, waiting in place and deferred."""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from task_life import TaskLife, stopped

from airflow_provider_aihub.aihub.dataset_management import DatasetSpec
from airflow_provider_aihub.aihub.errors import (
    AIHubError,
    AIHubJobFailed,
    AIHubJobTimeout,
    AIHubParameterError,
)
from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.operators.dataset import DatasetVersionOperator
from airflow_provider_aihub.operators.evaluation import EvalImportOperator
from airflow_provider_aihub.operators.quota_task import QuotaTaskOperator
from airflow_provider_aihub.operators.training import TrainingOperator
from airflow_provider_aihub.operators.warehouse import WarehouseSearchOperator
from airflow_provider_aihub.triggers import job

ON_AIHUB: dict[str, Any] = {"image": "any", "virtual_cluster": "vc-cpu", "project": "research"}

deferred_or_not = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "in place"])


@pytest.fixture
def hook(aihub: Emulator) -> AIHubHook:  # the connection comes with the emulator
    return AIHubHook()


def train(**given: Any) -> Callable[[], TrainingOperator]:
    return lambda: TrainingOperator(**{"task_id": "train", "name": "t", "command": "true", **ON_AIHUB, **given})


@deferred_or_not
def test_a_training_runs_its_command(hook: AIHubHook, tmp_path: Path, deferrable: bool) -> None:
    life = TaskLife(
        train(
            command=f'echo "$GREETING" > {tmp_path}/out',
            envs={"GREETING": "hello"},
            storages=["shared"],
            category="debugging",
            description="a test",
            deferrable=deferrable,
        )
    )
    result = life.try_once()
    assert (tmp_path / "out").read_text() == "hello\n"
    assert life.deferrals == int(deferrable)
    assert life.ti.xcoms["job_id"] == result["id"]
    training = hook.get_training(result["id"])
    assert training.virtual_cluster.name == "vc-cpu"
    assert training.project.name == "research"
    assert training.category.id == 3
    assert [storage.name for storage in training.storages] == ["shared"]
    assert training.description.startswith("a test [airflow:")
    assert result["status"] == "succeeded"
    assert result["finished_at"] >= result["started_at"] >= result["created_at"] > 0


@deferred_or_not
def test_a_quota_task_runs_its_command(hook: AIHubHook, tmp_path: Path, deferrable: bool) -> None:
    result = TaskLife(
        lambda: QuotaTaskOperator(
            task_id="predict",
            name="q",
            command=f"echo done > {tmp_path}/out",
            priority="high",
            deferrable=deferrable,
            **ON_AIHUB,
        )
    ).try_once()
    assert (tmp_path / "out").read_text() == "done\n"
    task = hook.get_quota_task(result["id"])
    assert task.priority == 2
    assert task.mtp_id == result["mtp_id"] > 0


@deferred_or_not
def test_a_search_gives_its_result(hook: AIHubHook, deferrable: bool, tmp_path: Path) -> None:
    result = TaskLife(
        lambda: WarehouseSearchOperator(
            task_id="search",
            name="s",
            sql="select object_name, note from meta where width > 1000 order by 1",
            deferrable=deferrable,
        )
    ).try_once()
    assert result["result_count"] == 2
    with (tmp_path / "found.csv").open("wb") as target:
        hook.download(result["result_url"], target)
    assert "big" in (tmp_path / "found.csv").read_text()
    assert set(result) == {"id", "result_url", "result_count"}


def test_a_search_by_keywords_counts_its_results(hook: AIHubHook) -> None:
    result = TaskLife(
        lambda: WarehouseSearchOperator(task_id="s", name="s", keywords="red car", feature_lib_id=1, top_k=1)
    ).try_once()
    assert result["result_count"] == 1


@pytest.fixture
def archive(aihub: Emulator) -> Path:
    path = Path(aihub.home, "storage", "shared", "images.zip")
    with zipfile.ZipFile(path, "w") as images:
        images.writestr("a.txt", "12345")
        images.writestr("b/c.txt", "123")
    return path


@deferred_or_not
@pytest.mark.parametrize("by", ["name", "id"])
def test_a_dataset_version_is_built(hook: AIHubHook, archive: Path, deferrable: bool, by: str, new_name: str) -> None:
    dataset_id = hook.create_dataset(DatasetSpec.build(name=new_name))
    life = TaskLife(
        lambda: DatasetVersionOperator(
            task_id="version",
            dataset=new_name if by == "name" else str(dataset_id),
            upload_path=str(archive),
            upload_type="zip",
            deferrable=deferrable,
        )
    )
    result = life.try_once()
    assert result["version"] == 1
    assert result["dataset_version"] == f"{new_name}/V1"
    assert (result["data_count"], result["data_size"]) == (2, 8)
    assert hook.get_dataset_version_by_name(result["dataset_version"]).id == result["id"]
    life.clear()
    assert life.try_once()["dataset_version"] == f"{new_name}/V2"


@deferred_or_not
@pytest.mark.parametrize("json_404", [True, False])
def test_a_dataset_version_is_found_by_the_documents_api(
    document: Emulator, deferrable: bool, new_name: str, json_404: bool
) -> None:
    if json_404:
        # A router that answers in AIHub's own form, but with a code of its own.
        document.faults.add("status", path="*/dataset-versions/*", status=404, code=404, msg="page not found")
        document.faults.add("status", path="*/api/v2/datasets*", method="GET", status=404, code=404)
    archive = Path(document.home, "storage", "shared", "one.zip")
    with zipfile.ZipFile(archive, "w") as images:
        images.writestr("a.txt", "12345")
    hook = AIHubHook()
    dataset_id = hook.create_dataset(DatasetSpec.build(name=new_name))

    def version(**given: Any) -> Any:
        arguments = {"task_id": "v", "upload_path": str(archive), "upload_type": 1, "deferrable": deferrable, **given}
        return TaskLife(lambda: DatasetVersionOperator(**arguments)).try_once()

    first = version(dataset=dataset_id, dataset_name=new_name)
    second = version(dataset=new_name)
    assert (first["dataset_version"], second["dataset_version"]) == (f"{new_name}/V1", f"{new_name}/V2")
    with pytest.raises(AIHubParameterError, match="dataset_name"):
        version(dataset=dataset_id)
    assert hook.get_dataset_version_by_name(f"{new_name}/V2").id == second["id"]
    with pytest.raises(AIHubError):
        hook.get_dataset_version_by_name(f"{new_name}/V3")


def evaluation(folder: Path, **given: Any) -> Callable[[], EvalImportOperator]:
    (folder / "model.bin").write_bytes(b"\0" * 100_000)
    (folder / "pred.jsonl").write_text('{"a": 1}\n{"a": 2}\n')
    return lambda: EvalImportOperator(
        **{
            "task_id": "evaluate",
            "model_name": "m",
            "model_type": "licence_plate",
            "epoch": 3,
            "dataset_name": "a",
            "id_dataset_name": "b",
            "gallery_dataset_name": "c",
            "model_file": str(folder / "model.bin"),
            "pred_file": str(folder / "pred.jsonl"),
            **given,
        }
    )


def test_an_evaluation_is_imported(aihub: Emulator, hook: AIHubHook, tmp_path: Path) -> None:
    life = TaskLife(evaluation(tmp_path))
    result = life.try_once()
    kept = json.loads(aihub.get(f"/emulator/evaluations/{result['id']}"))
    assert kept["model_type"] == "5"
    assert kept["epoch"] == "3"
    assert kept["user_id"] == str(hook.user_id)
    assert life.ti.xcoms["job_id"] == result["id"]


# What goes wrong


@deferred_or_not
def test_a_command_that_fails_fails_the_task(hook: AIHubHook, deferrable: bool) -> None:
    life = TaskLife(train(name="broken", command="exit 1", deferrable=deferrable))
    with pytest.raises(AIHubJobFailed, match=r"training \d+ \(broken\) failed: pod .* failed on node") as failure:
        life.try_once()
    assert failure.value.job_id == life.ti.xcoms["job_id"]
    assert failure.value.kind == "training"
    assert not isinstance(failure.value, AirflowFailException)


def test_a_search_that_fails_tells_why(aihub: Emulator) -> None:
    with pytest.raises(AIHubJobFailed, match="no_such_table"):
        TaskLife(
            lambda: WarehouseSearchOperator(task_id="s", name="s", sql="select 1 from no_such_table", deferrable=True)
        ).try_once()


@deferred_or_not
def test_a_job_is_stopped_at_its_deadline(hook: AIHubHook, deferrable: bool) -> None:
    life = TaskLife(train(command="sleep 600 & wait", job_timeout=1, deferrable=deferrable))
    with pytest.raises(AIHubJobTimeout, match="was asked to stop it"):
        life.try_once()
    training = stopped(lambda: hook.get_training(life.ti.xcoms["job_id"]))
    assert training.stop_op_user.name


def test_a_job_that_is_not_waited_for_runs_on(hook: AIHubHook) -> None:
    life = TaskLife(train(command="sleep 600 & wait", wait_for_completion=False, deferrable=True))
    result = life.try_once()
    assert result == {"id": life.ti.xcoms["job_id"]}
    assert hook.get_training(result["id"]).status in (1, 2)
    hook.stop_training(result["id"])


def test_killing_the_worker_stops_the_job(hook: AIHubHook) -> None:
    operator = train(command="sleep 600 & wait", deferrable=True)()
    life = TaskLife(lambda: operator)
    life.start()
    operator.on_kill()
    assert stopped(lambda: hook.get_training(life.ti.xcoms["job_id"])).stop_op_user.name


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"category": "cooking"}, ["category", "debugging", "'cooking'"]),
        ({"framework": "Caffe"}, ["framework", "PyTorchJob", "MpiJob"]),
        ({"sku_cnt": "many"}, ["sku_cnt", "whole number"]),
        ({"name": ""}, ["name"]),
        ({"virtual_cluster": ""}, ["virtual_cluster"]),
        ({"virtual_cluster": "-3"}, ["virtual_cluster", "-3"]),
        ({"on_ambiguous_submit": "maybe"}, ["on_ambiguous_submit", "resubmit"]),
        ({"poll_interval": 0}, ["poll_interval"]),
        ({"poll_interval": float("nan")}, ["poll_interval"]),
        ({"job_timeout": "abc"}, ["job_timeout", "'abc'"]),
        ({"job_timeout": 0}, ["job_timeout"]),
        ({"job_timeout": timedelta(0)}, ["job_timeout"]),
        ({"description": ["a"]}, ["description"]),
        ({"storages": {"shared": 1}}, ["storages"]),
    ],
)
def test_a_bad_parameter_fails_before_anything_is_sent(
    aihub: Emulator, given: dict[str, Any], words: list[str]
) -> None:
    before = len(aihub.requests)
    with pytest.raises(AIHubParameterError) as failure:
        TaskLife(train(**given)).try_once()
    assert len(aihub.requests) == before
    assert isinstance(failure.value, AirflowFailException)
    for word in words:
        assert word in str(failure.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"virtual_cluster": "vc-gpu"}, ["virtual_cluster", "'vc-gpu'", "vc-cpu"]),
        ({"storages": ["shard"]}, ["storages", "'shard'", "'shared'"]),
        ({"project": "resarch"}, ["project", "'research'"]),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(aihub: Emulator, given: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(AIHubParameterError) as failure:
        TaskLife(train(**given)).try_once()
    for word in words:
        assert word in str(failure.value)


def test_a_file_that_is_not_there(aihub: Emulator, tmp_path: Path) -> None:
    before = len(aihub.requests)
    with pytest.raises(AIHubParameterError, match=r"model_file.*nowhere"):
        TaskLife(evaluation(tmp_path, model_file=str(tmp_path / "nowhere"))).try_once()
    assert len(aihub.requests) == before


def test_a_dataset_that_is_not_there(aihub: Emulator, archive: Path) -> None:
    with pytest.raises(AIHubParameterError, match="dataset is 'no-such'"):
        TaskLife(
            lambda: DatasetVersionOperator(task_id="v", dataset="no-such", upload_path=str(archive), upload_type="zip")
        ).try_once()


@pytest.mark.parametrize("wrong", [{"upload_type": "zipp"}, {"upload_type": 9}])
def test_a_wrong_upload_type_names_the_right_ones(aihub: Emulator, wrong: dict[str, Any]) -> None:
    with pytest.raises(AIHubParameterError, match=r"upload_type.*zip.*s3.*host"):
        TaskLife(
            lambda: DatasetVersionOperator(task_id="v", **{"dataset": "d", "upload_path": "/x", **wrong})
        ).try_once()


def test_the_trigger_fires_only_once_the_worker_has_noticed_that_the_task_deferred(
    hook: AIHubHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "EARLIEST_EVENT", 1.5)
    life = TaskLife(train(deferrable=True))
    trigger = life.start()
    began = time.monotonic()
    assert life.resume(trigger)["status"] == "succeeded"
    assert time.monotonic() - began >= 1.5
