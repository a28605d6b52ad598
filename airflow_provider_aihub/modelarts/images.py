"""Images: the state of a container of a training job, or of a notebook, saved as an image in a registry."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import model_validator

from airflow_provider_aihub.http.models import Answer
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.http.values import Number, Text, Words
from airflow_provider_aihub.modelarts.services import V1, V2, to
from airflow_provider_aihub.modelarts.values import Spec, at_most, spelt

_SAVE = f"{V2}/training-jobs/{{}}/tasks/{{}}/save-image-job"
LONGEST_DESCRIPTION = 512


class NotebookImageSpec(Spec):
    """An image to save a notebook as.

    :param name: At most 512 lower-case letters, digits, ``-``, ``_`` and ``.``.
    :param namespace: Organisation in the registry (SWR).
    :param tag: At most 64 letters, digits, ``-``, ``_`` and ``.``; a number becomes text.
    :param description: At most 512 characters.
    """

    noun: ClassVar[str] = "image"

    name: Annotated[Words, spelt(r"[a-z0-9._-]{1,512}", "1 to 512 lower-case letters, digits, '-', '_' and '.'")]
    namespace: Text
    tag: Annotated[Words, spelt(r"[A-Za-z0-9._-]{1,64}", "1 to 64 letters, digits, '-', '_' and '.'")] | None = None
    description: Annotated[Words, at_most(LONGEST_DESCRIPTION)] | None = None


class SaveImageSpec(NotebookImageSpec):
    """An image to save a container of a training job as; it must have a tag."""

    @model_validator(mode="after")
    def _tagged(self) -> Self:
        if self.tag is None:
            raise ValueError("tag is missing")
        return self


class SavedImage(Answer):
    """An image that is being saved, or was.

    :param status: INIT, CREATING, ACTIVE or CREATE_FAILED; others may appear. Until it is saved, the job cannot be
        used.
    :param create_time: Unix milliseconds.
    """

    status: str
    name: str = ""
    namespace: str = ""
    tag: str = ""
    description: str = ""
    message: str = ""
    create_time: Number = 0


class Image(Answer):
    """An image of the user's own.

    :param status: INIT, CREATING, ACTIVE or CREATE_FAILED; others may appear.
    :param create_at: Unix milliseconds; likewise ``update_at``.
    :param swr_path: Its address for pulling it.
    """

    id: str
    status: str
    name: str = ""
    namespace: str = ""
    tag: str = ""
    description: str = ""
    status_message: str = ""
    create_at: Number = 0
    update_at: Number = 0
    swr_path: str = ""
    workspace_id: str = ""


def save_training_job_image(training_job_id: str, task: str, spec: SaveImageSpec) -> Request[SavedImage]:
    """Save the state of a task's container as an image.

    :param task: One of ``status.tasks`` of the job, such as ``worker-0``.
    :raises ModelArtsParameterError: An id is not valid.
    """
    return Request(
        asks=f"save {task} of training job {training_job_id} as image {spec.name!r}",
        **to("POST", _SAVE, training_job_id=training_job_id, task=task),
        read=SavedImage.read,
        json=spec.body(),
        creates=True,
    )


def get_training_job_image(training_job_id: str, task: str) -> Request[SavedImage]:
    """Read the image that a task's container was last saved as.

    :raises ModelArtsParameterError: An id is not valid.
    """
    return Request(
        asks=f"read the image of {task} of training job {training_job_id}",
        **to("GET", _SAVE, training_job_id=training_job_id, task=task),
        read=SavedImage.read,
    )


def save_notebook_image(notebook_id: str, spec: NotebookImageSpec) -> Request[Image]:
    """Save the state of a notebook that runs as an image.

    :raises ModelArtsParameterError: The id is not valid.
    """
    return Request(
        asks=f"save notebook {notebook_id} as image {spec.name!r}",
        **to("POST", f"{V1}/notebooks/{{}}/create-image", notebook_id=notebook_id),
        read=Image.read,
        json=spec.body(),
        creates=True,
    )


def get_image(image_id: str) -> Request[Image]:
    """Read an image of the user's own.

    :raises ModelArtsParameterError: The id is not valid.
    """
    return Request(
        asks=f"read image {image_id}",
        **to("GET", f"{V1}/images/{{}}", image_id=image_id),
        read=Image.read,
        about={"id": image_id},
    )
