"""Runs all benchmarks, prints what they show and writes it down: ``python -m benchmarks --peers PYTHON``.

Each row is taken side by side, in turns, on one machine: the ratios mean more than the numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

REPORT = Path(__file__).parents[1] / "docs" / "performance.md"
ROUNDS = 2
OWN = ("dataset", "evaluation", "quota_task", "s3_relay", "stop", "training", "warehouse", "workflow")
SENSORS = ("dataset", "quota_task", "training", "warehouse", "workflow")
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


class Bench:
    """Runs parts of the benchmarks in processes of their own.

    :param peers: A Python that has the peers.
    """

    def __init__(self, peers: str, home: Path) -> None:
        self._pythons = {"databricks": peers, "peers": peers}
        self._home = home
        self._env = {
            **os.environ,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
            "NO_PROXY": "127.0.0.1",
        }
        # What is installed is compiled.
        self._env.pop("PYTHONDONTWRITEBYTECODE", None)

    def run(self, who: str, module: str, *arguments: object) -> Any:
        command = [self._pythons.get(who, sys.executable), "-m", f"benchmarks.{module}", *map(str, arguments)]
        done = subprocess.run(command, env=self._env, stdout=subprocess.PIPE, check=True, text=True)  # noqa: S603
        return json.loads(done.stdout.splitlines()[-1])

    @contextmanager
    def server(self, jobs: int, *, lists: bool) -> Iterator[str]:
        command = [sys.executable, "-m", "benchmarks.server", str(jobs), "lists" if lists else "no lists"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
            assert server.stdin is not None  # noqa: S101 - it is piped
            assert server.stdout is not None  # noqa: S101 - likewise
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
            server.stdin.close()

    def poll(self, who: str, jobs: int, seconds: float, interval: float, *, lists: bool = False) -> dict[str, Any]:
        with self.server(jobs, lists=lists) as url:
            measured: dict[str, Any] = self.run(who, "polling", who, url, jobs, seconds, interval)
        return measured

    def thousand(self) -> list[str]:
        """1,000 jobs, polled every 2 s."""
        ways = {
            "one bare GET": ("bare", False),
            "Databricks": ("databricks", False),
            "AIHub, one by one": ("aihub", False),
            "AIHub, in pages": ("aihub", True),
        }
        seen: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, (who, lists) in ways.items():
                seen[name].append(self.poll(who, 1000, 6, 2, lists=lists))
        bare = cpu(seen["one bare GET"])
        rows = []
        for name, runs in seen.items():
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
            "A round is one poll of each job. Delays are those of the event loop, medians of "
            f"{ROUNDS} turns; the last column is the worst one while all triggers start at once.",
            "",
            "| | CPU per job and poll, ms | to the bare GET | requests per round | TCP connections | logins "
            "| delay, worst, ms | delay, 99 %, ms | worst at the start, ms |",
            "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
            *rows,
        ]

    def ten_thousand(self) -> list[str]:
        """10,000 jobs, polled every 30 s."""
        rows = []
        for name, lists in (("one by one", False), ("in pages", True)):
            run = self.poll("aihub", 10_000, 30, 30, lists=lists)
            rows.append(
                f"| {name} | {100 * run['cpu'] / run['seconds']:.0f} % | {run['requests'] / run['seconds']:.1f} "
                f"| {late([run], 'worst delay')} | {late([run], '99 % delay')} |"
            )
        with self.server(10_000, lists=True) as url:
            memory = self.run("aihub", "polling", "aihub", url, 10_000, 45, 30, "memory")
        return [
            "## 10,000 jobs in one process, polled every 30 s",
            "",
            "| | CPU of one core | requests per second | delay, worst, ms | delay, 99 %, ms |",
            "|---|--:|--:|--:|--:|",
            *rows,
            "",
            f"Memory: {memory['memory'] / 1024:.1f} KiB for each trigger with all that it keeps while it waits, "
            f"{memory['peak'] / 1024:.1f} KiB at the peak.",
        ]

    def noticing(self) -> list[str]:
        """Jobs of 10 s, by the default settings of each."""
        ways = {
            "Databricks": ("databricks", False),
            "AIHub, one by one": ("aihub", False),
            "AIHub, in pages": ("aihub", True),
        }
        rows = []
        for name, (who, lists) in ways.items():
            with self.server(50, lists=lists) as url:
                late = self.run(who, "polling", who, url, 50, 10, 0, "notice")
            rows.append(f"| {name} | {late['median']:.1f} | {late['worst']:.1f} |")
        return [
            "## 50 jobs that take 10 s, with default settings",
            "",
            "| seconds from the end of a job until its trigger fires | median | worst |",
            "|---|--:|--:|",
            *rows,
        ]

    def imports(self) -> list[str]:
        own = [f"airflow_provider_aihub.operators.{name}" for name in OWN]
        own += [f"airflow_provider_aihub.sensors.{name}" for name in SENSORS]
        costs = {name: self._import("peers", modules) for name, modules in IMPORTS.items()}
        costs["AIHub, all operators and sensors"] = self._import("aihub", own)
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
        sizes = {who: self.run(who, "arguments", who) for who in ("databricks", "aihub")}
        return [
            "## Arguments of a trigger, serialized",
            "",
            f"Databricks {sizes['databricks']} bytes, AIHub {sizes['aihub']} bytes.",
        ]

    def uploads(self) -> list[str]:
        """A model of 2 GiB, sparse, so that the disk has no part in it."""
        model, predictions = self._home / "model.bin", self._home / "predictions.jsonl"
        with model.open("wb") as file:
            file.truncate(2048 * MIB)
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
            f"{2048 / own:.0f} MiB/s, {min(curls) / own:.2f} times as fast as curl to the same server "
            f"({2048 / min(curls):.0f} MiB/s), with {max(run['memory'] for run in runs) / MIB:.0f} MiB more memory.",
        ]


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

Written by `make bench`. Each table was taken in one run on one machine, with a server of its own for all who are
compared; every process that is measured has all of Airflow in it, as a triggerer has. Ratios mean more than numbers:
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", required=True, help="a Python that has the providers to compare with")
    parser.add_argument("--only", nargs="*", help="names of the benchmarks to run; nothing is written then")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        bench = Bench(given.peers, Path(home))
        parts = [HEAD + machine(bench)]
        for part in (bench.thousand, bench.ten_thousand, bench.noticing, bench.imports, bench.arguments, bench.uploads):
            if not given.only or part.__name__ in given.only:
                parts.append("\n".join(part()))
                print(f"{parts[-1]}\n", flush=True)  # noqa: T201 - it is what it is for
    if not given.only:
        before = REPORT.read_text() if REPORT.exists() else ""
        said = before[before.index(BOUNDS) :] if BOUNDS in before else ""
        REPORT.write_text("\n\n".join([*parts, said]).rstrip() + "\n")


BOUNDS = "## What bounds it"
"""From this heading on the report is written by people."""

if __name__ == "__main__":
    main()
