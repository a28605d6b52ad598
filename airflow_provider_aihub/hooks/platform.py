"""What the hooks of all platforms have in common: an Airflow connection becomes a client."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Generic, TypeVar

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_aihub.hooks.form import form_widgets
from airflow_provider_aihub.http.blocking import Client
from airflow_provider_aihub.http.errors import RemoteJobError
from airflow_provider_aihub.jobs.waiting import POLL_POLICY
from airflow_provider_aihub.tasks.uninterrupted import uninterrupted

if TYPE_CHECKING:
    from airflow_provider_aihub.http.request import Request
    from airflow_provider_aihub.http.retry import RetryPolicy
    from airflow_provider_aihub.jobs.kind import JobId, JobKind, JobState

T = TypeVar("T")
C = TypeVar("C", bound=Client)

TEST_TIMEOUT = 10.0
"""Seconds that the test of a connection waits for an answer: a person is waiting, too."""


class PlatformHook(BaseHook, ABC, Generic[C]):
    """Blocking client of a platform, configured by an Airflow connection.

    :param conn_id: Id of the connection.
    """

    _client_type: ClassVar[type[Client]]
    """The platform's client."""
    _configuration: Any
    """The platform's module ``config``."""
    _fields: ClassVar[Mapping[str, dict[str, Any]]]
    """The platform's own fields of the connection's form, see :mod:`~airflow_provider_aihub.provider_info`."""
    _form: ClassVar[Mapping[str, Any]]
    """Labels, placeholders and visibility of the standard fields of the form."""
    conn_name_attr: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Airflow before 3.2 looks for these methods only in the class itself, not in its bases.
        for name in ("get_connection_form_widgets", "get_ui_field_behaviour"):
            setattr(cls, name, vars(PlatformHook)[name])

    def __init__(self, conn_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        setattr(self, self.conn_name_attr, conn_id)
        self._client: C | None = None

    def get_conn(self) -> C:
        """Return the client of this hook. It is created at the first call, and after :meth:`close`.

        :raises RemoteJobError: The connection is not valid.
        """
        if self._client is None:
            # Reading the extra makes Airflow mask its secrets, which is another call that must not be interrupted.
            self._client = self._client_type(uninterrupted(self._config))  # type: ignore[assignment]
        assert self._client is not None, "it was just made"  # noqa: S101
        return self._client

    def _config(self) -> Any:
        connection = self.get_connection(getattr(self, self.conn_name_attr))
        return self._configuration.config_from(connection, connection.extra_dejson)

    def send(self, request: Request[T], *, policy: RetryPolicy | None = None) -> T:
        """Carry out one request.

        :param policy: How long to keep trying. Default: five attempts.
        :raises RemoteJobError: One of the platform's own kinds.
        """
        return self.get_conn().send(request, policy=policy)

    def look(self, kind: JobKind, job_id: JobId) -> JobState | RemoteJobError:
        """Read a job once. Return its state, or the error: a failed poll does not mean a failed job."""
        try:
            return self.send(kind.look(job_id), policy=POLL_POLICY)
        except RemoteJobError as error:
            return error

    def download(self, url: str, target: BinaryIO) -> int:
        """Stream a file, such as a result or a log, into ``target`` and return its size in bytes.

        Credentials are sent only to the platform's own addresses.

        :raises RemoteJobError: One of the platform's own kinds.
        """
        return self.get_conn().download(url, target)

    def test_connection(self) -> tuple[bool, str]:
        """Test the connection, for the *Test* button of Airflow's UI. Return whether it works, and a sentence."""
        try:
            connection = self.get_connection(getattr(self, self.conn_name_attr))
        except AirflowNotFoundException as error:
            return False, str(error)
        try:
            with self.trial(connection) as client:
                said = True, self.get_in(client)
        except RemoteJobError as error:
            said = False, str(error)
        unknown = self.unknown_fields(connection)
        return (said[0], f"{said[1]} {unknown}") if unknown else said

    def unknown_fields(self, connection: Any) -> str:
        """Return a sentence that names the unknown keys of a connection's extra; "" if all are known."""
        extra = connection.extra_dejson
        said: str = self._configuration.unknown_fields(extra) if isinstance(extra, dict) else ""
        return said

    def trial(self, connection: Any) -> C:
        """Return a client for tests by a person: it makes one attempt, with a short time limit.

        :param connection: The Airflow connection.
        :raises RemoteJobError: The connection is not valid.
        """
        config = self._configuration.config_from(connection, connection.extra_dejson)
        config = replace(config, timeout=min(config.timeout, TEST_TIMEOUT))
        return self._client_type(config, policy=POLL_POLICY)  # type: ignore[return-value]

    @abstractmethod
    def get_in(self, client: Any) -> str:
        """Log in, or try the credentials in another way. Return a sentence about what succeeded.

        :raises RemoteJobError: It failed.
        """

    def close(self) -> None:
        """Close the connections to the platform."""
        if self._client is not None:
            self._client.close()
            self._client = None

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Build the form of the connection for Airflow before 3.2, from the same table as the declarative one."""
        return form_widgets(cls._fields)

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return labels, placeholders and visibility of the standard fields, for the form of Airflow before 3.2."""
        return {key.replace("-", "_"): value for key, value in cls._form.items()}
