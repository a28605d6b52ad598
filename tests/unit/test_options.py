"""The parameters that operators or sensors share: what they may be, and what is made of it."""

from __future__ import annotations

import math
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_aihub.http.errors import ParameterError
from airflow_provider_aihub.tasks.options import LONGEST, JobOptions, Options, SensorOptions, StopOptions

JOB: dict[str, Any] = {
    "wait_for_completion": True,
    "deferrable": False,
    "poll_interval": 30.0,
    "poll_tolerance": 900.0,
    "job_timeout": None,
    "execution_timeout": None,
    "cancel_on_kill": True,
    "durable": True,
    "on_ambiguous_submit": "fail",
    "stream_logs": False,
}
SENSOR: dict[str, Any] = {
    "deferrable": False,
    "poll_tolerance": 900.0,
    "poke_interval": 60.0,
    "timeout": 604800.0,
    "exponential_backoff": False,
    "max_wait": None,
    "soft_fail": False,
    "never_fail": False,
    "silent_fail": False,
    "execution_timeout": None,
}
STOP = {name: JOB[name] for name in ("wait_for_completion", "poll_interval", "poll_tolerance")}
EACH: list[tuple[type[Options], dict[str, Any]]] = [(JobOptions, JOB), (SensorOptions, SENSOR), (StopOptions, STOP)]


def options(kind: type[Options], given: dict[str, Any]) -> Any:
    return kind.of(SimpleNamespace(**given))


def fields(*annotations: str) -> list[Any]:
    """All fields of these kinds, each with the class that has it."""
    words = {"flag": bool, "span": float}
    return [
        pytest.param(kind, given, name, id=f"{kind.__name__}.{name}")
        for kind, given in EACH
        for name in given
        for annotation in annotations
        if (name in ("job_timeout", "execution_timeout", "max_wait")) == (annotation == "limit")
        and (name in ("poke_interval", "timeout")) == (annotation == "span or 0")
        and (annotation not in words or isinstance(given[name], words[annotation]))
        and name not in ("exponential_backoff", "on_ambiguous_submit")
    ]


@pytest.mark.parametrize(("kind", "given", "name"), fields("span", "limit", "span or 0"))
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (7, 7.0),
        (0.5, 0.5),
        ("7", 7.0),
        (" 7.5 ", 7.5),
        ("1e2", 100.0),
        (timedelta(minutes=2), 120.0),
        (LONGEST, LONGEST),
    ],
)
def test_times_become_seconds(kind: type[Options], given: dict[str, Any], name: str, value: Any, seconds: Any) -> None:
    found = getattr(options(kind, {**given, name: value}), name)
    assert (type(found), found) == (float, seconds)


WRONG_TIMES = [
    -1,
    -0.1,
    math.nan,
    math.inf,
    -math.inf,
    "nan",
    "inf",
    "-3",
    "soon",
    "{{ params.x }}",
    True,
    False,
    "True",
    1e300,
    LONGEST + 1,
    10**400,
    "9" * 5000,
    timedelta(seconds=-1),
    timedelta.max,
    [30],
    {"seconds": 30},
    b"30",
]


@pytest.mark.parametrize(("kind", "given", "name"), fields("span", "limit", "span or 0"))
@pytest.mark.parametrize("value", WRONG_TIMES, ids=lambda value: repr(value)[:20] if value != 10**400 else "10**400")
def test_what_is_no_time_is_refused(kind: type[Options], given: dict[str, Any], name: str, value: Any) -> None:
    with pytest.raises(ParameterError, match=f"are wrong: {name} must be a number of seconds"):
        options(kind, {**given, name: value})


@pytest.mark.parametrize(("kind", "given", "name"), fields("span"))
@pytest.mark.parametrize("value", [0, "0", 0.0, timedelta(0), None, "None", ""])
def test_a_pause_is_above_0(kind: type[Options], given: dict[str, Any], name: str, value: Any) -> None:
    with pytest.raises(ParameterError, match=f"{name} must be"):
        options(kind, {**given, name: value})


