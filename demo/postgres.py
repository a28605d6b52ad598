"""A PostgreSQL of one's own, for an Airflow of which several parts write at once."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from demo.real_airflow import free_port

try:
    import psycopg2
except ImportError:
    psycopg2 = None

UNPRIVILEGED = ("postgres", "nobody")
"""Users under whom it runs where the tests run as root, whom PostgreSQL refuses."""


class Postgres:
    """A server on 127.0.0.1 that trusts everybody there and forgets everything at its end."""

    def __init__(self) -> None:
        if psycopg2 is None or find_spec("asyncpg") is None:
            raise RuntimeError("An Airflow on PostgreSQL needs its drivers as Airflow uses them: psycopg2 and asyncpg.")
        self._programs = programs()
        self._home = Path(tempfile.mkdtemp(prefix="aihub-postgres-"))
        self._user = next(filter(_known, UNPRIVILEGED)) if os.geteuid() == 0 else None
        self.port = free_port()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Its database."""
        return f"postgresql://airflow@127.0.0.1:{self.port}/postgres"

    @property
    def as_airflows(self) -> dict[str, str]:
        """The environment of an Airflow whose database it is."""
        return {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.url.replace("://", "+psycopg2://")}

    def start(self) -> None:
        """Make a database and start the server; on return it answers."""
        if self._user:
            shutil.chown(self._home, self._user)
        self._call("initdb", "-D", self._data, "-U", "airflow", "-A", "trust", "-E", "UTF8", "--no-sync")
        # What is written need not survive a power cut.
        quick = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "300"}
        settings = {**quick, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "port": str(self.port)}
        options = " ".join(f"-c {name}={value or chr(39) * 2}" for name, value in settings.items())
        self._call("pg_ctl", "-D", self._data, "-l", str(self._home / "log"), "-w", "-o", options, "start")

    def stop(self) -> None:
        """End the server and remove what it kept."""
        if Path(self._data, "postmaster.pid").exists():
            self._call("pg_ctl", "-D", self._data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(self._home)

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return what a query finds."""
        with self._told(sql, values) as cursor:
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

    def run(self, sql: str, *values: Any) -> None:
        """Run commands that find nothing, all of them or none."""
        with self._told(sql, values):
            pass

    @contextmanager
    def _told(self, sql: str, values: Sequence[Any]) -> Iterator[Any]:
        connection = psycopg2.connect(self.url)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(sql, values)
                yield cursor
        finally:
            connection.close()

    def processes(self) -> list[psutil.Process]:
        """Return the processes of the server."""
        parent = psutil.Process(int(Path(self._data, "postmaster.pid").read_text().split()[0]))
        return [parent, *parent.children(recursive=True)]

    def dump(self) -> str:
        """Return all that is in the database, as SQL."""
        return self._call("pg_dump", "--dbname", self.url, "--inserts")

    @property
    def _data(self) -> str:
        return str(self._home / "data")

    def _call(self, program: str, *arguments: str) -> str:
        # Not under a pipe: the server would keep it open.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(  # noqa: S603 - PostgreSQL's own
                [self._programs / program, *arguments],
                cwd="/",
                user=self._user,
                group=pwd.getpwnam(self._user).pw_gid if self._user else None,
                extra_groups=[] if self._user else None,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
            output.seek(0)
            said = output.read().decode(errors="replace")
        if done.returncode:
            raise RuntimeError(f"{program} of PostgreSQL failed:\n{said[-3000:]}")
        return said


def programs() -> Path:
    """Return the folder of PostgreSQL's newest programs, as Debian installs them or as ``PATH`` has them.

    :raises RuntimeError: There is none.
    """
    folders = Path("/usr/lib/postgresql").glob("*/bin")
    installed = sorted((folder for folder in folders if (folder / "initdb").exists()), key=lambda f: int(f.parent.name))
    if installed:
        return installed[-1]
    found = shutil.which("initdb")
    if found is None:
        raise RuntimeError("This needs the server programs of PostgreSQL, on Debian the package 'postgresql'.")
    return Path(found).resolve().parent


def _known(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
