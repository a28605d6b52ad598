"""Datasets, their versions, and uploads of files for them."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum, StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import Field

from airflow_provider_aihub.aihub.models import Page, Spec, StoreAccess, Upload, new_id, page_of
from airflow_provider_aihub.aihub.object_store import store_access
from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.aihub.values import check_id, check_member, check_text, joined_ids, page_query
from airflow_provider_aihub.http.models import Answer
from airflow_provider_aihub.http.request import File, Form, Request, path
from airflow_provider_aihub.http.values import Count, Flag, Number, Positive, Text, Whole, Words, one_of

_V1 = "/dataset-mng/api/v1"
_V2 = "/dataset-mng/api/v2"
VERSION_NAME = r"\S(.*\S)?/V[1-9][0-9]{0,17}"


class UploadType(IntEnum):
    """What an upload path points at.

    AIHub's document knows ``zip``, ``s3`` and ``host``. Newer platforms call 1 ``local`` and 3 ``server``, lack 2,
    and add the others. So ``zip`` and ``local`` are one number, and ``host`` and ``server`` another.
    """

    ZIP = 1
    S3 = 2
    HOST = 3
    LABELFREE = 4
    INGEST = 5
    HUGGINGFACE = 7
    LOCAL = 1
    SERVER = 3


class VersionStatus(IntEnum):
    """Where a dataset version stands; 5 and 6 are known to newer platforms only."""

    WAITING = 1
    CREATING = 2
    SUCCESS = 3
    FAILED = 4
    LOADING_METADATA = 5
    BUILDING_INDEX = 6


class Scope(StrEnum):
    """Which datasets a list holds."""

    CREATED = "created"
    SHARED = "shared"
    ALL = "all"


class DatasetSpec(Spec):
    """A dataset to create.

    :param name: Name of the dataset.
    :param description: Free text.
    :param tags: Ids of tags.
    :param cover_img: S3 path of a cover image.
    :param create_by: Id of the user it belongs to.
    :param is_private: Whether only some users may use it. Newer platforms only.
    :param access_user_ids: Ids of those users. Newer platforms only.
    """

    noun: ClassVar[str] = "dataset"

    name: Text
    description: Words = ""
    tags: list[Positive] = Field(default_factory=list)
    cover_img: Text | None = None
    create_by: Positive | None = None
    is_private: Flag | None = None
    access_user_ids: list[Positive] | None = None


class DatasetVersionSpec(Spec):
    """A dataset version to create.

    :param upload_type: What the path points at, by word or number, see :class:`UploadType`.
    :param upload_path: Where the data is.
    :param dataset_id: Id of the dataset.
    :param description: Free text.
    :param parent_version_id: Id of the version it builds on.
    """

    noun: ClassVar[str] = "dataset version"

    upload_type: Annotated[UploadType, one_of(UploadType)]
    upload_path: Text
    dataset_id: Positive
    description: Words | None = None
    parent_version_id: Positive | None = None


class IngestSpec(Spec):
    """A dataset version to create from files in AIHub's object store.

    :param dataset_id: Id of the dataset.
    :param s3_object_sheet: Where the sheet of the files is, ``s3://...``.
    :param s3_target_path: The folder of the files, ``s3://.../``.
    :param description: Free text.
    :param object_cnt: Number of files.
    :param data_size: Bytes of all of them.
    """

    noun: ClassVar[str] = "dataset version"

    dataset_id: Positive
    s3_object_sheet: Text
    s3_target_path: Text
    description: Words | None = None
    object_cnt: Count | None = None
    data_size: Count | None = None


class DatasetVersion(Answer):
    """A dataset version as AIHub knows it.

    :param status: See :class:`VersionStatus`; numbers beyond it may appear.
    :param version: Its number within the dataset, from 1.
    :param upload_type: See :class:`UploadType`.
    :param parent_version_id: 0 for none.
    :param message: AIHub's words on a failure.
    :param created_at: Unix milliseconds.
    :param data_size: Size of the data; the document names no unit.
    :param data_count: Number of files.
    :param parquet_index_path: URL of the index.
    :param username: Who made it; in lists only.
    :param dataset_name: Name of the dataset; in lists only.
    :param file_storage_path: Where the files are; within a dataset only.
    """

    id: Whole
    status: Whole
    version: Number = 0
    dataset_id: Number = 0
    upload_path: str = ""
    upload_type: Number = 0
    parent_version_id: Number = 0
    description: str = ""
    message: str = ""
    created_at: Number = 0
    user_id: Number = 0
    data_size: Number = 0
    data_count: Number = 0
    parquet_index_path: str = ""
    username: str = ""
    dataset_name: str = ""
    file_storage_path: str = ""


class Dataset(Answer):
    """A dataset as AIHub knows it. Newer platforms only.

    :param created_at: Unix milliseconds.
    :param update_at: Unix milliseconds.
    :param tags: As AIHub gives them: ids, or objects.
    """

    id: Whole
    name: str = ""
    description: str = ""
    cover_img: str = ""
    created_at: Number = 0
    update_at: Number = 0
    user_id: Number = 0
    username: str = ""
    tags: list[Any] = Field(default_factory=list)
    access_user_ids: list[Whole] = Field(default_factory=list)
    is_private: bool = False
    versions: list[DatasetVersion] = Field(default_factory=list)


def create_dataset(spec: DatasetSpec) -> Request[int]:
    """Create a dataset and return its id."""
    return Request(
        asks=f"create dataset {spec.name!r}",
        service=Service.DATASET_MANAGEMENT,
        method="POST",
        path=f"{_V2}/datasets",
        read=new_id,
        json=spec.body(),
        creates=True,
    )


def create_dataset_version(spec: DatasetVersionSpec) -> Request[int]:
    """Create a version of a dataset and return the version's id (not its number)."""
    return Request(
        asks=f"create a version of dataset {spec.dataset_id}",
        service=Service.DATASET_MANAGEMENT,
        method="POST",
        path=f"{_V2}/dataset-versions-upload",
        read=new_id,
        json=spec.body(),
        creates=True,
    )


