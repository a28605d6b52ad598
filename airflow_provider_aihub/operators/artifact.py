"""Artifacts of workflow runs: uploading and downloading their files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_aihub.aihub.errors import (
    AIHubAmbiguousSubmit,
    AIHubNotFoundError,
    AIHubParameterError,
    AIHubUnsupportedError,
)
from airflow_provider_aihub.links import ViewInAIHubLink
from airflow_provider_aihub.operators.call import CallOperator

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

    from airflow_provider_aihub.aihub.artifacts import Artifact, ArtifactSpec, NewArtifact
    from airflow_provider_aihub.hooks.aihub import AIHubHook
    from airflow_provider_aihub.storage import Files

LACKING = "This AIHub has no artifacts, which newer platforms have; upload and download files of runs there."


class ArtifactUploadOperator(CallOperator):
    """Upload a file or a folder as an artifact of a workflow run.

    Returns ``{"id", "artifact_path", "path", "count", "size"}``: ``path`` is where it lies in AIHub's object store.
    Newer platforms only, with the extra ``s3``.

    The files go to the object store as those of
    :class:`~airflow_provider_aihub.operators.model.ModelUploadOperator` do. If the run already has an artifact of that
    path, its files are brought up to date. A file that is there with the same content is not sent again, so a retry
    continues where the earlier try stopped. Files that are there but not in the folder stay, and the log says so.

    :param workflow_run_id: Id of the run, a number or a text.
    :param local_path: File or folder to upload: a path on the worker, or a URI such as ``s3://`` or ``gs://``, as in
        ``ObjectStoragePath``.
    :param artifact_path: Path of the artifact within its run. Default: the name of the file or folder.
    :param artifact_type: ``"dataset"``, ``"model"``, ``"metrics"``, ``"log"``, ``"checkpoint"``, ``"image"``,
        ``"prediction"`` or ``"other"`` (default).

    The remaining parameters are those of :class:`~airflow_provider_aihub.operators.call.CallOperator`.
    """

    template_fields: Sequence[str] = (
        *CallOperator.template_fields,
        "workflow_run_id",
        "local_path",
        "artifact_path",
        "artifact_type",
    )
    operator_extra_links = (ViewInAIHubLink(),)

    def __init__(
        self,
        *,
        workflow_run_id: int | str,
        local_path: str | Path | ObjectStoragePath,
        artifact_path: str | None = None,
        artifact_type: str = "other",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.workflow_run_id = workflow_run_id
        self.local_path = local_path
        self.artifact_path = artifact_path
        self.artifact_type = artifact_type

    def call(self, context: Context) -> dict[str, Any]:
        """Create the artifact if it is missing, upload what is missing of its files, and tell AIHub."""
        from airflow_provider_aihub.aihub.object_store import Place
        from airflow_provider_aihub.aihub.uploading import upload_file, upload_folder
        from airflow_provider_aihub.lineage import tell_collector
        from airflow_provider_aihub.storage import find_files

        run_id, path = _run(self.workflow_run_id), self.artifact_path and _path(self.artifact_path)
        self._spec(run_id, "any", folder=False)
        files = find_files("local_path", self.local_path)
        spec = self._spec(run_id, path or files.name, folder=files.is_folder)
        self.link_to(context, run_id, "workflow_run")
        artifact = self._find_or_create(context, spec)
        place = Place.of(artifact.s3_path)
        store = self.hook.object_store(self.hook.get_artifact_store_access)
        uploaded = (
            upload_folder(store, files.name, files, files.size, place)
            if files.is_folder
            else upload_file(store, _only(files), place)
        )
        self.hook.finish_artifact_upload(artifact.id)
        self.log.info(
            "Artifact %d (%s) has %d files, %d bytes; %d bytes were sent, the others lay there",
            artifact.id,
            spec.src_path,
            uploaded.count,
            uploaded.size,
            uploaded.sent,
        )
        if uploaded.strange:
            self.log.warning("%d files of artifact %d are not in local_path; they stay", uploaded.strange, artifact.id)
        tell_collector(self.hook, inputs=[str(self.local_path)], outputs=[str(place)])
        return {
            "id": artifact.id,
            "artifact_path": spec.src_path,
            "path": str(place),
            "count": uploaded.count,
            "size": uploaded.size,
        }

    def _spec(self, run_id: str, path: str, *, folder: bool) -> ArtifactSpec:
        from airflow_provider_aihub.aihub.artifacts import ArtifactSpec, ArtifactType
        from airflow_provider_aihub.aihub.values import check_member

        of_type = check_member("artifact_type", ArtifactType, self.artifact_type)
        return ArtifactSpec.build(entity_id=run_id, entity_type=of_type, src_path=path, is_dir=folder)

    def _find_or_create(self, context: Context, spec: ArtifactSpec) -> Artifact | NewArtifact:
        """Return the artifact, which is created if it is missing."""
        from airflow_provider_aihub.operators.late import wait_until_shown
        from airflow_provider_aihub.tasks.job_state import Tries

        def find() -> Artifact | None:
            found = find_artifact(self.hook, spec.entity_id, spec.src_path)
            return found if found and found.is_dir == spec.is_dir else None

        # A try that was ended in the middle of the create call may show its artifact late.
        found = find() or (wait_until_shown(self.hook, find) if Tries.of(context).tried else None)
        if found:
            self.log.info("Run %s has artifact %r already", spec.entity_id, spec.src_path)
            return found
        try:
            created = self.hook.create_artifact(spec)
        except AIHubAmbiguousSubmit as loss:
            found = wait_until_shown(self.hook, find)
            if found is None:
                raise
            self.log.info("AIHub has artifact %r: %s", spec.src_path, loss)
            return found
        self.log.info("Created artifact %d of run %s", created.id, spec.entity_id)
        return created


class ArtifactDownloadOperator(CallOperator):
    """Fetch an artifact of a workflow run from AIHub's object store into a folder on the worker.

    Returns ``{"id", "artifact_path", "path", "count", "size"}``: ``path`` is the folder, or the file. Newer platforms
    only, with the extra ``s3``.

    The files of a folder go right into ``local_path``, and a file goes there under its artifact path. A file that is
    already there with the same content is not fetched again. A file whose transfer broke off is continued where it
    stopped, if the next try finds the folder. A file of up to 5 MiB is checked by the store's MD5, if there is one. A
    larger file was sent in parts, so the store has no MD5 of it, and its size is checked.

    :param workflow_run_id: Id of the run, a number or a text.
    :param artifact_path: Path of the artifact within its run. If several have it, the newest is taken.
    :param local_path: Folder on the worker; it is created if it is missing. Other files in it stay.

    The remaining parameters are those of :class:`~airflow_provider_aihub.operators.call.CallOperator`.
    """

    template_fields: Sequence[str] = (*CallOperator.template_fields, "workflow_run_id", "artifact_path", "local_path")
    operator_extra_links = (ViewInAIHubLink(),)

    def __init__(
        self, *, workflow_run_id: int | str, artifact_path: str, local_path: str | Path, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.workflow_run_id = workflow_run_id
        self.artifact_path = artifact_path
        self.local_path = local_path

    def call(self, context: Context) -> dict[str, Any]:
        """Fetch what is missing."""
        from airflow_provider_aihub.aihub.downloading import download_file, download_folder, inside
        from airflow_provider_aihub.aihub.object_store import Place
        from airflow_provider_aihub.lineage import tell_collector
        from airflow_provider_aihub.storage import local_folder

        run_id = _run(self.workflow_run_id)
        path = _path(self.artifact_path)
        target = local_folder("local_path", self.local_path)
        self.link_to(context, run_id, "workflow_run")
        artifact = find_artifact(self.hook, run_id, path)
        if artifact is None:
            raise AIHubNotFoundError(
                f"Run {run_id} on AIHub has no artifact {path!r}; see whether the run has written it."
            )
        place = Place.of(artifact.s3_path)
        store = self.hook.object_store(self.hook.get_artifact_store_access)
        if artifact.is_dir:
            came = download_folder(store, path, place, {}, target)
        else:
            came = download_file(store, place, target, path.strip("/"))
            target = inside(target, path.strip("/"))
        self.log.info(
            "Artifact %d (%s) has %d files, %d bytes, now in %s; %d bytes were received, the others lay there",
            artifact.id,
            path,
            came.count,
            came.size,
            target,
            came.received,
        )
        tell_collector(self.hook, inputs=[str(place)], outputs=[str(target)])
        return {
            "id": artifact.id,
            "artifact_path": path,
            "path": str(target),
            "count": came.count,
            "size": came.size,
        }


def find_artifact(hook: AIHubHook, run_id: str, path: str) -> Artifact | None:
    """Find the newest artifact of a path among those of a run."""
    from airflow_provider_aihub.operators.names import PAGE_SIZE, pages

    try:
        every = pages(lambda page: hook.list_artifacts(run_id, page=page, page_size=PAGE_SIZE))
        return max((one for one in every if one.src_path == path), key=lambda one: one.id, default=None)
    except AIHubUnsupportedError:
        raise AIHubParameterError(LACKING) from None


def _run(given: int | str) -> str:
    from airflow_provider_aihub.aihub.values import check_text

    return check_text("workflow_run_id", given, allowed="the id of a workflow run")


def _path(given: str) -> str:
    from airflow_provider_aihub.aihub.values import check_text

    return check_text("artifact_path", given, allowed="the path of an artifact")


def _only(files: Files) -> Any:
    ((_, file),) = files
    return file
