"""Links from a task in Airflow to what it is about on its platform."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_aihub.jobs.best_effort import best_effort
from airflow_provider_aihub.tasks import own_xcoms
from airflow_provider_aihub.tasks.links import TaskLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context, TaskInstanceKey


class ViewInAIHubLink(TaskLink):
    """*View in AIHub*: the page of the job, or of whatever else the task is about."""

    name = "View in AIHub"
    xcom_key = "_link_ViewInAIHubLink"


class ViewInModelArtsLink(TaskLink):
    """*View in ModelArts*: the page of the job, or of whatever else the task is about."""

    name = "View in ModelArts"
    xcom_key = "_link_ViewInModelArtsLink"


class ResultCsvLink(TaskLink):
    """*Result CSV*: the result of a search, once it has succeeded."""

    name = "Result CSV"
    xcom_key = "_link_ResultCsvLink"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address, or an empty text where the task has none.

        Airflow 3 asks in the process that has run the task, also when that has only deferred it, and an XCom that is
        not there yet would be an error in its log.
        """
        if AIRFLOW_V_3_0_PLUS:
            return str(getattr(operator, "_result_link", ""))
        return super().get_link(operator, ti_key=ti_key)


def link_to_result(context: Context, operator: Any, result_url: str) -> None:
    """Let the task's *Result CSV* lead to the result of a search.

    :param operator: The one that ends the task.
    :param result_url: Its address, as AIHub tells it. Only a web address becomes a link that people click on.
    """
    if result_url.startswith(("http://", "https://")):
        operator._result_link = result_url
        with best_effort(operator.log, "its link to the result"):
            own_xcoms.put(context["ti"], ResultCsvLink.xcom_key, result_url)
