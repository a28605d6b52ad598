"""Links from a task in Airflow to what it is about on its platform."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperatorLink

from airflow_provider_aihub.jobs.best_effort import best_effort
from airflow_provider_aihub.tasks import own_xcoms

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context, TaskInstanceKey

    from airflow_provider_aihub.jobs.waiting import Log


class TaskLink(BaseOperatorLink):
    """A link whose address the task puts into XCom as soon as it is known.

    So the link works while the job runs, deferred or not, and after it has ended. Airflow 2.11 asks this class for the
    address. Airflow 3 reads the XCom itself; at the end of each process of the task it calls this class and saves the
    result. (If this class asked for a missing XCom then, the log would show a second error below that of the task.)
    Airflow clears the XComs of a task before it is tried again, so the link is that of the newest try; the addresses of
    earlier jobs are in the logs of their tries.
    """

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address, or an empty text where the task has none; the platform is not asked."""
        of_try, address = getattr(operator, "_page_of_try", (None, ""))
        if of_try == _try_of(ti_key):
            return str(address)
        return (own_xcoms.get(ti_key, self.xcom_key) or "") if _may_have_xcoms(ti_key) else ""


def _try_of(ti: Any) -> tuple[Any, ...]:
    """Return an id of the try: ``DAG.test()`` uses the same operator objects for several runs and tries."""
    return getattr(ti, "run_id", None), getattr(ti, "map_index", None), getattr(ti, "try_number", None)


def _may_have_xcoms(ti: Any) -> bool:
    """Whether an earlier process of the same try may have set XComs; false if Airflow 3 has begun the try here."""
    begun = getattr(ti, "_ti_context_from_server", None)
    return begun is None or bool(begun.next_method)


def link_to_page(
    operator: Any, context: Context, key: str, address: Callable[[], str | None], *, resumed: bool = False
) -> None:
    """Set the address of one of the task's links, and log it, once in a try.

    :param operator: The operator of the task.
    :param key: Key of the link's XCom.
    :param address: Returns the address; ``None`` if the connection has no web UI. Then nothing is done.
    :param resumed: Whether the task was deferred before in the same try, so that the XCom may exist already. Otherwise
        it is not read, since reading a missing XCom puts an error into the task's log.
    """
    ti = context["ti"]
    with best_effort(operator.log, "its link"):
        page = address()
        if page is None:
            return
        operator._page_of_try = _try_of(ti), page
        if resumed and own_xcoms.get(ti, key) == page:
            return
        own_xcoms.put(ti, key, page)
        # A sensor in mode reschedule begins anew for every look, within one log.
        if not context.get("task_reschedule_count"):
            operator.log.info("View it at %s", page)


async def link_in_triggerer(task_instance: Any, key: str, address: Callable[[], str | None], log: Log) -> None:
    """Do the same as :func:`link_to_page` for a task that the scheduler has started in the triggerer.

    If that fails, the task has no link until it resumes in a worker.

    :param task_instance: ``task_instance`` of the trigger.
    """
    from asgiref.sync import sync_to_async

    from airflow_provider_aihub.triggers.cancellation import shielded

    with best_effort(log, "its link until a worker ends it"):
        page = address()
        if page is None:
            return
        log.info("View it at %s", page)
        # Airflow has asynchronous calls for this in its latest versions only.
        await shielded(sync_to_async(own_xcoms.put)(task_instance, key, page))
