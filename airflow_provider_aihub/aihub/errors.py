"""What can go wrong with AIHub, as types. Each message is one sentence and holds no secret."""

from __future__ import annotations


class AIHubError(Exception):
    """Base of all errors of this package.

    ``final`` is true for errors that no retry can mend: a task that meets one fails without using up its retries.
    """

    final: bool = False

    def __init__(self, message: str = "") -> None:
        super().__init__(message if not message or message.endswith(".") else f"{message}.")


class AIHubConfigError(AIHubError):
    """The connection lacks something or contradicts itself: an address, a credential, a file."""

    final = True


class AIHubParameterError(AIHubError, ValueError):
    """A parameter is missing, of the wrong type or not among the allowed values. Nothing was sent."""

    final = True


class AIHubRequestError(AIHubError):
    """A request to AIHub did not give a usable answer.

    :param message: The whole sentence.
    :param service: Name of the service asked, e.g. ``model_training``.
    :param asks: What was asked, e.g. ``read training 12``.
    :param status: HTTP status, where an answer came.
    :param code: ``code`` of the envelope, where there was one.
    :param retry_after: Seconds after which the server wants to be asked again, where it said so.
    """

    def __init__(
        self,
        message: str,
        *,
        service: str = "",
        asks: str = "",
        status: int | None = None,
        code: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.service = service
        self.asks = asks
        self.status = status
        self.code = code
        self.retry_after = retry_after


class AIHubAuthError(AIHubRequestError):
    """AIHub took neither the token nor the login (HTTP 401, or a login that was refused)."""

    final = True


class AIHubRejectedError(AIHubRequestError):
    """AIHub understood the request and refused it (``code`` other than 0, or an HTTP 4xx)."""


class AIHubNotFoundError(AIHubRejectedError):
    """What was asked for does not exist on AIHub (``code`` 2)."""


class AIHubExistsError(AIHubRejectedError):
    """Something of that name exists on AIHub already (``code`` 8)."""


class AIHubUnsupportedError(AIHubRejectedError):
    """This AIHub does not have the endpoint (HTTP 404 or 405)."""


class AIHubBadAnswerError(AIHubRequestError):
    """The answer is no AIHub answer: HTML, nothing at all, cut off, or without a field that must be there."""


class AIHubUnavailable(AIHubRequestError):
    """AIHub could not be reached, did not answer in time, or answered with HTTP 429 or 5xx, also when asked again."""


class AIHubAmbiguousSubmit(AIHubRequestError):
    """A create call was sent, and no answer says for certain what came of it: the job may or may not exist on AIHub."""

    @property
    def refused(self) -> bool:
        """Whether AIHub itself said no, but not that nothing was done: ``code`` 1, 3 or one that is not documented.

        An HTTP 5xx is no such no, whatever its ``code``.
        """
        return bool(self.code) and (self.status or 0) < 500


class AIHubJobError(AIHubError):
    """A job on AIHub did not end well.

    :param message: The whole sentence.
    :param kind: Kind of job, e.g. ``training``.
    :param job_id: Its id on AIHub.
    """

    def __init__(self, message: str, *, kind: str = "", job_id: int | str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.job_id = job_id


class AIHubJobFailed(AIHubJobError):
    """The job failed on AIHub."""


class AIHubJobStopped(AIHubJobError):
    """Somebody stopped the job on AIHub."""


class AIHubJobTimeout(AIHubJobError):
    """The job was not done at its deadline; it was asked to stop."""


class AIHubOtherJob(AIHubJobError):
    """Under the job's id AIHub shows a job that the task did not create; it is left alone."""
