"""Models: uploading and downloading their files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_aihub.aihub.errors import (
    AIHubAmbiguousSubmit,
    AIHubError,
    AIHubExistsError,
    AIHubNotFoundError,
    AIHubParameterError,
    AIHubUnsupportedError,
)
from airflow_provider_aihub.links import ViewInAIHubLink
from airflow_provider_aihub.operators.base import JobOperator
from airflow_provider_aihub.operators.call import CallOperator
from airflow_provider_aihub.operators.late import wait_until_shown

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

    from airflow_provider_aihub.aihub.model_center import ModelRecord, ModelSpec
    from airflow_provider_aihub.aihub.uploading import Uploaded
    from airflow_provider_aihub.http.request import Request
    from airflow_provider_aihub.jobs.kind import JobState
    from airflow_provider_aihub.lineage import Lineage
    from airflow_provider_aihub.tasks.job_state import Marker

LACKING = "This AIHub has no model center, which newer platforms have; upload and download models there."


class ModelUploadOperator(JobOperator):
    """Upload the files of a folder to a model on AIHub, and wait until AIHub has processed them.

    Returns ``{"id", "name", "status", "count", "size"}``. Newer platforms only, with the extra ``s3``.

    The files go to AIHub's object store as they are, a part at a time, with the short-lived credentials that AIHub
    gives out for it. A file that is already there with the same content is not sent again. So a retry continues where
    the earlier try stopped, and a run that finds all files there uploads nothing. A file that cannot be sent fails the
    task. Files that are there but not in the folder stay, and the log says so.

    :param model: Name of the model, or its id. Digits are read as an id. A model of that name is created if there is
        none.
    :param local_path: Folder or file to upload: a path on the worker, or a URI such as ``s3://`` or ``gs://``, as in
        ``ObjectStoragePath``.
    :param description: Free text, for a model that is created.
    :param tags: Ids of tags, for a model that is created.
    :param public: Whether everybody may use a model that is created. Default: false.

    The remaining parameters are those of :class:`~airflow_provider_aihub.operators.base.JobOperator`. AIHub has no call
    to stop the processing of files, so it goes on when the task is killed.
    """

    kind = "model"
    idempotent = True
    template_fields: Sequence[str] = (
        *JobOperator.template_fields,
        "model",
        "local_path",
        "description",
        "tags",
        "public",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"tags": "json"}

    def __init__(
        self,
        *,
        model: str | int,
        local_path: str | Path | ObjectStoragePath,
        description: str | None = None,
        tags: Sequence[int | str] | None = None,
        public: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.local_path = local_path
        self.description = description
        self.tags = tags
        self.public = public

    def create_request(self, marker: Marker) -> Request[int]:  # noqa: ARG002 - its content tells a model
        """Check the parameters, and make the request that reads the model."""
        from airflow_provider_aihub.operators.names import known_id
        from airflow_provider_aihub.storage import storage_path

        number = known_id("model", self.model)
        self._spec()
        storage_path("local_path", self.local_path)
        return self._reading(number)

    def prepare_submission(self, request: Request[int]) -> Request[int]:  # noqa: ARG002 - the model may not be there yet
        """Create the model if it is missing, upload what is missing of its files, and tell AIHub."""
        from airflow_provider_aihub.storage import find_files

        files = find_files("local_path", self.local_path)
        record = self._find_or_create()
        uploaded = self._upload(record, files)
        self.log.info(
            "Model %d has %d files, %d bytes; %d bytes were sent, the others lay there",
            record.id,
            uploaded.count,
            uploaded.size,
            uploaded.sent,
        )
        if uploaded.strange:
            self.log.warning("%d files of model %d are not in local_path; they stay", uploaded.strange, record.id)
        if _is_reported(record, uploaded):
            self.log.info("AIHub has been told of these files already")
        else:
            self._report(record, uploaded)
        return self._reading(record.id)

    def result(self, state: JobState) -> dict[str, Any]:
        """Return the model's id, name and size."""
        record: ModelRecord = state.answer
        return {
            "id": record.id,
            "name": record.name,
            "status": str(state.phase),
            "count": record.object_cnt,
            "size": record.data_size,
        }

    def lineage(self, state: JobState | None, result: dict[str, Any] | None) -> Lineage:
        """Return where the files are, and the model."""
        from airflow_provider_aihub.lineage import Lineage, located, model

        known = Lineage(inputs=[located(str(self.local_path))], job={"model": self.model})
        if state is not None:
            record: ModelRecord = state.answer
            known.run = {"id": record.id, "status": str(state.phase)}
            if result:
                known.outputs = model(self.hook, record.name, size=record.data_size, files=record.object_cnt)
        return known

    def _spec(self) -> ModelSpec:
        from airflow_provider_aihub.aihub.model_center import ModelSpec

        return ModelSpec.build(
            name=str(self.model),
            description=self.description,
            tags=self.tags,
            is_public=self.public,
        )

    def _reading(self, model_id: int | None) -> Request[int]:
        """Return the request that reads the model's id. It changes nothing, so it may be sent again at any time."""
        from airflow_provider_aihub.aihub.model_center import ModelRecord, get_model_record

        request = get_model_record(name=str(self.model)) if model_id is None else get_model_record(model_id)
        return replace(request, read=lambda data: ModelRecord.read(data).id)  # type: ignore[return-value,arg-type]

    def _find_or_create(self) -> ModelRecord:
        """Return the model; create it if it is missing.

        If an earlier try was ended during its create call, or if the answer is lost, wait until AIHub shows the model.
        """
        from airflow_provider_aihub.operators.names import known_id

        number = known_id("model", self.model)
        if number is not None:
            return find_model(self.hook, number)
        record = self._find() or (wait_until_shown(self.hook, self._find) if self._tried else None)
        if record:
            return record
        try:
            created = self.hook.create_model(self._spec())
        except (AIHubAmbiguousSubmit, AIHubExistsError) as loss:
            record = wait_until_shown(self.hook, self._find)
            if record is None:
                raise
            self.log.info("AIHub has model %r: %s", record.name, loss)
            return record
        self.log.info("Created model %d on AIHub", created)
        return self.patiently(lambda: find_model(self.hook, created))

    def _find(self) -> ModelRecord | None:
        try:
            return find_model(self.hook, str(self.model))
        except AIHubNotFoundError:
            return None

    def _upload(self, record: ModelRecord, files: Any) -> Uploaded:
        from airflow_provider_aihub.aihub.object_store import Place
        from airflow_provider_aihub.aihub.uploading import put_status, upload_folder
        from airflow_provider_aihub.lineage import tell_collector

        store = self.hook.object_store(self.hook.get_model_store_access)
        target, sheet = Place.of(record.object_storage_path), Place.of(record.csv_file_path)
        uploaded = upload_folder(store, files.name, files, files.size, target, sheet)
        put_status(store, Place.of(record.task_status_s3_path), uploaded)
        tell_collector(self.hook, inputs=[str(self.local_path)], outputs=[str(target)])
        return uploaded

    def _report(self, before: ModelRecord, uploaded: Uploaded) -> None:
        """Report the upload to AIHub, once. If the answer is lost, a change of the model shows that AIHub has got it.

        :param before: The model as it was before the upload.
        """
        from airflow_provider_aihub.aihub.model_center import UploadedSpec

        def taken() -> ModelRecord | None:
            record = find_model(self.hook, before.id)
            changed = (record.status, record.updated_at) != (before.status, before.updated_at)
            return record if changed else None

        if uploaded.same and self._tried and wait_until_shown(self.hook, taken) is not None:
            # The earlier try had reported it, and was ended before AIHub showed that.
            return
        spec = UploadedSpec.build(model_id=before.id, object_cnt=uploaded.count, data_size=uploaded.size)
        try:
            self.hook.finish_model_upload(spec)
        except AIHubAmbiguousSubmit as loss:
            if wait_until_shown(self.hook, taken) is None:
                raise
            self.log.info("AIHub takes in the files of model %d: %s", before.id, loss)
        else:
            if before.status.lower() in ("ready", "failed"):
                # It may still show how the files were that were there before.
                wait_until_shown(self.hook, taken)

    @property
    def _tried(self) -> bool:
        """Whether there was an earlier try, which may have been ended during a call."""
        from airflow_provider_aihub.tasks.job_state import Tries

        return Tries.of(self._context).tried


