"""Files that go to AIHub's object store and come back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_aihub.aihub import object_store
from airflow_provider_aihub.aihub.errors import AIHubUnavailable

LARGE = 2 * object_store.PART + 17
"""Bytes of a file that is sent in three parts."""


def filled(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files into a folder, by their paths in it; return the folder."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def content(folder: Path) -> dict[str, str]:
    """The SHA-256 of all files below a folder, hidden ones too."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


class Sent:
    """Counts what goes to the store."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.puts: list[str] = []
        """Names of the files without their folders, and the number of the part where a file is sent in parts."""
        self.fail_at: int | None = None
        ask = object_store.ObjectStore.ask

        def counted(store: Any, asks: str, operation: str, **given: Any) -> Any:
            if operation in ("put_object", "upload_part"):
                if self.fail_at is not None and len(self.puts) >= self.fail_at:
                    raise AIHubUnavailable("The line was cut.")
                self.puts.append(f"{given['Key'].rpartition('/')[2]} {given.get('PartNumber', '')}".strip())
            return ask(store, asks, operation, **given)

        monkeypatch.setattr(object_store.ObjectStore, "ask", counted)
