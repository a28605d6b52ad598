"""The hook: an Airflow connection of type ``modelarts``, and every endpoint of ModelArts as a typed method."""

from __future__ import annotations

from typing import Any

from airflow_provider_aihub.hooks.platform import PlatformHook
from airflow_provider_aihub.modelarts import config
from airflow_provider_aihub.modelarts.client import ModelArtsClient
from airflow_provider_aihub.modelarts.endpoints import Endpoints
from airflow_provider_aihub.provider_info import MODELARTS_FIELDS, MODELARTS_FORM


class ModelArtsHook(Endpoints, PlatformHook[ModelArtsClient]):
    """Blocking client of ModelArts, configured by an Airflow connection.

    Every endpoint is a method: ``hook.get_training_job("2cd8...")``, ``hook.create_training_job(spec)``. They raise
    :class:`~airflow_provider_aihub.modelarts.errors.ModelArtsError` and its kinds.
    :class:`~airflow_provider_aihub.modelarts.client.AsyncModelArtsClient` has the same methods, to be awaited.

    :param modelarts_conn_id: Id of a connection of type ``modelarts``. Default: ``modelarts_default``.
    """

    conn_name_attr = "modelarts_conn_id"
    default_conn_name = "modelarts_default"
    conn_type = "modelarts"
    hook_name = "Huawei Cloud ModelArts"
    _client_type = ModelArtsClient
    _configuration = config
    _fields = MODELARTS_FIELDS
    _form = MODELARTS_FORM

    def __init__(self, modelarts_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(modelarts_conn_id, **kwargs)

    def get_in(self, client: ModelArtsClient) -> str:
        """List one training job. Return a sentence that says which credentials ModelArts has accepted.

        :raises ModelArtsError: It failed.
        """
        client.search_training_jobs(limit=1)
        how = "signatures" if client.config.signs else "the token of the IAM user"
        return f"ModelArts takes {how} and lists the training jobs of workspace {client.config.workspace_id}."
