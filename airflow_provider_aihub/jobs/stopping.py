"""Stopping a job, without I/O: the right one, as soon as the platform knows it, unless it has ended.

:func:`stop` is a generator. It yields what it wants done and is sent what came of it, so that a worker, a trigger and
an operator that stops somebody's job do it in the same way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from airflow_provider_aihub.http.errors import (
    AuthError,
    NotFoundError,
    RejectedError,
    RemoteJobError,
    UnsupportedError,
)
from airflow_provider_aihub.http.protocol import Sleep
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.jobs.identity import Verdict, other_job
from airflow_provider_aihub.jobs.kind import JobId, JobKind, JobState
from airflow_provider_aihub.jobs.progress_log import Log
from airflow_provider_aihub.jobs.tolerance import Tolerance


@dataclass(frozen=True, slots=True)
class SendWithRetries:
    """Step: carry out a request, as often as a client does. The reply is its result, or a :class:`RemoteJobError`.

    :param timeout: Seconds that it may take; ``None`` for as long as it takes.
    """

    request: Request[Any]
    timeout: float | None = None


Stopping: TypeAlias = Generator[SendWithRetries | Sleep, Any, JobState | None]


def stop(
    kind: JobKind,
    job_id: JobId,
    log: Log,
    *,
    judge: Callable[[JobState], Verdict] | None = None,
    seen: bool = False,
    check_timeout: float | None = None,
    login: Callable[[], object] = lambda: None,
    hidden: float = 0.0,
    clock: Callable[[], float] = time.time,
) -> Stopping:
    """Ask the platform to stop a job.

    :param kind: One that can be stopped.
    :param judge: Says whose job the platform shows. Default: the job is stopped without a look at it.
    :param seen: Whether it is known to be the right job. Then it is stopped first, since there may be time for only one
        call.
    :param check_timeout: Seconds to wait until the platform shows the job; after them it is stopped anyway. Default: it is
        stopped only if it was shown.
    :param login: Gives what changes with each login, ``None`` before the first one: behind another one may be another
        platform. Where it changes while the platform does not show the job, the job is not stopped until it was shown.
    :param hidden: Seconds for which the platform may not know the job yet, or not what is to be stopped of it.
    :param clock: Gives a time in seconds.
    :return: What the platform shows of a job that is over, and so was not stopped.
    :raises RemoteJobError: One of its kinds.
    """
    tolerance = Tolerance(hidden)
    while True:
        try:
            return (yield from _stop(kind, job_id, log, judge, check_timeout, login, seen=seen))
        except RejectedError as trouble:
            passes = trouble.early or isinstance(trouble, NotFoundError)
            pause = tolerance.failed(trouble, clock()) if passes else None
            if pause is None:
                raise
            log.info("Asking again in %.0f s: %s", pause, trouble)
            yield Sleep(pause)


def _stop(
    kind: JobKind,
    job_id: JobId,
    log: Log,
    judge: Callable[[JobState], Verdict] | None,
    check_timeout: float | None,
    login: Callable[[], object],
    *,
    seen: bool,
) -> Stopping:
    assert kind.stop is not None, "asked for what can be stopped"  # noqa: S101
    request = kind.stop(job_id)
    same = replace(request, same_login=True) if judge or seen else request
    answer: Any = None
    # Who does not take the token may be another platform by now, so it is looked at anew; then a token may be over.
    for look in (not seen, True, True):
        if look and judge:
            shown = yield from _shown(kind, job_id, judge, check_timeout, login)
            if shown is not None and shown.phase.terminal:
                return shown
        answer = yield SendWithRetries(same)
        if not isinstance(answer, AuthError):
            break
    if (
        isinstance(answer, RejectedError)
        and not isinstance(answer, NotFoundError | UnsupportedError)
        and not answer.early
    ):
        # It may have ended just now.
        shown = yield SendWithRetries(kind.brief_look(job_id))
        if isinstance(shown, JobState) and shown.phase.terminal:
            return shown
    if isinstance(answer, RemoteJobError):
        raise answer
    log.info("Asked %s to stop %s", kind.platform, kind.called(job_id))
    return None


def _shown(
    kind: JobKind,
    job_id: JobId,
    judge: Callable[[JobState], Verdict],
    check_timeout: float | None,
    login: Callable[[], object],
) -> Generator[SendWithRetries, Any, JobState | None]:
    """Return what the platform shows of the job; ``None`` where it does not, and the job is to be stopped anyway."""
    before = login()
    shown = yield SendWithRetries(kind.brief_look(job_id), check_timeout)
    if isinstance(shown, RemoteJobError) and before is not None and login() != before:
        shown, check_timeout = (yield SendWithRetries(kind.brief_look(job_id))), None
    if isinstance(shown, RemoteJobError):
        if check_timeout is None:
            raise shown
        return None
    if judge(shown) is Verdict.OTHER:
        raise other_job(kind, job_id)
    return shown  # type: ignore[no-any-return]
