"""The clients that people use: every endpoint of AIHub is a method."""

from __future__ import annotations

from airflow_provider_aihub.aihub.config import Config
from airflow_provider_aihub.aihub.endpoints import Endpoints
from airflow_provider_aihub.http.asynchronous import AsyncClient
from airflow_provider_aihub.http.blocking import Client


class AIHubClient(Endpoints, Client):
    """AIHub, one call at a time: ``client.get_training(12)``. It may be used from several threads.

    Its parameters and its other methods are those of :class:`airflow_provider_aihub.http.blocking.Client`; what it
    raises is an :class:`~airflow_provider_aihub.aihub.errors.AIHubError` of the same kind.
    """

    config: Config


class AsyncAIHubClient(Endpoints, AsyncClient):
    """AIHub, any number of calls at a time, within one event loop: ``await client.get_training(12)``.

    Its parameters and its other methods are those of :class:`airflow_provider_aihub.http.asynchronous.AsyncClient`;
    what it raises is an :class:`~airflow_provider_aihub.aihub.errors.AIHubError` of the same kind.
    """

    config: Config
