"""Datasets and their versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_aihub.aihub.errors import (
    AIHubAmbiguousSubmit,
    AIHubError,
    AIHubNotFoundError,
    AIHubParameterError,
    AIHubRejectedError,
    AIHubUnsupportedError,
)
from airflow_provider_aihub.assets import with_versions_alias
from airflow_provider_aihub.jobs.best_effort import best_effort
from airflow_provider_aihub.links import ViewInAIHubLink
from airflow_provider_aihub.operators.base import JobOperator
from airflow_provider_aihub.operators.call import CallOperator

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

    from airflow_provider_aihub.aihub.dataset_management import DatasetVersion
    from airflow_provider_aihub.http.request import Request
    from airflow_provider_aihub.jobs.kind import JobId, JobState
    from airflow_provider_aihub.lineage import Lineage
    from airflow_provider_aihub.tasks.job_state import Marker


class CreateDatasetOperator(CallOperator):
    """Make sure that there is a dataset.

    Returns ``{"id", "name", "created", "uri"}``: whether this task has created it, and the URI of its asset, see
    :func:`~airflow_provider_aihub.assets.dataset_uri`.

    :param name: Name of the dataset.
    :param description: Free text.
    :param tags: Ids of tags.
    :param cover_img: S3 path of a cover image.
    :param create_by: Id of the user it belongs to. Default: the one the connection logs in as.
    :param is_private: Whether only some users may use it. Newer platforms only.
    :param access_user_ids: Ids of those users. Newer platforms only.
    :param if_exists: What to do if AIHub already has a dataset of that name: ``"use"`` it as it is (default), or
        ``"fail"``. An AIHub with only the document's API finds a dataset only by its versions. There, a dataset without
        versions is used if an earlier run of this task has returned its id.

    The remaining parameters are those of :class:`~airflow_provider_aihub.operators.call.CallOperator`.
    """

    template_fields: Sequence[str] = (
        *CallOperator.template_fields,
        "name",
        "description",
        "tags",
        "cover_img",
        "create_by",
        "is_private",
        "access_user_ids",
        "if_exists",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"tags": "json", "access_user_ids": "json"}

    operator_extra_links = (ViewInAIHubLink(),)

    def __init__(
        self,
        *,
        name: str,
        description: str | None = None,
        tags: Sequence[int | str] | None = None,
        cover_img: str | None = None,
        create_by: int | str | None = None,
        is_private: bool | str | None = None,
        access_user_ids: Sequence[int | str] | None = None,
        if_exists: Literal["use", "fail"] | str = "use",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.description = description
        self.tags = tags
        self.cover_img = cover_img
        self.create_by = create_by
        self.is_private = is_private
        self.access_user_ids = access_user_ids
        self.if_exists = if_exists

    def call(self, context: Context) -> dict[str, Any]:
        """Create the dataset, or find the one that is there."""
        dataset = self._dataset(context)
        self.link_to(context, dataset["id"], "dataset")
        return dataset

    def _dataset(self, context: Context) -> dict[str, Any]:
        from airflow_provider_aihub.aihub.dataset_management import DatasetSpec
        from airflow_provider_aihub.assets import dataset_host, dataset_uri
        from airflow_provider_aihub.http.values import shown

        if self.if_exists not in ("use", "fail"):
            raise AIHubParameterError(f"if_exists is {shown(self.if_exists)}; allowed are 'use' and 'fail'.")
        spec = DatasetSpec.build(
            name=self.name,
            description=self.description,
            tags=self.tags,
            cover_img=self.cover_img,
            create_by=self.create_by,
            is_private=self.is_private,
            access_user_ids=self.access_user_ids,
        )
        if spec.name != spec.name.strip():
            raise AIHubParameterError(
                f"name is {shown(spec.name)}; the versions of a dataset are read by its name, so it must not begin or "
                "end with a blank."
            )
        uri = dataset_uri(spec.name, host=dataset_host(self.hook.get_conn().config))
        try:
            return {"id": self.hook.create_dataset(spec), "name": spec.name, "created": True, "uri": uri}
        except (AIHubRejectedError, AIHubAmbiguousSubmit) as refusal:
            if isinstance(refusal, AIHubAmbiguousSubmit) and not refusal.refused:
                raise
            # The document gives no code for a name that is taken, so any refusal may mean it.
            dataset_id = None if self.if_exists == "fail" else self._existing(context, spec.name, uri)
            if dataset_id is None:
                raise
            self.log.info("AIHub has dataset %r already, with id %d: %s", spec.name, dataset_id, refusal)
            return {"id": dataset_id, "name": spec.name, "created": False, "uri": uri}

    def _existing(self, context: Context, name: str, uri: str) -> int | None:
        from airflow_provider_aihub.operators.names import dataset_named

        try:
            return dataset_named(self.hook, name)
        except AIHubError as error:
            known = self._id_of_an_earlier_run(context, uri)
            if known is None:
                self.log.info("No dataset %r was found to use instead: %s", name, error)
            return known

    def _id_of_an_earlier_run(self, context: Context, uri: str) -> int | None:
        """Return the id in the newest result that Airflow has of this task, if that is about the same dataset."""
        from airflow_provider_aihub.http.values import as_int

        ti: Any = context["ti"]
        with best_effort(self.log, "what an earlier run was told"):
            told = ti.xcom_pull(task_ids=ti.task_id, map_indexes=ti.map_index, include_prior_dates=True)
            if isinstance(told, dict) and told.get("uri") == uri:
                return as_int(told.get("id"))
        return None


class DatasetVersionOperator(JobOperator):
    """Create a version of a dataset from data that AIHub can reach or that is uploaded, and wait until it is built.

    Returns ``{"id", "version", "dataset_version", "dataset_id", "data_count", "data_size", "parquet_index_path"}``,
    where ``dataset_version`` is the version's name such as ``mnist/V3``.

    Give data that AIHub can reach as ``upload_path`` with ``upload_type``, and other data as ``local_path``. It is
    uploaded right before the version is created. The files of a folder are uploaded one by one to AIHub's object store
    if that AIHub gives out credentials for one, the extra ``s3`` is installed, and neither ``bucket`` nor
    ``parent_version_id`` is given. Then a retry continues where the earlier try stopped. Otherwise a folder is uploaded
    as a zip archive, which is made while it is sent and needs no disk space on the worker. A single file is uploaded as
    it is. A retry that takes up a version uploads nothing.

    Each version that is built creates one event of its dataset's asset, ``aihub://<host>/datasets/<name>``, see
    :func:`~airflow_provider_aihub.assets.dataset_asset`; its extra is ``{"id", "version", "dataset", "size",
    "count"}``. The asset need not be among the ``outlets``.

    :param dataset: Name or id of the dataset, which must exist. Digits are read as an id.
    :param upload_path: Where the data is. Its meaning depends on ``upload_type``.
    :param upload_type: ``"zip"`` a zip file (1), ``"s3"`` a directory in S3 (2) or ``"host"`` a directory on the host
        (3); newer platforms: ``"local"`` (1), ``"server"`` (3), ``"labelfree"`` (4), ``"ingest"`` (5),
        ``"huggingface"`` (7).
    :param local_path: Folder or zip file to upload: a path on the worker, or a URI such as ``s3://`` or ``gs://``, as
        in ``ObjectStoragePath``.
    :param bucket: Bucket to which the S3 relay uploads it. Default: none, it goes to AIHub's own upload endpoint,
        which newer platforms have.
    :param key: Path of the uploaded object in the bucket. Default: a path that only this task instance uses, so that a
        retry replaces the object.
    :param description: Free text.
    :param parent_version_id: Id of the version that this one builds on.
    :param dataset_name: Name of the dataset, if ``dataset`` is an id. An AIHub with only the document's API needs both
        for a dataset without versions: there an id is found only by a version, and a version is read only by its name.

    The remaining parameters are those of :class:`~airflow_provider_aihub.operators.base.JobOperator`. AIHub has no call
    to stop the building of a version, so it goes on when the task is killed.
    """

    kind = "dataset_version"
    template_fields: Sequence[str] = (
        *JobOperator.template_fields,
        "dataset",
        "upload_path",
        "upload_type",
        "local_path",
        "bucket",
        "key",
        "description",
        "parent_version_id",
        "dataset_name",
    )

    def __init__(
        self,
        *,
        dataset: str | int,
        upload_path: str | None = None,
        upload_type: str | int | None = None,
        local_path: str | Path | ObjectStoragePath | None = None,
        bucket: str | None = None,
        key: str | None = None,
        description: str | None = None,
        parent_version_id: int | str | None = None,
        dataset_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dataset = dataset
        self.upload_path = upload_path
        self.upload_type = upload_type
        self.local_path = local_path
        self.bucket = bucket
        self.key = key
        self.description = description
        self.parent_version_id = parent_version_id
        self.dataset_name = dataset_name
        self.outlets = with_versions_alias(self.outlets)
        self._default_key = ""
        self._workspace = ""
        self._found_name: str | None = None

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Prepare for ``expand``. The alias of versions is added to the outlets here, since Airflow ignores the outlets
        of mapped tasks."""
        mapped = super().partial(**kwargs)
        mapped.kwargs["outlets"] = with_versions_alias(mapped.kwargs.get("outlets"))
        return mapped

    def create_request(self, marker: Marker) -> Request[int]:
        """Check the parameters and find the dataset."""
        from airflow_provider_aihub.aihub.dataset_management import DatasetVersionSpec, create_dataset_version
        from airflow_provider_aihub.operators.names import dataset_id, known_id

        self._check_data()
        spec = DatasetVersionSpec.build(
            dataset_id=known_id("dataset", self.dataset) or 1,
            upload_path=self.upload_path if self.local_path is None else "known when it is uploaded",
            upload_type=self.upload_type if self.local_path is None else "zip",
            description=marker.sign(self.description),
            parent_version_id=self.parent_version_id or None,
        )
        # All tries use the same folder, so that a retry continues the upload. After a clear, it is another folder,
        # since a version that was created before may refer to the files in the old one.
        self._workspace = str(marker.life)
        self._default_key = f"airflow/{self.dag_id}/{self.task_id}/{marker.task}"
        if self.options.wait_for_completion:
            self._check_name()
        return create_dataset_version(spec.model_copy(update={"dataset_id": dataset_id(self.hook, self.dataset)}))

    def jobs_without_list(self, since: float) -> list[DatasetVersion] | None:
        """Return the newest versions of the dataset, which are read one by one by their names."""
        from airflow_provider_aihub.aihub.dataset_versions import newest_versions

        return list(newest_versions(self._version, since)) if self._name() else None

    def prepare_submission(self, request: Request[int]) -> Request[int]:
        """Upload the data, if there is any to upload."""
        from airflow_provider_aihub.lineage import is_uri, tell_collector
        from airflow_provider_aihub.storage import find_source

        if self.local_path is None:
            return request
        ingest = self._upload_to_store(request)
        if ingest is not None:
            return ingest
        file = find_source("local_path", self.local_path).as_file()
        if self.bucket is not None:
            upload = self.hook.upload_to_relay(self.bucket, self.key or f"{self._default_key}/{file.name}", file)
        else:
            try:
                upload = self.hook.upload_file(file)
            except AIHubUnsupportedError:
                raise AIHubParameterError(
                    "bucket is missing, and this AIHub has no upload endpoint of its own; give the bucket to which the "
                    "S3 relay shall upload local_path."
                ) from None
        self.log.info("Uploaded %d bytes of '%s' to %s", file.size, self.local_path, upload.path)
        # A plain path is one on AIHub, which cannot be an asset.
        tell_collector(self.hook, inputs=[str(self.local_path)], outputs=[upload.path] if is_uri(upload.path) else ())
        return replace(request, json={**(request.json or {}), "upload_path": upload.path})

    def _upload_to_store(self, request: Request[int]) -> Request[int] | None:
        """Upload a folder to AIHub's object store, and return the request that creates a version from it.

        Return ``None`` if that is not possible: for a single file, with ``bucket`` or ``parent_version_id``, if this
        AIHub gives out no credentials for the store, or if boto3 is not installed.
        """
        from importlib.util import find_spec

        from airflow_provider_aihub.aihub.dataset_management import IngestSpec, ingest_dataset_version
        from airflow_provider_aihub.aihub.object_store import Place
        from airflow_provider_aihub.aihub.uploading import put_status, upload_folder
        from airflow_provider_aihub.lineage import tell_collector
        from airflow_provider_aihub.storage import find_files

        if self.bucket is not None or self.parent_version_id:
            return None
        files = find_files("local_path", self.local_path)  # type: ignore[arg-type]
        if not files.is_folder:
            return None
        try:
            access = self.hook.get_dataset_store_access()
        except AIHubUnsupportedError:
            return None
        if not access.endpoint or not access.bucket:
            return None
        if find_spec("boto3") is None:
            self.log.info("The folder is uploaded as a zip archive, since boto3, from the extra s3, is not installed")
            return None
        sent: dict[str, Any] = dict(request.json or {})
        place = Place(access.bucket, f"dataset_workspace/{sent['dataset_id']}/{self._workspace}")
        store = self.hook.object_store(self.hook.get_dataset_store_access)
        sheet = Place(place.bucket, f"{place.key}.csv")
        uploaded = upload_folder(store, files.name, files, files.size, place, sheet)
        put_status(store, Place(place.bucket, f"{place.key}.json"), uploaded)
        self.log.info(
            "'%s' has %d files, %d bytes; %d bytes were sent to %s, the others lay there",
            self.local_path,
            uploaded.count,
            uploaded.size,
            uploaded.sent,
            place,
        )
        if uploaded.strange:
            self.log.warning("%d files at %s are not in local_path, nor in its sheet", uploaded.strange, place)
        tell_collector(self.hook, inputs=[str(self.local_path)], outputs=[str(place)])
        spec = IngestSpec.build(
            dataset_id=sent["dataset_id"],
            s3_object_sheet=str(sheet),
            s3_target_path=f"{place}/",
            description=sent["description"],
            object_cnt=uploaded.count,
            data_size=uploaded.size,
        )
        return ingest_dataset_version(spec)

    def reference(self, job_id: JobId) -> JobId:
        """Return the version's id, or its name on an AIHub that reads it by name alone."""
        try:
            self.hook.get_dataset_version(job_id)
        except AIHubUnsupportedError:
            return self._name_by_id(int(job_id))
        return job_id

    def result(self, state: JobState) -> dict[str, Any]:
        """Return the version's id, number, name and size."""
        version: DatasetVersion = state.answer
        return {
            "id": version.id,
            "version": version.version,
            "dataset_version": f"{self._name_of(version.dataset_id)}/V{version.version}",
            "dataset_id": version.dataset_id,
            "data_count": version.data_count,
            "data_size": version.data_size,
            "parquet_index_path": version.parquet_index_path,
        }

    def succeeded(self, context: Context, state: JobState) -> None:
        """Create an event of the dataset's asset."""
        from airflow_provider_aihub.assets import announce, dataset_host, dataset_uri, version_facts

        dataset = self._name_of(state.answer.dataset_id)
        if dataset:
            uri = dataset_uri(dataset, host=dataset_host(self.hook.get_conn().config))
            announce(context, self.outlets, uri, version_facts(state.answer, dataset))

    def lineage(self, state: JobState | None, result: dict[str, Any] | None) -> Lineage:
        """Return where the data is, and the version that was made from it."""
        from airflow_provider_aihub.lineage import Lineage, dataset, located, on_aihub

        known = Lineage()
        if self.local_path is not None:
            known.inputs = [located(str(self.local_path))]
        elif self.upload_path:
            known.inputs = on_aihub(self.hook, str(self.upload_path))
        if self.upload_type is not None:
            known.job = {"upload_type": self.upload_type}
        if state is None:
            return known
        version: DatasetVersion = state.answer
        known.run = {"id": version.id, "status": str(state.phase)}
        if result:
            name, _, number = result["dataset_version"].rpartition("/")
            size, files = version.data_size, version.data_count
            known.outputs = dataset(self.hook, name, version=number, size=size, files=files)
        return known

    def _check_data(self) -> None:
        """Check that the parameters say where the data is, in exactly one way.

        :raises AIHubParameterError: They do not.
        """
        from airflow_provider_aihub.storage import storage_path

        if (self.upload_path is None) == (self.local_path is None):
            given = "none" if self.local_path is None else "both"
            raise AIHubParameterError(f"One of upload_path and local_path must be given, not {given}.")
        for name, needed in (("upload_type", "upload_path"), ("bucket", "local_path"), ("key", "bucket")):
            if getattr(self, name) is not None and getattr(self, needed) is None:
                raise AIHubParameterError(f"{name} has a meaning only together with {needed}, which is missing.")
        if self.local_path is not None:
            storage_path("local_path", self.local_path)
        if self.dataset_name is not None and self._name() != str(self.dataset_name):
            raise AIHubParameterError(
                f"dataset is {self.dataset!r} and dataset_name is {self.dataset_name!r}; give the dataset's id as "
                "dataset and its name as dataset_name, or one of them alone."
            )

    def _name(self) -> str | None:
        """Return the dataset's name if the parameters contain it; else ``None``."""
        from airflow_provider_aihub.operators.names import known_id

        name = self.dataset if known_id("dataset", self.dataset) is None else self.dataset_name
        return None if name is None else str(name)

    def _name_of(self, dataset_id: int) -> str | None:
        """Return the dataset's name from AIHub; from the parameters only if AIHub cannot read a dataset by its id."""
        if self._found_name is None:
            try:
                self._found_name = self.patiently(lambda: self.hook.get_dataset(dataset_id)).name
            except AIHubUnsupportedError:
                self._found_name = self._name()
        return self._found_name

    def _check_name(self) -> None:
        """Check, before anything is created, that the new version can be read.

        :raises AIHubParameterError: This AIHub needs the dataset's name for that, and it was not given.
        """
        if self._name():
            return
        try:
            self.hook.get_dataset(self.dataset)
        except AIHubUnsupportedError:
            raise AIHubParameterError(
                f"dataset is the id {self.dataset}, but this AIHub reads a version by its name alone; give the "
                "dataset's name as dataset or as dataset_name."
            ) from None

    def _name_by_id(self, version_id: int) -> str:
        from airflow_provider_aihub.aihub.dataset_versions import find_version

        name = self._name()
        found = find_version(self._version, version_id)
        if found:
            return f"{name}/V{found.version}"
        raise AIHubNotFoundError(
            f"AIHub created version {version_id} of dataset {self.dataset!r}, but has none of that id among the "
            f"versions {name}/V<n>; check that the dataset's name is {name!r}."
        )

    def _version(self, number: int) -> DatasetVersion | None:
        """Read a version by its number; ``None`` where there is none."""
        from airflow_provider_aihub.http.answers import FORBIDDEN

        try:
            return self.hook.get_dataset_version_by_name(f"{self._name()}/V{number}")
        except AIHubRejectedError as refusal:
            if refusal.status == FORBIDDEN:
                raise
            return None


