"""Runs the benchmarks and prints what they show: ``python -m benchmarks --peers PYTHON --write`` runs all of them.

Each row is taken side by side, in turns, on one machine: the ratios mean more than the numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.hostile_server import WAYS

REPORT = Path(__file__).parents[1] / "docs" / "performance.md"
ROUNDS = 2
OWN = {
    "AIHub": {
        "operators": (
            "artifact",
            "dataset",
            "evaluation",
            "model",
            "quota_task",
            "s3_relay",
            "stop",
            "training",
            "warehouse",
            "workflow",
        ),
        "sensors": (
            *("dataset", "label_project", "model", "quota", "quota_task"),
            *("training", "warehouse", "workflow"),
        ),
    },
    "ModelArts": {
        "operators": tuple(
            f"modelarts_{name}" for name in ("app", "notebook", "training_job", "workflow", "workspace")
        ),
        "sensors": ("modelarts",),
    },
}
IMPORTS = {
    "Bash operator": ("airflow.providers.standard.operators.bash",),
    "Airbyte": ("airflow.providers.airbyte.operators.airbyte", "airflow.providers.airbyte.sensors.airbyte"),
    "SageMaker": ("airflow.providers.amazon.aws.operators.sagemaker",),
    "HTTP": ("airflow.providers.http.operators.http",),
    "dbt Cloud": ("airflow.providers.dbt.cloud.operators.dbt",),
    "Databricks": ("airflow.providers.databricks.operators.databricks",),
}
PEERS = ("databricks", "airbyte", "amazon", "http", "dbt-cloud", "standard")
MIB = 2**20
QUICK_ROWS = ("much_json", "refuses", "endless_list", "many_lines")
"""One of each sort."""
LONG_ROWS = {"busy": 150.0}
"""Seconds of rows that need more than the others."""


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Keep so many cores busy."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


class Bench:
    """Runs parts of the benchmarks in processes of their own.

    :param peers: A Python that has the peers; ``None`` for a benchmark without them.
    :param quick: Whether each is run at a hundredth of its size, in this process: to see that it can be run.
    """

    def __init__(self, peers: str | None, home: Path, *, quick: bool = False) -> None:
        self._peers = peers
        self._quick = quick
        self._home = home
        self._env = {
            **os.environ,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
            "NO_PROXY": "127.0.0.1",
        }
        # What is installed is compiled.
        self._env.pop("PYTHONDONTWRITEBYTECODE", None)
        if quick:
            # Airflow is imported later, and reads this then.
            self._env |= {"AIRFLOW__AIHUB__POLL_FLOOR": "0.1", "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "0"}
            os.environ |= self._env

    def jobs(self, count: int) -> int:
        """Return how many jobs there are; so few that they are read in pages at least."""
        return max(count // 100, 10) if self._quick else count

    def seconds(self, long: float) -> float:
        """Return how long something takes."""
        return max(long / 100, 0.1) if self._quick else long

    def run(self, who: str, module: str, *arguments: object) -> Any:
        if self._quick:
            return import_module(f"benchmarks.{module}").main(*map(str, arguments))
        python = self._peers if who in ("databricks", "peers") else sys.executable
        if python is None:
            raise SystemExit("This compares with other providers; say by --peers which Python has them.")
        command = [python, "-m", f"benchmarks.{module}", *map(str, arguments)]
        done = subprocess.run(command, env=self._env, stdout=subprocess.PIPE, check=True, text=True)  # noqa: S603
        return json.loads(done.stdout.splitlines()[-1])

    @contextmanager
    def server(self, jobs: int, *, lists: bool, of: str = "aihub") -> Iterator[str]:
        with self._served("server", self.jobs(jobs), "lists" if lists else "no lists", of) as url:
            yield url

    @contextmanager
    def _served(self, module: str, *arguments: object) -> Iterator[str]:
        command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
            assert server.stdin is not None  # noqa: S101 - it is piped
            assert server.stdout is not None  # noqa: S101 - likewise
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
            server.stdin.close()

    def poll(self, who: str, jobs: int, seconds: float, interval: float, *, lists: bool = False) -> dict[str, Any]:
        with self.server(jobs, lists=lists, of="modelarts" if "modelarts" in who else "aihub") as url:
            return self._polling(who, url, jobs, seconds, interval)

    def _polling(self, who: str, url: str, jobs: int, seconds: float, interval: float, *what: str) -> dict[str, Any]:
        given = self.jobs(jobs), self.seconds(seconds), interval and self.seconds(interval)
        measured: dict[str, Any] = self.run(who, "polling", who, url, *given, *what)
        return measured

    def _compared(self, ways: dict[str, tuple[str, bool]]) -> dict[str, tuple[str, bool]]:
        """Leave out the peers, where there are none."""
        return {name: way for name, way in ways.items() if not self._quick or way[0] != "databricks"}

    def thousand(self) -> list[str]:
        """1,000 jobs, polled every 2 s."""
        ways = {
            "one bare GET": ("bare", False),
            "Databricks": ("databricks", False),
            "AIHub, one by one": ("aihub", False),
            "AIHub, in pages": ("aihub", True),
            "one bare GET of ModelArts": ("bare_modelarts", False),
            "ModelArts, one by one": ("modelarts", False),
            "ModelArts, in searches": ("modelarts", True),
        }
        ways = self._compared(ways)
        seen: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}
        for _ in range(1 if self._quick else ROUNDS):
            for name, (who, lists) in ways.items():
                seen[name].append(self.poll(who, 1000, 6, 2, lists=lists))
        rows = []
        for name, runs in seen.items():
            if name.startswith("one bare GET"):
                bare = cpu(runs)
            polls = sum(run["polls"] for run in runs)
            requests = 1000 * sum(run["requests"] for run in runs) / polls
            rows.append(
                f"| {name} | {1000 * cpu(runs):.3f} | {cpu(runs) / bare:.2f} | {requests:.0f} "
                f"| {max(run['connections'] - 2 for run in runs)} | {max(run['logins'] for run in runs)} "
                f"| {late(runs, 'worst delay')} | {late(runs, '99 % delay')} "
                f"| {late(runs, 'worst delay at the start')} |"
            )
        return [
            "## 1,000 jobs that are polled every 2 s",
            "",
            "A round is one poll of each job. Each row is compared with the bare GET above it, which has no login and "
            f"no signature. Delays are those of the event loop, medians of {ROUNDS} runs; the last column is the "
            "longest delay while all triggers start, as Airflow's triggerer starts them. CPU time of the measurement "
            "itself is not counted.",
            "",
            "| | CPU per job and poll, ms | to the bare GET | requests per round | TCP connections | logins "
            "| delay, worst, ms | delay, 99 %, ms | worst at the start, ms |",
            "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
            *rows,
        ]

    def ten_thousand(self) -> list[str]:
        """10,000 jobs, polled every 30 s."""
        rows = []
        beside = "in pages, while two other processes keep both cores busy"
        for name, lists in (("one by one", False), ("in pages", True), (beside, True)):
            with busy(2) if name == beside else nullcontext():
                run = self.poll("aihub", 10_000, 30, 30, lists=lists)
            rows.append(
                f"| {name} | {100 * run['cpu'] / run['seconds']:.1f} % | {run['requests'] / run['seconds']:.1f} "
                f"| {late([run], 'worst delay')} | {late([run], '99 % delay')} "
                f"| {late([run], 'worst delay at the start')} |"
            )
        with self.server(10_000, lists=True) as url:
            asleep = self._polling("asleep", url, 10_000, 45, 30, "memory")
            # Until all have asked for the pods of their jobs; counting what is kept takes most of the time.
            memory = self._polling("aihub", url, 10_000, 130, 30, "memory")
        return [
            "## 10,000 jobs in one process, polled every 30 s",
            "",
            "| | CPU of one core | requests per second | delay, worst, ms | delay, 99 %, ms | worst at the start, ms |",
            "|---|--:|--:|--:|--:|--:|",
            *rows,
            "",
            f"Memory: {memory['memory'] / 1024:.1f} KiB for each trigger with all that it keeps while it waits, "
            f"{memory['peak'] / 1024:.1f} KiB at the peak. For comparison, {asleep['memory'] / 1024:.1f} KiB is what a "
            "trigger of Airflow keeps that has written a line to its log and sleeps.",
        ]

    def noticing(self) -> list[str]:
        """Jobs of 10 s, by the default settings of each."""
        ways = {
            "Databricks": ("databricks", False),
            "AIHub, one by one": ("aihub", False),
            "AIHub, in pages": ("aihub", True),
        }
        rows = []
        for name, (who, lists) in self._compared(ways).items():
            with self.server(50, lists=lists) as url:
                late = self._polling(who, url, 50, 10, 0, "notice")
            rows.append(f"| {name} | {late['median']:.1f} | {late['worst']:.1f} |")
        return [
            "## 50 jobs that take 10 s, with default settings",
            "",
            "| seconds from the end of a job until its trigger fires | median | worst |",
            "|---|--:|--:|",
            *rows,
        ]

    def imports(self) -> list[str]:
        peers = {} if self._quick else IMPORTS
        costs = {name: self._import("peers", modules) for name, modules in peers.items()}
        for platform_name, folders in OWN.items():
            own = [f"airflow_provider_aihub.{folder}.{name}" for folder, names in folders.items() for name in names]
            costs[f"{platform_name}, all operators and sensors"] = self._import("aihub", own)
        return [
            "## Importing operators, on top of `airflow.sdk`",
            "",
            "| | ms of CPU |",
            "|---|--:|",
            *(f"| {name} | {cost:.0f} |" for name, cost in costs.items()),
        ]

    def _import(self, who: str, modules: list[str] | tuple[str, ...]) -> float:
        # The first time it is compiled.
        return min(self.run(who, "importing", *modules) for _ in range(3))

    def arguments(self) -> list[str]:
        whose = {"Databricks": ("databricks", False), "AIHub": ("aihub", False)}
        sizes = {name: self.run(who, "arguments", who) for name, (who, _) in self._compared(whose).items()}
        return [
            "## Arguments of a trigger, serialized",
            "",
            ", ".join(f"{name} {size} bytes" for name, size in sizes.items()) + ".",
        ]

    def uploads(self) -> list[str]:
        """A model of 2 GiB, sparse, so that the disk has no part in it."""
        size = 20 if self._quick else 2048
        model, predictions = self._home / "model.bin", self._home / "predictions.jsonl"
        with model.open("wb") as file:
            file.truncate(size * MIB)
        predictions.write_text("{}\n")
        runs: list[dict[str, Any]] = []
        curls: list[float] = []
        with self.server(1, lists=True) as url:
            for _ in range(ROUNDS):
                curls.append(curl(f"{url}/api/v2/tasks/import_result", model, predictions))
                runs.append(self.run("aihub", "uploading", url, model, predictions))
        own = min(run["seconds"] for run in runs)
        model.unlink()
        return [
            "## A model of 2 GiB through `EvalImportOperator`",
            "",
            f"{size / own:.0f} MiB/s, {min(curls) / own:.2f} times as fast as curl to the same server "
            f"({size / min(curls):.0f} MiB/s), with {max(run['memory'] for run in runs) / MIB:.0f} MiB more memory.",
        ]

    def triggerer(self) -> list[str]:
        """10,000 deferred jobs in a real triggerer, then in two of which one is killed."""
        with self.server(10_000, lists=True) as url:
            given = self.jobs(10_000), self.seconds(60), self.seconds(30), self.seconds(30.0)
            seen = self.run("aihub", "triggerer", url, *given)
        return [*TRIGGERER_HEAD, *triggerer_rows(seen)]

    def hostile(self) -> list[str]:
        """200 jobs of a server that answers as badly as it can, beside 20 of a good one."""
        rows = []
        for name in QUICK_ROWS if self._quick else WAYS:
            seconds, interval = LONG_ROWS.get(name, 30.0), 2.0
            with self.server(10_000, lists=False) as good, self._served("hostile_server", name) as bad:
                given = self.jobs(200), self.seconds(seconds), self.seconds(interval)
                rows.append(hostile_row(WAYS[name].said, self.run("aihub", "hostile", name, good, bad, *given)))
        return [*HOSTILE_HEAD, *rows]


def hostile_row(said: str, seen: dict[str, Any]) -> str:
    deadline = "" if seen["deadline"] is None else f"{seen['deadline']:.1f}"
    if seen["not stopped"]:
        deadline += f" ({seen['not stopped']} not)"
    return (
        f"| {said} | {max(seen['memory'], 0):.0f} | {1000 * seen['held']:.0f} | {1000 * seen['held before']:.0f} "
        f"| {seen['looks']:.1f} | {seen['looks before']:.1f} | {seen['given up']} | {deadline} | {seen['calls']} "
        f"| {seen['busiest']} | {seen['silence']:.0f} |"
    )


def triggerer_rows(seen: dict[str, Any]) -> list[str]:
    def late(when: str) -> str:
        return f"{len(seen[when])}, of {max(seen[when]):.1f} s at most" if seen[when] else "0"

    first, second = max(seen["shares"]), min(seen["shares"])
    rows = {
        "jobs": f"{seen['jobs']:,}",
        "one triggerer: until it had looked at each job": f"{seen['begun']:.0f} s",
        "requests per second": f"{seen['requests']:.1f}",
        "CPU of one core": f"{100 * seen['cpu']:.0f} %",
        "memory, and before": f"{seen['memory']:.0f} MiB, {seen['empty']:.0f} MiB",
        "CPU of one core that the database takes": f"{100 * seen['database']:.0f} %",
        "transactions of the database per second": f"{seen['transactions']:.0f}",
        "what it keeps of a task and its trigger, with indexes": f"{seen['kept'] / 1024:.1f} KiB",
        "loop late while all begin": late("blocked at the start"),
        "loop late in a minute": late("blocked"),
        "from the ends of all jobs until no task is deferred any more": f"{seen['ended']:.0f} s",
        "loop late meanwhile": late("blocked at the end"),
        "two triggerers: until they had looked at each job": f"{seen['begun by two']:.0f} s",
        "jobs of each": f"{first}, {second}",
        "one is killed: until the other one has all": f"{seen['taken over']:.0f} s",
        "... and has looked at each": f"{seen['followed again']:.0f} s",
        "from the ends of all jobs until no task was deferred any more": f"{seen['ended after all']:.0f} s",
    }
    return [f"| {name} | {value} |" for name, value in rows.items()]


def cpu(runs: list[dict[str, Any]]) -> float:
    """Seconds of CPU for each poll."""
    return statistics.median(run["cpu"] / run["polls"] for run in runs)


def late(runs: list[dict[str, Any]], what: str) -> str:
    return f"{1000 * statistics.median(run[what] for run in runs):.0f}"


def curl(url: str, model: Path, predictions: Path) -> float:
    """Send the same form by curl, and give the seconds that it took."""
    command = shutil.which("curl")
    if command is None:
        raise SystemExit("The benchmark of uploads compares with curl, which is not installed.")
    forms = ["-F", "model_name=detector", "-F", f"model_file=@{model}", "-F", f"pred_file=@{predictions}"]
    began = time.perf_counter()
    subprocess.run([command, "--noproxy", "*", "-s", "-o", os.devnull, *forms, url], check=True)  # noqa: S603
    return time.perf_counter() - began


def machine(bench: Bench) -> str:
    cpus = [line.partition(":")[2].strip() for line in cpu_info() if line.startswith("model name")]
    names = [f"apache-airflow-providers-{name}" for name in PEERS]
    peers = bench.run("peers", "versions", *names)
    own = ", ".join(f"{name} {version(name)}" for name in ("apache-airflow", "aiohttp", "requests"))
    return (
        f"{len(cpus) or os.cpu_count()} cores ({cpus[0] if cpus else platform.processor()}), {platform.system()}, "
        f"Python {platform.python_version()}, {own}; peers: {', '.join(peers)}."
    )


def cpu_info() -> list[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text().splitlines() if file.exists() else []


HEAD = """# What it costs

