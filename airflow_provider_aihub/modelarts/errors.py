"""What can go wrong with ModelArts, as types. Each message is one sentence and holds no secret."""

from __future__ import annotations

import sys
from typing import Final

from airflow_provider_aihub.http import errors
from airflow_provider_aihub.jobs import errors as job_errors


class ModelArtsError(errors.RemoteJobError):
    """Base of all errors about ModelArts.

    ``final`` is true for errors that no retry can mend: a task that meets one fails without using up its retries.
    """


class ModelArtsConfigError(errors.ConfigError, ModelArtsError):
    """The connection lacks something or contradicts itself: an address, a credential, a file."""


class ModelArtsParameterError(errors.ParameterError, ModelArtsError):
    """A parameter is missing, of the wrong type or not among the allowed values. Nothing was sent."""


class ModelArtsRequestError(errors.RequestError, ModelArtsError):
    """A request to ModelArts, or to IAM, did not give a usable answer.

    :param message: The whole sentence.
    :param service: Name of the service asked, see :class:`~airflow_provider_aihub.modelarts.services.Service`.
    :param asks: What was asked, e.g. ``read training job 2cd88daa``.
    :param status: HTTP status, where an answer came.
    :param code: ``error_code``, such as ``ModelArts.2775``, where there was one.
    :param retry_after: Seconds after which the server wants to be asked again, where it said so.
    """


class ModelArtsAuthError(errors.AuthError, ModelArtsRequestError):
    """Keys, token or login were not accepted (HTTP 401)."""


class ModelArtsRejectedError(errors.RejectedError, ModelArtsRequestError):
    """ModelArts understood the request and refused it (an ``error_code``, or an HTTP 4xx)."""


class ModelArtsNotFoundError(errors.NotFoundError, ModelArtsRejectedError):
    """What was asked for does not exist (``error_code`` 2775, 7511 and the like, mostly with HTTP 400)."""


class ModelArtsExistsError(errors.ExistsError, ModelArtsRejectedError):
    """Something of that name exists in the workspace already (``error_code`` 2751)."""


class ModelArtsUnsupportedError(errors.UnsupportedError, ModelArtsRejectedError):
    """This ModelArts does not have the call."""


class ModelArtsBadAnswerError(errors.BadAnswerError, ModelArtsRequestError):
    """The answer is no ModelArts answer: HTML, nothing at all, cut off, or without a field that must be there."""


class ModelArtsUnavailable(errors.Unavailable, ModelArtsRequestError):
    """ModelArts could not be reached, did not answer in time, or answered with HTTP 429 or 5xx, again and again."""


class ModelArtsAmbiguousSubmit(errors.AmbiguousSubmit, ModelArtsRequestError):
    """A create call was sent, and no answer says for certain what came of it: there may be a job or none."""


class ModelArtsJobError(job_errors.JobError, ModelArtsError):
    """A job on ModelArts did not end well.

    :param message: The whole sentence.
    :param kind: Kind of job, e.g. ``training_job``.
    :param job_id: Its id.
    """


class ModelArtsJobFailed(job_errors.JobFailed, ModelArtsJobError):
    """The job failed on ModelArts."""


class ModelArtsJobStopped(job_errors.JobStopped, ModelArtsJobError):
    """Somebody stopped the job on ModelArts."""


class ModelArtsJobTimeout(job_errors.JobTimeout, ModelArtsJobError):
    """The job was not done at its deadline; it was asked to stop."""


class ModelArtsOtherJob(job_errors.OtherJob, ModelArtsJobError):
    """Under the job's id ModelArts shows a job that the task did not create; it is left alone."""


KINDS: Final = errors.own_kinds(sys.modules[__name__])
"""These kinds, by the general kinds that they are of."""
