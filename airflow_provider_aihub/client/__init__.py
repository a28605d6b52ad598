"""AIHub over HTTP: a blocking and an asynchronous client, usable without Airflow.

:class:`~airflow_provider_aihub.client.sync.AIHubClient` and
:class:`~airflow_provider_aihub.client.aio.AsyncAIHubClient` carry out the requests that
:mod:`airflow_provider_aihub.api` describes. Everything that is not I/O they share:
:mod:`~airflow_provider_aihub.client.exchange` builds what is sent, reads what comes back and decides what follows.
"""
