"""Dataset versions: fetched from where they were uploaded, unpacked and indexed."""

from __future__ import annotations

import asyncio
import logging
import shutil
from concurrent.futures import Executor
from pathlib import Path, PurePosixPath

from ...files import Home, Links
from ..answers import Refused
from ..buckets import Buckets
from ..object_store import ObjectStore, StoreError
from ..store import AIHubStore, Row
from .background import Background
from .unpack import UnpackError, copy_folder, unpack_zip, write_index

log = logging.getLogger(__name__)

WAITING, CREATING, SUCCEEDED, FAILED = 1, 2, 3, 4
ZIP, S3_FOLDER, HOST_FOLDER = 1, 2, 3
INGEST = 5
OUTSIDE = {4: "Labelfree", INGEST: "the data ingest", 7: "Hugging Face"}
"""Upload types of the newer platform that fetch from systems the emulator does not have."""


class Versions:
    """Makes the dataset versions in the table real, as folders ``<datasets>/<dataset>/V<n>``.

    :param datasets: The storage on which versions lie.
    :param roots: The other folders from which a version may be taken.
    :param lenient: Whether upload type 1 is also good for a file that is no zip, as on the newer platform.
    """

    def __init__(
        self,
        store: AIHubStore,
        home: Home,
        buckets: Buckets,
        links: Links,
        objects: ObjectStore,
        datasets: Path,
        roots: list[Path],
        pool: Executor,
        lenient: bool,
    ) -> None:
        self._store = store
        self._home = home
        self._buckets = buckets
        self._links = links
        self._objects = objects
        self._datasets = datasets
        self._roots = [root.resolve() for root in (datasets, *roots)]
        self._pool = pool
        self._lenient = lenient
        self._slots = asyncio.Semaphore(2)
        self._work = Background()

    def submit(self, row: Row) -> Row:
        """Take a new version in and begin to make it; its number follows from those the dataset has."""
        siblings = [version for version in self._store.versions if version["dataset_id"] == row["dataset_id"]]
        row = self._store.versions.add({**row, "version": len(siblings) + 1})
        self._begin(row)
        return row

    def recover(self) -> None:
        """Begin anew with versions that an earlier start of the emulator did not finish."""
        for row in self._store.versions:
            if row["status"] in (WAITING, CREATING):
                self._store.versions.save(row, status=WAITING)
                self._begin(row)

    async def close(self) -> None:
        await self._work.close()

    def folder(self, row: Row) -> Path:
        name: str = self._store.datasets.get(row["dataset_id"])["name"]
        return self._datasets / name / f"V{row['version']}"

    def _begin(self, row: Row) -> None:
        self._work.begin(self._run(row))

    async def _run(self, row: Row) -> None:
        async with self._slots:
            self._store.versions.save(row, status=CREATING)
            index = self._home.folder("index") / f"version-{row['id']}.parquet"
            loop = asyncio.get_running_loop()
            try:
                count, size = await loop.run_in_executor(self._pool, self._make, dict(row), self.folder(row), index)
            except (UnpackError, StoreError, Refused) as error:
                self._store.versions.save(row, status=FAILED, message=str(error))
            except Exception as error:
                log.exception("Dataset version %s failed within the emulator", row["id"])
                self._store.versions.save(row, status=FAILED, message=f"{type(error).__name__}: {error}")
            else:
                self._store.versions.save(
                    row, status=SUCCEEDED, data_count=count, data_size=size, _index=self._home.relative(index)
                )

    def _make(self, row: Row, folder: Path, index: Path) -> tuple[int, int]:
        part = folder.with_name(f".{folder.name}.part")
        for old in (part, folder):
            shutil.rmtree(old, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            if "_sheet" in row:
                self._ingest(row, part)
            else:
                self._fetch(row["upload_type"], row["upload_path"], part)
            counted = write_index(part, index, lambda name: f"s3:/{self._links.to(folder / name)}")
            part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return counted

    def _ingest(self, row: Row, target: Path) -> None:
        """Fetch what the object store has of a version, if it is what was told."""
        sheet, source = (row[name].removeprefix(f"s3://{self._objects.bucket}/") for name in ("_sheet", "upload_path"))
        count = size = 0
        for stored in self._objects.sheet(sheet, f"{source.rstrip('/')}/"):
            if ".." in PurePosixPath(stored.path).parts:
                raise UnpackError(f"The sheet holds {stored.path!r}, which leads out of its folder.")
            self._objects.fetch(stored, target / stored.path)
            count, size = count + 1, size + stored.size
        for told, found in zip(row["_told"], (count, size), strict=True):
            if told not in (-1, found):
                raise UnpackError(f"The sheet names {count} files of {size} bytes, which is not what was told.")

    def _fetch(self, upload_type: int, upload_path: str, target: Path) -> None:
        if upload_type in OUTSIDE:
            raise UnpackError(f"The emulator cannot fetch from {OUTSIDE[upload_type]}.")
        source = self._source(upload_type, upload_path)
        if not source.exists():
            raise UnpackError(f"{upload_path} does not exist.")
        if upload_type == ZIP:
            if not source.is_file():
                raise UnpackError(f"{upload_path} is no file.")
            if self._lenient and source.suffix.lower() != ".zip":
                shutil.copyfile(source, target / source.name)
            else:
                unpack_zip(source, target)
        elif source.is_dir():
            copy_folder(source, target)
        else:
            raise UnpackError(f"{upload_path} is no folder.")

    def _source(self, upload_type: int, upload_path: str) -> Path:
        if upload_path.startswith("s3://"):
            if upload_type == HOST_FOLDER:
                raise UnpackError(f"{upload_path} is no folder of a host.")
            return self._buckets.find(upload_path)
        if upload_type == S3_FOLDER:
            raise UnpackError(f"{upload_path} is no S3 path; it must begin with s3://.")
        source = Path(upload_path)
        if not source.is_absolute():
            raise UnpackError(f"{upload_path} is no absolute path.")
        source = source.resolve()
        if not any(source.is_relative_to(root) for root in self._roots):
            raise UnpackError(f"{upload_path} lies neither on a storage nor in the data folder.")
        return source
