"""One request, carried out: built, sent, retried, logged in for, read. It knows neither Airflow nor jobs.

:class:`~airflow_provider_aihub.http.blocking.AIHubClient` and
:class:`~airflow_provider_aihub.http.asynchronous.AsyncAIHubClient` do the I/O. Everything else they share:
:mod:`~airflow_provider_aihub.http.exchange` builds what is sent, reads what comes back and decides what follows.
"""
