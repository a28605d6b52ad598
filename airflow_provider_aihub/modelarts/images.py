"""Images: the state of a container of a training job, kept as an image in a registry."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import StringConstraints

from airflow_provider_aihub.http.models import Answer
from airflow_provider_aihub.http.request import Request, path
from airflow_provider_aihub.http.values import Number, Text, Words
from airflow_provider_aihub.modelarts.services import V2, Service
from airflow_provider_aihub.modelarts.values import Spec, at_most, check_id

_SAVE = f"{V2}/training-jobs/{{}}/tasks/{{}}/save-image-job"
LONGEST_DESCRIPTION = 512


class SaveImageSpec(Spec):
    """An image to save.

    :param name: At most 512 lower-case letters, digits, ``-``, ``_`` and ``.``.
    :param namespace: Organisation in the registry (SWR).
    :param tag: At most 64 letters, digits, ``-``, ``_`` and ``.``; a number becomes text.
    :param description: At most 512 characters.
    """

    noun: ClassVar[str] = "image"

    name: Annotated[Words, StringConstraints(pattern=r"^[a-z0-9._-]{1,512}$")]
    namespace: Text
    tag: Annotated[Words, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    description: Annotated[Words, at_most(LONGEST_DESCRIPTION)] | None = None


class SavedImage(Answer):
    """An image that is being saved, or was.

    :param status: INIT, CREATING, ACTIVE or CREATE_FAILED; others may appear. Until then, the job
        cannot be used.
    :param create_time: Unix milliseconds.
    """

    status: str
    name: str = ""
    namespace: str = ""
    tag: str = ""
    description: str = ""
    message: str = ""
    create_time: Number = 0


def save_training_job_image(training_job_id: str, task: str, spec: SaveImageSpec) -> Request[SavedImage]:
    """Save the state of a task's container as an image.

    :param task: One of ``status.tasks`` of the job, such as ``worker-0``.
    :raises ModelArtsParameterError: Where an id is none.
    """
    job, of_task = check_id("training_job_id", training_job_id), check_id("task", task)
    return Request(
        asks=f"save {of_task} of training job {job} as image {spec.name!r}",
        service=Service.MODELARTS,
        method="POST",
        path=path(_SAVE, job, of_task),
        read=SavedImage.read,
        json=spec.body(),
        creates=True,
    )


def get_training_job_image(training_job_id: str, task: str) -> Request[SavedImage]:
    """Read the image that a task's container was last saved as.

    :raises ModelArtsParameterError: Where an id is none.
    """
    job, of_task = check_id("training_job_id", training_job_id), check_id("task", task)
    return Request(
        asks=f"read the image of {of_task} of training job {job}",
        service=Service.MODELARTS,
        method="GET",
        path=path(_SAVE, job, of_task),
        read=SavedImage.read,
    )
