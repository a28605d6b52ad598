"""Sensors: tasks that wait for a job of somebody else's, in every mode."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from functools import cache
from typing import Any, Final, TypeVar

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout, TaskDeferred

from airflow_provider_aihub.http.errors import RemoteJobError
from airflow_provider_aihub.jobs.errors import JobFailed
from airflow_provider_aihub.jobs.time_limit import too_late

from .airflow import AFTER, BEFORE, HEARTBEAT, LOG, Blocking, kept
from .lives import KILLS, LONGEST, Life
from .platforms import Kind
from .server import FAILED, SUCCESS

T = TypeVar("T")
POKE_INTERVAL: Final = 5.0


@cache
def sensor(kind: Kind, deferrable: bool, timeout: float | None, named: tuple[tuple[str, Any], ...]) -> Any:
    """Return a sensor, made and checked once."""
    maker = kind.sensor
    quiet = type(maker.__name__, (maker,), {"log": LOG, "__module__": maker.__module__})
    given = {**kind.sensed, **dict(named), "timeout": timeout or 10**6}
    made = quiet(task_id="task", deferrable=deferrable, poke_interval=POKE_INTERVAL, **given)
    assert made.options.deferrable is deferrable
    return made


class Poking(Blocking):
    """A worker that runs a sensor."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        # There is no machinery of Airflow's to keep a link.
        own = {
            "_clock": self.clock,
            "_monotonic": self.clock,
            "_with_time_limit": self.with_time_limit,
            "_linked": True,
        }
        self.operator.__dict__.update(own)

    def with_time_limit(self, ask: Callable[[], T], timeout: float | None) -> T:
        """Ask something with a time limit, by the world's time."""
        began = self.world.now
        answer = ask()
        if timeout is not None and self.world.now - began > timeout:
            raise too_late()
        return answer

    def execute(self, event: Any = None) -> Iterator[bool]:
        """Run the sensor until it has deferred, or to its end."""
        yield BEFORE
        if event is None:
            result = self.operator.execute(self.context)
        else:
            result = self.operator.execute_complete(self.context, event)
        yield AFTER
        return result

    def poke(self, until: float, *, once: bool) -> Iterator[bool]:
        """Look until there is something to see, as Airflow's own ``execute`` does in a worker."""
        self.operator._until = until
        while True:
            yield BEFORE
            done = self.operator.poke(self.context)
            yield AFTER
            if done:
                return done.xcom_value
            if self.clock() > until:
                raise AirflowSensorTimeout("Sensor has timed out")
            if once:
                return None
            self.world.pass_time(POKE_INTERVAL)


class Sensing(Life):
    """A sensor, through all its tries."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.began = self.world.now

    def _template(self, kind: Kind) -> Any:
        history = self.history
        job = self.job = self.servers[0].upstream_job(kind.jobs or history.kind)
        named: Mapping[str, Any] = kind.named(job) if kind.named else {kind.sensor.job_field: job.id}
        if history.kind == "dataset_version" and not history.lists:
            named = {kind.sensor.job_field: f"digits/V{job.version}"}
        return sensor(kind, history.waits.startswith("deferred"), history.timeout, tuple(named.items()))

    def _try(self) -> Generator[None, None, tuple[str, Any]]:
        if not self.history.waits.startswith("deferred"):
            return (yield from self._poke())
        while True:
            self.task.state = "running"
            worker = self._process(Poking)
            came, value = yield from self._work(worker, worker.execute(self.task.resumes_with))
            if came != "cleared" or self.task.store is None:
                self.task.resumes_with = None
            if came != "deferred":
                return came, value
            self.task.defer()
            came, value = yield from self._wait(value)
            if came != "event":
                return came, value
            self.task.resumes_with = value

    def _poke(self) -> Generator[None, None, tuple[str, Any]]:
        once, until = self.history.waits == "rescheduled", self.world.now + (self.history.timeout or 10**6)
        while True:
            worker = self._process(Poking)
            came, value = yield from self._work(worker, worker.poke(until + worker.skew, once=once))
            if came != "success" or value is not None:
                return came, value
            self.world.pass_time(POKE_INTERVAL)

    def _work(self, worker: Any, running: Iterator[Any]) -> Generator[None, None, tuple[str, Any]]:
        while True:
            try:
                point = next(running)
            except StopIteration as end:
                return "success", end.value
            except TaskDeferred as deferred:
                return "deferred", kept(deferred)
            except (AirflowFailException, AirflowSensorTimeout) as error:
                return "failed", error
            except RemoteJobError as error:
                return "retry", error
            self.points += point is BEFORE
            if self.points >= LONGEST:
                return "endless", None
            yield
            self._come_to(point)
            blow = self._blow(point)
            if blow is None:
                continue
            if blow.what in ("kill", "freeze"):
                self.world.pass_time(HEARTBEAT)
                return "retry", None
            if blow.what == "timeout":
                return "retry", None
            if blow.what in KILLS:
                return KILLS[blow.what], None

    def judged(self) -> Iterator[str]:
        """Find what is wrong with how it ended."""
        job, error = self.job, self.error
        status = job.status(self.ended_at)
        if self.state == "endless":
            yield "endless: it has no end"
        if job.stop_asked:
            yield f"stranger: {job.kind} {job.id} was stopped by a sensor"
        if self.state == "success" and (status != SUCCESS or self.result["id"] != job.id):
            yield f"wrong result: {self.result} of a job in status {status}"
        if isinstance(error, JobFailed) and status != FAILED:
            yield f"wrong result: {error} of a job in status {status}"
        if isinstance(error, AirflowSensorTimeout):
            timeout = self.history.timeout or 10**6
            if self.ended_at - self.epochs[-1] < timeout - abs(self.history.skew):
                yield f"wrong result: a timeout after {self.ended_at - self.began:.1f} s"
