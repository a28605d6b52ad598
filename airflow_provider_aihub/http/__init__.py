"""Sends requests to a platform: login, retries, decoding, errors. It knows no platform, no Airflow and no jobs.

:class:`~airflow_provider_aihub.http.blocking.Client` and :class:`~airflow_provider_aihub.http.asynchronous.AsyncClient`
do the I/O. Everything else they share: :mod:`~airflow_provider_aihub.http.exchange` builds what is sent, reads what
comes back and decides what follows. What differs between platforms is in a
:class:`~airflow_provider_aihub.http.dialect.Dialect`.
"""