def get_dataset_store_access() -> Request[StoreAccess]:
    """Get short-lived credentials for the object store of datasets. Newer platforms only."""
    return store_access(Service.DATASET_MANAGEMENT, f"{_V2}/dataset-versions/get-sts")


def ingest_dataset_version(spec: IngestSpec) -> Request[int]:
    """Create a version of a dataset from files in the object store and return the version's id. Newer platforms
    only."""
    return Request(
        asks=f"create a version of dataset {spec.dataset_id} of files in its object store",
        service=Service.DATASET_MANAGEMENT,
        method="POST",
        path=f"{_V2}/dataset-versions/data-ingest",
        read=new_id,
        json=spec.body(),
        creates=True,
        optional=True,
    )


def get_dataset_version_by_name(name: str) -> Request[DatasetVersion]:
    """Read a dataset version by its name ``<dataset>/V<n>``, e.g. ``mnist/V1``.

    :raises AIHubParameterError: The name has another form.
    """
    check_text("name", name, VERSION_NAME, "a dataset version's name such as mnist/V1")
    return Request(
        asks=f"read dataset version {name!r}",
        service=Service.DATASET_MANAGEMENT,
        method="GET",
        path=f"{_V2}/dataset-versions-detail",
        read=DatasetVersion.read,
        about={"version": int(name.rpartition("/V")[2])},
        query={"name": name},
    )


def get_dataset_version(version_id: int | str) -> Request[DatasetVersion]:
    """Read a dataset version by its id. Newer platforms only.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    number = check_id("version_id", version_id)
    return Request(
        asks=f"read dataset version {number}",
        service=Service.DATASET_MANAGEMENT,
        method="GET",
        path=path(_V2 + "/dataset-versions/{}", number),
        read=DatasetVersion.read,
        about={"id": number},
        optional=True,
    )


def list_dataset_versions(
    page: int = 1,
    page_size: int = 20,
    dataset_id: int | str | None = None,
    dataset_version_ids: Sequence[int | str] | None = None,
) -> Request[Page[DatasetVersion]]:
    """List dataset versions. Newer platforms only.

    :param dataset_id: Only those of this dataset.
    :param dataset_version_ids: Only those of these ids.
    :raises AIHubParameterError: A number is not a whole number of at least 1.
    """
    ids = joined_ids("dataset_version_ids", dataset_version_ids)
    return Request(
        asks="list dataset versions",
        service=Service.DATASET_MANAGEMENT,
        method="GET",
        path=f"{_V2}/dataset-versions",
        read=page_of(DatasetVersion),
        query=page_query(page, page_size, {"dataset_id": dataset_id}, dataset_version_ids=ids),
        optional=True,
    )


def get_dataset(dataset_id: int | str) -> Request[Dataset]:
    """Read a dataset with its versions. Newer platforms only.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    number = check_id("dataset_id", dataset_id)
    return Request(
        asks=f"read dataset {number}",
        service=Service.DATASET_MANAGEMENT,
        method="GET",
        path=path(_V2 + "/datasets/{}", number),
        read=Dataset.read,
        about={"id": number},
        optional=True,
    )


def list_datasets(
    page: int = 1,
    page_size: int = 20,
    name: str | None = None,
    tags: Sequence[int | str] | None = None,
    create_by: int | str | None = None,
    scope: Scope | str | None = None,
) -> Request[Page[Dataset]]:
    """List datasets. Newer platforms only.

    :param name: Only those of this name. Whether a part of the name also matches is not documented.
    :param tags: Only those with these tags, by id. They are sent separated by commas, as version ids are: the form is
        not documented.
    :param create_by: Only those of this user, by id.
    :param scope: ``created``: only the user's own; ``shared``: only those that others share; or ``all``.
    :raises AIHubParameterError: A number is not a whole number of at least 1, or the scope is unknown.
    """
    kept = None if scope is None else check_member("scope", Scope, scope).value
    return Request(
        asks="list datasets",
        service=Service.DATASET_MANAGEMENT,
        method="GET",
        path=f"{_V2}/datasets",
        read=page_of(Dataset),
        query=page_query(
            page, page_size, {"create_by": create_by}, name=name, tags=joined_ids("tags", tags), scope=kept
        ),
        optional=True,
    )


def upload_file(file: File) -> Request[Upload]:
    """Upload a file for a dataset version. Newer platforms only.

    Not marked as creating: a second upload only leaves a second copy, and starts nothing.
    """
    return Request(
        asks=f"take the file {file.name!r}",
        service=Service.DATASET_MANAGEMENT,
        method="POST",
        path=f"{_V1}/uploads",
        read=Upload.read,
        form=Form(fields={}, files={"file": file}),
        optional=True,
    )
