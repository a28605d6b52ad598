"""``check``: what an administrator is told of the platform behind a connection."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.cli import cli_parser

from airflow_provider_aihub.doctor.command import main

CREATED = "create a search"


@pytest.fixture
def check(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, dict[str, str]]]:
    """Runs the command; returns its exit code and its lines by what they are about, beginning with ok or to do."""
    # The command sets it for its own process.
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")

    def run(*arguments: str) -> tuple[int, dict[str, str]]:
        code = main(["check", *arguments])
        said = {}
        for line in capsys.readouterr().out.splitlines():
            if line.startswith(("ok ", "to do ")):
                about, _, what = line[6:].partition(": ")
                said[about] = f"{line[:6].strip()}: {what}"
        return code, said

    return run


def changed(emulator: Any, monkeypatch: pytest.MonkeyPatch, conn_id: str = "aihub_default", **fields: Any) -> None:
    """Put a connection that differs into the environment."""
    connection = json.loads(emulator.connection_json())
    connection["extra"] |= fields.pop("extra", {})
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection | fields))


def test_an_aihub_that_is_well(aihub: Any, check: Any) -> None:
    code, said = check()
    assert code == 0
    assert {line.partition(":")[0] for line in said.values()} == {"ok"}
    assert said["login"] == "ok: Logged in to AIHub as user 1."
    assert said["token"] == "ok: lasts 168.0 h, and is renewed before its end"
    assert said["workflow runs are read by"] == "ok: GET"
    assert said["list of trainings"].startswith("ok: 0 of 0 on a page that may have 100")
    assert "'vc-4090' is 2" in said["virtual clusters for trainings"]
    assert said["model_training"].endswith("answers")
    assert CREATED not in said


@pytest.mark.aihub(api="document")
def test_an_aihub_with_the_calls_of_its_document_alone(aihub: Any, check: Any) -> None:
    code, said = check()
    assert code == 0
    assert said["API"].startswith("ok: that of AIHub's document alone")
    assert said["workflow runs are read by"].startswith("ok: POST")
    assert "does not list them" in said["list of searches"]
    assert "give ids" in said["projects"]
    assert said["model_center"].endswith("not offered by this AIHub")


def test_a_wrong_password(aihub: Any, check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    changed(aihub, monkeypatch, password="not-it")
    code, said = check()
    assert code == 1
    assert said["login"].startswith("to do: ")
    assert "check login and password" in said["login"]
    # The services are there all the same, and were not asked to log in again and again.
    assert said["model_training"].endswith("answers")
    assert aihub.requests.count("POST", "*/auth/login") == 1
    assert "API" not in said


def test_a_service_that_is_down(aihub: Any, check: Any) -> None:
    aihub.faults.add("reset", path="/data-warehouse/*")
    code, said = check()
    assert code == 1
    assert {about for about, line in said.items() if line.startswith("to do")} == {"data_warehouse", "list of searches"}
    assert "see whether AIHub and the network are well" in said["data_warehouse"]


def test_a_gateway_in_between(aihub: Any, check: Any) -> None:
    aihub.faults.add("garbage", path="/quota-schedule*")
    code, said = check()
    assert code == 1
    assert "check the address" in said["quota_schedule"]


def test_a_clock_that_is_off(aihub: Any, check: Any) -> None:
    aihub.clock.advance(3600)
    code, said = check()
    assert code == 1
    assert said["clock"] == "to do: The platform's clock is 60 min ahead of this machine's; set the wrong one right."


def test_a_static_token_that_has_ended(aihub: Any, check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_aihub.hooks.aihub import AIHubHook

    hook = AIHubHook()
    connection = hook.get_connection("aihub_default")
    token = hook.login(connection.login, connection.password).token
    changed(aihub, monkeypatch, login=None, password=None, extra={"token": token})
    code, said = check()
    assert code == 0
    assert said["token"] == "ok: static, ends in 168.0 h; nothing can renew it"
    aihub.clock.advance(8 * 24 * 3600)
    code, said = check()
    assert code == 1
    assert "renew 'token'" in said["login"]


def test_a_misspelt_field(aihub: Any, check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    changed(aihub, monkeypatch, extra={"time_out": 3})
    code, said = check()
    assert code == 1
    assert "'time_out' (the nearest field is 'timeout')" in said["connection"]
    changed(aihub, monkeypatch, port=1)
    code, said = check()
    assert (code, list(said)) == (1, ["connection"])


@pytest.mark.parametrize("answer", ["y", "n", ""])
def test_a_job_is_created_after_asking(aihub: Any, check: Any, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{answer}\n" if answer else ""))
    code, said = check("--create")
    assert code == 0
    assert aihub.requests.count("POST", "*/searches") == int(answer == "y")
    assert (CREATED in said) == (answer == "y")


def test_what_becomes_of_jobs(aihub: Any, check: Any) -> None:
    # Such a long description, and blanks around the name, are refused.
    aihub.faults.add("status", method="POST", path="*/searches", status=200, code=2, msg="too long", count=3)
    code, said = check("--create", "--yes", "--virtual-cluster", "1", "--project", "1", "--image", "busybox")
    assert code == 0
    assert "is 'airflow-check-" in said["create a training"]
    assert said["stop it"].endswith("it was stopped (status 5)")
    assert aihub.requests.count("POST", "*/searches") == 4
    assert aihub.requests.count("POST", "*/trainings") == 1


def test_a_refusal_of_every_try_is_told(aihub: Any, check: Any) -> None:
    aihub.faults.add("status", method="POST", path="*/searches", status=403)
    code, said = check("--create", "--yes")
    assert code == 1
    assert "ask for the rights" in said[CREATED]


def test_a_report_holds_no_secret(aihub: Any, check: Any, tmp_path: Path) -> None:
    report = tmp_path / "report.txt"
    _, said = check("--report", str(report))
    text = report.read_text()
    assert text.startswith("airflow-provider-aihub ")
    assert all(about in text for about in said)
    connection = json.loads(aihub.connection_json())
    assert connection["password"] not in text
    assert connection["extra"]["s3_relay_token"] not in text
    assert "eyJ" not in text
    assert check("--report", str(tmp_path / "none" / "report.txt"))[0] == 2


@pytest.mark.airflow(">=3.0", lacks="a log that does not go to the same reader")
def test_a_reader_that_has_read_enough(aihub: Any, tmp_path: Path) -> None:
    report = tmp_path / "report.txt"
    command = [sys.executable, "-m", "airflow_provider_aihub", "check", "--report", str(report)]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert done.returncode == 0
    # An older Airflow tells of lines of its own log that found no reader.
    assert "Exception ignored" not in done.stderr
    assert report.read_text().splitlines()[-1].startswith("ok    datasets: ")


def test_a_modelarts(modelarts: Any, check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = check("--conn-id", "modelarts_default", "--create", "--yes")
    assert code == 0
    assert said["login"].startswith("ok: ModelArts takes signatures")
    assert said["workspace"] == "ok: 0 (default, NORMAL)"
    assert said["list of training jobs"].startswith("ok: 0 of 0 on a page that may have 50")
    assert said["create"].startswith("ok: nothing was created")
    changed(modelarts, monkeypatch, "modelarts_default", password="not-it")
    code, said = check("--conn-id", "modelarts_default")
    assert code == 1
    assert "check login (access key)" in said["login"]
    assert "workspace" not in said
    changed(modelarts, monkeypatch, "modelarts_default", extra={"workspace_id": "0" * 32})
    code, said = check("--conn-id", "modelarts_default")
    assert code == 1


def test_no_such_connection(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check("--conn-id", "nobody_has_made_it")[0] == 2
    monkeypatch.setenv("AIRFLOW_CONN_A_SITE", "http://example.org")
    assert check("--conn-id", "a_site")[0] == 2


@pytest.mark.airflow(">=3.2", lacks="commands of providers")
def test_airflow_has_the_command(
    aihub: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    options = cli_parser.get_parser().parse_args(["aihub", "check", "--conn-id", "aihub_default"])
    with pytest.raises(SystemExit) as end:
        options.func(options)
    assert end.value.code == 0
    assert "Logged in to AIHub" in capsys.readouterr().out
