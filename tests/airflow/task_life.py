"""A task instance through its tries, without a scheduler: worker and triggerer in one process."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.sdk import TaskDeferred, timezone
from waiting import until

from airflow_provider_aihub.http.errors import RemoteJobError
from airflow_provider_aihub.operators.base import JobOperator
from airflow_provider_aihub.sensors.base import JobSensor
from airflow_provider_aihub.tasks.failures import section
from airflow_provider_aihub.triggers.job import JobTrigger


def said(error: RemoteJobError) -> str:
    """The message of an error that has left a task, without the address of its section in the documentation."""
    message, _, where = str(error).rpartition(" See ")
    assert where == f"{section(type(error))} of airflow-provider-aihub."
    return message


class Store:
    """Airflow's task state store, in memory; it takes what Airflow's would."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.history: list[str] = []

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any) -> None:
        self.values[key] = json.dumps(value)
        self.history.append(value["state"])

    def delete(self, key: str) -> None:
        self.values.pop(key, None)
        self.history.append("deleted")


class TaskInstance:
    """What a task's code sees of its task instance."""

    newest: ClassVar[dict[str, TaskInstance]] = {}
    """By task id."""

    def __init__(self, task_id: str, map_index: int = -1) -> None:
        self.newest[task_id] = self
        self.dag_id, self.run_id, self.task_id, self.map_index = "dag", "manual__1", task_id, map_index
        self.try_number = 0
        self.max_tries = 0
        self.xcoms: dict[str, Any] = {}
        self.earlier: dict[str, Any] = {}
        """Those of the newest run before this one."""
        self.first_reschedule_date: Any = None

    def get_first_reschedule_date(self, context: Any) -> Any:
        return self.first_reschedule_date

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = json.loads(json.dumps(value))

    def xcom_pull(
        self, *, task_ids: str, key: str = "return_value", map_indexes: int, include_prior_dates: bool = False
    ) -> Any:
        assert (task_ids, map_indexes) == (self.task_id, self.map_index)
        return self.xcoms.get(key, self.earlier.get(key) if include_prior_dates else None)


class TaskLife:
    """Runs an operator's tries, each from a new instance, as Airflow does.

    :param make: Makes the operator.
    :param remembers: Whether Airflow has a task state store (3.3).
    """

    def __init__(
        self, make: Callable[[], JobOperator | JobSensor], *, remembers: bool = True, map_index: int = -1
    ) -> None:
        self.make = make
        self.store = Store() if remembers else None
        self.began = timezone.utcnow()
        task = make()
        self.ti = TaskInstance(task.task_id, map_index)
        self.ti.max_tries = self.retries = task.retries
        self.deferrals = 0
        self.reschedules = 0
        self.rescheduled_in_try = 0

    @property
    def context(self) -> Any:
        context: dict[str, Any] = {
            "ti": self.ti,
            "task": SimpleNamespace(retries=self.retries),
            "dag_run": SimpleNamespace(start_date=self.began),
            "task_reschedule_count": self.rescheduled_in_try,
        }
        if self.store is not None:
            context["task_state_store"] = self.store
        return context

    def start(self) -> Any:
        """Begin a try; gives the result, or the trigger that the task has deferred to."""
        self.ti.try_number += 1
        self.rescheduled_in_try = 0
        began = timezone.utcnow()
        while True:
            self.ti.xcoms.clear()
            try:
                return self.make().execute(self.context)
            except TaskDeferred as deferred:
                return self._deferred(deferred)
            except AirflowRescheduleException as reschedule:
                self.reschedules += 1
                self.rescheduled_in_try += 1
                self.ti.first_reschedule_date = self.ti.first_reschedule_date or began
                time.sleep(max(0.0, (reschedule.reschedule_date - timezone.utcnow()).total_seconds()))

    def try_once(self) -> Any:
        """Run a try to its end, through the triggerer if it defers."""
        came = self.start()
        while isinstance(came, JobTrigger):
            came = self.resume(came)
        return came

    def resume(self, trigger: JobTrigger) -> Any:
        """Let the trigger run and the task go on."""
        event = asyncio.run(self._event(trigger))
        json.dumps(event)
        try:
            return self.make().execute_complete(self.context, event)
        except TaskDeferred as deferred:
            return self._deferred(deferred)

    def _deferred(self, deferred: TaskDeferred) -> JobTrigger:
        self.deferrals += 1
        assert deferred.method_name == "execute_complete"
        assert not deferred.kwargs
        assert isinstance(deferred.trigger, JobTrigger)
        return deferred.trigger

    def clear(self) -> None:
        """Clear the task, as a person does in the UI."""
        self.ti.max_tries = self.ti.try_number + self.retries

    @staticmethod
    async def _event(trigger: JobTrigger) -> Any:
        path, arguments = trigger.serialize()
        assert path == f"{JobTrigger.__module__}.{JobTrigger.__name__}"
        again = JobTrigger(**json.loads(json.dumps(arguments)))
        again.trigger_id = 1
        events = [event async for event in again.run()]
        assert len(events) == 1
        return events[0].payload


def stopped(read: Callable[[], Any]) -> Any:
    """Return a job once it is stopped: AIHub takes a request to stop one before it is over.

    :param read: Reads the job.
    """
    return until("the job has the status 5, stopped", read, lambda job: job.status == 5)


def gone() -> BaseException:
    """What Airflow 3 raises for a try that is not the task's any more."""
    comms = pytest.importorskip("airflow.sdk.execution_time.comms", reason="Airflow 2 has no task state store")
    exceptions = pytest.importorskip("airflow.sdk.exceptions", reason="Airflow 2 has no task state store")
    response = comms.ErrorResponse(error=exceptions.ErrorType.API_SERVER_ERROR, detail={"status_code": 404})
    error: BaseException = exceptions.AirflowRuntimeError(response)
    return error
