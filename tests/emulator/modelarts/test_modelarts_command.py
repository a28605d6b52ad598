"""The command ``modelarts-emulator``."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from waiting import HANG, until

from airflow_provider_aihub.emulators.modelarts.__main__ import main

COMMAND = [sys.executable, "-m", "airflow_provider_aihub.emulators.modelarts"]


def test_it_says_where_it_is_and_ends_cleanly(tmp_path: Path) -> None:
    ready_file, workflows = tmp_path / "ready.json", tmp_path / "workflows.json"
    workflows.write_text(json.dumps([{"id": "w", "name": "mine", "steps": [{"name": "a", "command": "true"}]}]))
    options = ["--home", tmp_path / "home", "--ready-file", ready_file, "--workflows", workflows]
    options += ["--signatures", "lenient", "--access-key", "AK", "--secret-key", "sk"]
    process = subprocess.Popen([*COMMAND, *map(str, options)], stdout=subprocess.PIPE, text=True)
    try:
        until("it is ready or has ended", lambda: ready_file.exists() or process.poll() is not None)
        ready = json.loads(ready_file.read_text())
        assert stat.S_IMODE(ready_file.stat().st_mode) == 0o600
        connection = json.loads(ready["connection"])
        assert (connection["login"], connection["password"]) == ("AK", "sk")
        url = f"{ready['url']}/v2/{ready['project_id']}/workflows"
        (workflow,) = requests.get(url, headers={"X-Auth-Token": "any"}, timeout=10).json()["items"]
        assert workflow["name"] == "mine"
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=HANG)
    assert process.returncode == 0
    assert ready["url"] in output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--host", "0.0.0.0"], "ask for it with --allow-remote"),
        (["--obs", "/no/such/folder"], "The folder /no/such/folder (obs) does not exist."),
        (["--workflows", "/no/such/file"], "/no/such/file cannot be read"),
        (["--workflows", "{wrong}"], "does not hold workflows: 0.id: Field required."),
        (["--workflows", "{twice}"], "a name of a step is there twice"),
        (["--notebooks", "{wrong}"], "does not hold notebooks"),
        (["--faults", "{wrong}"], "does not hold faults"),
        (["--nodes", "-1"], "must be 0 or more"),
        (["--speed", "0"], "must be above 0"),
    ],
)
def test_what_is_wrong_at_the_start_is_said_in_one_sentence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    files = {
        "wrong": '[{"nonsense": 1}]',
        "twice": json.dumps([{"id": "w", "name": "w", "steps": [{"name": "a"}, {"name": "a"}]}]),
    }
    names = {}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        names[name] = str(tmp_path / name)
    assert main(["--home", str(tmp_path / "home"), *(option.format(**names) for option in options)]) == 2
    said = capfd.readouterr().err
    assert message in said
    assert said.startswith("modelarts-emulator: ")
    assert said.count("\n") == 1
