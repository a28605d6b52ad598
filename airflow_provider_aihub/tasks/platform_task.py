"""The base of all operators and sensors of a platform: its hook, its kind of job, and links to its web pages."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_aihub.tasks.links import link_to_page

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_aihub.http.errors import RemoteJobError
    from airflow_provider_aihub.jobs.kind import JobId, JobKind, JobState
    from airflow_provider_aihub.jobs.platform import Platform


class PlatformTask:
    """An operator or a sensor of a platform."""

    platform_key: ClassVar[str]
    """Key of the platform, see :func:`~airflow_provider_aihub.jobs.platform.platform_of`."""
    kind: ClassVar[str]
    """Name of the kind of job that it is about."""
    log: Any

    @cached_property
    @abstractmethod
    def hook(self) -> Any:
        """The hook of the task's connection."""

    @property
    def conn_field(self) -> str:
        """Name of the parameter for the connection: ``<key of the platform>_conn_id``."""
        return f"{self.platform.key}_conn_id"

    @property
    def platform(self) -> Platform:
        """The platform."""
        from airflow_provider_aihub.jobs.platform import platform_of

        return platform_of(self.platform_key)

    @property
    def job_kind(self) -> JobKind:
        """The kind of job."""
        return self.platform.kinds[self.kind]

    def look(self, job_id: JobId) -> JobState | RemoteJobError:
        """Read a job once. Return its state, or the error: a failed poll does not mean a failed job."""
        from airflow_provider_aihub.http.errors import RemoteJobError
        from airflow_provider_aihub.jobs.errands import POLL_POLICY

        try:
            state: JobState = self.hook.get_conn().send(self.job_kind.look(job_id), policy=POLL_POLICY)
        except RemoteJobError as error:
            return error
        return state

    def link_to(self, context: Context, thing: int | str, kind: str | None = None, *, resumed: bool = False) -> None:
        """Link the task to the web page of a thing, such as a job or a dataset.

        :param thing: Its id; its name if it has no id.
        :param kind: Kind of the page, such as ``training``. Default: :attr:`kind`.
        :param resumed: Whether the task was deferred before in the same try.
        """
        link_to_page(
            self,
            context,
            self.platform.page_link,
            lambda: self.hook.get_conn().config.page(kind or self.kind, thing),
            resumed=resumed,
        )
