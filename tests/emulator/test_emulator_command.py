"""The command ``aihub-emulator``."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
from plain_http import RUNS, TRAININGS, training
from waiting import HANG, until, written

from airflow_provider_aihub.emulators.aihub.__main__ import main

COMMAND = [sys.executable, "-m", "airflow_provider_aihub.emulators.aihub"]


def logged_in(ready: dict[str, Any]) -> requests.Session:
    session = requests.Session()
    body = {"username": ready["username"], "password": ready["password"]}
    token = session.post(f"{ready['url']}/api/v1/auth/login", json=body, timeout=5).json()["data"]["token"]
    session.headers["Authorization"] = f"Bearer {token}"
    return session


def test_it_says_where_it_is_and_ends_cleanly_with_its_jobs(tmp_path: Path) -> None:
    ready_file = tmp_path / "ready.json"
    extra = tmp_path / "extra"
    extra.mkdir()
    clusters, pipelines, faults = tmp_path / "clusters.json", tmp_path / "pipelines.json", tmp_path / "faults.json"
    clusters.write_text(json.dumps([{"id": 9, "name": "mine", "capacity": 2, "gpu_type": 1}]))
    nodes = [{"name": "n", "command": "true"}]
    pipelines.write_text(json.dumps([{"id": 3, "name": "p", "versions": [{"id": 4, "name": "V1", "nodes": nodes}]}]))
    faults.write_text(json.dumps([{"kind": "status", "path": "*/searches", "status": 500}]))
    options = ["--home", tmp_path / "home", "--ready-file", ready_file, "--user", "ann:pass:word"]
    options += ["--storage", f"extra={extra}", "--clusters", clusters, "--pipelines", pipelines, "--faults", faults]
    process = subprocess.Popen([*COMMAND, *map(str, options)], stdout=subprocess.PIPE, text=True)
    try:
        until("it is ready or has ended", lambda: ready_file.exists() or process.poll() is not None)
        ready = json.loads(ready_file.read_text())
        assert stat.S_IMODE(ready_file.stat().st_mode) == 0o600
        assert ready["pid"] == process.pid
        assert (ready["username"], ready["password"]) == ("ann", "pass:word")
        assert json.loads(ready["connection"])["extra"]["ca_file"] == ready["ca_file"]
        http = logged_in(ready)
        storages = http.get(ready["url"] + "/model-training-platform/api/v1/storages", timeout=5).json()["data"]["data"]
        assert [storage["name"] for storage in storages] == ["datasets", "shared", "extra"]
        body = training(f"echo $$ > {extra}/pid; sleep 300 & wait", virtual_cluster_id=9, storage_ids=[3])
        assert http.post(ready["url"] + TRAININGS, json=body, timeout=5).json()["code"] == 0
        run = {"name": "r", "pipeline_id": 3, "pipeline_version_id": 4, "params": [], "project_id": 1}
        assert http.post(ready["url"] + RUNS, json=run, timeout=5).json()["code"] == 0
        assert http.get(ready["url"] + "/data-warehouse/api/v1/searches", timeout=5).status_code == 500
        pid = written(extra / "pid").strip()
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=HANG)
    assert process.returncode == 0
    assert ready["url"] in output
    assert "ann / pass:word" in output
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--host", "0.0.0.0"], "ask for it with --allow-remote"),
        (["--data", "/no/such/folder"], "The folder /no/such/folder (data) does not exist."),
        (["--clusters", "/no/such/file"], "/no/such/file cannot be read"),
        (["--faults", "{bad}"], "is no JSON"),
        (["--clusters", "{wrong}"], "does not hold clusters"),
        (["--pipelines", "{wrong}"], "does not hold pipelines"),
        (["--faults", "{wrong}"], "does not hold faults"),
        (["--pipelines", "{circle}"], "the nodes a, b wait for each other"),
        (["--user", "secretpassword"], "--user NAME:PASSWORD"),
        (["--port", "{taken}"], "cannot be listened on"),
        (["--home", "/proc/no-such-home"], "cannot be made"),
        (["--ready-file", "/no/such/folder/ready"], "cannot be written"),
        (["--speed", "0"], "must be above 0"),
    ],
)
def test_what_is_wrong_at_the_start_is_said_in_one_sentence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], aihub: Any, options: list[str], message: str
) -> None:
    circle = [{"name": "a", "command": "", "dependencies": ["b"]}, {"name": "b", "command": "", "dependencies": ["a"]}]
    files = {
        "bad": "{",
        "wrong": '[{"nonsense": 1}]',
        "circle": json.dumps([{"id": 1, "name": "p", "versions": [{"id": 1, "name": "V", "nodes": circle}]}]),
    }
    names = {"taken": aihub.url.rsplit(":", 1)[1]}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        names[name] = str(tmp_path / name)
    assert main(["--home", str(tmp_path / "home"), *(option.format(**names) for option in options)]) == 2
    said = capfd.readouterr().err
    assert message in said
    assert said.startswith("aihub-emulator: ")
    assert said.count("\n") == 1
    assert "secretpassword" not in said


def test_without_its_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("airflow_provider_aihub.emulators.command.find_spec", {"duckdb": None}.get)
    assert main([]) == 2
    assert capsys.readouterr().err == (
        "aihub-emulator: searches need duckdb, which is missing: pip install 'airflow-provider-aihub[emulator]'\n"
    )
