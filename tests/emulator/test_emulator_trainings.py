"""Trainings and quota tasks: commands that really run, wait for room, and are really ended."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from plain_http import TASKS, TRAININGS, Api, gone, training
from waiting import until, written

from airflow_provider_aihub.emulators.aihub import Cluster


def test_a_command_runs_with_its_envs_in_a_clean_environment(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_EMULATOR", "1")
    out = tmp_path / "env"
    job = api.train(f"env > {out}; pwd >> {out}", envs=[{"key": "GREETING", "value": "a b"}], name="greet")
    found = api.until(f"{TRAININGS}/{job}", 3, 4)
    assert found["status"] == 3
    assert 0 < found["created_at"] <= found["started_at"] <= found["finished_at"]
    lines = out.read_text().splitlines()
    assert {"GREETING=a b", f"AIHUB_JOB_ID={job}", "AIHUB_JOB_NAME=greet", "RANK=0", "WORLD_SIZE=1"} <= set(lines)
    assert "SECRET_OF_THE_EMULATOR=1" not in lines
    assert lines[-1].startswith(str(api.aihub.home / "jobs" / str(job)))


@pytest.mark.parametrize(
    ("command", "status", "pod"),
    [
        ("exit 0", 3, "Succeeded"),
        ("exit 3", 4, "Failed"),
        ("kill -9 $$", 4, "Failed"),
        ("no-such-program", 4, "Failed"),
    ],
)
def test_the_exit_code_decides(api: Api, command: str, status: int, pod: str) -> None:
    job = api.train(command)
    assert api.until(f"{TRAININGS}/{job}", 3, 4)["status"] == status
    found = api.get(f"{TRAININGS}/{job}/pods")["data"][0]
    assert found["status"] == pod
    assert found["finished_at"] >= found["started_at"] > 0


def test_a_pod_per_instance_and_one_failing_fails_all(api: Api, tmp_path: Path) -> None:
    command = (
        f'echo "$RANK/$WORLD_SIZE" > {tmp_path}/$RANK; if [ $RANK = 1 ]; then sleep 0.3; exit 7; fi; sleep 60 & wait'
    )
    job = api.train(command, instances=3)
    assert api.until(f"{TRAININGS}/{job}", 3, 4)["status"] == 4
    assert sorted(path.read_text() for path in tmp_path.iterdir()) == ["0/3\n", "1/3\n", "2/3\n"]
    pods = api.get(f"{TRAININGS}/{job}/pods", page_size=9999, page_num=1)["data"]
    assert [pod["status"] for pod in pods] == ["Deleted", "Failed", "Deleted"]
    assert len({pod["name"] for pod in pods}) == 3


def test_stop_ends_the_whole_process_group(api: Api, tmp_path: Path) -> None:
    job = api.train(f"sleep 300 & echo $! > {tmp_path}/child; echo $$ > {tmp_path}/shell; wait")
    pids = [int(written(tmp_path / name)) for name in ("child", "shell")]
    assert not any(map(gone, pids))
    assert api.post(f"{TRAININGS}/{job}/stop") is None
    found = api.until(f"{TRAININGS}/{job}", 5)
    assert found["stop_op_user"] == {"id": 1, "name": "admin"}
    until("both processes have ended", lambda: all(map(gone, pids)))
    assert api.get(f"{TRAININGS}/{job}/pods")["data"][0]["status"] == "Deleted"
    # To stop it again changes nothing.
    api.post(f"{TRAININGS}/{job}/stop")
    assert api.get(f"{TRAININGS}/{job}") == found


def test_what_a_command_leaves_behind_is_ended_with_it(api: Api, tmp_path: Path) -> None:
    job = api.train(f"sleep 300 & echo $! > {tmp_path}/child")
    api.until(f"{TRAININGS}/{job}", 3)
    until("the child has ended", lambda: gone(int(written(tmp_path / "child"))))


def test_a_quota_task_that_is_slow_to_end_is_stopping(api: Api, tmp_path: Path) -> None:
    task = api.quota(f"trap 'sleep 0.5; exit 0' TERM; touch {tmp_path}/up; while true; do sleep 0.05; done")
    until("the job runs", (tmp_path / "up").exists)
    api.post(f"{TASKS}/{task}/stop")
    found = api.get(f"{TASKS}/{task}")
    assert found["status"] == 6
    assert api.get(f"{TRAININGS}/{found['mtp_id']}")["status"] == 2
    found = api.until(f"{TASKS}/{task}", 5)
    assert found["stop_op_user"]["name"] == "admin"
    behind = api.get(TRAININGS, is_quota_schedule="true")["data"]
    assert found["mtp_id"] in [row["id"] for row in behind]


def test_a_deaf_command_is_killed(own: Callable[..., Api], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_aihub.emulators.process.GRACE", 0.3)
    api = own()
    job = api.train(f"trap '' TERM; touch {tmp_path}/up; while true; do sleep 0.05; done")
    until("the job runs", (tmp_path / "up").exists)
    api.post(f"{TRAININGS}/{job}/stop")
    api.until(f"{TRAININGS}/{job}", 5)


def test_a_log_grows_and_can_be_read_in_ranges(api: Api, tmp_path: Path) -> None:
    job = api.train(f"echo first; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo second >&2")
    until("the first line is there", lambda: api.log(f"{TRAININGS}/{job}"), "first\n".__eq__)
    (tmp_path / "go").touch()
    api.until(f"{TRAININGS}/{job}", 3)
    assert api.log(f"{TRAININGS}/{job}") == "first\nsecond\n"
    pod = api.get(f"{TRAININGS}/{job}/pods")["data"][0]["id"]
    url = api.get(f"{TRAININGS}/{job}/pods/{pod}/logs/new")["logs"][0]["url"]
    part = requests.get(url, headers={"Range": "bytes=6-"}, timeout=5)
    assert (part.status_code, part.text) == (206, "second\n")
    assert requests.get(url.replace("/files/", "/files/0"), timeout=5).status_code == 404
    assert "exited with code 0" in api.get(f"{TRAININGS}/{job}/pods/{pod}/events")["events"]
    assert "echo first" in api.get(f"{TRAININGS}/{job}/pods/{pod}/spec")["spec"]
    other = api.train("true")
    assert api.call("GET", f"{TRAININGS}/{other}/pods/{pod}/events").json()["code"] == 2


def test_jobs_wait_for_room_and_high_priority_goes_first(small: Api) -> None:
    clock = small.aihub.clock
    first = small.quota("sleep 100", sku_cnt=2, instances=2)
    low, middle, high = (
        small.quota("sleep 100", sku_cnt=4, name="low"),
        small.train("sleep 100", sku_cnt=4),
        small.quota("sleep 100", sku_cnt=4, priority=2),
    )
    paths = [f"{TASKS}/{first}", f"{TASKS}/{high}", f"{TRAININGS}/{middle}", f"{TASKS}/{low}"]
    for running in range(4):
        assert [small.get(path)["status"] for path in paths] == [3] * running + [2] + [1] * (3 - running)
        assert small.get(f"{paths[running]}/pods")["data"][0]["status"] == "Running"
        clock.advance(100)
    assert small.get(paths[3])["status"] == 3
    assert small.get(paths[3])["virtual_cluster"]["node_tasks"] == []


def test_a_waiting_job_can_be_stopped(small: Api) -> None:
    small.train("sleep 100", sku_cnt=4)
    waiting = small.train("sleep 100", sku_cnt=4)
    small.post(f"{TRAININGS}/{waiting}/stop")
    found = small.get(f"{TRAININGS}/{waiting}")
    assert (found["status"], found["started_at"]) == (5, 0)
    last = small.train("sleep 100", sku_cnt=4)
    small.aihub.clock.advance(100)
    assert small.get(f"{TRAININGS}/{last}")["status"] == 2


def test_what_never_fits_waits_without_holding_others_up(small: Api) -> None:
    large = small.train("true", sku_cnt=5)
    assert small.until(f"{TRAININGS}/{small.train('true')}", 3)
    assert small.get(f"{TRAININGS}/{large}")["status"] == 1
    pod = small.get(f"{TRAININGS}/{large}/pods")["data"][0]["id"]
    assert "5 SKUs asked" in small.get(f"{TRAININGS}/{large}/pods/{pod}/events")["events"]


@pytest.mark.parametrize(("policy", "status"), [(1, 1), (2, 2)])
def test_a_vip_training_may_kill_low_priority_quota_tasks(small: Api, policy: int, status: int) -> None:
    high = small.quota("sleep 100", sku_cnt=1, priority=2)
    low = [small.quota("sleep 100", sku_cnt=1) for _ in range(3)]
    vip = small.train("sleep 100", sku_cnt=2, is_vip=True, preempt_policy=policy, vip_node_names=["gpu-1"])
    found = small.until(f"{TRAININGS}/{vip}", status)
    assert (found["cluster_partition"], found["vip_node_names"]) == ("vip", ["gpu-1"])
    statuses = [small.get(f"{TASKS}/{task}")["status"] for task in (high, *low)]
    assert statuses == ([2, 2, 2, 2] if policy == 1 else [2, 2, 5, 5])


def test_node_tasks_tell_who_runs_where(small: Api) -> None:
    task = small.quota("sleep 100", name="mine")
    small.aihub.clock.advance(7)
    nodes = small.get(f"{TASKS}/{task}")["virtual_cluster"]["node_tasks"]
    assert len(nodes) == 1
    (running,) = nodes[0]["tasks"]
    mtp_id = small.get(f"{TASKS}/{task}")["mtp_id"]
    assert (running["id"], running["name"], running["actual_run_time"]) == (str(mtp_id), "mine", 7)
    assert nodes[0]["node_name"].startswith("small-node-")


def test_thousands_of_sleeps_need_no_processes(own: Callable[..., Api]) -> None:
    api = own(clusters=(Cluster(id=1, name="vast", capacity=10**6),))
    before = threading.active_count()
    # They are further apart than it takes to create them all.
    jobs = [api.train(f"sleep {3600 + 100 * number} && true; exit {number % 2}") for number in range(500)]
    assert threading.active_count() < before + 10
    assert api.get(TRAININGS, status=2, page_size=1)["total"] == 500
    api.aihub.clock.advance(3600 + 100 * 249 + 50)
    assert api.get(TRAININGS, status=2, page_size=1)["total"] == 250
    assert [api.get(f"{TRAININGS}/{job}")["status"] for job in jobs[:2]] == [3, 4]
    api.post(f"{TRAININGS}/{jobs[-1]}/stop")
    assert api.get(f"{TRAININGS}/{jobs[-1]}")["status"] == 5


def test_stopping_the_emulator_ends_every_process(own: Callable[..., Api], tmp_path: Path) -> None:
    api = own()
    api.train(f"sleep 300 & echo $! > {tmp_path}/pid; wait")
    pid = int(written(tmp_path / "pid"))
    api.aihub.stop()
    # On a busy machine it takes a moment.
    until("the job's process has ended", lambda: gone(pid))


def test_the_document_takes_its_own_frameworks_alone(document: Api) -> None:
    assert document.refused(TRAININGS, training(framework="MpiJobDeepspeed"))[0] == 1
    assert document.train("true", framework="MpiJob") > 0
