"""Calls to Airflow outlive the triggers that made them, so that no answer is left for somebody else to read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from waiting import eventually

from airflow_provider_aihub.aihub.platform import PLATFORM
from airflow_provider_aihub.tasks.links import link_in_triggerer
from airflow_provider_aihub.triggers import hand_over, log_offsets, poller
from airflow_provider_aihub.triggers.cancellation import shielded


class Airflow:
    """The triggerer's supervisor, which is slow to answer."""

    def __init__(self) -> None:
        self.asked, self.answered = asyncio.Event(), asyncio.Event()
        self.may_answer = asyncio.Event()

    async def __call__(self, *_: Any, **__: Any) -> None:
        self.asked.set()
        await self.may_answer.wait()
        self.answered.set()


LOG = logging.getLogger(__name__)
TI = SimpleNamespace(dag_id="d", task_id="t", run_id="r", map_index=-1)
CALLS: dict[str, Callable[[], Awaitable[Any]]] = {
    "for the connection": lambda: poller.Poller(PLATFORM, "aihub_default")._load(None),
    "for how far the logs were read": lambda: log_offsets.OffsetStore(TI, "aihub", 1, LOG).load(),
    "for the state of the task": lambda: hand_over.still_deferred(TI),
    "to keep a link": lambda: link_in_triggerer(TI, "key", lambda: "http://aihub.example", LOG),
}


@pytest.mark.parametrize("asks", CALLS)
async def test_a_cancelled_trigger_leaves_no_answer_unread(monkeypatch: pytest.MonkeyPatch, asks: str) -> None:
    airflow = Airflow()
    monkeypatch.setattr(poller, "get_async_connection", airflow)
    for module in (hand_over, log_offsets):
        monkeypatch.setattr(module, "sync_to_async", lambda method: airflow)
    monkeypatch.setattr("asgiref.sync.sync_to_async", lambda method: airflow)
    trigger = asyncio.ensure_future(CALLS[asks]())
    await eventually("Airflow is asked", airflow.asked.is_set)
    trigger.cancel()
    with pytest.raises(asyncio.CancelledError):
        await trigger
    airflow.may_answer.set()
    await eventually("Airflow has answered", airflow.answered.is_set)


async def test_what_comes_of_a_call_is_told() -> None:
    async def fails() -> None:
        raise LookupError("no")

    assert await shielded(asyncio.sleep(0, "yes")) == "yes"
    with pytest.raises(LookupError):
        await shielded(fails())


async def test_without_a_task_instance_how_far_the_logs_were_read_is_not_kept(caplog: pytest.LogCaptureFixture) -> None:
    """As in `airflow dags test`, where no triggerer can start again, so that there is nothing to warn of."""
    caplog.set_level(logging.INFO)
    kept = log_offsets.OffsetStore(None, "aihub", 1, LOG)
    assert await kept.load() is None
    await kept.save({})
    assert caplog.messages == []
