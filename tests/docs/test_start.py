"""The page *Start in five minutes*, followed to the letter in an empty home, but for what it says is not run."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from blocks import ROOT, read_blocks
from waiting import HANG, until

pytestmark = pytest.mark.airflow(">=3.3", lacks="what the pages show")

PAGE = ROOT / "docs" / "start.md"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


def test_it_leads_to_a_run_that_succeeds(tmp_path: Path) -> None:
    first, dag, second, third = (block for block in read_blocks(PAGE) if block.language != "text" and not block.not_run)
    assert "aihub-emulator" in first.code
    assert "airflow dags test" in second.code
    assert "pydoc" in third.code
    assert dag.file is not None
    start = tmp_path / "aihub-start"
    # What the installation leaves: the folder, and an environment to enter.
    start.joinpath("venv", "bin").mkdir(parents=True)
    start.joinpath("venv", "bin", "activate").touch()
    bin_folder = Path(sys.executable).parent
    env = {"HOME": str(tmp_path), "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}", "LANG": "C.UTF-8"}
    # The page's port may be taken here.
    port = free_port()
    code = {block: re.sub(r"\b8099\b", str(port), block.code) for block in (first, second)}
    assert code[first] != first.code
    assert code[second] != second.code
    shell = ["bash", "-euo", "pipefail", "-c"]
    emulator = subprocess.Popen(
        [*shell, code[first]], env=env, cwd=tmp_path, text=True, start_new_session=True, stdout=-1, stderr=-2
    )
    try:
        until("the emulator answers or has ended", lambda: answers(port) or emulator.poll() is not None)
        assert emulator.poll() is None, emulator.communicate()
        start.joinpath(dag.file).write_text(dag.code)
        done = subprocess.run(
            [*shell, code[second] + third.code],
            env=env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=HANG,
            check=False,
        )
    finally:
        os.killpg(emulator.pid, signal.SIGTERM)
        emulator.communicate(timeout=HANG)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-5000:]
    assert re.search(r"state[^\n]*success", said), said[-5000:]
    # What it says of the last block.
    assert ":param is_vip:" in said
    assert "ClusterJobOperator" in said
    assert "virtual clusters for trainings" in said
    # What the page shows of the log is there.
    (shown,) = (block for block in read_blocks(PAGE) if block.language == "text")
    for line in shown.code.splitlines():
        # How long a job took differs from run to run.
        pattern = re.sub(r"\d+\\ s\b", r"\\d[\\w .]*", re.escape(line))
        assert re.search(pattern, said), f"{line!r} is not in the log:\n{said[-5000:]}"