Written by `make bench`. Each table was measured in one run on one machine, with one server for all that are
compared. Every measured process has imported all of Airflow, as a triggerer has. Ratios say more than absolute numbers:
"""

TRIGGERER_HEAD = [
    "## Deferred jobs in a real triggerer",
    "",
    "An Airflow on PostgreSQL, in whose database stand the rows of so many tasks that have deferred, with default "
    "settings but for `[triggerer] capacity`. The jobs are an hour old and polled every 30 s. The loop is late when "
    "Airflow says so, from 0.2 s on; a triggerer counts as gone 30 s after its last heartbeat.",
    "",
    "| | |",
    "|---|--:|",
]
HOSTILE_HEAD = [
    "## Beside a hostile server",
    "",
    "For half a minute, 200 triggers wait for jobs of a bad server. It accepts logins, and answers everything else "
    "as its row says. 20 more triggers wait for jobs of a good server, in the same process and on the same event "
    "loop. Half of the 200 have a deadline after ten seconds, the others after thirty. *Before*: the same triggers, "
    "while both servers are good. Memory: how much more the process has at its peak than before. Loop held: the "
    "longest time in which nothing else could run on the event loop, in CPU time of the process, so that other work "
    "on the machine does not count. Full garbage collections of Python do not count either: they look at everything "
    "that Airflow has in memory, take a tenth of a second or more, and happen now and then with any server. Stopped "
    "late: how long after its deadline a job was asked to stop, at worst. Calls are those to the bad server: all of "
    "them, those in its busiest second, and the longest time without one.",
    "",
    "| the hostile server sends | memory, MiB | loop held, ms | before | looks per good job and minute | before "
    "| good jobs given up | stopped, s late | calls | in a second | pause, s |",
    "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
]
BOUNDS = "## What bounds it"
"""From this heading on the report is written by people."""


def sections(report: str) -> dict[str, str]:
    """Part a report into its sections, by their headings."""
    parts = [part.strip() for part in re.split(r"^(?=##? )", report, flags=re.MULTILINE)]
    return {part.partition("\n")[0]: part for part in parts if part}


def written(before: str, parts: list[str], *, whole: bool) -> str:
    """Put what was measured into a report, in the place of what stands there.

    :param whole: Whether nothing else of it was measured in an earlier run stays.
    """
    old = sections(before)
    said = old.pop(BOUNDS, "")
    new = {} if whole else old
    for part in parts:
        new |= sections(part)
    return "\n\n".join([*new.values(), said]).rstrip() + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", help="a Python that has the providers to compare with")
    parser.add_argument("--only", nargs="*", help="names of the benchmarks to run")
    parser.add_argument("--write", action="store_true", help=f"put what they show into {REPORT.name}")
    parser.add_argument("--quick", action="store_true", help="run them at a hundredth of their size, without peers")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        bench = Bench(given.peers, Path(home), quick=given.quick)
        ways = (
            bench.thousand,
            bench.ten_thousand,
            bench.noticing,
            bench.imports,
            bench.arguments,
            bench.uploads,
            bench.triggerer,
            bench.hostile,
        )
        whole = not given.only and not given.quick
        parts = [HEAD + machine(bench)] if whole else []
        for part in ways:
            if not given.only or part.__name__ in given.only:
                parts.append("\n".join(part()))
                print(f"{parts[-1]}\n", flush=True)  # noqa: T201 - it is what it is for
    if given.write:
        REPORT.write_text(written(REPORT.read_text() if REPORT.exists() else "", parts, whole=whole))


if __name__ == "__main__":
    main()
