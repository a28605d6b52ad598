"""Finding a version's number from its id, where AIHub reads versions by name only."""

from __future__ import annotations

import pytest

from airflow_provider_aihub.aihub.dataset_management import DatasetVersion
from airflow_provider_aihub.aihub.dataset_versions import GAP, find_version


class Versions:
    """The versions of one dataset: ids by number. Counts how often it is asked."""

    def __init__(self, ids: dict[int, int]) -> None:
        self.ids = ids
        self.reads = 0

    def __call__(self, number: int) -> DatasetVersion | None:
        self.reads += 1
        if number not in self.ids:
            return None
        return DatasetVersion.read({"id": self.ids[number], "version": number, "status": 1})


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9, 31, 32, 33, 1000])
def test_every_version_is_found(count: int) -> None:
    ids = {number: 100 + 3 * number for number in range(1, count + 1)}
    for number in {1, 2, count // 2, count - 1, count} & set(ids):
        found = find_version(Versions(ids), ids[number])
        assert found is not None
        assert found.version == number


def test_the_newest_of_many_is_found_with_few_requests() -> None:
    versions = Versions({number: number * 10 for number in range(1, 5001)})
    found = find_version(versions, 50_000)
    assert found is not None
    assert found.version == 5000
    assert versions.reads < 100


def test_the_version_of_somebody_else_is_not_taken() -> None:
    # While version 41 (id 900) was created, others made 42 and 43.
    ids = {number: number * 20 for number in range(1, 41)} | {41: 900, 42: 901, 43: 902}
    found = find_version(Versions(ids), 900)
    assert found is not None
    assert found.version == 41


@pytest.mark.parametrize("deleted", [range(1, 3), range(1, GAP), range(4, 9), range(90, 96), [99]])
def test_deleted_versions_are_stepped_over(deleted: list[int]) -> None:
    ids = {number: number for number in range(1, 101) if number not in deleted}
    for number in (8, 16, 64, 97, 100):
        if number in ids:
            found = find_version(Versions(ids), number)
            assert found is not None
            assert found.version == number


def test_an_id_that_is_not_there_is_not_found() -> None:
    assert find_version(Versions({1: 10, 2: 20, 4: 40}), 30) is None
    assert find_version(Versions({}), 30) is None
