"""An id is no identity: whatever another AIHub has under it is a stranger's, and neither waited for nor stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from task_life import TaskLife
from test_trigger_kill import TASK, airflow_says
from twisted import Twisted, before, creates, each_row, once, reads, saying, stops
from waiting import until

from airflow_provider_aihub.aihub.errors import AIHubBadAnswerError, AIHubError, AIHubJobTimeout, AIHubOtherJob
from airflow_provider_aihub.aihub.model_training import TrainingSpec
from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.operators.training import TrainingOperator
from airflow_provider_aihub.triggers.job import JobTrigger

USERS = {"users": {"research": "not-to-be-told"}}
LONG = "sleep 600"
THEIRS = {"runs": LONG, "has succeeded": "true", "has failed": "exit 3"}
RUNNING = 2

pytestmark = [pytest.mark.aihub(**USERS), pytest.mark.usefixtures("patience")]
old_and_new = pytest.mark.parametrize("remembers", [True, False], ids=["Airflow remembers", "by the marker alone"])


def life(*, remembers: bool = True, **given: Any) -> TaskLife:
    fixed = {"image": "any", "virtual_cluster": 1, "project": 1, "command": LONG, "deferrable": True}
    arguments: dict[str, Any] = {"task_id": "train", "name": "nightly", **fixed, **given}
    return TaskLife(lambda: TrainingOperator(**arguments), remembers=remembers)


class Switch:
    """Lets the connection lead to another AIHub, where training 1 is a colleague's."""

    def __init__(self, twisted: Twisted, theirs: Emulator, monkeypatch: pytest.MonkeyPatch, edits: bool) -> None:
        self.twisted, self.mine, self.theirs = twisted, twisted.emulator, theirs
        self._monkeypatch, self._edits = monkeypatch, edits

    def __call__(self, emulator: Emulator | None = None) -> None:
        if self._edits:
            connection = (emulator or self.theirs).connection_json()
            self._monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", connection)
        else:
            self.twisted.emulator = emulator or self.theirs

    def check(self, status: int = RUNNING, *, mine: int = 1, new: int = 0) -> None:
        """See that the colleague's training is as it was."""
        assert AIHubHook("theirs").get_training(1).status == status
        assert [len(AIHubHook(where).list_trainings().data) for where in ("direct", "theirs")] == [mine, new + 1]