@pytest.mark.parametrize(("kind", "given", "name"), fields("span or 0"))
def test_a_sensor_may_look_once(kind: type[Options], given: dict[str, Any], name: str) -> None:
    assert getattr(options(kind, {**given, name: "0"}), name) == 0.0


@pytest.mark.parametrize(("kind", "given", "name"), fields("limit"))
@pytest.mark.parametrize("value", [None, "None", "", " "])
def test_a_limit_may_be_none(kind: type[Options], given: dict[str, Any], name: str, value: Any) -> None:
    assert getattr(options(kind, {**given, name: value}), name) is None


@pytest.mark.parametrize(("kind", "given", "name"), fields("limit"))
@pytest.mark.parametrize("value", [0, "0", timedelta(0)])
def test_a_limit_is_above_0(kind: type[Options], given: dict[str, Any], name: str, value: Any) -> None:
    with pytest.raises(ParameterError, match=f"{name} must be"):
        options(kind, {**given, name: value})


def test_the_longest_time_is_one_that_clocks_can_count() -> None:
    timedelta(seconds=LONGEST)
    time.gmtime(time.time() + LONGEST)


@pytest.mark.parametrize(("kind", "given", "name"), fields("flag"))
@pytest.mark.parametrize(
    ("value", "read"),
    [(True, True), (False, False), ("True", True), ("False", False), ("true", True), (" false ", False)],
)
def test_flags_come_as_words_too(kind: type[Options], given: dict[str, Any], name: str, value: Any, read: bool) -> None:
    assert getattr(options(kind, {**given, name: value}), name) is read


@pytest.mark.parametrize(("kind", "given", "name"), fields("flag"))
@pytest.mark.parametrize("value", ["no", "yes", "", "None", None, 0, 1, 2.0, [], ["x"], "{{ params.x }}"])
def test_what_is_no_flag_is_refused(kind: type[Options], given: dict[str, Any], name: str, value: Any) -> None:
    with pytest.raises(ParameterError, match=f"{name} must be true or false, not "):
        options(kind, {**given, name: value})


@pytest.mark.parametrize(
    ("value", "factor"),
    [(False, 1.0), (True, 2.0), ("False", 1.0), ("true", 2.0), (0, 1.0), (1, 1.0), (1.5, 1.5), ("3", 3.0)],
)
def test_a_backoff_is_a_factor(value: Any, factor: float) -> None:
    assert options(SensorOptions, {**SENSOR, "exponential_backoff": value}).exponential_backoff == factor


@pytest.mark.parametrize("value", [0.5, -1, math.nan, math.inf, 1e300, "often", None, [2]])
def test_what_is_no_factor_is_refused(value: Any) -> None:
    with pytest.raises(ParameterError, match="exponential_backoff must be true, false or a factor of 1 to 1000"):
        options(SensorOptions, {**SENSOR, "exponential_backoff": value})


@pytest.mark.parametrize("value", ["retry", None, True, ["fail"]])
def test_a_word_is_one_of_those_allowed(value: Any) -> None:
    with pytest.raises(ParameterError, match="on_ambiguous_submit should be 'fail' or 'resubmit', not "):
        options(JobOptions, {**JOB, "on_ambiguous_submit": value})


def test_resubmitting() -> None:
    assert not options(JobOptions, JOB).resubmit
    assert options(JobOptions, {**JOB, "on_ambiguous_submit": "resubmit"}).resubmit


TIME = "must be a number of seconds or a timedelta, above 0 and at most 100 years"


def test_every_wrong_parameter_is_named_in_one_sentence() -> None:
    wrong = {"poll_interval": "soon", "job_timeout": -1, "durable": "perhaps", "on_ambiguous_submit": "retry"}
    with pytest.raises(ParameterError) as refused:
        options(JobOptions, {**JOB, **wrong})
    assert str(refused.value) == (
        f"Parameters of the task are wrong: poll_interval {TIME}, not 'soon'; job_timeout {TIME}, not -1; "
        "durable must be true or false, not 'perhaps'; on_ambiguous_submit should be 'fail' or 'resubmit', "
        "not 'retry'."
    )
