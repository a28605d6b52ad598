"""Finding a dataset version by its id where AIHub reads versions only by name.

Creating a version gives an id; the document's API reads one as ``<dataset>/V<number>``. Numbers count up from 1 and
ids grow with them, so the number can be bisected. Versions may have been deleted, and other people create versions
of the same dataset at the same time.
"""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_aihub.api.dataset_management import DatasetVersion

GAP = 8
"""As many deleted versions in a row are stepped over."""


def find_version(read: Callable[[int], DatasetVersion | None], version_id: int) -> DatasetVersion | None:
    """Find the version of a dataset that has an id.

    :param read: Reads the version of a number; ``None`` where there is none.
    :param version_id: The id that creating it gave.
    :return: The version, or ``None`` where there is none of that id.
    """
    seen: dict[int, DatasetVersion | None] = {}

    def at(number: int) -> DatasetVersion | None:
        if number not in seen:
            seen[number] = read(number)
        return seen[number]

    def from_on(number: int) -> DatasetVersion | None:
        return next((found for offset in range(GAP) if (found := at(number + offset))), None)

    below, above = 0, 1
    while (found := from_on(above)) and found.id <= version_id:
        if found.id == version_id:
            return found
        below, above = found.version, found.version * 2
    while above - below > GAP:
        middle = (below + above) // 2
        found = from_on(middle)
        if found and found.id == version_id:
            return found
        if found and found.id < version_id:
            below = found.version
        else:
            above = middle
    return next(
        (found for number in range(below + 1, above + GAP) if (found := at(number)) and found.id == version_id), None
    )
