"""The hook: an Airflow connection of type ``modelarts``, and every endpoint of ModelArts as a typed method."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_aihub.hooks.form import form_widgets
from airflow_provider_aihub.jobs.waiting import POLL_POLICY
from airflow_provider_aihub.modelarts.client import ModelArtsClient
from airflow_provider_aihub.modelarts.config import Config, config_from, unknown_fields
from airflow_provider_aihub.modelarts.endpoints import Endpoints
from airflow_provider_aihub.modelarts.errors import ModelArtsError
from airflow_provider_aihub.provider_info import MODELARTS_FIELDS, MODELARTS_FORM
from airflow_provider_aihub.tasks.uninterrupted import uninterrupted

if TYPE_CHECKING:
    from airflow_provider_aihub.http.request import Request
    from airflow_provider_aihub.http.retry import RetryPolicy
    from airflow_provider_aihub.jobs.kind import JobId, JobKind, JobState

T = TypeVar("T")

TEST_TIMEOUT = 10.0
"""Seconds that the test of a connection waits for an answer: a person is waiting, too."""


class ModelArtsHook(Endpoints, BaseHook):
    """Calls ModelArts with what an Airflow connection says, blocking.

    Every endpoint is a method: ``hook.get_training_job("2cd8...")``, ``hook.create_training_job(spec)``. They raise
    :class:`~airflow_provider_aihub.modelarts.errors.ModelArtsError` and its kinds. The same methods, to be awaited, are
    those of :class:`~airflow_provider_aihub.modelarts.client.AsyncModelArtsClient`.

    :param modelarts_conn_id: Id of a connection of type ``modelarts``. Default: ``modelarts_default``.
    """

    conn_name_attr = "modelarts_conn_id"
    default_conn_name = "modelarts_default"
    conn_type = "modelarts"
    hook_name = "Huawei Cloud ModelArts"

    def __init__(self, modelarts_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.modelarts_conn_id = modelarts_conn_id
        self._client: ModelArtsClient | None = None

    def get_conn(self) -> ModelArtsClient:
        """Give the client that carries out this hook's calls; one for the life of the hook."""
        if self._client is None:
            # To read what is in extra tells Airflow what to mask, which is a call, too.
            self._client = ModelArtsClient(uninterrupted(self._config))
        return self._client

    def _config(self) -> Config:
        connection = self.get_connection(self.modelarts_conn_id)
        return config_from(connection, connection.extra_dejson)

    def send(self, request: Request[T], *, policy: RetryPolicy | None = None) -> T:
        """Carry out one request.

        :param policy: How long to keep trying. Default: five attempts.
        :raises ModelArtsError: In one of its kinds, see :mod:`airflow_provider_aihub.modelarts.errors`.
        """
        return self.get_conn().send(request, policy=policy)

    def look(self, kind: JobKind, job_id: JobId) -> JobState | ModelArtsError:
        """Read a job once; the error that came instead is returned, since a failed poll is no failed job."""
        try:
            return kind.state(job_id, self.send(kind.read(job_id), policy=POLL_POLICY))
        except ModelArtsError as error:
            return error

    def download(self, url: str, target: BinaryIO) -> int:
        """Stream a file, such as a log, into ``target`` and give its size in bytes.

        :param url: Such as :meth:`get_training_job_log_url` gives. No key or token goes along to another origin.
        :raises ModelArtsError: In one of its kinds.
        """
        return self.get_conn().download(url, target)

    def test_connection(self) -> tuple[bool, str]:
        """List one training job and say that it went well, or what is wrong; the *Test* button of Airflow's UI."""
        try:
            connection = self.get_connection(self.modelarts_conn_id)
        except AirflowNotFoundException as error:
            return False, str(error)
        extra = connection.extra_dejson
        unknown = unknown_fields(extra) if isinstance(extra, dict) else ""
        try:
            config = config_from(connection, extra)
            config = replace(config, timeout=min(config.timeout, TEST_TIMEOUT))
            with ModelArtsClient(config, policy=POLL_POLICY) as client:
                client.search_training_jobs(limit=1)
            how = "signatures" if config.signs else "the token of the IAM user"
            said = True, f"ModelArts takes {how} and lists the training jobs of workspace {config.workspace_id}."
        except ModelArtsError as error:
            said = False, str(error)
        return (said[0], f"{said[1]} {unknown}") if unknown else said

    def close(self) -> None:
        """Close the connections to ModelArts."""
        if self._client is not None:
            self._client.close()
            self._client = None

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Build the form of the connection for Airflow before 3.2, from the same table as the declarative one."""
        return form_widgets(MODELARTS_FIELDS)

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Say how the standard fields of the form look for Airflow before 3.2."""
        return {key.replace("-", "_"): value for key, value in MODELARTS_FORM.items()}
