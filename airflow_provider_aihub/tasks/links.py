"""Links from a task in Airflow to what it is about on its platform."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperatorLink

from airflow_provider_aihub.jobs.beside import beside
from airflow_provider_aihub.tasks import own_xcoms

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context, TaskInstanceKey

    from airflow_provider_aihub.jobs.waiting import Log


class TaskLink(BaseOperatorLink):
    """A link whose address the task puts into XCom as soon as it is known.

    So it works while the job runs, deferred or not, and after it has ended. Airflow 3 reads the XCom without this
    class, and writes what this class gives to it at the end of each run of a worker; Airflow 2.11 asks this class.
    When a task is tried again, Airflow clears its XComs: the link is the newest try's, and the address of an earlier
    try's job is in that try's log.
    """

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002 - Airflow's signature
        """Return the address, or an empty text where the task has none; the platform is not asked."""
        return own_xcoms.get(ti_key, self.xcom_key) or ""


def link_to_page(
    context: Context, key: str, address: Callable[[], str | None], log: Log, *, resumed: bool = False
) -> None:
    """Let a link of the task lead to a page, and tell its address in the log, once in a try.

    :param key: Key of the link's XCom.
    :param address: Gives the address; ``None`` where the connection has no web UI, and nothing is done.
    :param resumed: Whether the task was deferred before in the same try, and so may have the link already. To ask for
        an XCom that is not there would put an error into the task's log.
    """
    ti = context["ti"]
    with beside(log, "its link"):
        page = address()
        if page is None or (resumed and own_xcoms.get(ti, key) == page):
            return
        own_xcoms.put(ti, key, page)
        # A sensor in mode reschedule begins anew for every look, within one log.
        if not context.get("task_reschedule_count"):
            log.info("View it at %s", page)


async def link_in_triggerer(task_instance: Any, key: str, address: Callable[[], str | None], log: Log) -> None:
    """Do what :func:`link_to_page` does, for a task that the scheduler has started in the triggerer.

    Where that cannot be done, the task has its link once a worker ends it.

    :param task_instance: What the triggerer gave the trigger.
    """
    from asgiref.sync import sync_to_async

    from airflow_provider_aihub.triggers.cancellation import undisturbed

    with beside(log, "its link until a worker ends it"):
        page = address()
        if page is None:
            return
        log.info("View it at %s", page)
        # Airflow has asynchronous calls for this in its latest versions only.
        await undisturbed(sync_to_async(own_xcoms.put)(task_instance, key, page))
