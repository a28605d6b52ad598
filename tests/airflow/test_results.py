"""Results as other tasks use them, and parameters as a run gives them, in a real Airflow."""

from __future__ import annotations

import json
from typing import Any

import pytest
from dag_runs import Round, run_dags

from airflow_provider_aihub.emulators.aihub import Emulator

DAG_FILE = """
import json
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_aihub.operators.dataset import CreateDatasetOperator
from airflow_provider_aihub.operators.stop import StopTrainingOperator
from airflow_provider_aihub.operators.training import TrainingOperator
from airflow_provider_aihub.operators.warehouse import WarehouseSearchOperator
from airflow_provider_aihub.sensors.warehouse import WarehouseSearchSensor

SEARCH = {{"name": "s", "sql": "select * from meta"}}
WHERE = {{"image": "i", "virtual_cluster": 1, "project": 1}}
PARAMS = {{
    "later": Param(True, type="boolean"),
    "wait": Param(False, type="boolean"),
    "ssh": Param(True, type="boolean"),
    "gpus": Param(2, type="integer"),
    "timeout": Param(600, type="integer"),
}}


@task(trigger_rule="all_done")
def keep(name, value):
    Path({folder!r}, name).write_text(json.dumps(value))


@task
def keep_all(values):
    Path({folder!r}, "mapped").write_text(json.dumps(sorted(values)))


def switches(name):
    return TrainingOperator(
        task_id="train",
        name="{{{{ ds_nodash }}}}",
        command="true",
        **WHERE,
        deferrable="{{{{ params.later }}}}",
        wait_for_completion="{{{{ params.wait }}}}",
        enable_ssh="{{{{ params.ssh }}}}",
        sku_cnt="{{{{ params.gpus }}}}",
        job_timeout="{{{{ params.timeout }}}}",
        poll_interval="{{{{ params.gpus }}}}",
    )


with DAG("results", schedule=None):
    for way, deferrable in (("here", False), ("deferred", True)):
        search = WarehouseSearchOperator(task_id=f"search_{{way}}", deferrable=deferrable, **SEARCH)
        sensor = WarehouseSearchSensor(task_id=f"wait_{{way}}", search_id=search.output["id"], deferrable=deferrable)
        keep.override(task_id=f"keep_{{way}}")(way, [search.output["id"], search.output["result_count"], search.output])
        keep.override(task_id=f"keep_sensor_{{way}}")(f"sensor_{{way}}", [sensor.output["id"], sensor.output["status"]])
    dataset = CreateDatasetOperator(task_id="dataset", name="made")
    keep.override(task_id="keep_dataset")("dataset", [dataset.output["name"], dataset.output["created"]])
    nothing = StopTrainingOperator(task_id="nothing", training_id=None)
    keep.override(task_id="keep_nothing")("nothing", [nothing.output["status"]])
    unwatched = WarehouseSearchOperator(task_id="unwatched", wait_for_completion=False, **SEARCH)
    keep.override(task_id="keep_unwatched")("unwatched", [unwatched.output["id"], unwatched.output["result_url"]])
    each = WarehouseSearchOperator.partial(task_id="mapped", sql=SEARCH["sql"], deferrable=True)
    mapped = each.expand(name=["a", "b"])
    keep_all(mapped.output["result_count"])

    @task.aihub_training(name="of a function", deferrable=True, **WHERE)
    def write():
        return "true"

    keep.override(task_id="keep_function")("function", [write()["name"]])

with DAG("native", schedule=None, params=PARAMS, render_template_as_native_obj=True):
    switches("native")

with DAG("as_text", schedule=None, params=PARAMS):
    switches("as_text")
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the tasks of a real run were given, by its name, and the trainings that there are."""
    home, folder = tmp_path_factory.mktemp("airflow"), tmp_path_factory.mktemp("kept")
    data = tmp_path_factory.mktemp("data")
    (data / "meta.csv").write_text("object_name,width\nbig,2000\nsmall,10\nhuge,3000\n")
    file = home / "results.py"
    file.write_text(DAG_FILE.format(folder=str(folder)))
    with Emulator(data=data) as aihub:
        (ended,) = run_dags(home, home, Round(aihub.connection_json(), [file]))
        states = {f"{dag}.{task}": state for dag, run in ended.items() for task, state in run.tasks.items()}
        assert {task: state for task, state in states.items() if state != "success"} == {"results.nothing": "skipped"}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", aihub.connection_json())
            from airflow_provider_aihub.hooks.aihub import AIHubHook

            trainings = AIHubHook().list_trainings().data
    return {"trainings": trainings} | {kept.name: json.loads(kept.read_text()) for kept in folder.iterdir()}


@pytest.mark.parametrize("way", ["here", "deferred"])
def test_a_part_of_a_result_is_what_a_task_asks_for(found: dict[str, Any], way: str) -> None:
    number, count, whole = found[way]
    assert isinstance(number, int)
    assert count == 3
    assert whole == {"id": number, "result_url": whole["result_url"], "result_count": 3}
    assert found[f"sensor_{way}"] == [number, "succeeded"]


def test_a_call_too_returns_its_parts(found: dict[str, Any]) -> None:
    assert found["dataset"] == ["made", True]


def test_a_mapped_task_gives_the_part_of_each(found: dict[str, Any]) -> None:
    assert found["mapped"] == [3, 3]


def test_a_function_that_writes_a_command_has_the_result_of_the_training(found: dict[str, Any]) -> None:
    assert found["function"] == ["of a function"]


def test_what_is_not_there_is_none(found: dict[str, Any]) -> None:
    assert found["nothing"] == [None]
    number, url = found["unwatched"]
    assert isinstance(number, int)
    assert url is None


def test_a_run_steers_switches_and_numbers(found: dict[str, Any]) -> None:
    steered = [training for training in found["trainings"] if training.name != "of a function"]
    assert len(steered) == 2
    for training in steered:
        assert training.name.isdigit()
        assert (training.enable_ssh, training.sku_cnt) == (True, 2)
