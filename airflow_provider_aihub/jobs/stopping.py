"""Stops a job, without I/O: only the right one, as soon as the platform knows it, and unless it has ended.

:func:`stop` is a generator that yields steps and is sent their results, so that a worker, a trigger and an operator
that stops a job of others share the code.
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
    """Step: send a request, with the client's usual retries. The reply is its result, or a :class:`RemoteJobError`.

    :param timeout: Time limit in seconds; ``None`` for none.
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
    is_logged_in: Callable[[], bool] = lambda: True,
    hidden: float = 0.0,
    clock: Callable[[], float] = time.time,
) -> Stopping:
    """Ask the platform to stop a job.

    :param kind: A kind that can be stopped.
    :param judge: Returns whether the state that the platform shows is that of the right job. Before the stop, the job
        is read and judged. Default: it is stopped without being read.
    :param seen: Whether the id is known to be that of the right job. Then it is stopped without being read, since there
        may be time for one call only.
    :param check_timeout: Seconds that reading it may take; if it cannot be read, it is stopped all the same. Default:
        no limit, and a job that cannot be read is not stopped.
    :param login: Returns a value that changes with each login; ``None`` before the first one. After another login,
        another platform may answer. So if it changes while the job cannot be read, ``check_timeout`` no longer applies.
    :param is_logged_in: Returns whether a stop could be sent without a login before it. If not, ``check_timeout`` does
        not apply either.
    :param hidden: Seconds for which the platform may not know the job yet, or not the part of it that is stopped.
    :param clock: Returns a time in seconds.
    :return: The state of the job if it was over, and so was not stopped; else ``None``.
    :raises RemoteJobError: It could not be stopped. :class:`OtherJob` if the id is that of another job.
    """
    tolerance = Tolerance(hidden)
    while True:
        try:
            return (yield from _stop(kind, job_id, log, judge, check_timeout, login, is_logged_in, seen=seen))
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
    is_logged_in: Callable[[], bool],
    *,
    seen: bool,
) -> Stopping:
    assert kind.stop is not None, "asked for what can be stopped"  # noqa: S101
    request = kind.stop(job_id)
    same = replace(request, same_login=True) if judge or seen else request
    answer: Any = None
    # A refused token may mean that another platform answers by now. So the job is read (and judged) again before the
    # second and the third attempt; the third is for a token that expires just then.
    for look in (not seen, True, True):
        if look and judge:
            shown = yield from _shown(kind, job_id, judge, check_timeout, login, is_logged_in)
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
    is_logged_in: Callable[[], bool],
) -> Generator[SendWithRetries, Any, JobState | None]:
    """Read and judge the job. Return its state; ``None`` if it cannot be read, and is to be stopped all the same."""
    before = login()
    shown = yield SendWithRetries(kind.brief_look(job_id), check_timeout)
    changed = before is not None and login() != before
    if isinstance(shown, RemoteJobError) and (changed or not is_logged_in()):
        shown, check_timeout = (yield SendWithRetries(kind.brief_look(job_id))), None
    if isinstance(shown, RemoteJobError):
        if check_timeout is None:
            raise shown
        return None
    if judge(shown) is Verdict.OTHER:
        raise other_job(kind, job_id)
    return shown  # type: ignore[no-any-return]