class DatasetDownloadOperator(CallOperator):
    """Fetch the files of a dataset version into a folder on the worker.

    Returns ``{"id", "dataset_version", "path", "count", "size"}``. Needs the extra ``s3``, for the version's index.

    Several files are fetched at a time. The file ``.aihub-dataset-version`` in the folder lists which files are
    complete. If the next try finds the folder, it does not fetch these again for the same version, unless they have
    changed. A file is checked by size and SHA-256 if the index has them, and gets its name when it is complete. AIHub
    does not document whether the index has them, nor whether its addresses are escaped: what looks like an escape is
    sent as it is.

    :param dataset_version: Name of the version, such as ``mnist/V1``; or its id, on newer platforms. It must have
        succeeded.
    :param local_path: Folder on the worker; it is created if it is missing. Other files in it stay.

    The remaining parameters are those of :class:`~airflow_provider_aihub.operators.call.CallOperator`.
    """

    template_fields: Sequence[str] = (*CallOperator.template_fields, "dataset_version", "local_path")
    operator_extra_links = (ViewInAIHubLink(),)

    def __init__(self, *, dataset_version: str | int, local_path: str | Path, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dataset_version = dataset_version
        self.local_path = local_path

    def call(self, context: Context) -> dict[str, Any]:
        """Fetch what is missing."""
        from pathlib import Path
        from urllib.parse import urlsplit

        from airflow_provider_aihub.aihub.files import writing
        from airflow_provider_aihub.aihub.kinds import DATASET_VERSION
        from airflow_provider_aihub.aihub.version_files import download_files, read_index
        from airflow_provider_aihub.jobs.kind import Phase
        from airflow_provider_aihub.lineage import tell_collector
        from airflow_provider_aihub.storage import local_folder

        request = DATASET_VERSION.look(self.dataset_version)
        target = local_folder("local_path", self.local_path)
        state = self.hook.send(request)
        version: DatasetVersion = state.answer
        self.link_to(context, version.id, "dataset_version")
        index = version.parquet_index_path
        if state.phase is not Phase.SUCCEEDED or not index:
            stands = state.verb if index else f"{state.verb} and has no index"
            raise AIHubError(
                f"AIHub's dataset version {self.dataset_version} {stands}, so its files cannot be fetched; wait for it "
                "with DatasetVersionSensor."
            )
        client = self.hook.get_conn()
        with writing("The version's index"), TemporaryDirectory() as folder:
            place = Path(folder) / "index.parquet"
            with place.open("w+b") as file:
                client.download(index, file)
            # Host and query are left out: the host may be renamed, and the query may be a new signature each time.
            identity = f"{version.id} {version.created_at} {urlsplit(index).path}"
            came = download_files(
                read_index(place, index), identity, target, client.download, version.data_size or None
            )
        self.log.info(
            "Dataset version %s has %d files, %d bytes, now in %s; %d bytes were received, the others lay there",
            self.dataset_version,
            came.count,
            came.size,
            target,
            came.received,
        )
        tell_collector(self.hook, inputs=[index], outputs=[str(target)])
        return {
            "id": version.id,
            "dataset_version": str(self.dataset_version),
            "path": str(target),
            "count": came.count,
            "size": came.size,
        }