class ModelDownloadOperator(CallOperator):
    """Fetch the files of a model from AIHub's object store into a folder on the worker.

    Returns ``{"id", "name", "path", "count", "size"}``. Newer platforms only, with the extra ``s3``.

    Several files are fetched at a time. A file that is already in the folder with the same content is not fetched
    again. A file whose transfer broke off is continued where it stopped, if the next try finds the folder. Each file is
    checked by its SHA-256 in the model's sheet of files, or by the store's MD5 if there is one, and gets its name when
    it is complete.

    :param model: Name of the model, or its id. Digits are read as an id. It must be ready.
    :param local_path: Folder on the worker; it is created if it is missing. Other files in it stay.

    The remaining parameters are those of :class:`~airflow_provider_aihub.operators.call.CallOperator`.
    """

    template_fields: Sequence[str] = (*CallOperator.template_fields, "model", "local_path")
    operator_extra_links = (ViewInAIHubLink(),)

    def __init__(self, *, model: str | int, local_path: str | Path, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.local_path = local_path

    def call(self, context: Context) -> dict[str, Any]:
        """Fetch what is missing."""
        from airflow_provider_aihub.aihub.downloading import download_folder, read_sheet
        from airflow_provider_aihub.aihub.object_store import Place
        from airflow_provider_aihub.lineage import tell_collector
        from airflow_provider_aihub.operators.names import known_id
        from airflow_provider_aihub.storage import local_folder

        number = known_id("model", self.model)
        target = local_folder("local_path", self.local_path)
        record = find_model(self.hook, str(self.model) if number is None else number)
        self.link_to(context, record.id, "model")
        if record.status.lower() != "ready":
            raise AIHubError(
                f"AIHub's model {record.id} ({record.name}) is {record.status}, so its files are not all there; wait "
                "for it with ModelSensor."
            )
        store = self.hook.object_store(self.hook.get_model_store_access)
        source = Place.of(record.object_storage_path)
        hashes = read_sheet(store, Place.of(record.csv_file_path)) if record.csv_file_path else {}
        came = download_folder(store, record.name, source, hashes, target)
        self.log.info(
            "Model %d has %d files, %d bytes, now in %s; %d bytes were received, the others lay there",
            record.id,
            came.count,
            came.size,
            target,
            came.received,
        )
        if came.count < record.object_cnt:
            raise AIHubError(
                f"AIHub says that model {record.id} has {record.object_cnt} files, and its object store has "
                f"{came.count}; ask whoever uploaded it."
            )
        tell_collector(self.hook, inputs=[str(source)], outputs=[str(target)])
        return {
            "id": record.id,
            "name": record.name,
            "path": str(target),
            "count": came.count,
            "size": came.size,
        }


def _is_reported(record: ModelRecord, uploaded: Uploaded) -> bool:
    """Whether the upload of exactly these files was reported to AIHub; an earlier try may have ended before that."""
    if not uploaded.same or 0 < record.updated_at < 1000 * uploaded.sheet_put:
        return False
    known = (record.object_cnt, record.data_size) == (uploaded.count, uploaded.size)
    status = record.status.lower()
    return status == "uploading" or (status == "ready" and known)


def find_model(hook: Any, model: int | str) -> ModelRecord:
    """Read the record of a model.

    :param model: Its id, or its name as a text.
    :raises AIHubNotFoundError: There is none.
    """
    try:
        record: ModelRecord = (
            hook.get_model_record(name=model) if isinstance(model, str) else hook.get_model_record(model)
        )
    except AIHubUnsupportedError:
        raise AIHubParameterError(LACKING) from None
    return record
