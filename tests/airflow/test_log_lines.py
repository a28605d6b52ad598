"""What triggers write into their logs on an Airflow 3, where a parent process reads it, sooner or later."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import pytest
from waiting import HANG

pytestmark = pytest.mark.airflow(">=3.0", lacks="a parent process that reads the lines of triggers")

LINES = 3000
PROCESS_OF_TRIGGERS = """
import asyncio
import sys

import structlog
from airflow.sdk.execution_time.supervisor import _configure_logs_over_json_channel as write_to_the_parent

from airflow_provider_aihub.triggers.job import JobTrigger
from airflow_provider_aihub.triggers.log_lines import tell, written


async def main(lines):
    write_to_the_parent(int(sys.argv[1]))
    triggers = [JobTrigger(kind="aihub.training", aihub_conn_id="aihub_default", job_id=number) for number in (1, 2)]
    for number in range(lines):
        structlog.contextvars.bind_contextvars(job=number % 2 + 1)
        triggers[number % 2].log.info("line %d", number)
    await asyncio.sleep(0.1)
    for number in range(50):
        structlog.get_logger("airflow").info("one of Airflow's own")
    print("goes on", flush=True)
    sys.stdin.readline()
    assert await tell([f"streamed {number}" for number in range(200)], triggers[0].log) == 200
    await written(triggers[0].log)
    print("ended", flush=True)


asyncio.run(main(int(sys.argv[2])))
"""


def test_an_event_loop_does_not_wait_for_a_parent_that_does_not_read() -> None:
    """Else both would wait for ever, where the parent waits for the event loop to read something."""
    own, others = socket.socketpair()
    given = [sys.executable, "-c", PROCESS_OF_TRIGGERS, str(others.fileno()), str(LINES)]
    with subprocess.Popen(given, stdin=-1, stdout=-1, text=True, pass_fds=[others.fileno()]) as process, own:
        others.close()
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "goes on\n"
        process.stdin.write("\n")
        process.stdin.flush()
        lines = [json.loads(line) for line in own.makefile()]
        assert process.stdout.read() == "ended\n"
        assert process.wait(HANG) == 0
    of_triggers = [(line["event"], line["job"]) for line in lines if line["event"].startswith("line")]
    assert of_triggers == [(f"line {number}", number % 2 + 1) for number in range(LINES)]
    assert [line["event"] for line in lines if line["event"].startswith("streamed")] == [
        f"streamed {number}" for number in range(200)
    ]
    assert sum(line["event"] == "one of Airflow's own" for line in lines) == 50
