"""What moves files or only makes things, with a blow at one of its requests: it is done once, and whole.

Here each task meets the blows that hurt it most. ``BLOWS=all`` lets every blow strike every request of every task, on
each Airflow, deferred and in place, which takes an hour.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from blows import BLOWS, Between, Ended, StoreInFile, between, run_a_try
from stored_files import LARGE, content, filled
from task_life import TaskLife

from airflow_provider_aihub.aihub.errors import AIHubAmbiguousSubmit, AIHubError
from airflow_provider_aihub.aihub.version_files import JOURNAL
from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.operators.artifact import ArtifactDownloadOperator, ArtifactUploadOperator
from airflow_provider_aihub.operators.dataset import (
    CreateDatasetOperator,
    DatasetDownloadOperator,
    DatasetVersionOperator,
)
from airflow_provider_aihub.operators.eval_report import EvalReportOperator
from airflow_provider_aihub.operators.evaluation import EvalImportOperator
from airflow_provider_aihub.operators.model import ModelDownloadOperator, ModelUploadOperator
from airflow_provider_aihub.operators.stop import StopTrainingOperator
from airflow_provider_aihub.operators.training import TrainingOperator
from airflow_provider_aihub.operators.warehouse import WarehouseResultToObjectStorageOperator, WarehouseSearchOperator

FILES = {"a b#.txt": b"12345", "深/图 1%41.bin": b"\0" * 99, "empty": b"", "w.bin": b"?" * 700_000}
IN_PARTS = {"w.bin": os.urandom(LARGE)}
SAVING = (WarehouseSearchOperator, WarehouseResultToObjectStorageOperator)
RETRIES = 3
ALL = os.environ.get("BLOWS") == "all"
ON_AIHUB: dict[str, Any] = {"image": "any", "virtual_cluster": "vc-cpu", "project": 2, "command": "sleep 600 & wait"}


@pytest.fixture(scope="module")
def aihub_of_files(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("aihub"), data=data) as emulator:
        yield emulator


@pytest.fixture
def proxy(
    aihub_of_files: Emulator, monkeypatch: pytest.MonkeyPatch, little_patience: None, short_pauses: None
) -> Iterator[Between]:
    monkeypatch.setattr("airflow_provider_aihub.operators.late.PAUSE", 0.05)
    with between(aihub_of_files.url) as proxy:
        past = aihub_of_files.connection_json()
        monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", past.replace(aihub_of_files.url, proxy.url))
        monkeypatch.setenv("AIRFLOW_CONN_DIRECT", past)
        yield proxy


@dataclass
class Scene:
    """A task.

    :ivar make: Makes it.
    :ivar made: Tells what AIHub has of it.
    :ivar judge: Is given its result, and what AIHub has of it.
    :ivar target: Folder that it fetches files to, and ``wanted``, which files these are.
    """

    kind: Callable[..., Any]
    given: dict[str, Any]
    made: Callable[[], list[Any]] = list
    judge: Callable[[Any, list[Any]], None] = lambda result, made: None
    target: Path | None = None
    wanted: dict[str, str] = field(default_factory=dict)

    def make(self) -> Any:
        return self.kind(task_id="t", retries=RETRIES, **self.given)


def direct(kind: Any, **given: Any) -> Any:
    """What a task gives that has another way to AIHub, past the proxy."""
    return TaskLife(lambda: kind(task_id="direct", aihub_conn_id="direct", **given)).try_once()


def hook() -> AIHubHook:
    return AIHubHook("direct")


def stored(kind: Any, folder: Path, wanted: Path, **given: Any) -> None:
    """Make sure that what is there are these files."""
    direct(kind, local_path=str(folder / "back"), **given)
    assert without_journal(content(folder / "back")) == content(wanted)


def without_journal(files: dict[str, str]) -> dict[str, str]:
    return {name: digest for name, digest in files.items() if name != JOURNAL}


def one_id(result: Any, made: list[Any]) -> None:
    assert [one.id for one in made] == [result["id"]]


def model_upload(folder: Path, name: str, files: Mapping[str, bytes] = FILES) -> Scene:
    source = filled(folder / "out", files)

    def judge(result: Any, made: list[Any]) -> None:
        one_id(result, made)
        record = hook().get_model_record(name=name)
        size = sum(path.stat().st_size for path in source.rglob("*") if path.is_file())
        assert (record.status, record.object_cnt, record.data_size) == ("ready", len(content(source)), size)
        assert (result["count"], result["size"]) == (len(content(source)), size)
        stored(ModelDownloadOperator, folder, source, model=name)

    return Scene(
        ModelUploadOperator,
        {"model": name, "local_path": str(source)},
        lambda: [model for model in hook().list_models(name=name).data if model.name == name],
        judge,
    )


def model_update(folder: Path, name: str) -> Scene:
    """The files of a model that is ready are brought up to date."""
    scene = model_upload(folder, name)
    direct(ModelUploadOperator, **scene.given)
    filled(folder / "out", {"a b#.txt": b"54321", "new": b"1"})
    return scene


def model_in_parts(folder: Path, name: str) -> Scene:
    return model_upload(folder, name, IN_PARTS)


def model_download(folder: Path, name: str) -> Scene:
    source = filled(folder / "out", FILES)
    direct(ModelUploadOperator, model=name, local_path=str(source))
    given = {"model": name, "local_path": str(folder / "came")}
    return Scene(ModelDownloadOperator, given, target=folder / "came", wanted=content(source))


def version(folder: Path, name: str, files: Mapping[str, bytes] = FILES, only: str = "") -> Scene:
    source = filled(folder / "out", files)
    dataset = direct(CreateDatasetOperator, name=name)["id"]

    def judge(result: Any, made: list[Any]) -> None:
        one_id(result, made)
        stored(DatasetDownloadOperator, folder, source, dataset_version=f"{name}/V1")

    return Scene(
        DatasetVersionOperator,
        {"dataset": name, "local_path": str(source / only)},
        lambda: list(hook().list_dataset_versions(dataset_id=dataset).data),
        judge,
    )


def version_of_a_file(folder: Path, name: str) -> Scene:
    return version(folder, name, {"a.txt": b"12345"}, only="a.txt")


def version_download(folder: Path, name: str) -> Scene:
    direct(DatasetVersionOperator, **version(folder, name).given)
    given = {"dataset_version": f"{name}/V1", "local_path": str(folder / "came")}
    return Scene(DatasetDownloadOperator, given, target=folder / "came", wanted=content(folder / "out"))


def artifact_upload(folder: Path, name: str) -> Scene:
    source = filled(folder / "out", FILES)

    def judge(result: Any, made: list[Any]) -> None:
        one_id(result, made)
        stored(ArtifactDownloadOperator, folder, source, workflow_run_id=name, artifact_path="out")

    given = {"workflow_run_id": name, "local_path": str(source)}
    return Scene(ArtifactUploadOperator, given, lambda: list(hook().list_artifacts(name).data), judge)


def artifact_download(folder: Path, name: str) -> Scene:
    """It has one file, of which the store knows no hash."""
    source = filled(folder / "out", IN_PARTS)
    direct(ArtifactUploadOperator, workflow_run_id=name, local_path=str(source / "w.bin"))
    given = {"workflow_run_id": name, "artifact_path": "w.bin", "local_path": str(folder / "came")}
    return Scene(ArtifactDownloadOperator, given, target=folder / "came", wanted=content(source))


def evaluation_import(folder: Path, name: str, home: Path) -> Scene:
    filled(folder, {"model.bin": b"?" * 300_000, "pred.jsonl": b'{"a": 1}\n'})
    there = set((home / "evaluations").glob("[0-9]*"))

    def made() -> list[Any]:
        return [SimpleNamespace(id=int(one.name)) for one in set((home / "evaluations").glob("[0-9]*")) - there]

    names = dict.fromkeys(("dataset_name", "id_dataset_name", "gallery_dataset_name"), "d")
    files = {"model_file": str(folder / "model.bin"), "pred_file": str(folder / "pred.jsonl")}
    given = {"model_name": name, "model_type": "face", "epoch": 1, **names, **files}
    return Scene(EvalImportOperator, given, made, one_id)


def evaluation_report(folder: Path, name: str) -> Scene:
    def made() -> list[Any]:
        pages = (hook().list_eval_reports(page, 100).data for page in range(1, 6))
        return [report for page in pages for report in page if report.name == name]

    return Scene(EvalReportOperator, {"name": name, "access_user_ids": [1]}, made, one_id)


def saved_search(folder: Path, name: str) -> Scene:
    sql = "select a.range from range(100000) a"
    wanted = folder / "wanted" / "found.csv"
    direct(WarehouseSearchOperator, name=f"{name} before", sql=sql, output_path=str(wanted))
    made = lambda: [one for one in hook().list_searches(1, 100).data if one.name == name]  # noqa: E731
    given = {"name": name, "sql": sql, "output_path": str(folder / "came" / "found.csv")}
    return Scene(WarehouseSearchOperator, given, made, one_id, folder / "came", content(wanted.parent))


def saved_later(folder: Path, name: str) -> Scene:
    scene = saved_search(folder, name)
    (before,) = [one.id for one in hook().list_searches(1, 100).data if one.name == f"{name} before"]
    given = {"search_id": before, "output_path": scene.given["output_path"]}
    return Scene(WarehouseResultToObjectStorageOperator, given, target=scene.target, wanted=scene.wanted)


def stop(folder: Path, name: str) -> Scene:
    training = direct(TrainingOperator, name=name, wait_for_completion=False, **ON_AIHUB)["id"]

    def judge(result: Any, made: list[Any]) -> None:
        assert (result, hook().get_training(training).status) == ({"id": training, "status": "stopped"}, 5)

    return Scene(StopTrainingOperator, {"training_id": training}, judge=judge)


SCENES: tuple[Callable[..., Scene], ...] = (
    model_upload,
    model_update,
    model_in_parts,
    model_download,
    version,
    version_of_a_file,
    version_download,
    artifact_upload,
    artifact_download,
    evaluation_import,
    evaluation_report,
    saved_search,
    saved_later,
    stop,
)
HERE = [
    (model_upload, "killed_and_late", "POST */models"),
    (model_upload, "lost", "PUT */files.csv"),
    (model_upload, "garbage", "PUT */empty"),
    (model_update, "killed_before", "POST */models/upload"),
    (model_download, "killed_amid", "GET */w.bin"),
    (version, "killed_after", "POST */data-ingest"),
    (version_download, "killed_amid", "GET */w.bin"),
    (artifact_upload, "killed_and_late", "POST */artifacts"),
    (artifact_download, "cut", "GET */w.bin"),
    (evaluation_import, "killed_after", "POST */import_result"),
    (evaluation_report, "killed_and_late", "POST */v2/run/"),
    (saved_search, "killed_amid", "GET *.csv"),
    (stop, "killed_before", "POST */stop"),
]


def half_files(scene: Scene) -> set[str]:
    """What has the name of a file that is wanted, and is another one."""
    if scene.target is None:
        return set()
    return {name for name, digest in content(scene.target).items() if scene.wanted.get(name, digest) != digest}


def live(scene: Scene, proxy: Between, folder: Path, *, kept: bool = True) -> list[Ended]:
    """Let the task be tried until it succeeds or ends for good; judge it."""
    life, tries = TaskLife(scene.make), list[Ended]()
    life.store = StoreInFile(folder / "store") if kept else None
    while not tries or ((tries[-1].killed or tries[-1].error) and len(tries) <= RETRIES):
        tries.append(run_a_try(life, proxy, folder))
        error = tries[-1].error
        assert not half_files(scene)
        assert error is None or (isinstance(error, AIHubError) and "\n" not in str(error)), repr(error)
        assert not [secret for secret in proxy.secrets if secret.decode() in tries[-1].log + str(error)]
        if isinstance(error, AirflowFailException):
            break
    proxy.settle()
    made = scene.made()
    if tries[-1].error:
        # Nobody can look up an evaluation.
        assert isinstance(tries[-1].error, AIHubAmbiguousSubmit)
        assert scene.kind is EvalImportOperator
        assert len(made) <= 1
        return tries
    assert not tries[-1].killed
    if kept or scene.kind is not EvalImportOperator:
        scene.judge(tries[-1].result, made)
    if scene.target is not None:
        came = without_journal(content(scene.target))
        # Who is killed while it saves the result of a search leaves what it had.
        left = {name for name in came if scene.kind in SAVING and tries[0].killed and ".part" in name}
        assert {name: digest for name, digest in came.items() if name not in left} == scene.wanted
    return tries


def set_up(make: Callable[..., Scene], folder: Path, name: str, home: Path) -> Scene:
    folder.mkdir()
    return make(folder, name, **({"home": home} if make is evaluation_import else {}))


@pytest.mark.parametrize(("make", "blow", "wanted"), HERE, ids=[f"{one.__name__}-{blow}" for one, blow, _ in HERE])
def test_a_blow(
    proxy: Between,
    aihub_of_files: Emulator,
    tmp_path: Path,
    new_name: str,
    make: Callable[..., Scene],
    blow: str,
    wanted: str,
) -> None:
    scene = set_up(make, tmp_path / "scene", new_name, aihub_of_files.home)
    proxy.begin(blow, wanted)
    tries = live(scene, proxy, tmp_path)
    assert proxy.struck
    assert tries[0].killed == ("killed" in blow)
    if not tries[0].killed:
        assert len(tries) == 1 + (blow == "garbage"), "one blow is overcome by the try itself"


if ALL:

    @pytest.mark.parametrize("kept", [True, False], ids=["Airflow remembers", "it does not"])
    @pytest.mark.parametrize("deferrable", [False, True], ids=["in place", "deferred"])
    @pytest.mark.parametrize("blow", BLOWS)
    @pytest.mark.parametrize("make", SCENES)
    def test_every_blow_at_every_request(
        proxy: Between,
        aihub_of_files: Emulator,
        tmp_path: Path,
        new_name: str,
        make: Callable[..., Scene],
        blow: str,
        deferrable: bool,
        kept: bool,
    ) -> None:
        number = 0
        while True:
            folder = tmp_path / str(number)
            scene = set_up(make, folder, f"{new_name}{number}", aihub_of_files.home)
            if (
                "wait_for_completion" in getattr(scene.kind, "template_fields", ())
                and scene.kind is not StopTrainingOperator
            ):
                scene.given["deferrable"] = deferrable
            elif deferrable or not kept:
                pytest.skip("It is neither deferred nor remembered.")
            proxy.begin(blow, number)
            live(scene, proxy, folder, kept=kept)
            if proxy.struck is None:
                break
            number += 1
        assert number
