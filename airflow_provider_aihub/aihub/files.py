"""Files for uploads to AIHub, as the package ``http`` makes them.

What is wrong with one is an :class:`~airflow_provider_aihub.aihub.errors.AIHubParameterError`.
"""

from __future__ import annotations

from airflow_provider_aihub.aihub.errors import KINDS
from airflow_provider_aihub.http import archive, transfer
from airflow_provider_aihub.http.errors import raised_as

check_name = raised_as(KINDS)(transfer.check_name)
file_from_path = raised_as(KINDS)(transfer.file_from_path)
zipped = raised_as(KINDS)(archive.zipped)
