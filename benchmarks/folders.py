"""What a model of many files takes, to AIHub's object store and back: ``python -m benchmarks.folders MIB FILES``.

Beside it, the same files by the bulk copy of the library that carries them; and an upload and a download that are
killed in the middle. Every part runs in a process of its own, and so does the emulator.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.uploading import TASK, peak

MIB = 2**20
SERVER = """
import sys
from airflow_provider_aihub.emulators.aihub import Emulator
with Emulator(sys.argv[1]) as aihub:
    print(aihub.connection_json(), flush=True)
    sys.stdin.read()
"""


def measured(warm: Callable[[], Any], work: Callable[[], Any]) -> dict[str, float]:
    """Say how long something takes, how much memory beyond what is imported and opened in any case, and how many bytes
    of files go over the line by the provider's own hands."""
    from airflow_provider_aihub.aihub.object_store import ObjectStore

    moved = 0
    ask, pieces = ObjectStore.ask, ObjectStore.pieces

    def counted(store: Any, asks: str, operation: str, **given: Any) -> Any:
        nonlocal moved
        moved += len(given.get("Body", b""))
        return ask(store, asks, operation, **given)

    def received(*given: Any) -> Iterator[bytes]:
        nonlocal moved
        for piece in pieces(*given):
            moved += len(piece)
            yield piece

    ObjectStore.ask, ObjectStore.pieces = counted, received  # type: ignore[method-assign]
    warm()
    moved = 0
    before, began, cpu = peak(), time.perf_counter(), time.process_time()
    work()
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "cpu": time.process_time() - cpu, "memory": peak() - before, "moved": moved}


def run(operator: Any) -> Any:
    return operator.execute({"ti": TASK, "task": operator})


def upload(folder: str, small: str) -> dict[str, float]:
    from airflow_provider_aihub.operators.model import ModelUploadOperator

    def send(model: str, path: str) -> Any:
        how = {"durable": False, "wait_for_completion": False}
        return run(ModelUploadOperator(task_id="t", model=model, local_path=path, **how))

    return measured(lambda: send("small", small), lambda: send("large", folder))


def download(folder: str, small: str) -> dict[str, float]:
    from airflow_provider_aihub.operators.model import ModelDownloadOperator

    def fetch(model: str, path: str) -> Any:
        return run(ModelDownloadOperator(task_id="t", model=model, local_path=path))

    return measured(lambda: fetch("small", small), lambda: fetch("large", folder))


def bulk(direction: str, folder: str) -> dict[str, float]:
    """Let the library copy the same files by itself, with as many requests at a time."""
    from boto3.s3.transfer import TransferConfig, create_transfer_manager

    from airflow_provider_aihub.aihub.object_store import PART, WORKERS, Place
    from airflow_provider_aihub.hooks.aihub import AIHubHook

    hook = AIHubHook()
    store = hook.object_store(hook.get_model_store_access)
    how = TransferConfig(max_concurrency=WORKERS, multipart_threshold=PART + 1, multipart_chunksize=PART)
    source = Place.of(hook.get_model_record(name="large").object_storage_path)
    root = Path(folder)

    def copy() -> None:
        with create_transfer_manager(store._made, how) as manager:
            if direction == "up":
                files = [path for path in root.rglob("*") if path.is_file()]
                futures = [
                    manager.upload(str(path), store.access.bucket, f"bulk/{os.getpid()}/{path.relative_to(root)}")
                    for path in files
                ]
            else:
                futures = []
                for stored in store.objects(source):
                    target = root / stored.key[len(source.key) + 1 :]
                    target.parent.mkdir(parents=True, exist_ok=True)
                    futures.append(manager.download(source.bucket, stored.key, str(target)))
            for future in futures:
                future.result()

    return measured(lambda: store.find(source), copy)


def ready() -> None:
    """Wait until AIHub has taken both models in."""
    from airflow_provider_aihub.hooks.aihub import AIHubHook

    hook = AIHubHook()
    while {hook.get_model_record(name=name).status for name in ("small", "large")} != {"ready"}:
        time.sleep(0.2)


PARTS: dict[str, Callable[..., Any]] = {"upload": upload, "download": download, "bulk": bulk, "ready": ready}


def fill(folder: Path, size: int, count: int) -> None:
    """Fill a folder with files of one size, a hundred to a folder."""
    for number in range(count):
        place = folder / f"{number // 100:04}" / f"{number:06}.bin"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(os.urandom(size // count))


def main(size: int, count: int, killed: bool = True) -> dict[str, Any]:
    """Measure all of it.

    :param size: Of all files together, in MiB.
    :param count: Number of files.
    :param killed: Whether the interruptions are measured, too.
    """
    home = Path(tempfile.mkdtemp(prefix="aihub-folders-"))
    env = {**os.environ, "AIRFLOW_HOME": str(home), "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR", "NO_PROXY": "127.0.0.1"}
    source, small, copies = home / "source", home / "small", home / "copies"
    fill(source, size * MIB, count)
    fill(small, 10, 1)

    def process(part: str, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "benchmarks.folders", part, *map(str, arguments)]
        return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)  # noqa: S603

    def took(part: str, *arguments: object) -> Any:
        said = process(part, *arguments).communicate()[0].splitlines()[-1:]
        return json.loads(said[0])

    def interrupted(seconds: float, part: str, *arguments: object) -> Any:
        """Kill a part in the middle, and say what is left to do for the next."""
        first = process(part, *arguments)
        time.sleep(seconds)
        first.kill()
        first.communicate()
        return took(part, *arguments)

    def server(name: str) -> subprocess.Popen[str]:
        (home / name).mkdir()
        command = [sys.executable, "-c", SERVER, str(home / name)]
        running = subprocess.Popen(  # noqa: S603
            command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        env["AIRFLOW_CONN_AIHUB_DEFAULT"] = running.stdout.readline() if running.stdout else ""
        return running

    found: dict[str, Any] = {"bytes": size * MIB, "files": count}
    with server("first") as aihub:
        began = time.perf_counter()
        found["upload"] = took("upload", source, small)
        whole_upload = time.perf_counter() - began
        found["bulk upload"] = took("bulk", "up", source)
        took("ready")
        began = time.perf_counter()
        found["download"] = took("download", copies / "own", copies / "small")
        whole_download = time.perf_counter() - began
        found["bulk download"] = took("bulk", "down", copies / "bulk")
        if killed:
            late = whole_download - found["download"]["seconds"] / 2
            found["download after a kill"] = interrupted(late, "download", copies / "killed", copies / "small")
        aihub.communicate()
    if killed:
        with server("second") as aihub:
            late = whole_upload - found["upload"]["seconds"] / 2
            found["upload after a kill"] = interrupted(late, "upload", source, small)
            aihub.communicate()
    shutil.rmtree(home)
    return found


if __name__ == "__main__":
    if sys.argv[1] in PARTS:
        print(json.dumps(PARTS[sys.argv[1]](*sys.argv[2:])), flush=True)  # noqa: T201
        # What others have begun in this process may hold up its end.
        os._exit(0)
    else:
        print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2])), indent=2))  # noqa: T201
