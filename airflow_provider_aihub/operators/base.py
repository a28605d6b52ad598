"""The base classes of operators for AIHub that submit a job, and of all tasks for AIHub."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_aihub.lineage import HasLineage
from airflow_provider_aihub.links import ViewInAIHubLink
from airflow_provider_aihub.tasks.job_operator import RemoteJobOperator
from airflow_provider_aihub.tasks.platform_task import PlatformTask

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperatorLink

    from airflow_provider_aihub.hooks.aihub import AIHubHook


class AIHubTask(PlatformTask):
    """An operator or a sensor with a connection of type ``aihub``."""

    platform_key = "aihub"
    operator_extra_links: Collection[BaseOperatorLink] = (ViewInAIHubLink(),)
    aihub_conn_id: str

    @cached_property
    def hook(self) -> AIHubHook:
        """The hook of the task's connection."""
        from airflow_provider_aihub.hooks.aihub import AIHubHook

        return AIHubHook(self.aihub_conn_id)


class JobOperator(AIHubTask, HasLineage, RemoteJobOperator):
    """Submit a job to AIHub and wait for its end.

    :param aihub_conn_id: Connection of type ``aihub``. Default: ``aihub_default``.

    The remaining parameters are those of :class:`~airflow_provider_aihub.tasks.job_operator.RemoteJobOperator`.
    """

    template_fields: Sequence[str] = ("aihub_conn_id", *RemoteJobOperator.template_fields)
    ui_color = "#d9e7ff"

    def __init__(self, *, aihub_conn_id: str = "aihub_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.aihub_conn_id = aihub_conn_id
