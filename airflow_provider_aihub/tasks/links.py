"""Links from a task in Airflow to what it is about on AIHub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperatorLink
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_aihub.jobs.beside import beside
from airflow_provider_aihub.tasks import own_xcoms

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context, TaskInstanceKey

    from airflow_provider_aihub.aihub.config import Config
    from airflow_provider_aihub.hooks.aihub import AIHubHook
    from airflow_provider_aihub.jobs.waiting import Log


class TaskLink(BaseOperatorLink):
    """A link whose address the task puts into XCom as soon as it is known.

    So it works while the job runs, deferred or not, and after it has ended. Airflow 3 reads the XCom without this
    class, and writes what this class gives to it at the end of each run of a worker; Airflow 2.11 asks this class.
    When a task is tried again, Airflow clears its XComs: the link is the newest try's, and the address of an earlier
    try's job is in that try's log.
    """

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002 - Airflow's signature
        """Give the address, or an empty text where the task has none; AIHub is not asked."""
        return own_xcoms.get(ti_key, self.xcom_key) or ""


class ViewInAIHubLink(TaskLink):
    """*View in AIHub*: the page of the job, or of whatever else the task is about."""

    name = "View in AIHub"
    xcom_key = "_link_ViewInAIHubLink"


class ResultCsvLink(TaskLink):
    """*Result CSV*: the result of a search, once it has succeeded."""

    name = "Result CSV"
    xcom_key = "_link_ResultCsvLink"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Give the address, or an empty text where the task has none.

        Airflow 3 asks in the process that has run the task, also when that has only deferred it, and an XCom that is
        not there yet would be an error in its log.
        """
        if AIRFLOW_V_3_0_PLUS:
            return str(getattr(operator, "_result_link", ""))
        return super().get_link(operator, ti_key=ti_key)


def link_to_page(
    context: Context, hook: AIHubHook, kind: str, thing: int | str, log: Log, *, resumed: bool = False
) -> None:
    """Let the task's *View in AIHub* lead to a thing's page, and tell its address in the log, once in a try.

    Nothing is done where the connection has no web UI.

    :param kind: Kind of thing, a key of :data:`~airflow_provider_aihub.aihub.web.PAGES`.
    :param thing: Its id; its name where it has no other.
    :param resumed: Whether the task was deferred before in the same try, and so may have the link already. To ask for
        an XCom that is not there would put an error into the task's log.
    """
    ti, key = context["ti"], ViewInAIHubLink.xcom_key
    with beside(log, "its link to AIHub"):
        address = hook.get_conn().config.page(kind, thing)
        if address is None or (resumed and own_xcoms.get(ti, key) == address):
            return
        own_xcoms.put(ti, key, address)
        # A sensor in mode reschedule begins anew for every look, within one log.
        if not context.get("task_reschedule_count"):
            log.info("View it at %s", address)


async def link_in_triggerer(task_instance: Any, config: Config | None, kind: str, thing: int | str, log: Log) -> None:
    """Do what :func:`link_to_page` does, for a task that the scheduler has started in the triggerer.

    Where that cannot be done, the task has its link once a worker ends it.

    :param task_instance: What the triggerer gave the trigger.
    """
    from asgiref.sync import sync_to_async

    from airflow_provider_aihub.triggers.cancellation import undisturbed

    with beside(log, "its link to AIHub until a worker ends it"):
        address = config.page(kind, thing) if config else None
        if address is None:
            return
        log.info("View it at %s", address)
        # Airflow has asynchronous calls for this in its latest versions only.
        await undisturbed(sync_to_async(own_xcoms.put)(task_instance, ViewInAIHubLink.xcom_key, address))


def link_to_result(context: Context, operator: Any, result_url: str) -> None:
    """Let the task's *Result CSV* lead to the result of a search.

    :param operator: The one that ends the task.
    :param result_url: Its address, as AIHub tells it. Only a web address becomes a link that people click on.
    """
    if result_url.startswith(("http://", "https://")):
        operator._result_link = result_url
        with beside(operator.log, "its link to the result"):
            own_xcoms.put(context["ti"], ResultCsvLink.xcom_key, result_url)
