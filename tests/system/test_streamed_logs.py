"""The logs of pods in a real Airflow whose triggerer is restarted while a job runs."""

from __future__ import annotations

from pathlib import Path

from waiting import until

from airflow_provider_aihub.emulators.aihub import Emulator
from demo.processes import end
from demo.real_airflow import RealAirflow

DAG = """
from airflow.providers.common.compat.sdk import DAG
from airflow_provider_aihub.operators.training import TrainingOperator

with DAG("streams", schedule=None) as dag:
    TrainingOperator(
        task_id="train",
        name="train",
        command={command!r},
        image="any",
        virtual_cluster="vc-cpu",
        project="research",
        instances=2,
        stream_logs=True,
        deferrable=True,
        poll_interval=2,
    )
"""
PODS = ("master-0", "worker-0")


def test_each_line_once_across_a_restart_of_the_triggerer(tmp_path: Path) -> None:
    gate = tmp_path / "go"
    command = f"echo line 1; echo line 2; while [ ! -e {gate} ]; do sleep 0.1; done; echo line 3; printf 'line 4'"
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "streams.py").write_text(DAG.format(command=command))
    with Emulator(tmp_path / "aihub") as aihub:
        env = {"AIRFLOW_CONN_AIHUB_DEFAULT": aihub.connection_json()}
        with RealAirflow(tmp_path / "airflow", tmp_path / "dags", env) as airflow:
            run_id = airflow.trigger("streams")

            def lines() -> list[str]:
                return [line for line in airflow.log("streams", run_id, "train").lines if "] line " in line]

            kept = "aihub_log_offsets"
            until("it is kept how far it has read", lambda: airflow.xcom("streams", run_id, "train", kept), every=0.5)
            until("the log has four lines", lines, lambda found: len(found) == 4, every=0.5)
            end([airflow.processes.pop("triggerer")])
            asked = len(aihub.requests)
            airflow.start_component("triggerer")
            # It looks at the logs again before there is more in them.
            until("it has looked", lambda: len(aihub.requests) - asked, lambda requests: requests > 6)
            gate.touch()
            for _ in airflow.watch("streams", run_id):
                pass
            log = airflow.log("streams", run_id, "train")
            assert airflow.run_state("streams", run_id) == "success", log.tail()
    for pod in PODS:
        mine = [line.partition("] ")[2] for line in log.lines if f"{pod}] " in line]
        assert mine == ["line 1", "line 2", "line 3", "line 4"]
    assert not any("may be repeated" in line for line in log.lines)
