"""The base of operators that call AIHub and wait for no job."""

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
    """Make a call to AIHub that may be repeated.

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
        """Make the call. Return the task's return value: a small dict of JSON values.

        :param context: Airflow's context of the task.
        :raises AIHubError: One of its kinds, see :mod:`airflow_provider_aihub.aihub.errors`.
        """

    def execute(self, context: Context) -> dict[str, Any]:
        """Make the call.

        :raises AIHubError: One of its kinds, see :mod:`airflow_provider_aihub.aihub.errors`.
        """
        with task_failures(self.platform.errors):
            return self.call(context)
