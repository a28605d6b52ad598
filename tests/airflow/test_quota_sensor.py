"""Quotas: waited for until enough of them is left."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout
from task_life import TaskLife
from waiting import until

from airflow_provider_aihub.aihub.errors import AIHubJobFailed, AIHubParameterError, AIHubUnsupportedError
from airflow_provider_aihub.aihub.quota_schedule import QuotaTaskSpec
from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.sensors.quota import QuotaSensor

MODES: dict[str, dict[str, Any]] = {
    "poke": {"mode": "poke"},
    "reschedule": {"mode": "reschedule"},
    "deferred": {"deferrable": True},
}


def sensor(mode: str = "poke", **given: Any) -> TaskLife:
    how: dict[str, Any] = {"task_id": "wait", "poke_interval": 0.1, "timeout": 30, **MODES[mode]}
    what = {"virtual_cluster": "vc-4090", "group": "everybody", "gpus": 31}
    return TaskLife(lambda: QuotaSensor(**{**how, **what, **given}))


@pytest.mark.parametrize("mode", MODES)
def test_what_others_use_is_waited_for(aihub: Emulator, mode: str) -> None:
    hook = AIHubHook()
    job = {"name": "q", "image": "i", "virtual_cluster_id": 2, "project_id": 1, "sku_cnt": 2, "priority": "high"}
    task = hook.create_quota_task(QuotaTaskSpec.build(command="sleep 600", **job))
    until("it runs", lambda: hook.get_quota_task(task).status, (2).__eq__)
    assert sensor(mode, gpus=30).try_once()["left"] == 30
    life = sensor(mode)
    made = life.make

    def after_two_looks() -> Any:
        if aihub.requests.count("GET", "*/metrics/overview") >= 2:
            hook.stop_quota_task(task)
        return made()

    hook.list_cluster_usage()
    life.make = after_two_looks  # type: ignore[method-assign]
    result = life.try_once()
    assert {name: result[name] for name in ("status", "left", "used", "total")} == {
        **{"status": "succeeded", "left": 32},
        **{"used": 0, "total": 32},
    }


def test_a_cluster_without_gpus(aihub: Emulator) -> None:
    with pytest.raises(AirflowSensorTimeout):
        sensor(virtual_cluster=1, group=1, gpus="1", timeout=0.3).try_once()


@pytest.mark.parametrize("given", [{"virtual_cluster": "nowhere"}, {"group": "nobody"}])
def test_a_quota_that_is_not_there_fails_the_task(aihub: Emulator, given: dict[str, Any]) -> None:
    with pytest.raises(AIHubJobFailed, match="it has no such quota; check virtual_cluster and group"):
        sensor(**given).try_once()


@pytest.mark.parametrize("given", [{"virtual_cluster": ""}, {"group": " "}, {"gpus": 0}, {"gpus": "many"}])
def test_a_bad_parameter_fails_before_anything_is_sent(aihub: Emulator, given: dict[str, Any]) -> None:
    before = len(aihub.requests)
    with pytest.raises(AIHubParameterError, match=next(iter(given))):
        sensor(**given).try_once()
    assert len(aihub.requests) == before


@pytest.mark.parametrize("mode", MODES)
def test_the_document_tells_no_quotas(document: Emulator, mode: str) -> None:
    with pytest.raises(AIHubUnsupportedError, match="how much of the virtual clusters is in use"):
        sensor(mode).try_once()
