"""The hook: an Airflow connection of type ``aihub``, and every endpoint of AIHub as a typed method."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_aihub.aihub import (
    data_warehouse,
    dataset_management,
    model_training,
    quota_schedule,
    tag_system,
    workflow_center,
)
from airflow_provider_aihub.aihub.client import AIHubClient
from airflow_provider_aihub.aihub.config import Config, config_from, unknown_fields
from airflow_provider_aihub.aihub.endpoints import Endpoints
from airflow_provider_aihub.aihub.errors import AIHubConfigError, AIHubError, AIHubRejectedError
from airflow_provider_aihub.hooks.form import form_widgets
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.jobs.waiting import POLL_POLICY
from airflow_provider_aihub.lineage import tell_collector
from airflow_provider_aihub.provider_info import CONN_FIELDS, UI_FIELD_BEHAVIOUR
from airflow_provider_aihub.tasks.uninterrupted import uninterrupted

if TYPE_CHECKING:
    from airflow_provider_aihub.http.retry import RetryPolicy
    from airflow_provider_aihub.jobs.kind import JobId, JobKind, JobState

T = TypeVar("T")

TEST_TIMEOUT = 10.0
"""Seconds that the test of a connection waits for an answer: a person is waiting, too."""


def _token_taker(client: AIHubClient) -> str:
    """Show the token to the first service whose address is known, and return that service.

    :raises AIHubError: It does not take it.
    """
    reads: tuple[Request[Any], ...] = (
        model_training.list_storages(),
        data_warehouse.get_search(1),
        quota_schedule.get_quota_task(1),
        workflow_center.get_workflow_run(1),
        dataset_management.get_dataset_version_by_name("test/V1"),
        tag_system.list_virtual_clusters(1, tag_system.ModuleType.TRAINING),
    )
    for request in reads:
        if request.service in client.config.addresses:
            try:
                client.send(request)
            except AIHubRejectedError as error:
                # There may well be nothing with the id 1; but it was AIHub that said so.
                if error.code is None:
                    raise
            return request.service
    known = " and ".join(client.config.addresses)
    if known:
        raise AIHubConfigError(
            f"The connection says where AIHub's {known} is, where a token cannot be tried without changing something; "
            "fill in the base URL or an environment, or see whether a task can do its work."
        )
    raise AIHubConfigError("The connection does not say where AIHub is; fill in the base URL or an environment.")


class AIHubHook(Endpoints, BaseHook):
    """Calls AIHub with what an Airflow connection says, blocking.

    Every endpoint is a method: ``hook.get_training(12)``, ``hook.create_dataset(spec)``. They raise
    :class:`~airflow_provider_aihub.aihub.errors.AIHubError` and its kinds.

    :param aihub_conn_id: Id of a connection of type ``aihub``. Default: ``aihub_default``.
    """

    conn_name_attr = "aihub_conn_id"
    default_conn_name = "aihub_default"
    conn_type = "aihub"
    hook_name = "AIHub"

    def __init__(self, aihub_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.aihub_conn_id = aihub_conn_id
        self._client: AIHubClient | None = None

    def get_conn(self) -> AIHubClient:
        """Return the client that carries out this hook's calls; one for the life of the hook."""
        if self._client is None:
            # To read what is in extra tells Airflow what to mask, which is a call, too.
            self._client = AIHubClient(uninterrupted(self._config))
        return self._client

    def _config(self) -> Config:
        connection = self.get_connection(self.aihub_conn_id)
        return config_from(connection, connection.extra_dejson)

    @property
    def user_id(self) -> int | str | None:
        """Id of the user that the connection logs in as; ``None`` where its token does not say."""
        return self.get_conn().authenticate()

    def send(self, request: Request[T], *, policy: RetryPolicy | None = None) -> T:
        """Carry out one request.

        :param policy: How long to keep trying. Default: five attempts.
        :raises AIHubError: In one of its kinds, see :mod:`airflow_provider_aihub.aihub.errors`.
        """
        return self.get_conn().send(request, policy=policy)

    def look(self, kind: JobKind, job_id: JobId) -> JobState | AIHubError:
        """Read a job once; the error that came instead is returned, since a failed poll is no failed job."""
        try:
            return self.send(kind.look(job_id), policy=POLL_POLICY)
        except AIHubError as error:
            return error

    def download(self, url: str, target: BinaryIO) -> int:
        """Stream a file, such as a search's ``result_url``, into ``target`` and return its size in bytes.

        The token goes along only to an address of AIHub's own.

        :raises AIHubError: In one of its kinds.
        """
        size = self.get_conn().download(url, target)
        tell_collector(self, inputs=[url])
        return size

    def test_connection(self) -> tuple[bool, str]:
        """Log in and say who one is, or what is wrong; the *Test* button of Airflow's UI."""
        try:
            connection = self.get_connection(self.aihub_conn_id)
        except AirflowNotFoundException as error:
            return False, str(error)
        extra = connection.extra_dejson
        unknown = unknown_fields(extra) if isinstance(extra, dict) else ""
        try:
            said = True, self._said_by_test(config_from(connection, extra))
        except AIHubError as error:
            said = False, str(error)
        return (said[0], f"{said[1]} {unknown}") if unknown else said

    @staticmethod
    def _said_by_test(config: Config) -> str:
        config = replace(config, timeout=min(config.timeout, TEST_TIMEOUT))
        with AIHubClient(config, policy=POLL_POLICY) as client:
            if config.can_log_in:
                return f"Logged in to AIHub as user {client.authenticate()}."
            return f"AIHub's {_token_taker(client)} takes the token."

    def close(self) -> None:
        """Close the connections to AIHub."""
        if self._client is not None:
            self._client.close()
            self._client = None

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Build the form of the connection for Airflow before 3.2, from the same table as the declarative one."""
        return form_widgets(CONN_FIELDS)

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Say how the standard fields of the form look for Airflow before 3.2."""
        return {key.replace("-", "_"): value for key, value in UI_FIELD_BEHAVIOUR.items()}
