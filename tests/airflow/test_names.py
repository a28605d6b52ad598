"""The rows of lists by which names are looked up."""

from __future__ import annotations

import pytest

from airflow_provider_aihub.aihub.models import Page
from airflow_provider_aihub.operators.names import pages


@pytest.mark.parametrize("total", [3, -1], ids=["counted", "not counted"])
def test_short_pages_are_read_to_the_last(total: int) -> None:
    rows = {1: [1, 2], 2: [3]}
    assert [*pages(lambda number: Page(total=total, page_size=100, page_num=number, data=rows.get(number, [])))] == [
        1,
        2,
        3,
    ]


def test_a_page_that_comes_again_ends_the_list() -> None:
    assert [*pages(lambda number: Page(total=-1, page_size=100, page_num=number, data=[1, 2]))] == [1, 2]
