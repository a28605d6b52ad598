"""When a job is looked at, when the waiting gives up, and what the log says meanwhile."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from itertools import cycle, pairwise

import pytest

from airflow_provider_aihub.aihub.errors import (
    AIHubAuthError,
    AIHubBadAnswerError,
    AIHubError,
    AIHubNotFoundError,
    AIHubUnavailable,
)
from airflow_provider_aihub.aihub.kinds import TRAINING, JobState
from airflow_provider_aihub.aihub.model_training import Training
from airflow_provider_aihub.aihub.parts import Part
from airflow_provider_aihub.http.retry import LONGEST_RETRY_AFTER
from airflow_provider_aihub.jobs.log_stream import PartLogs
from airflow_provider_aihub.jobs.waiting import (
    GONE_TOLERANCE,
    POLL_FLOOR,
    UNCHANGED_INTERVAL,
    Ask,
    Look,
    Outcome,
    Waited,
    Watch,
    follow,
    wait,
    wait_async,
)
from airflow_provider_aihub.provider_info import SETTINGS

LOG = logging.getLogger("test.waiting")


def test_a_worker_and_a_triggerer_have_the_same_floor() -> None:
    assert float(SETTINGS["poll_floor"]["default"]) == POLL_FLOOR


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.pauses.append(seconds)
        self.now += seconds


def state(status: int) -> JobState:
    return TRAINING.state(12, Training.read({"id": 12, "status": status}))


def unavailable(retry_after: float | None = None) -> AIHubUnavailable:
    return AIHubUnavailable("AIHub was not there.", retry_after=retry_after)


def run(
    replies: Iterable[JobState | AIHubError], *, since: float = 1000.0, **watch: float
) -> tuple[Waited, Clock, list[float]]:
    """Wait with replies in turn, the last one for ever; give what came of it, and when was looked."""
    clock = Clock()
    given = iter(replies)
    last: list[JobState | AIHubError] = []
    looked: list[float] = []

    def look() -> JobState | AIHubError:
        looked.append(clock.now)
        assert len(looked) < 10_000
        last[:] = [next(given, *last)]
        # As AIHub would give it: a new one each time.
        return copy(last[0]) if isinstance(last[0], JobState) else last[0]

    waited = wait(look, Watch(kind=TRAINING, job_id=12, since=since, **watch), LOG, sleep=clock.sleep, clock=clock)
    return waited, clock, looked


@pytest.mark.parametrize("status", [3, 4, 5])
def test_a_job_that_has_ended_is_looked_at_once(status: int) -> None:
    waited, _, looked = run([state(status)])
    assert waited.outcome is Outcome.ENDED
    assert waited.state is not None
    assert waited.state.status == status
    assert len(looked) == 1


def test_polls_come_quickly_at_first_and_stretch_to_the_interval() -> None:
    waited, clock, _ = run([state(2)] * 60 + [state(3)], poll_interval=30)
    assert waited.outcome is Outcome.ENDED
    assert POLL_FLOOR <= clock.pauses[0] <= POLL_FLOOR * 1.1
    assert clock.pauses[-1] >= 27
    assert max(clock.pauses) <= 30
    assert all(later >= earlier * 0.9 for earlier, later in pairwise(clock.pauses))


def test_an_old_job_is_not_polled_quickly_again_by_a_new_triggerer() -> None:
    _, clock, _ = run([state(2), state(3)], since=1000 - 7200)
    assert clock.pauses[0] >= 27


def drive(watch: Watch, clock: Clock, look: Callable[[Look], JobState], jitter: float = 0.0) -> Iterator[Look]:
    """Follow a job, and give each look before it is taken."""
    steps, reply = follow(watch, LOG, clock=clock, jitter=lambda: jitter), None
    while True:
        try:
            step = steps.send(reply)
        except StopIteration:
            return
        reply = None
        if isinstance(step, Look):
            yield step
            if step.seconds:
                clock.sleep(step.seconds)
            reply = look(step)
        elif isinstance(step, Ask):
            reply = AIHubNotFoundError("It has no pods.")


def seen_late(runs_for: float, *, interval: float, jitter: float, old: float) -> float:
    """Say how long after its end the end of a job was seen, where answers are as old as they may be, times ``old``."""
    clock, shares = Clock(), cycle((0.0, 0.99, 0.5))

    def look(step: Look) -> JobState:
        read_at = clock.now - old * next(shares) * step.max_age
        seen = state(3 if read_at - 1000.0 >= runs_for else 2)
        seen.read_at = read_at
        return seen

    for _ in drive(Watch(kind=TRAINING, job_id=12, since=1000.0, poll_interval=interval), clock, look, jitter):
        pass
    return clock.now - 1000.0 - runs_for


@pytest.mark.parametrize("jitter", [0.0, 0.37, 1.0])
@pytest.mark.parametrize("old", [0.0, 1.0], ids=["one by one", "in pages"])
@pytest.mark.parametrize("interval", [30.0, 300.0])
def test_the_end_of_a_job_is_seen_soon(interval: float, old: float, jitter: float) -> None:
    for step in range(0, 170, 3):
        runs_for = 1.07**step
        late = seen_late(runs_for, interval=interval, jitter=jitter, old=old)
        assert late <= max(1.9, min(runs_for / 10, interval)) + 1e-6


def test_what_was_read_for_others_counts_as_a_poll() -> None:
    clock, read = Clock(), [1000.0]

    def look(step: Look) -> JobState:
        read.append(clock.now - step.max_age)
        seen = state(2)
        seen.read_at = read[-1]
        return seen

    for _, _ in zip(range(20), drive(Watch(kind=TRAINING, job_id=12, since=1000.0), clock, look), strict=False):
        assert clock.now == 1000.0 or clock.now - read[-2] >= POLL_FLOOR - 1e-9


@pytest.mark.parametrize(("age", "longest"), [(0.0, 1.7), (60.0, 5.5), (86400.0, 10.0)])
def test_jobs_that_are_taken_up_together_are_first_polled_one_after_another(age: float, longest: float) -> None:
    watch = Watch(kind=TRAINING, job_id=12, since=1000.0 - age)
    starts = [watch.head_start(1000.0, lambda share=n / 100: share) for n in range(101)]  # type: ignore[misc]
    assert min(starts) == 0
    assert max(starts) == pytest.approx(longest, abs=0.1)
    assert starts == sorted(set(starts))


def test_the_last_look_before_the_deadline_is_a_fresh_one() -> None:
    clock = Clock()
    watch = Watch(kind=TRAINING, job_id=12, since=-10_000.0, deadline=1100.0)
    ages = []

    def look(step: Look) -> JobState:
        ages.append(step.max_age)
        return state(2)

    for _ in drive(watch, clock, look):
        pass
    assert clock.now == 1100.0
    assert ages[-1] == 0.0
    assert min(ages[:-1]) > 10


@pytest.mark.parametrize(
    "reply",
    [
        state(1),
        state(2),
        state(9),
        unavailable(),
        unavailable(0.0),
        AIHubBadAnswerError("It was HTML."),
        AIHubAuthError("It refused."),
        AIHubNotFoundError("It is gone."),
    ],
)
def test_nothing_is_polled_faster_than_the_floor(reply: JobState | AIHubError) -> None:
    _, _, looked = run([reply], poll_interval=0.01, deadline=1500.0)
    steps = [later - earlier for earlier, later in pairwise(looked)]
    # The last look before the deadline or the end of the tolerance may come earlier.
    assert min(steps[:-1]) >= POLL_FLOOR


def test_a_failed_poll_is_no_failed_job(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    waited, _, looked = run([state(2), *[unavailable()] * 5, state(2), state(3)])
    assert waited.outcome is Outcome.ENDED
    assert len(looked) == 8
    assert len([r for r in caplog.records if r.levelno == logging.WARNING]) == 1
    assert any("answers again" in r.getMessage() for r in caplog.records)


def test_polls_that_fail_for_longer_than_the_tolerance_end_the_waiting() -> None:
    error = unavailable()
    waited, clock, _ = run([state(2), error], poll_tolerance=600.0)
    assert waited.outcome is Outcome.UNREADABLE
    assert waited.error is error
    assert waited.state is not None
    assert waited.state.status == 2
    assert 600 <= clock.now - 1000 <= 700


def test_a_good_poll_starts_the_tolerance_anew() -> None:
    replies = ([unavailable()] * 8 + [state(2)]) * 5 + [state(3)]
    waited, clock, _ = run(replies, poll_tolerance=400.0)
    assert waited.outcome is Outcome.ENDED
    assert clock.now - 1000 > 400


def test_a_job_that_is_gone_is_not_waited_for_as_long() -> None:
    waited, clock, _ = run([AIHubNotFoundError("It is gone.")], poll_tolerance=900.0)
    assert waited.outcome is Outcome.UNREADABLE
    assert GONE_TOLERANCE <= clock.now - 1000 < 2 * GONE_TOLERANCE


def test_retry_after_is_honoured() -> None:
    _, clock, _ = run([unavailable(120.0), state(3)])
    assert clock.pauses[0] >= 120


def test_the_deadline_ends_the_waiting_after_a_last_look() -> None:
    waited, clock, looked = run([state(2)], deadline=1100.0)
    assert waited.outcome is Outcome.DEADLINE
    assert clock.now == pytest.approx(1100.0)
    assert looked[-1] == pytest.approx(1100.0)


def test_a_job_that_ends_at_its_deadline_has_ended() -> None:
    clock = Clock()
    watch = Watch(kind=TRAINING, job_id=12, since=1000.0, deadline=1100.0)
    waited = wait(lambda: state(3 if clock.now >= 1100 else 2), watch, LOG, sleep=clock.sleep, clock=clock)
    assert waited.outcome is Outcome.ENDED


def test_a_status_that_goes_backwards_or_is_unknown_is_in_progress(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    waited, _, _ = run([state(2), state(1), state(9), state(9), state(2), state(3)])
    assert waited.outcome is Outcome.ENDED
    assert len([r for r in caplog.records if "status 9" in r.getMessage()]) == 1


def test_the_log_tells_changes_and_signs_of_life_only(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    _, clock, looked = run([state(1), *[state(2)] * 100, state(3)])
    told = [r.getMessage() for r in caplog.records]
    assert len(looked) > 100
    assert sum("is running" in line for line in told) == 1
    still = sum("is still running" in line for line in told)
    assert 0 < still <= (clock.now - 1000) / UNCHANGED_INTERVAL
    assert len(told) == still + 3


def test_both_ways_of_waiting_are_the_same() -> None:
    clock = Clock()
    replies = iter([state(1), unavailable(), state(2), state(3)])

    async def look(step: Look) -> JobState | AIHubError:
        assert step.max_age == pytest.approx(POLL_FLOOR / 2)
        if step.seconds:
            clock.sleep(step.seconds)
        return next(replies)

    watch = Watch(kind=TRAINING, job_id=12, since=1000.0)
    waited = asyncio.run(wait_async(look, watch, LOG, clock=clock))
    assert waited.outcome is Outcome.ENDED
    assert len(clock.pauses) == 3


RUNS = Part(key="1", name="master", state="Running", place="node-1")


def calm(parts: list[Part], **watch: float | bool) -> list[Look]:
    """Follow a training that is seen to run, and give the looks that follow the first."""
    waiting = follow(Watch(kind=TRAINING, job_id=12, since=900.0, **watch), LOG, clock=lambda: 1000.0)
    reply: object = None
    looks = []
    for _ in range(20):
        step = waiting.send(reply)
        reply = {Look: state(2), Ask: parts}.get(type(step))
        if isinstance(step, Look) and step.seconds:
            looks.append(step)
    assert len(looks) >= 3
    return looks


def test_where_only_another_status_is_news_the_look_says_so() -> None:
    assert {(look.status, look.calm_until, look.deadline) for look in calm([RUNS])} == {
        (2, 1000 + UNCHANGED_INTERVAL, None)
    }
    assert {look.status for look in calm([RUNS], backoff=1.0)} == {2}
    soon = calm([RUNS], deadline=1100.0)
    assert {(look.status, look.calm_until, look.deadline) for look in soon} == {(2, 1000 + UNCHANGED_INTERVAL, 1100.0)}


@pytest.mark.parametrize(("parts", "watch"), [([], {}), ([RUNS], {"stream_logs": True}), ([RUNS], {"backoff": 2.0})])
def test_where_each_look_may_show_something_new_none_is_put_off(
    parts: list[Part], watch: dict[str, float | bool]
) -> None:
    assert {look.status for look in calm(parts, **watch)} == {None}


def test_what_goes_wrong_with_the_telling_does_not_end_the_waiting(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> Iterator[None]:
        raise RuntimeError("http://files/secret-signature")
        yield

    monkeypatch.setattr(PartLogs, "follow", fail)
    waited, _, looked = run([state(2), state(2), state(3)], stream_logs=True)
    assert waited.outcome is Outcome.ENDED
    assert len(looked) == 3
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1
    assert "secret" not in caplog.text


@pytest.mark.parametrize("asked_for", [86_400.0, float("inf")])
def test_a_server_that_asks_for_a_day_is_asked_again_sooner(asked_for: float) -> None:
    _, clock, _ = run([unavailable(asked_for), state(3)])
    assert clock.pauses[0] <= LONGEST_RETRY_AFTER * 1.1


async def test_a_look_that_hangs_does_not_move_the_deadline() -> None:
    async def hang(_: Look) -> JobState:
        await asyncio.sleep(3600)
        raise AssertionError("waited for an hour")

    began = time.time()
    watch = Watch(kind=TRAINING, job_id=12, since=began, deadline=began + 0.2)
    waited = await asyncio.wait_for(wait_async(hang, watch, LOG), 60)
    assert waited.outcome is Outcome.DEADLINE


async def test_whatever_a_look_raises_is_a_failed_poll() -> None:
    now = 1000.0

    async def fail(step: Look) -> JobState:
        nonlocal now
        now += step.seconds
        raise ValueError("Invalid IPv6 URL")

    watch = Watch(kind=TRAINING, job_id=12, since=now)
    waited = await wait_async(fail, watch, LOG, clock=lambda: now)
    assert waited.outcome is Outcome.UNREADABLE
    assert "ValueError" in str(waited.error)
    assert "IPv6" not in str(waited.error)
