"""Whatever comes back, the blocking client gives a result or an error of its own kind."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from cases import CASES, Case
from cases.case import encoded
from changes import changed, places, value_at, without
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_odd_answers import READS
from transports import Blocking

from airflow_provider_aihub.aihub.errors import AIHubError
from airflow_provider_aihub.aihub.kinds import KINDS, JobState

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from(
        [
            0,
            -1,
            2**63,
            10**30,
            10**400,
            "1" * 400,
            1e308,
            float("nan"),
            float("inf"),
            "",
            "null",
            "NaN",
            "\x00",
            "😀\ud800",
            "9" * 5000,
        ]
    ),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from([[], {}, [None], [[]], {"data": None}, {"": {}}, [{"id": []}]]),
)
STATUSES = st.one_of(st.just(200), st.sampled_from([201, 202, 301, 400, 401, 403, 404, 405, 409, 422, 429, 500, 503]))
KIND_OF = {name: kind for kind, name in READS.items()}


@st.composite
def mutations(draw: st.DrawFn, answer: Any) -> Any:
    """An answer in which one value or a few are dropped, replaced, wrapped, swapped, or have got company."""
    for _ in range(draw(st.integers(1, 4))):
        found = list(places(answer))
        if not found:
            break
        place = draw(st.sampled_from(found))
        value = value_at(answer, place)
        change = draw(st.sampled_from(["drop", "null", "retype", "extra", "nest", "unnest", "swap"]))
        if change == "drop":
            answer = without(answer, place)
        elif change == "null":
            answer = changed(answer, place, None)
        elif change == "retype":
            answer = changed(answer, place, draw(ODD))
        elif change == "extra" and isinstance(value, dict):
            answer = changed(answer, place, {**value, draw(st.text(max_size=8)): draw(ODD)})
        elif change == "extra" and isinstance(value, list):
            answer = changed(answer, place, [*value, draw(ODD)])
        elif change == "nest":
            answer = changed(
                answer, place, draw(st.sampled_from([[value], {"data": value}, {"id": value}, str(value)]))
            )
        elif change == "unnest":
            answer = changed(answer, place, next((value_at(value, inner) for inner in places(value)), None))
        else:
            other = draw(st.sampled_from(found))
            if place[: len(other)] != other[: len(place)]:
                there = value_at(answer, other)
                answer = changed(changed(answer, other, value), place, there)
    return answer


@pytest.mark.parametrize("one", CASES, ids=str)
@settings(max_examples=15, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_other_error(one: Case, data: st.DataObject) -> None:
    body = encoded(data.draw(mutations(one.answer)))
    if data.draw(st.integers(0, 9)) == 0:
        body = body[: data.draw(st.integers(0, len(body)))]
    with suppress(AIHubError):
        result, _ = Blocking().ask(one, body, data.draw(STATUSES))
        repr(result)
        if one.call in KIND_OF:
            assert isinstance(KINDS[KIND_OF[one.call]].state(1, result), JobState)


def test_an_answer_that_is_nested_without_end() -> None:
    one = CASES[1]
    with pytest.raises(AIHubError):
        Blocking().ask(one, b'{"code": 0, "data": ' + b"[" * 100_000)
