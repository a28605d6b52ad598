"""Checks the parameters about waiting that all operators, or all sensors, share.

Each value may be given as itself or as text, since templates render to text.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from airflow_provider_aihub.http.errors import ParameterError
from airflow_provider_aihub.http.models import problem
from airflow_provider_aihub.http.values import Flag, flag, is_nothing

LONGEST = timedelta(days=36500).total_seconds()
"""A hundred years, in seconds. Clocks and sleeps cannot count much longer."""


def seconds(value: Any) -> float | None:
    """Return a number, the text of one, or a ``timedelta`` as seconds; ``None`` for all else, booleans included."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _span(value: Any) -> float:
    span = seconds(value)
    if span is None or not 0 < span <= LONGEST:
        raise ValueError("must be a number of seconds or a timedelta, above 0 and at most 100 years")
    return span


def _span_or_zero(value: Any) -> float:
    span = seconds(value)
    if span is None or not 0 <= span <= LONGEST:
        raise ValueError("must be a number of seconds or a timedelta, 0 or above and at most 100 years")
    return span


def _factor(value: Any) -> float:
    """Return the factor for ``exponential_backoff``: 2 for true, 1 for false or 0, or the given factor."""
    factor = None if isinstance(value, bool) else seconds(value)
    try:
        factor = 1.0 + flag(value) if factor is None else factor or 1.0
    except ValueError:
        factor = 0.0
    if not 1 <= factor <= 1000:
        raise ValueError("must be true, false or a factor of 1 to 1000")
    return factor


def _or_none(value: Any) -> Any:
    return None if is_nothing(value) else value


Span = Annotated[float, BeforeValidator(_span)]
"""A time above 0, in seconds."""
SpanOrZero = Annotated[float, BeforeValidator(_span_or_zero)]
"""A time of 0 or more, in seconds."""
Factor = Annotated[float, BeforeValidator(_factor)]
"""1 or more."""
Limit = Annotated[Span | None, BeforeValidator(_or_none)]
"""A time above 0, in seconds, or none."""


class Options(BaseModel):
    """Base of the checked values: each field is a parameter of the operator."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, allow_inf_nan=False, defer_build=True)

    @classmethod
    def of(cls, operator: Any) -> Self:
        """Check the parameters of an operator whose templates are rendered.

        :raises ParameterError: One sentence that names every wrong parameter, what was given and what is allowed.
        """
        given = {name: getattr(operator, name) for name in cls.model_fields}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            problems = "; ".join(problem(cls, detail) for detail in error.errors(include_url=False))
        raise ParameterError(f"Parameters of the task are wrong: {problems}")


class StopOptions(Options):
    """Options of operators that stop a job.

    :param wait_for_completion: Whether the task waits for the end of the job.
    :param poll_interval: Longest pause between two polls, in seconds.
    :param poll_tolerance: Seconds for which polls may fail before the waiting gives up.
    """

    wait_for_completion: Flag
    poll_interval: Span
    poll_tolerance: Span


class JobOptions(StopOptions):
    """Options of operators that submit a job.

    :param deferrable: Whether the task waits in the triggerer.
    :param job_timeout: Seconds from the submission until the job is stopped; ``None`` for never.
    :param execution_timeout: Airflow's, in seconds; ``None`` for none.
    :param cancel_on_kill: Whether the job is stopped if the task is killed.
    :param durable: Whether a retry takes up the job of an earlier try.
    :param on_ambiguous_submit: What to do if it is unknown whether a create call has created a job.
    :param stream_logs: Whether the job's logs are copied to the task's log.
    """

    deferrable: Flag
    job_timeout: Limit
    execution_timeout: Limit
    cancel_on_kill: Flag
    durable: Flag
    on_ambiguous_submit: Literal["fail", "resubmit"]
    stream_logs: Flag

    @property
    def resubmit(self) -> bool:
        """Whether another job is created although an earlier create call may have created one."""
        return self.on_ambiguous_submit == "resubmit"


class SensorOptions(Options):
    """Options of sensors.

    :param deferrable: Whether the task waits in the triggerer.
    :param poll_tolerance: Seconds for which polls may fail before the waiting gives up.
    :param poke_interval: Pause between two polls, in seconds.
    :param timeout: Seconds from the first poll until the task fails.
    :param exponential_backoff: Factor by which the pause grows after each poll.
    :param max_wait: Longest pause, in seconds; ``None`` for no limit.
    :param soft_fail: Whether the task is skipped when it would fail.
    :param never_fail: Whether the task is skipped after any error.
    :param silent_fail: Whether a poll is repeated after any error.
    :param execution_timeout: Airflow's, in seconds; ``None`` for none.
    """

    deferrable: Flag
    poll_tolerance: Span
    poke_interval: SpanOrZero
    timeout: SpanOrZero
    exponential_backoff: Factor
    max_wait: Limit
    soft_fail: Flag
    never_fail: Flag
    silent_fail: Flag
    execution_timeout: Limit
