"""The model center: models, and what an upload of their files needs. Newer platforms only."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import Field

from airflow_provider_aihub.aihub.errors import AIHubParameterError
from airflow_provider_aihub.aihub.models import Page, Spec, StoreAccess, new_id, page_of
from airflow_provider_aihub.aihub.object_store import store_access
from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.aihub.values import check_id, check_text, joined_ids, page_query
from airflow_provider_aihub.http.models import Answer, nothing
from airflow_provider_aihub.http.request import Form, Request, path
from airflow_provider_aihub.http.values import Count, Flag, Number, Positive, Text, Whole, Words

_MODELS = "/model-center/api/v1/models"


class ModelStatus(StrEnum):
    """Where a model stands; AIHub may write the words in capitals."""

    INIT = "init"
    """Its files are not there yet."""
    UPLOADING = "uploading"
    READY = "ready"
    FAILED = "failed"


class ModelSpec(Spec):
    """A model to create.

    :param name: Name of the model.
    :param description: Free text.
    :param tags: Ids of tags.
    :param is_public: Whether everybody may use it.
    """

    noun: ClassVar[str] = "model"

    name: Text
    description: Words | None = None
    tags: list[Positive] = Field(default_factory=list)
    is_public: Flag = False


class UploadedSpec(Spec):
    """What AIHub is told once the files of a model are in its object store.

    :param object_cnt: Number of files.
    :param data_size: Bytes of all of them.
    """

    noun: ClassVar[str] = "upload of a model"

    model_id: Positive
    object_cnt: Count
    data_size: Count


class Model(Answer):
    """A model as AIHub shows it.

    :param status: See :class:`ModelStatus`; others may appear.
    :param tags: Ids of its tags.
    :param created_at: Unix milliseconds; likewise ``updated_at``.
    :param readme_content: Only where a single model is read, as is ``file_storage_path``.
    """

    id: Whole
    status: str = ""
    name: str = ""
    description: str = ""
    creator_id: Number = 0
    creator_name: str = ""
    created_at: Number = 0
    updated_at: Number = 0
    tags: list[Any] = Field(default_factory=list)
    is_public: bool = False
    readme_content: str = ""
    file_storage_path: str = ""


class ModelRecord(Answer):
    """What AIHub keeps of a model: where its files are, and whether they are all there.

    :param status: See :class:`ModelStatus`; others may appear.
    :param object_cnt: Number of its files.
    :param data_size: Bytes of all of them.
    :param object_storage_path: Where they are in AIHub's object store, ``s3://...``.
    :param csv_file_path: Where the sheet of its files is there.
    :param task_status_s3_path: Where the progress of an upload is noted there.
    :param parquet_index_path: Where the index is, once there is one.
    """

    id: Whole
    status: str = ""
    name: str = ""
    description: str = ""
    user_id: Number = 0
    is_public: bool = False
    object_cnt: Number = 0
    data_size: Number = 0
    object_storage_path: str = ""
    file_storage_path: str = ""
    parquet_index_path: str = ""
    csv_file_path: str = ""
    task_status_s3_path: str = ""
    created_at: Number = 0
    updated_at: Number = 0


def create_model(spec: ModelSpec) -> Request[int]:
    """Create a model without files and return its id. Newer platforms only."""
    fields = {"name": spec.name, "is_public": "true" if spec.is_public else "false", "remote_storage_path": ""}
    if spec.description is not None:
        fields["description"] = spec.description
    if spec.tags:
        fields["tags"] = ",".join(map(str, spec.tags))
    return Request(
        asks=f"create model {spec.name!r}",
        service=Service.MODEL_CENTER,
        method="POST",
        path=_MODELS,
        read=new_id,
        form=Form(fields={**fields, "upload_type": "local"}, files={}),
        creates=True,
        optional=True,
    )


def list_models(
    page: int = 1,
    page_size: int = 20,
    name: str | None = None,
    tags: Sequence[int | str] | None = None,
    model_ids: Sequence[int | str] | None = None,
) -> Request[Page[Model]]:
    """List models. Newer platforms only.

    :param name: Only those of this name. Whether a part of the name also matches is not documented.
    :param tags: Only those with these tags, by id. They are sent separated by commas, as when a model is created.
    :param model_ids: Only those of these ids, likewise.
    :raises AIHubParameterError: A number is not a whole number of at least 1.
    """
    return Request(
        asks="list models",
        service=Service.MODEL_CENTER,
        method="GET",
        path=_MODELS,
        read=page_of(Model),
        query=page_query(
            page, page_size, name=name, tags=joined_ids("tags", tags), model_ids=joined_ids("model_ids", model_ids)
        ),
        optional=True,
    )


def get_model(model_id: int | str) -> Request[Model]:
    """Read a model. Newer platforms only.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    number = check_id("model_id", model_id)
    return Request(
        asks=f"read model {number}",
        service=Service.MODEL_CENTER,
        method="GET",
        path=path(_MODELS + "/{}", number),
        read=Model.read,
        about={"id": number},
        optional=True,
    )


def get_model_record(model_id: int | str | None = None, name: str | None = None) -> Request[ModelRecord]:
    """Read what AIHub keeps of a model, by its id or its name. Newer platforms only.

    :raises AIHubParameterError: The id is not a whole number of at least 1, or not one of both is given.
    """
    if (model_id is None) == (name is None):
        raise AIHubParameterError("Either the id of a model or its name must be given.")
    number = None if model_id is None else check_id("model_id", model_id)
    if name is not None:
        check_text("name", name, allowed="the name of a model")
    return Request(
        asks=f"read the record of model {name!r}" if number is None else f"read the record of model {number}",
        service=Service.MODEL_CENTER,
        method="GET",
        path=f"{_MODELS}/db",
        read=ModelRecord.read,
        about={} if number is None else {"id": number},
        query={"id": number, "name": name},
        optional=True,
    )


def get_model_store_access() -> Request[StoreAccess]:
    """Get short-lived credentials for the object store of models. Newer platforms only."""
    return store_access(Service.MODEL_CENTER, f"{_MODELS}/get-sts")


def finish_model_upload(spec: UploadedSpec) -> Request[None]:
    """Say that all files of a model are in the object store, so that AIHub processes them. Newer platforms only.

    Marked as creating: it is not documented whether a second call starts the processing again.
    """
    return Request(
        asks=f"take in the files of model {spec.model_id}",
        service=Service.MODEL_CENTER,
        method="POST",
        path=f"{_MODELS}/upload",
        read=nothing,
        json=spec.body(),
        creates=True,
        optional=True,
    )
