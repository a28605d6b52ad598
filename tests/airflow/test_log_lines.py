"""What triggers write into their logs on an Airflow 3, where a parent process reads it, sooner or later."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from threading import Timer

import pytest
from waiting import HANG, PATIENCE

pytestmark = pytest.mark.airflow(">=3.0", lacks="a parent process that reads the lines of triggers")

LINES = 3000
"""More than what is sent to the parent has room for."""
PROCESS_OF_TRIGGERS = """
import asyncio
import sys

import structlog
from airflow.sdk.execution_time.supervisor import _configure_logs_over_json_channel as write_to_the_parent

from airflow_provider_aihub.triggers import log_lines
from airflow_provider_aihub.triggers.job import JobTrigger


async def main(lines):
    write_to_the_parent(int(sys.argv[1]))
    triggers = [JobTrigger(kind="aihub.training", aihub_conn_id="aihub_default", job_id=number) for number in (1, 2)]
    for number in range(lines):
        structlog.contextvars.bind_contextvars(job=number % 2 + 1)
        triggers[number % 2].log.info("line %d", number)
    await asyncio.sleep(0.1)
    for number in range(50):
        structlog.get_logger("airflow").info("one of Airflow's own")
    if sys.argv[3] == "ends":
        log_lines.LONGEST_WAIT = 0.1
        await log_lines.flush(triggers[0].log)
    print("goes on", flush=True)
    sys.stdin.readline()
    if sys.argv[3] == "streams":
        assert await log_lines.write_lines([f"streamed {number}" for number in range(200)], triggers[0].log) == 200
    await triggers[1].log.written()
    print("ended", flush=True)


asyncio.run(main(int(sys.argv[2])))
"""


def told(what: str) -> dict[str, list[int]]:
    """Return what comes to a parent that does not read before the event loop has gone on, by the jobs' numbers."""
    own, others = socket.socketpair()
    given = [sys.executable, "-c", PROCESS_OF_TRIGGERS, str(others.fileno()), str(LINES), what]
    with subprocess.Popen(given, stdin=-1, stdout=-1, text=True, pass_fds=[others.fileno()]) as process, own:
        others.close()
        hung = Timer(PATIENCE, process.kill)
        hung.daemon = True
        hung.start()
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "goes on\n"
        process.stdin.write("\n")
        process.stdin.flush()
        lines = [json.loads(line) for line in own.makefile()]
        assert process.stdout.read() == "ended\n"
        assert process.wait(HANG) == 0
        hung.cancel()
    found: dict[str, list[int]] = {"of Airflow": [], "streamed": [], "1": [], "2": []}
    for line in lines:
        said, _, number = line["event"].partition(" ")
        if said in ("line", "streamed"):
            found[str(line["job"]) if said == "line" else said].append(int(number))
        elif said == "one":
            found["of Airflow"].append(0)
    return found


def test_an_event_loop_does_not_wait_for_a_parent_that_does_not_read() -> None:
    """Else both would wait for ever, where the parent waits for the event loop to read something."""
    numbers = list(range(LINES))
    assert told("streams") == {"of Airflow": [0] * 50, "streamed": numbers[:200], "1": numbers[::2], "2": numbers[1::2]}


def test_a_trigger_that_ends_does_not_wait_long_either() -> None:
    """Airflow closes its log then, and lines that come later would stand in the log of the triggerer."""
    found = told("ends")
    assert found["2"] == list(range(1, LINES, 2))
    assert found["1"] == list(range(0, LINES, 2))[: len(found["1"])]
    assert 0 < len(found["1"]) < LINES // 2
