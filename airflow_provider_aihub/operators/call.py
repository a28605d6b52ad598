"""A call of AIHub as a task, where nothing is submitted that would have to be taken up again."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_aihub.operators.base import AIHubTask
from airflow_provider_aihub.tasks.failures import task_failures

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperatorLink, Context


class CallOperator(AIHubTask, BaseOperator):
    """Ask AIHub for something that may be asked for again.

    :param aihub_conn_id: Connection of type ``aihub``. Default: ``aihub_default``.
    :param multiple_outputs: Whether each part of the result is an XCom of its own, too, so that ``task.output["id"]``
        is the id. Default: true.
    """

    template_fields: Sequence[str] = ("aihub_conn_id",)
    operator_extra_links: Collection[BaseOperatorLink] = ()
    ui_color = "#e6f4e1"

    def __init__(self, *, aihub_conn_id: str = "aihub_default", multiple_outputs: bool = True, **kwargs: Any) -> None:
        super().__init__(multiple_outputs=multiple_outputs, **kwargs)
        self.aihub_conn_id = aihub_conn_id

    @abstractmethod
    def call(self, context: Context) -> dict[str, Any]:
        """Do it, and return the task's return value: small, and JSON.

        :param context: Airflow's.
        :raises AIHubError: In one of its kinds, see :mod:`airflow_provider_aihub.aihub.errors`.
        """

    def execute(self, context: Context) -> dict[str, Any]:
        """Do it.

        :raises AIHubError: In one of its kinds, see :mod:`airflow_provider_aihub.aihub.errors`.
        """
        with task_failures(self.platform.errors):
            return self.call(context)
