"""How tasks wait, as checked values: the parameters that operators or sensors share, besides what a job is to be.

Templates render to text, and other tasks return what they like: each value may come as itself or as its text.
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
    """Return by what a pause is multiplied: true means doubling, and newer versions of Airflow take a factor, too."""
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
    """How a job is stopped.

    :param wait_for_completion: Whether it is waited for.
    :param poll_interval: Seconds.
    :param poll_tolerance: Seconds.
    """

    wait_for_completion: Flag
    poll_interval: Span
    poll_tolerance: Span


class JobOptions(StopOptions):
    """How a job is submitted and waited for.

    :param deferrable: Whether that is done in the triggerer.
    :param job_timeout: Seconds from its submission on; ``None`` for no end.
    :param execution_timeout: Airflow's, in seconds; ``None`` for no end.
    :param cancel_on_kill: Whether the job is stopped with the task.
    :param durable: Whether a retry takes up the job of an earlier try.
    :param on_ambiguous_submit: What to do about a create call whose answer was lost.
    :param stream_logs: Whether the job's logs are followed.
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
        """Whether a job is created anew although an earlier create call may have created one."""
        return self.on_ambiguous_submit == "resubmit"


class SensorOptions(Options):
    """How a sensor waits.

    :param deferrable: Whether that is done in the triggerer.
    :param poll_tolerance: Seconds.
    :param poke_interval: Seconds.
    :param timeout: Seconds.
    :param exponential_backoff: By what the pause is multiplied after each look.
    :param max_wait: Longest pause in seconds; ``None`` for no bound.
    :param soft_fail: Whether a failure is a skip.
    :param never_fail: Whether whatever goes wrong is a skip.
    :param silent_fail: Whether a look that fails is repeated, whatever went wrong.
    :param execution_timeout: Airflow's, in seconds; ``None`` for no end.
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
