"""What thousands of jobs cost a real triggerer: an Airflow on PostgreSQL of which nothing else runs.

``python -m benchmarks.triggerer URL JOBS SECONDS INTERVAL GONE`` prints the measures as JSON. The database is given the
rows that so many tasks leave behind which have deferred; nobody has to start as many workers for that.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import psutil
from cryptography.fernet import Fernet

from airflow_provider_aihub.triggers.job import JobTrigger
from benchmarks.polling import ask, counts
from benchmarks.server import marker
from demo.postgres import Postgres
from demo.real_airflow import RealAirflow

DAGS = Path(__file__).parent / "dags"
NAMES = ("triggerer", "triggerer-2")
AN_HOUR = 3600.0
"""For so many seconds each job runs already."""
SHORTEST_GONE = 5.0
BLOCKED = re.compile(r"async thread was blocked for ([0-9.]+) seconds")
MIB = 2**20


class Triggerers(RealAirflow):
    """The database of an Airflow, and its triggerers.

    :param gone: Seconds without a heartbeat after which a triggerer counts as gone.
    """

    components: ClassVar[dict[str, tuple[str, ...]]] = {"triggerer": ("--skip-serve-logs",)}

    def __init__(self, home: Path, database: Postgres, url: str, jobs: int, gone: float) -> None:
        self.database = database
        connection = {"conn_type": "aihub", "host": url, "login": "research", "password": "not-a-secret"}
        settings = {
            "AIRFLOW__TRIGGERER__CAPACITY": str(2 * jobs),
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": str(gone),
            "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": str(gone / 6),
            "AIRFLOW_CONN_AIHUB_DEFAULT": json.dumps(connection),
        }
        super().__init__(home, DAGS, settings | database.as_airflows)

    def start(self, timeout: float = 600) -> None:
        """Make the database, with a run of the DAG, and start one triggerer."""
        for command in ("db migrate", "dags reserialize", "dags trigger waiting"):
            given = [sys.executable, "-m", "airflow", *command.split()]
            subprocess.run(given, env=self.env, check=True, capture_output=True, timeout=timeout)  # noqa: S603
        self.start_component("triggerer", NAMES[0])

    def defer(self, jobs: int, interval: float) -> None:
        """Put the rows of so many deferred tasks into the database, in the place of all that were there."""
        fernet, now = Fernet(self.env["AIRFLOW__CORE__FERNET_KEY"]), time.time()
        triggers = []
        for number in range(1, jobs + 1):
            identity = {"marker": marker(number), "name": f"resnet50-{number}", "submitted_at": now - AN_HOUR}
            given: dict[str, Any] = {"aihub_conn_id": "aihub_default", "job_id": number, "identity": identity}
            trigger = JobTrigger(kind="aihub.training", since=now - AN_HOUR, poll_interval=interval, **given)
            classpath, arguments = trigger.serialize()
            triggers.append((classpath, fernet.encrypt(json.dumps(arguments).encode()).decode()))
        columns = "SELECT column_name FROM information_schema.columns WHERE table_name = 'task_instance'"
        values = {name: f'ti."{name}"' for (name,) in self.database.rows(columns)}
        values |= {"id": "gen_random_uuid()", "map_index": "t.id", "trigger_id": "t.id", "state": "'deferred'"}
        values |= {"try_number": "1", "start_date": "now()", "next_method": "'execute_complete'", "next_kwargs": "'{}'"}
        into = ", ".join(f'"{name}"' for name in values)
        self.database.run("DELETE FROM task_instance WHERE map_index > 0")
        self.database.run("DELETE FROM trigger")
        self.database.run(
            "INSERT INTO trigger (id, classpath, kwargs, created_date)"  # noqa: S608 - its own names of columns
            " SELECT row_number() OVER (), classpath, kwargs, now()"
            " FROM jsonb_to_recordset(%s) AS given(classpath text, kwargs text);"
            f" INSERT INTO task_instance ({into}) SELECT {', '.join(values.values())}"
            " FROM task_instance ti CROSS JOIN trigger t WHERE ti.map_index = 0",
            json.dumps([{"classpath": classpath, "kwargs": kwargs} for classpath, kwargs in triggers]),
        )

    def waiting(self) -> int:
        """Return how many tasks are deferred."""
        return int(self.database.rows("SELECT count(*) FROM task_instance WHERE state = 'deferred'")[0][0])

    def shares(self) -> list[int]:
        """Return how many triggers each triggerer has that has any, the most first."""
        sql = "SELECT count(*) FROM trigger WHERE triggerer_id IS NOT NULL GROUP BY triggerer_id ORDER BY 1 DESC"
        return [count for (count,) in self.database.rows(sql)]

    def bytes(self) -> int:
        """Return how much the database keeps of tasks and triggers, with its indexes."""
        sql = "SELECT pg_total_relation_size('task_instance') + pg_total_relation_size('trigger')"
        return int(self.database.rows(sql)[0][0])

    def family(self, name: str = NAMES[0]) -> list[psutil.Process]:
        """Return the processes of a triggerer."""
        parent = psutil.Process(self.processes[name].pid)
        return [parent, *parent.children(recursive=True)]

    def blocked(self, name: str = NAMES[0]) -> list[float]:
        """Return for how many seconds Airflow has seen the event loop late, each time that it complained."""
        return [float(seconds) for seconds in BLOCKED.findall((self.home / f"{name}.out").read_text())]

    def transactions(self) -> int:
        """Return how many transactions the database has seen."""
        sql = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
        return int(self.database.rows(sql)[0][0])


def cpu(family: list[psutil.Process]) -> float:
    """Return the seconds of CPU that processes have taken."""
    return sum(sum(member.cpu_times()[:2]) for member in family)


def memory(family: list[psutil.Process]) -> float:
    """Return how much memory processes take, each page counted once, in MiB."""
    return float(sum(member.memory_full_info().pss for member in family)) / MIB


class Seen:
    """Waits for what becomes of the jobs, and counts what the server was asked meanwhile."""

    def __init__(self, airflow: Triggerers, url: str) -> None:
        self.airflow, self.url = airflow, url
        self.asked = Counter[str]()

    def until(self, is_so: Callable[[], bool]) -> float:
        """Wait until something is so, and return how many seconds that took."""
        began = time.monotonic()
        while True:
            self.asked += Counter(counts(self.url))
            if is_so():
                return time.monotonic() - began
            self.airflow.check_components()
            time.sleep(0.2)

    def followed(self, jobs: int) -> float:
        """Wait until so many jobs were looked at for the first time by a triggerer, which then asks for their pods."""
        took = self.until(lambda: self.asked["asides"] >= jobs)
        self.asked.clear()
        return took

    def ended(self) -> float:
        """Let all jobs end, and wait until no task waits any more."""
        ask(f"{self.url}/end")
        return self.until(lambda: not self.airflow.waiting())


def steadily(seen: Seen, seconds: float) -> dict[str, Any]:
    """Measure for a while what one triggerer takes that has taken up all."""
    airflow = seen.airflow
    family, database = airflow.family(), airflow.database.processes()
    seen.asked.clear()
    complaints, transactions = len(airflow.blocked()), airflow.transactions()
    began, own, others = time.monotonic(), cpu(family), cpu(database)
    # Once, but for a moment that was too short for any.
    while time.monotonic() - began < seconds or not seen.asked["requests"]:
        time.sleep(seconds)
        seen.asked += Counter(counts(seen.url))
    took = time.monotonic() - began
    return {
        "cpu": (cpu(family) - own) / took,
        "database": (cpu(database) - others) / took,
        "transactions": (airflow.transactions() - transactions) / took,
        "requests": (seen.asked["requests"] + seen.asked["asides"]) / took,
        "memory": memory(family),
        "blocked": airflow.blocked()[complaints:],
    }


def measure(airflow: Triggerers, url: str, jobs: int, seconds: float, interval: float) -> dict[str, Any]:
    """One triggerer has all jobs, until they end; two have them, and one is killed."""
    seen = Seen(airflow, url)
    started = seen.until(lambda: "Starting the triggerer" in (airflow.home / f"{NAMES[0]}.out").read_text())
    empty, kept = memory(airflow.family()), airflow.bytes()
    airflow.defer(jobs, interval)
    kept = airflow.bytes() - kept
    begun = seen.followed(jobs)
    at_the_start = airflow.blocked()
    found = {"jobs": jobs, "started": started, "empty": empty, "begun": begun, "blocked at the start": at_the_start}
    found["kept"] = kept / jobs
    found |= steadily(seen, seconds)
    complaints = len(airflow.blocked())
    found["ended"] = seen.ended()
    found["blocked at the end"] = airflow.blocked()[complaints:]

    ask(f"{url}/begin")
    airflow.start_component("triggerer", NAMES[1])
    seen.until(lambda: "Starting the triggerer" in (airflow.home / f"{NAMES[1]}.out").read_text())
    seen.asked.clear()
    airflow.defer(jobs, interval)
    found["begun by two"] = seen.followed(jobs)
    found["shares"] = airflow.shares()
    family = airflow.family(NAMES[1])
    airflow.processes.pop(NAMES[1])
    (lost,) = airflow.database.rows(
        "SELECT count(*) FROM trigger WHERE triggerer_id = (SELECT max(id) FROM job WHERE job_type = 'TriggererJob')"
    )[0]
    seen.asked.clear()
    for member in family:
        member.kill()
    found["lost"] = lost
    found["taken over"] = seen.until(lambda: len(airflow.shares()) == 1)
    found["followed again"] = found["taken over"] + seen.until(lambda: seen.asked["asides"] >= lost)
    found["ended after all"] = seen.ended()
    return found


def main(url: str, jobs: str, seconds: str, interval: str, gone: str) -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory() as home,
        Postgres() as database,
        Triggerers(Path(home), database, url, int(jobs), max(float(gone), SHORTEST_GONE)) as airflow,
    ):
        return measure(airflow, url, int(jobs), float(seconds), float(interval))


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))  # noqa: T201 - it is what the caller reads
