"""Stopping a job in the few seconds that a worker has when its task is killed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_aihub.api.errors import AIHubError
from airflow_provider_aihub.api.jobs import JobId, JobKind
from airflow_provider_aihub.client.retry import RetryPolicy
from airflow_provider_aihub.client.sync import AIHubClient
from airflow_provider_aihub.operators.submission import Submission

if TYPE_CHECKING:
    from airflow_provider_aihub.hooks.aihub import AIHubHook

TIMEOUT = 3.0
"""Seconds to wait for an answer. Airflow kills a worker 5 seconds after it has asked it to end."""
POLICY = RetryPolicy(attempts=2, first_pause=0.5)


def stop_in_haste(hook: AIHubHook, kind: JobKind, job: JobId | Submission, log: Any) -> None:
    """Stop a job, or the one that is being created; what goes wrong is logged.

    This runs in a signal handler. What it interrupts may hold the locks of the hook's own client, so it has another.

    :param job: What the job is read by, or its submission where its creation has not been answered yet.
    """
    config = hook.get_conn().config
    with AIHubClient(replace(config, timeout=min(config.timeout, TIMEOUT)), policy=POLICY) as client:
        try:
            if isinstance(job, Submission):
                job_id = replace(job, hook=client).created()
                if job_id is None:
                    log.warning("The task is killed while AIHub creates its %s", kind.noun)
                    return
                job = job_id
            if kind.stop is None:
                log.warning("AIHub cannot stop a %s; %s runs on", kind.noun, kind.called(job))
                return
            client.send(kind.stop(job))
        except AIHubError as error:
            log.error(  # noqa: TRY400 - the sentence says it all
                "A %s may still be running on AIHub: %s", kind.noun, error
            )
        else:
            log.info("Asked AIHub to stop %s", kind.called(job))
