"""The errors for jobs that did not succeed. Those of requests are in :mod:`airflow_provider_aihub.http.errors`."""

from __future__ import annotations

from airflow_provider_aihub.http.errors import RemoteJobError


class JobError(RemoteJobError):
    """A job did not end well.

    :param message: The whole sentence.
    :param kind: Kind of job, e.g. ``training``.
    :param job_id: Its id on the platform.
    """

    def __init__(self, message: str, *, kind: str = "", job_id: int | str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.job_id = job_id


class JobFailed(JobError):
    """The job failed on the platform."""


class JobStopped(JobError):
    """Somebody stopped the job on the platform."""


class JobTimeout(JobError):
    """The job was not done at its deadline; it was asked to stop."""


class OtherJob(JobError):
    """Under the job's id the platform shows a job that the task did not create; it is left alone."""