@pytest.fixture
def switch(
    twisted: Twisted,
    make_aihub: Callable[..., Emulator],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Switch:
    kind, command = getattr(request, "param", ("edited", LONG))
    theirs = make_aihub(conn_id="theirs", **USERS)
    spec = {"name": "nightly", "image": "any", "virtual_cluster_id": 1, "project_id": 1, "description": "of Li"}
    AIHubHook("theirs").create_training(TrainingSpec.build(command=command, **spec))
    until(
        "the colleague's training is as it shall be",
        lambda: AIHubHook("theirs").get_training(1).status,
        (RUNNING if command == LONG else 3 if command == "true" else 4).__eq__,
    )
    return Switch(twisted, theirs, monkeypatch, kind == "edited")


EACH = [
    pytest.param((kind, command), id=f"{said}, and theirs {how}")
    for kind, said in (("edited", "the connection is edited"), ("exchanged", "another AIHub at the same address"))
    for how, command in THEIRS.items()
]
each_switch = pytest.mark.parametrize("switch", EACH, indirect=True)
RUNS = [param for param in EACH if param.values[0][1] == LONG]
both_ways = pytest.mark.parametrize("switch", RUNS, indirect=True)
at_the_same_address = pytest.mark.parametrize("switch", RUNS[1:], indirect=True)


@pytest.mark.usefixtures("little_patience")
@each_switch
@old_and_new
@pytest.mark.parametrize("cleared", [False, True], ids=["retried", "cleared"])
def test_a_next_try_leaves_a_stranger_s_job_alone_and_creates_its_own(
    switch: Switch, remembers: bool, cleared: bool
) -> None:
    status = AIHubHook("theirs").get_training(1).status
    task = life(remembers=remembers)
    task.start()
    switch()
    if cleared:
        task.clear()
    assert isinstance(task.start(), JobTrigger)
    assert task.ti.xcoms["job_id"] == 2
    switch.check(status, new=1)
    assert AIHubHook("direct").get_training(1).status == RUNNING


@each_switch
@old_and_new
def test_a_trigger_waits_for_no_stranger_s_job(switch: Switch, remembers: bool) -> None:
    status = AIHubHook("theirs").get_training(1).status
    task = life(remembers=remembers)
    trigger = task.start()
    switch()
    with pytest.raises(AIHubOtherJob) as failure:
        task.resume(trigger)
    assert not isinstance(failure.value, AirflowFailException)
    switch.check(status)
    # The connection is mended, and the next try goes on with its own.
    switch(switch.mine)
    task.start()
    assert task.ti.xcoms["job_id"] == 1
    switch.check(status)


@each_switch
@old_and_new
def test_a_task_that_resumes_reports_no_stranger_s_result(switch: Switch, remembers: bool) -> None:
    status = AIHubHook("theirs").get_training(1).status
    task = life(remembers=remembers, command="true")
    trigger = task.start()
    event = asyncio.run(task._event(trigger))
    assert event["outcome"] == "ended"
    switch()
    with pytest.raises(AIHubOtherJob):
        task.make().execute_complete(task.context, event)
    switch.check(status)


@at_the_same_address
def test_a_task_that_waits_in_place_reports_no_stranger_s_result(switch: Switch) -> None:
    task = life(deferrable=False)
    switch.twisted.rules = [before(reads, switch, number=2)]
    with pytest.raises(AIHubOtherJob):
        task.start()
    switch.check()


@at_the_same_address
def test_no_stranger_s_job_is_stopped_at_the_deadline(switch: Switch) -> None:
    """The AIHub is exchanged after the last look."""
    task = life(deferrable=False, job_timeout=0.6)

    switch.twisted.rules = [before(stops, switch)]
    with pytest.raises(AIHubJobTimeout, match="a job that this task did not create"):
        task.start()
    switch.check()


@at_the_same_address
@pytest.mark.parametrize("taken_up", [False, True], ids=["which created it", "which is about to take it up"])
def test_no_stranger_s_job_is_stopped_with_a_task_in_its_worker(switch: Switch, taken_up: bool) -> None:
    task = life(deferrable=False)
    if taken_up:
        life_before = life(virtual_cluster="vc-cpu")
        life_before.start()
        task.store, task.ti = life_before.store, life_before.ti
        task.make = life_before.make
    operator = task.make()
    task.make = lambda: operator

    def killed() -> None:
        switch()
        operator.on_kill()

    switch.twisted.rules = [before(lambda asked: asked.method == "GET", killed, number=1 if taken_up else 2)]
    with pytest.raises(AIHubError):
        task.start()
    assert AIHubHook("theirs").get_training(1).status == RUNNING


@both_ways
def test_no_stranger_s_job_is_stopped_with_a_deferred_task(switch: Switch, monkeypatch: pytest.MonkeyPatch) -> None:
    trigger = life().start()
    trigger.task_instance = TASK
    airflow_says(monkeypatch, deferred=False)
    switch()
    asyncio.run(trigger.on_kill())
    switch.check()


@at_the_same_address
def test_no_stranger_s_job_is_stopped_with_a_task_that_resumes(switch: Switch) -> None:
    """The worker has logged in to the other AIHub, and has not yet seen what that shows."""
    task = life(command="true")
    event = asyncio.run(task._event(task.start()))
    assert event["outcome"] == "ended"
    operator = task.make()
    switch()
    switch.twisted.rules = [before(reads, operator.on_kill)]
    with pytest.raises(AIHubOtherJob):
        operator.execute_complete(task.context, event)
    assert AIHubHook("theirs").get_training(1).status == RUNNING


@at_the_same_address
def test_no_stranger_s_job_is_stopped_with_a_task_that_waits_in_its_worker(switch: Switch) -> None:
    """The worker has seen its job, has logged in to the other AIHub since, and not yet seen what that shows."""
    operator = life(deferrable=False, poll_tolerance=0.3).make()
    switch.twisted.rules = [before(reads, switch, number=2), before(reads, operator.on_kill, number=3)]
    with pytest.raises(AIHubOtherJob):
        operator.execute(life().context)
    switch.check()


# Answers that speak of another id


def test_an_answer_about_another_job_is_not_believed(twisted: Twisted) -> None:
    twisted.rules = [each_row(lambda row: row.update(id=row["id"] + 1, status=3))]
    task = life(deferrable=False, poll_tolerance=0.3)
    with pytest.raises(AIHubBadAnswerError, match="2"):
        task.start()
    assert AIHubHook("direct").get_training(1).status == RUNNING


@pytest.mark.parametrize("number", [1.0, 1e300, 9007199254740993.0, "1e3", True])
def test_an_id_that_is_none_is_looked_up(twisted: Twisted, number: Any) -> None:
    def badly(asked: Any, go_on: Any) -> Any:
        return saying(go_on(asked), {"id": number})

    twisted.rules = [once(creates, badly)]
    task = life()
    task.start()
    assert task.ti.xcoms["job_id"] == 1
    assert len(AIHubHook("direct").list_trainings().data) == 1
