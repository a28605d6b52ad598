"""Finding dataset versions where AIHub reads them only by name.

Creating a version gives an id; the document's API reads one as ``<dataset>/V<number>``. Numbers count up from 1 and
ids grow with them, so the number can be bisected. Versions may have been deleted, and other people create versions
of the same dataset at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from airflow_provider_aihub.aihub.dataset_management import DatasetVersion

GAP: Final = 8
"""How many deleted versions in a row are skipped."""
MOST_NEWEST: Final = 50
"""At most so many versions are searched for one."""

Read = Callable[[int], DatasetVersion | None]
"""Reads the version with a number; ``None`` if there is no such version."""


class _Versions:
    """The versions of a dataset, each read once."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._seen: dict[int, DatasetVersion | None] = {}

    def at(self, number: int) -> DatasetVersion | None:
        if number not in self._seen:
            self._seen[number] = self._read(number)
        return self._seen[number]

    def from_on(self, number: int) -> DatasetVersion | None:
        return next((found for offset in range(GAP) if (found := self.at(number + offset))), None)


def find_version(read: Read, version_id: int) -> DatasetVersion | None:
    """Find the version of a dataset that has an id.

    :param version_id: The id that creating it gave.
    :return: The version, or ``None`` if there is no version with that id.
    """
    versions = _Versions(read)
    below, above = 0, 1
    while (found := versions.from_on(above)) and found.id <= version_id:
        if found.id == version_id:
            return found
        below, above = found.version, found.version * 2
    while above - below > GAP:
        middle = (below + above) // 2
        found = versions.from_on(middle)
        if found and found.id == version_id:
            return found
        if found and found.id < version_id:
            below = found.version
        else:
            above = middle
    numbers = range(below + 1, above + GAP)
    return next((found for number in numbers if (found := versions.at(number)) and found.id == version_id), None)


def newest_versions(read: Read, since: float) -> Iterator[DatasetVersion]:
    """Find the newest versions of a dataset, the newest first.

    :param since: Older ones are not needed; in Unix seconds.
    """
    versions = _Versions(read)
    below, above = 0, 1
    while found := versions.from_on(above):
        below, above = found.version, found.version * 2
    while above - below > 1:
        middle = (below + above) // 2
        found = versions.from_on(middle)
        if found:
            below = found.version
        else:
            above = middle
    for number in range(below, max(below - MOST_NEWEST, 0), -1):
        found = versions.at(number)
        if found and 0 < found.created_at < since * 1000:
            return
        if found:
            yield found
