"""A real Airflow in a throw-away home: API server, scheduler, DAG processor and triggerer on this machine."""

from __future__ import annotations

import base64
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import requests
from urllib3.exceptions import NewConnectionError

from demo.processes import end, last_output, start

TERMINAL = frozenset({"success", "failed"})
UNHEARD = 60.0
"""Seconds for which the REST API may have nobody who listens, as when its only process is made anew."""
NOTICE = "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL"


class AirflowError(Exception):
    """The Airflow on this machine did not do what it was started for."""


class RealAirflow:
    """Runs the four components of Airflow, talks to them by the REST API, and ends them again.

    :param home: Folder that becomes ``AIRFLOW_HOME``: configuration, SQLite database, logs.
    :param dags: Folder of the DAG files.
    :param env: More environment for all components, e.g. ``AIRFLOW_CONN_AIHUB_DEFAULT``.
    :param slack: Seconds by which a worker of a busy machine may be late to notice that its task has deferred, before
        the trigger fires.
    """

    components: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "api-server": (),
        "scheduler": ("--skip-serve-logs",),
        "dag-processor": (),
        "triggerer": ("--skip-serve-logs",),
    }
    """The programs and their arguments. Logs are read from the home they share, so nobody serves any."""
    api_path = "/api/v2"
    health_path = "/api/v2/monitor/health"
    with_heartbeat: ClassVar[tuple[str, ...]] = ("scheduler", "dag_processor", "triggerer")

    def __init__(self, home: Path, dags: Path, env: Mapping[str, str] | None = None, slack: float = 0.0) -> None:
        self.home = home
        self.slack = slack
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        settings = {
            "CORE__DAGS_FOLDER": str(dags),
            "CORE__LOAD_EXAMPLES": "False",
            "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "CORE__EXECUTOR": "LocalExecutor",
            "CORE__PARALLELISM": "8",
            "CORE__FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
            "CORE__HOSTNAME_CALLABLE": "socket.gethostname",
            "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "API__HOST": "127.0.0.1",
            "API__PORT": str(port),
            "API__BASE_URL": self.url,
            "API__WORKERS": "1",
            "API_AUTH__JWT_SECRET": secrets.token_urlsafe(48),
            "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
            # A worker may notice the end of a task's process only this many seconds later. A job that is done sooner
            # than that after its task deferred makes the scheduler see "succeeded" and "queued" at once, and it fails
            # the task. The default of 5 is too long for jobs that take two seconds.
            "WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "USAGE_DATA_COLLECTION__ENABLED": "False",
        }
        # What is set for another Airflow on this machine must not reach this one.
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW_")}
        self.env = {
            **inherited,
            "AIRFLOW_HOME": str(home),
            **{f"AIRFLOW__{key}": value for key, value in settings.items()},
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
            "NO_PROXY": "127.0.0.1,localhost",
            "PYTHONUNBUFFERED": "1",
            **(env or {}),
        }
        self._http = requests.Session()
        self._http.trust_env = False

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def start(self, timeout: float = 600) -> None:
        """Make the database, start the components and wait until each reports that it is healthy.

        :param timeout: Seconds to wait for them; generous, for a machine that has other things to do.
        :raises AirflowError: if one of them ends or does not come up in time.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
        done = subprocess.run(migrate, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)  # noqa: S603
        if done.returncode:
            raise AirflowError("airflow db migrate failed:\n" + done.stdout.decode(errors="replace")[-3000:])
        for name in self.components:
            self.start_component(name)
        deadline = time.monotonic() + timeout
        while not self.healthy():
            self.check_components()
            if time.monotonic() > deadline:
                raise AirflowError(f"Airflow did not come up within {timeout:.0f} s; its logs are in {self.home}.")
            time.sleep(0.3)
        self.log_in()

    def log_in(self) -> None:
        """Be an administrator from here on."""
        answer = self._http.get(f"{self.url}/auth/token", timeout=60)
        answer.raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def start_component(self, component: str, name: str | None = None) -> None:
        """Start one of :attr:`components`; its output goes to ``<name>.out`` in the home.

        :param name: What it is called in :attr:`processes`. Default: as the component, of which there is one then.
        """
        name = name or component
        command = [sys.executable, "-m", "airflow", component, *self.components[component]]
        # Airflow's table of jobs has the user's name, which tells one triggerer from another.
        env = {**self.env, "LOGNAME": name}
        if component == "triggerer":
            # A trigger waits for what it thinks a worker takes to notice the end of a task's process.
            env[NOTICE] = f"{float(env[NOTICE]) + self.slack:g}"
        self.processes[name] = start(command, env, self.home / f"{name}.out")

    def healthy(self) -> bool:
        """Tell whether the REST API answers and all others have sent a heartbeat."""
        try:
            health = self._http.get(self.url + self.health_path, timeout=30).json()
        except (requests.RequestException, ValueError):
            return False
        return all(health[part]["status"] == "healthy" for part in self.with_heartbeat)

    def check_components(self) -> None:
        """Raise :class:`AirflowError` with the end of its output if a component has ended by itself."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise AirflowError(
                    f"The {name} of Airflow ended with exit code {process.returncode}:\n{self._last_words(name)}"
                )

    def _last_words(self, name: str | None = None) -> str:
        """Return the end of what a component wrote. Default: of what the one wrote that has the REST API."""
        return last_output(self.home / f"{name or next(iter(self.components))}.out")

    def stop(self, timeout: float = 15) -> None:
        """End the components and all that they started.

        :param timeout: Seconds that they get to end by themselves.
        """
        end(self.processes.values(), timeout)
        self.processes.clear()

    def api(self, method: str, path: str, json: Any = None, **query: Any) -> Any:
        """Call Airflow's REST API and return the JSON it answers, if any. What nobody listens to is asked again.

        :raises AirflowError: if the answer is an error, or a component ends, or nobody listens for a minute.
        """
        deadline = time.monotonic() + UNHEARD
        while True:
            try:
                answer = self._http.request(
                    method, self.url + self.api_path + path, json=json, params=query, timeout=300
                )
                break
            except requests.ConnectionError as error:
                time.sleep(1)
                # One that has ended says why.
                self.check_components()
                reason = getattr(error.args[0], "reason", None)
                if not isinstance(reason, NewConnectionError) or time.monotonic() > deadline:
                    raise AirflowError(f"{method} {path} had no answer: {error}\n{self._last_words()}") from error
        if not answer.ok:
            raise AirflowError(f"{method} {path} was answered with HTTP {answer.status_code}: {answer.text[:500]}")
        return answer.json() if answer.content else None

    def trigger(
        self, dag_id: str, timeout: float = 600, conf: Mapping[str, Any] | None = None, run_id: str | None = None
    ) -> str:
        """Start a run of a DAG as soon as its file is parsed, and return the run's id.

        :param timeout: Seconds to wait for the DAG to appear.
        :param conf: What the run is told. Default: nothing.
        :param run_id: Id of the run. Default: one that Airflow makes.
        :raises AirflowError: if its file cannot be imported or it does not appear in time.
        """
        deadline = time.monotonic() + timeout
        while not any(dag["dag_id"] == dag_id for dag in self.api("GET", "/dags", dag_id_pattern=dag_id)["dags"]):
            self.check_components()
            late = time.monotonic() > deadline
            for broken in self.api("GET", "/importErrors")["import_errors"]:
                # Another file may be of no concern: not every example is for every Airflow.
                if late or Path(broken["filename"]).stem == dag_id:
                    raise AirflowError(f"{broken['filename']} cannot be imported:\n{broken['stack_trace']}")
            if late:
                raise AirflowError(f"Airflow did not find a DAG {dag_id} within {timeout:.0f} s.")
            time.sleep(0.5)
        body: dict[str, Any] = {"logical_date": None, "conf": dict(conf or {})}
        if run_id:
            body["dag_run_id"] = run_id
        return str(self.api("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a DAG run: ``queued``, ``running``, ``success`` or ``failed``."""
        return str(self.api("GET", f"/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run as the REST API gives them: ``task_id``, ``state``, ..."""
        answer = self.api("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", limit=100)
        return list(answer["task_instances"])

    def watch(
        self, dag_id: str, run_id: str, timeout: float = 1800, every: float = 0.25
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield the task instances of a run again and again, the last time when the run has ended.

        :param timeout: Seconds after which a run that has not ended is given up.
        :param every: Seconds between two looks.
        :raises AirflowError: if a component ends or the run takes too long.
        """
        deadline = time.monotonic() + timeout
        while True:
            ended = self.run_state(dag_id, run_id) in TERMINAL
            tasks = self.task_instances(dag_id, run_id)
            yield tasks
            if ended:
                return
            self.check_components()
            if time.monotonic() > deadline:
                under_way = [task for task in tasks if task["state"] in ("running", "deferred", "up_for_retry")]
                logs = [
                    f"{task['task_id']} is {task['state']}:\n"
                    + self.log(dag_id, run_id, task["task_id"], task["try_number"]).tail()
                    for task in under_way
                ]
                raise AirflowError("\n\n".join([f"Run {run_id} had not ended after {timeout:.0f} s.", *logs]))
            time.sleep(every)

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """Return a value that a task pushed, or ``None`` where it pushed none (yet)."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries"
        if not any(entry["key"] == key for entry in self.api("GET", path)["xcom_entries"]):
            return None
        return self.api("GET", f"{path}/{key}")["value"]

    def log(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1) -> TaskLog:
        """Return what a try of a task wrote, in the worker and in the triggerer."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        return TaskLog(self.api("GET", path)["content"])


class TaskLog:
    """The log of one try of a task.

    :param entries: As the REST API gives them: a dict each, ``event`` is the text. Those up to ``::endgroup::`` name
        the files that the log was put together from: in lines of their own or, before Airflow 3.2, as ``sources``.
    """

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        self.lines = [str(entry["event"]) for entry in entries]
        head = list(takewhile(lambda entry: entry["event"] != "::endgroup::", entries))
        self.files = [str(file) for entry in head[:1] for file in entry.get("sources") or ()]
        self.files += [str(entry["event"]) for entry in head[1:]]
        self.errors = [detail for entry in entries for detail in entry.get("error_detail") or ()]

    @property
    def deferred(self) -> bool:
        """Whether a triggerer took part: it writes to a file of its own beside that of the worker."""
        return any(".trigger." in file for file in self.files)

    def tail(self, lines: int = 30) -> str:
        """Return the last lines, with the errors that Airflow keeps apart from the text."""
        raised = [f"{error.get('exc_type')}: {error.get('exc_value')}" for error in self.errors]
        return "\n".join([*self.lines[-lines:], *raised])


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
