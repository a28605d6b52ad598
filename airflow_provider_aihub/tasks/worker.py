"""Carries out the steps of a life in a worker of Airflow."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_aihub.http.errors import RemoteJobError
from airflow_provider_aihub.http.retry import RetryPolicy
from airflow_provider_aihub.jobs.time_limit import with_time_limit
from airflow_provider_aihub.jobs.waiting import Ask, Fetch, Redact, WriteLines, as_remote_error
from airflow_provider_aihub.tasks.own_state import ENDED_BY_OTHERS, has_supervisor, state_of
from airflow_provider_aihub.tasks.steps import (
    Call,
    Do,
    Forget,
    Load,
    LogIn,
    Logins,
    Push,
    Refused,
    Save,
    ServerTime,
    Sleep,
    Steps,
    Wanted,
)
from airflow_provider_aihub.tasks.uninterrupted import uninterrupted

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_aihub.http.blocking import Client

T = TypeVar("T")

KILL_TIMEOUT = 3.0
"""Seconds to wait for an answer while the task is killed: Airflow gives a worker 5 seconds before SIGKILL."""
KILL_POLICY = RetryPolicy(attempts=2, first_pause=0.5)
SUPERSEDED = {404, 409, 410}
"""HTTP statuses by which Airflow's API answers that another try of the task has been started."""


class Worker:
    """Runs the generators of a life in a worker of Airflow.

    :param client: Returns the client of the task's connection.
    :param platform: Key of the platform.
    :param context: Airflow's context of the task.
    :param sleep: Waits for a number of seconds.
    """

    def __init__(
        self,
        client: Callable[[], Client],
        platform: str,
        context: Context,
        log: Any,
        *,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._client = client
        self._store: Any = context.get("task_state_store")
        self._key = f"{platform}_job"
        self._ti: Any = context["ti"]
        self._log = log
        self._sleep = sleep

    def run(self, steps: Steps[T]) -> T:
        """Run a generator to its end, and return its result."""
        reply: Any = None
        error: RemoteJobError | None = None
        while True:
            try:
                step = steps.send(reply) if error is None else steps.throw(error)
            except StopIteration as end:
                result: T = end.value
                return result
            reply = error = None
            is_errand = isinstance(step, Ask | Fetch | Redact)
            try:
                reply = self._done(step)
            except RemoteJobError as came:
                if is_errand:
                    reply = came
                else:
                    error = came
            except Exception as came:
                if not is_errand:
                    raise
                reply = as_remote_error(came)

    def _done(self, step: Any) -> Any:
        match step:
            case Call():
                return self._client().send(step.request)
            case Ask() | Fetch():
                return with_time_limit(partial(self._client().perform, step), step.timeout)
            case Redact():
                return self._client().perform(step)
            case WriteLines():
                for line in step.lines:
                    self._log.info("%s", line)
            case Sleep():
                return self._sleep(step.seconds)
            case LogIn():
                return self._client().authenticate()
            case Logins():
                return self._client().logins
            case ServerTime():
                return self._client().server_time
            case Load():
                return _call_airflow(lambda: self._store.get(self._key))
            case Save():
                return _call_airflow(lambda: self._store.set(self._key, step.entry.plain()))
            case Forget():
                refused = _call_airflow(lambda: self._store.delete(self._key))
                if refused:
                    self._log.warning("Airflow did not delete what it keeps of an earlier job: %s", refused.why)
            case Push():
                return _call_airflow(lambda: self._ti.xcom_push(key=step.key, value=step.value))
            case Wanted():
                # Airflow 2 defers a task whatever its state.
                state = _call_airflow(lambda: state_of(self._ti)) if has_supervisor() else None
                return isinstance(state, Refused) or state not in ENDED_BY_OTHERS
            case Do():
                return step.work()
        return None


def _call_airflow(ask: Callable[[], Any]) -> Any:
    """Call Airflow. Return its answer, or :class:`Refused`."""
    try:
        return uninterrupted(ask)
    except Exception as error:
        response = getattr(error, "error", None)
        detail = getattr(response, "detail", None)
        status = detail.get("status_code") if isinstance(detail, dict) else None
        return Refused(error, superseded=status in SUPERSEDED)
