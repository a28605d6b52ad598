"""What can go wrong with AIHub, as types. Each message is one sentence and holds no secret."""

from __future__ import annotations

import sys
from typing import Final

from airflow_provider_aihub.http import errors
from airflow_provider_aihub.jobs import errors as job_errors


class AIHubError(errors.RemoteJobError):
    """Base of all errors of this package.

    ``final`` is true for errors that no retry can mend: a task that meets one fails without using up its retries.
    """


class AIHubConfigError(errors.ConfigError, AIHubError):
    """The connection lacks something or contradicts itself: an address, a credential, a file."""


class AIHubParameterError(errors.ParameterError, AIHubError):
    """A parameter is missing, of the wrong type or not among the allowed values. Nothing was sent."""


class AIHubRequestError(errors.RequestError, AIHubError):
    """A request to AIHub did not give a usable answer.

    :param message: The whole sentence.
    :param service: Name of the service asked, e.g. ``model_training``.
    :param asks: What was asked, e.g. ``read training 12``.
    :param status: HTTP status, where an answer came.
    :param code: ``code`` of the envelope, where there was one.
    :param retry_after: Seconds after which the server wants to be asked again, where it said so.
    """


class AIHubAuthError(errors.AuthError, AIHubRequestError):
    """AIHub accepted neither the token nor the login (HTTP 401, or a login that was refused)."""


class AIHubRejectedError(errors.RejectedError, AIHubRequestError):
    """AIHub understood the request and refused it (``code`` other than 0, or an HTTP 4xx)."""


class AIHubNotFoundError(errors.NotFoundError, AIHubRejectedError):
    """What was asked for does not exist on AIHub (``code`` 2)."""


class AIHubExistsError(errors.ExistsError, AIHubRejectedError):
    """Something of that name exists on AIHub already (``code`` 8)."""


class AIHubUnsupportedError(errors.UnsupportedError, AIHubRejectedError):
    """This AIHub does not have the endpoint (HTTP 404 or 405)."""


class AIHubBadAnswerError(errors.BadAnswerError, AIHubRequestError):
    """The answer is no AIHub answer: HTML, nothing at all, cut off, or without a field that must be there."""


class AIHubUnavailable(errors.Unavailable, AIHubRequestError):
    """AIHub could not be reached, did not answer in time, or answered with HTTP 429 or 5xx, also when asked again."""


class AIHubAmbiguousSubmit(errors.AmbiguousSubmit, AIHubRequestError):
    """A create call was sent, and no answer says for certain what came of it: the job may or may not exist on AIHub.

    ``refused`` is true where AIHub itself said no, but not that nothing was done: ``code`` 1, 3 or one that is not
    documented, and no HTTP 5xx.
    """


class AIHubJobError(job_errors.JobError, AIHubError):
    """A job on AIHub did not end well.

    :param message: The whole sentence.
    :param kind: Kind of job, e.g. ``training``.
    :param job_id: Its id on AIHub.
    """


class AIHubJobFailed(job_errors.JobFailed, AIHubJobError):
    """The job failed on AIHub."""


class AIHubJobStopped(job_errors.JobStopped, AIHubJobError):
    """Somebody stopped the job on AIHub."""


class AIHubJobTimeout(job_errors.JobTimeout, AIHubJobError):
    """The job was not done at its deadline; it was asked to stop."""


class AIHubOtherJob(job_errors.OtherJob, AIHubJobError):
    """Under the job's id AIHub shows a job that the task did not create; it is left alone."""


KINDS: Final = errors.own_kinds(sys.modules[__name__])
"""These kinds, by the general kinds that they are of."""
