"""The clients that people use: every endpoint of ModelArts is a method."""

from __future__ import annotations

from airflow_provider_aihub.http.asynchronous import AsyncClient
from airflow_provider_aihub.http.blocking import Client
from airflow_provider_aihub.modelarts.config import Config
from airflow_provider_aihub.modelarts.endpoints import Endpoints


class ModelArtsClient(Endpoints, Client):
    """ModelArts, one call at a time: ``client.get_training_job(...)``. It may be used from several threads.

    Its parameters and its other methods are those of :class:`airflow_provider_aihub.http.blocking.Client`; what it
    raises is a :class:`~airflow_provider_aihub.modelarts.errors.ModelArtsError` of the same kind.
    """

    config: Config


class AsyncModelArtsClient(Endpoints, AsyncClient):
    """ModelArts, any number of calls at a time, within one event loop: ``await client.get_training_job(...)``.

    Its parameters and its other methods are those of :class:`airflow_provider_aihub.http.asynchronous.AsyncClient`;
    what it raises is a :class:`~airflow_provider_aihub.modelarts.errors.ModelArtsError` of the same kind.
    """

    config: Config
