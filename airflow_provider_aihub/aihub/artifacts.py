"""Artifacts: files that belong to a workflow run, in AIHub's object store. Newer platforms only."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from airflow_provider_aihub.aihub.models import Page, Spec, StoreAccess, page_of
from airflow_provider_aihub.aihub.object_store import store_access
from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.aihub.values import check_id, check_text, page_query
from airflow_provider_aihub.http.models import Answer, nothing
from airflow_provider_aihub.http.request import Request, path
from airflow_provider_aihub.http.values import Flag, Positive, Text, Whole, one_of

_ARTIFACTS = "/artifact-management/api/v1/artifacts"


class ArtifactType(StrEnum):
    """What an artifact is, in AIHub's words."""

    DATASET = "dataset"
    MODEL = "model"
    METRICS = "metrics"
    LOG = "log"
    CHECKPOINT = "checkpoint"
    IMAGE = "image"
    PREDICTION = "prediction"
    OTHER = "other"


class ArtifactSpec(Spec):
    """An artifact to create.

    :param entity_id: The run that it belongs to, a text: AIHub gives its workflow nodes theirs as
        ``AI_HUB_WORKFLOW_RUN_ID``.
    :param entity_type: See :class:`ArtifactType`.
    :param src_path: Its path within its run. Whether two artifacts may have the same is not documented.
    :param is_dir: Whether it is a folder.
    """

    noun: ClassVar[str] = "artifact"

    entity_id: Text
    entity_type: Annotated[ArtifactType, one_of(ArtifactType)] = ArtifactType.OTHER
    src_path: Text
    is_dir: Flag = False


class NewArtifact(Answer):
    """An artifact without files.

    :param s3_path: Where its file belongs in AIHub's object store, ``s3://...``; the files of a folder belong below it.
    """

    id: Positive
    s3_path: Text


class Artifact(Answer):
    """An artifact as AIHub shows it. AIHub does not show whether its files are there yet.

    :param entity_id: The run that it belongs to.
    :param entity_type: See :class:`ArtifactType`; others may appear.
    :param src_path: Its path within its run.
    :param s3_path: Where it lies in AIHub's object store, ``s3://...``.
    """

    id: Whole
    entity_type: str = ""
    entity_id: str = ""
    src_path: str = ""
    s3_path: str = ""
    is_dir: bool = False


def get_artifact_store_access() -> Request[StoreAccess]:
    """Get short-lived credentials for the object store of artifacts. Newer platforms only."""
    return store_access(Service.ARTIFACT_MANAGEMENT, f"{_ARTIFACTS}/get-sts")


def create_artifact(spec: ArtifactSpec) -> Request[NewArtifact]:
    """Create an artifact without files and return its id and where they go. Newer platforms only."""
    return Request(
        asks=f"create artifact {spec.src_path!r}",
        service=Service.ARTIFACT_MANAGEMENT,
        method="POST",
        path=_ARTIFACTS,
        read=NewArtifact.read,
        json=spec.body(),
        creates=True,
        optional=True,
    )


def finish_artifact_upload(artifact_id: int | str) -> Request[None]:
    """Say that the files of an artifact are in the object store. Newer platforms only.

    The call may be repeated: it changes nothing else.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    number = check_id("artifact_id", artifact_id)
    return Request(
        asks=f"take artifact {number} for uploaded",
        service=Service.ARTIFACT_MANAGEMENT,
        method="POST",
        path=path(_ARTIFACTS + "/{}/uploaded", number),
        read=nothing,
        optional=True,
    )


def list_artifacts(entity_id: int | str, page: int = 1, page_size: int = 20) -> Request[Page[Artifact]]:
    """List the artifacts of a run. Newer platforms only.

    :param entity_id: The run.
    :raises AIHubParameterError: ``entity_id`` is empty, or a number is not a whole number of at least 1.
    """
    entity_id = check_text("entity_id", entity_id, allowed="the id of a run")
    return Request(
        asks=f"list the artifacts of run {entity_id}",
        service=Service.ARTIFACT_MANAGEMENT,
        method="GET",
        path=_ARTIFACTS,
        read=page_of(Artifact),
        query=page_query(page, page_size, entity_id=entity_id),
        optional=True,
    )
