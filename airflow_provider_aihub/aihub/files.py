"""Files for uploads to AIHub, as the package ``http`` makes them, and those that are written on this machine.

What is wrong with one to upload is an :class:`~airflow_provider_aihub.aihub.errors.AIHubParameterError`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_aihub.aihub.errors import KINDS, AIHubError
from airflow_provider_aihub.http import archive, transfer
from airflow_provider_aihub.http.errors import raised_as

check_name = raised_as(KINDS)(transfer.check_name)
file_from_path = raised_as(KINDS)(transfer.file_from_path)
zipped = raised_as(KINDS)(archive.zipped)


@contextmanager
def writing(what: str) -> Iterator[None]:
    """Let an error of this machine's disk name what could not be written.

    :param what: As it stands in a sentence.
    :raises AIHubError: It cannot be written.
    """
    try:
        yield
    except OSError as error:
        problem = error.strerror or type(error).__name__
        raise AIHubError(f"{what} cannot be written: {problem}; check the folder, then try again.") from None
