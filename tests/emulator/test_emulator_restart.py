"""A restart loses nothing, and the clock can be moved."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from plain_http import DATASETS, RUNS, SEARCHES, TASKS, TRAININGS, VERSIONS, Api, gone
from waiting import until, written

from airflow_provider_aihub.emulators.aihub import Clock, Cluster, Emulator, SettingsError

ONE = (Cluster(id=1, name="one", capacity=1),)


def test_a_restart_loses_nothing(own: Callable[..., Api], tmp_path: Path) -> None:
    first = own(clusters=ONE)
    done = first.train("echo kept")
    before = first.until(f"{TRAININGS}/{done}", 3)
    search = first.post(SEARCHES, {"type": 1, "name": "s", "sql": "select 1 as one"})["id"]
    first.until(f"{SEARCHES}/{search}", 3)
    dataset = first.post(DATASETS, {"name": "d", "description": "", "tags": []})["id"]
    version = first.post(f"{VERSIONS}-upload", {"dataset_id": dataset, "upload_type": 1, "upload_path": "x"})["id"]
    first.until(f"{VERSIONS}/{version}", 4)
    running = first.train(f"touch {tmp_path}/up; sleep 300 & wait")
    waiting = first.quota(f"touch {tmp_path}/later")
    run = first.post(RUNS, {"name": "r", "pipeline_id": 2, "pipeline_version_id": 2, "params": [], "project_id": 1})[
        "id"
    ]
    until("the job runs", (tmp_path / "up").exists)
    first.aihub.stop()

    second = own(clusters=ONE)
    assert second.get(f"{TRAININGS}/{done}") == before
    assert second.log(f"{TRAININGS}/{done}") == "kept\n"
    assert second.get(f"{SEARCHES}/{search}")["result_url"].startswith(second.aihub.url)
    assert second.get(f"{VERSIONS}/{version}")["status"] == 4
    assert second.get(f"{TRAININGS}/{running}")["status"] == 4
    assert "the emulator ended while this ran" in second.log(f"{TRAININGS}/{running}")
    assert second.get(f"{TRAININGS}/{running}/pods")["data"][0]["status"] == "Failed"
    second.until(f"{TASKS}/{waiting}", 3)
    assert (tmp_path / "later").exists()
    assert second.until(f"{RUNS}/{run}", 3, 4)["status"] in (3, 4)
    assert second.train("true") == second.get(f"{TASKS}/{waiting}")["mtp_id"] + 1


def test_sleeps_sleep_on(own: Callable[..., Api]) -> None:
    first = own(clusters=ONE)
    job, next_job = first.train("sleep 1000"), first.train("sleep 1000")
    first.aihub.stop()
    second = own(clusters=ONE)
    assert [second.get(f"{TRAININGS}/{number}")["status"] for number in (job, next_job)] == [2, 1]
    second.aihub.clock.advance(1000)
    assert [second.get(f"{TRAININGS}/{number}")["status"] for number in (job, next_job)] == [3, 2]


def test_processes_that_outlived_a_killed_emulator_are_ended(own: Callable[..., Api], tmp_path: Path) -> None:
    home = tmp_path / "home"
    script = (
        "import sys, time; sys.path[:0] = sys.argv[2:]; from airflow_provider_aihub.emulators.aihub import Emulator; "
        "from plain_http import Api; api = Api(Emulator(sys.argv[1]).start()); "
        f"api.train('echo $$ > {tmp_path}/pid; sleep 300 & wait'); open('{tmp_path}/created', 'w'); time.sleep(3600)"
    )
    here = Path(__file__).parent
    process = subprocess.Popen([sys.executable, "-c", script, *map(str, (home, here, here.parent))])
    try:
        until("the job is created", (tmp_path / "created").exists)
        pid = int(written(tmp_path / "pid"))
    finally:
        process.kill()
        process.wait()
    os.kill(pid, 0)
    try:
        api = own()
        assert api.get(f"{TRAININGS}/1")["status"] == 4
        until("the process has ended", lambda: gone(pid))
    finally:
        with_group = Path(f"/proc/{pid}").exists()
        if with_group:
            os.killpg(pid, signal.SIGKILL)


def test_one_home_is_for_one_emulator(own: Callable[..., Api]) -> None:
    api = own()
    with pytest.raises(SettingsError, match="Another emulator uses"):
        Emulator(api.aihub.home).start()


def test_a_fast_clock_shortens_sleeps(own: Callable[..., Api]) -> None:
    api = own(speed=1_000_000)
    job = api.train("sleep 200000")
    found = api.until(f"{TRAININGS}/{job}", 3)
    assert found["finished_at"] - found["started_at"] >= 200_000_000


def test_the_clock_is_moved_over_http(own: Callable[..., Api]) -> None:
    api = own()
    job = api.train("sleep 500")
    before = api.call("GET", "/emulator/clock").json()["now"]
    moved = api.call("POST", "/emulator/clock", json={"advance": 500})
    after = moved.json()["now"]
    assert 500_000 <= after - before < 505_000
    # Every answer tells the same time.
    assert 0 <= parsedate_to_datetime(moved.headers["Date"]).timestamp() - after // 1000 <= 1
    assert api.get(f"{TRAININGS}/{job}")["status"] == 3


def test_what_falls_due_happens_in_order_within_one_step() -> None:
    clock = Clock()
    seen: list[tuple[str, int]] = []
    start = clock.now()

    def note(name: str) -> None:
        seen.append((name, round(clock.now() - start)))

    def chain() -> None:
        note("chain")
        clock.call_at(clock.now() + 10, lambda: note("link"))

    clock.call_at(start + 20, lambda: note("late"))
    clock.call_at(start + 5, chain)
    clock.call_at(start + 8, lambda: note("cancelled")).cancel()
    clock.call_at(start + 100, lambda: note("never"))
    clock.advance(60)
    assert seen == [("chain", 5), ("link", 15), ("late", 20)]
    with pytest.raises(ValueError, match="cannot be moved"):
        clock.advance(-1)
