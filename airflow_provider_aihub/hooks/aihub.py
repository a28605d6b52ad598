"""The hook: an Airflow connection of type ``aihub``, and every endpoint of AIHub as a typed method."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, BinaryIO

from airflow_provider_aihub.aihub import config
from airflow_provider_aihub.aihub.client import AIHubClient
from airflow_provider_aihub.aihub.endpoints import Endpoints
from airflow_provider_aihub.aihub.errors import AIHubConfigError, AIHubRejectedError
from airflow_provider_aihub.aihub.trial import READS
from airflow_provider_aihub.hooks.platform import PlatformHook
from airflow_provider_aihub.lineage import tell_collector
from airflow_provider_aihub.provider_info import CONN_FIELDS, UI_FIELD_BEHAVIOUR
from airflow_provider_aihub.tasks.uninterrupted import uninterrupted

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_aihub.aihub.models import StoreAccess
    from airflow_provider_aihub.aihub.object_store import ObjectStore


def _try_token(client: AIHubClient) -> str:
    """Send a harmless request, with the token, to the first service whose address is known. Return its name.

    :raises AIHubError: The service refuses the token, or cannot be asked.
    """
    for service, request in READS.items():
        if service in client.config.addresses:
            try:
                client.send(request)
            except AIHubRejectedError as error:
                # A refusal with a code comes from AIHub, so the token is accepted: the thing with id 1 may not exist.
                if error.code is None:
                    raise
            return service
    known = " and ".join(client.config.addresses)
    if known:
        raise AIHubConfigError(
            f"The connection has only the address of AIHub's {known}, where a token cannot be tried without a change; "
            "fill in the base URL or an environment, or see whether a task can do its work."
        )
    raise AIHubConfigError("The connection does not say where AIHub is; fill in the base URL or an environment.")


def _mask(secret: str) -> None:
    """Keep a secret out of Airflow's logs."""
    for name in ("airflow.sdk.log", "airflow.utils.log.secrets_masker"):
        # The first module is that of Airflow 3, the second that of Airflow 2.
        with suppress(ImportError):
            masker = import_module(name)
            uninterrupted(lambda: masker.mask_secret(secret))  # noqa: B023 - it is called at once
            return


class AIHubHook(Endpoints, PlatformHook[AIHubClient]):
    """Blocking client of AIHub, configured by an Airflow connection.

    Every endpoint is a method: ``hook.get_training(12)``, ``hook.create_dataset(spec)``. They raise
    :class:`~airflow_provider_aihub.aihub.errors.AIHubError` and its kinds.

    :param aihub_conn_id: Id of a connection of type ``aihub``. Default: ``aihub_default``.
    """

    conn_name_attr = "aihub_conn_id"
    default_conn_name = "aihub_default"
    conn_type = "aihub"
    hook_name = "AIHub"
    _client_type = AIHubClient
    _configuration = config
    _fields = CONN_FIELDS
    _form = UI_FIELD_BEHAVIOUR

    def __init__(self, aihub_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(aihub_conn_id, **kwargs)

    @property
    def user_id(self) -> int | str | None:
        """Id of the user that the connection logs in as; ``None`` if its token does not say it."""
        return self.get_conn().authenticate()

    def download(self, url: str, target: BinaryIO) -> int:
        """Stream a file, such as a search's ``result_url``, into ``target`` and return its size in bytes.

        The token is sent only to AIHub's own addresses.

        :raises AIHubError: One of its kinds.
        """
        size = super().download(url, target)
        tell_collector(self, inputs=[url])
        return size

    def get_in(self, client: AIHubClient) -> str:
        """Log in, or try the token. Return a sentence about what succeeded.

        :raises AIHubError: It failed.
        """
        if client.config.can_log_in:
            return f"Logged in to AIHub as user {client.authenticate()}."
        return f"AIHub's {_try_token(client)} takes the token."

    def object_store(self, issue: Callable[[], StoreAccess]) -> ObjectStore:
        """Return AIHub's object store, with credentials that AIHub gives out. They are masked in Airflow's logs.

        :param issue: The method that asks for them, such as ``hook.get_model_store_access``.
        :raises AIHubConfigError: The extra ``s3`` is not installed.
        :raises AIHubError: One of its kinds.
        """
        from airflow_provider_aihub.aihub.object_store import ObjectStore

        return ObjectStore(issue, self.get_conn().config, _mask)
