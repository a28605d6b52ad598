"""Training jobs, through the API."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from arts_http import Arts, job
from waiting import until, written

JOBS = "training-jobs"


def test_a_job_runs_its_command_and_writes_its_log(arts: Arts) -> None:
    created = arts.ask("POST", JOBS, 201, json=job("echo hello; echo oops >&2", "first"))
    assert created["status"]["phase"] == "Creating"
    number = created["metadata"]["id"]
    done = arts.phase(number, "Completed")
    assert done["kind"] == "job"
    assert done["metadata"]["name"] == "first"
    assert done["metadata"]["workspace_id"] == "0"
    assert done["metadata"]["user_name"] == arts.emulator.username
    status = done["status"]
    assert status["tasks"] == ["worker-0"]
    assert status["start_time"] >= done["metadata"]["create_time"]
    assert status["task_statuses"] == [{"task": "worker-0", "exit_code": 0, "message": ""}]
    assert status["running_records"][0]["start_type"] == "init_or_rescheduled"
    preview = arts.get(f"{JOBS}/{number}/tasks/worker-0/logs/preview")
    assert preview == {"content": "hello\noops\n", "current_size": 11, "full_size": 11}
    assert done["algorithm"] == job("echo hello; echo oops >&2")["algorithm"]
    events = arts.get(f"{JOBS}/{number}/events")
    assert events["total"] == len(events["events"]) == 4
    assert "exited with code 0" in events["events"][2]["message"]


def test_a_boot_file_gets_parameters_inputs_and_outputs(arts: Arts) -> None:
    code, data = arts.emulator.obs / "bucket" / "code", arts.emulator.obs / "bucket" / "data"
    code.mkdir(parents=True)
    data.mkdir()
    (data / "a.txt").write_text("seven")
    (code / "helper.py").write_text("GREETING = 'hi'\n")
    (code / "train.py").write_text(
        "import os, pathlib, sys\n"
        "from helper import GREETING\n"
        "given = dict(argument[2:].split('=', 1) for argument in sys.argv[1:])\n"
        "text = pathlib.Path(given['data'], 'a.txt').read_text()\n"
        "pathlib.Path(os.environ['model'], 'model.txt').write_text(text + given['epochs'] + os.environ['EXTRA'])\n"
        "print(GREETING, sys.executable, os.environ.get('SECRET_OF_THE_EMULATOR'))\n"
        "print(sorted(os.listdir(os.environ['MA_JOB_DIR'])))\n"
    )
    remote = lambda url: {"obs": {"obs_url": url}}  # noqa: E731
    body = {
        **job(),
        "algorithm": {
            "code_dir": "obs://bucket/code/",
            "boot_file": "obs://bucket/code/train.py",
            "engine": {"engine_name": "PyTorch", "engine_version": "pytorch_2.0"},
            "parameters": [{"name": "epochs", "value": "3"}],
            "inputs": [{"name": "data", "access_method": "parameter", "remote": remote("/bucket/data/")}],
            "outputs": [{"name": "model", "access_method": "env", "remote": remote("/bucket/model/")}],
            "environments": {"EXTRA": "!"},
        },
    }
    body["spec"]["log_export_path"] = {"obs_url": "/bucket/logs/"}
    number = arts.ask("POST", JOBS, 201, json=body)["metadata"]["id"]
    assert arts.phase(number, "Completed", "Failed")["status"]["phase"] == "Completed", arts.log(number)
    assert (arts.emulator.obs / "bucket" / "model" / "model.txt").read_text() == "seven3!"
    python = Path(sys.executable).parent
    assert arts.log(number).splitlines()[0].startswith(f"hi {python}/python")
    assert arts.log(number).splitlines()[0].endswith(" None")
    assert arts.log(number).splitlines()[1] == "['code']"
    copy = arts.emulator.obs / "bucket" / "logs" / f"modelarts-job-{number}-worker-0.log"
    assert copy.read_text() == arts.log(number)


def test_a_command_finds_its_arguments(arts: Arts) -> None:
    number = arts.train('echo "$1"; echo "$2"', parameters=[{"name": "a", "value": "1 2"}, {"name": "b", "value": 3}])
    arts.phase(number, "Completed")
    assert arts.log(number) == "--a=1 2\n--b=3\n"


def test_an_algorithm_by_its_id_or_subscription(arts: Arts) -> None:
    (known,) = arts.emulator.settings.algorithms
    by_id = {"id": known.id, "parameters": [{"name": "name", "value": "you"}]}
    by_subscription = {"subscription_id": known.subscription_id, "item_version_id": known.item_version_id}
    for index, (algorithm, said) in enumerate([(by_id, "hello you\n"), (by_subscription, "hello world\n")]):
        body = {**job(name=f"known-{index}"), "algorithm": algorithm}
        number = arts.ask("POST", JOBS, 201, json=body)["metadata"]["id"]
        arts.phase(number, "Completed")
        assert arts.log(number) == said
    unknown = {**job(name="unknown"), "algorithm": {"id": "nobody"}}
    answer = arts.call("POST", JOBS, json=unknown)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "ModelArts.2755")


def test_a_job_fails_by_its_exit_code(arts: Arts) -> None:
    number = arts.train("echo no luck; exit 7")
    status = arts.phase(number, "Failed")["status"]
    assert status["secondary_phase"] == "Failed"
    assert status["task_statuses"] == [{"task": "worker-0", "exit_code": 7, "message": "exited with code 7"}]
    assert status["running_records"][0]["end_reason"] == "worker-0 has ended with code 7"
    assert status["running_records"][0]["end_related_task"] == "worker-0"
    (error, *_) = arts.get(f"{JOBS}/{number}/events", level="Error", order="asc")["events"]
    assert error["message"] == "worker-0 exited with code 7"


def test_the_first_node_to_fail_ends_the_others(arts: Arts) -> None:
    number = arts.train('if [ "$VC_TASK_INDEX" = 1 ]; then exit 3; fi; sleep 300 & wait', nodes=3)
    status = arts.phase(number, "Failed")["status"]
    assert status["tasks"] == ["worker-0", "worker-1", "worker-2"]
    codes = {item["task"]: item["exit_code"] for item in status["task_statuses"]}
    assert codes == {"worker-0": 143, "worker-1": 3, "worker-2": 143}


def test_terminate_ends_the_processes(arts: Arts, tmp_path: Path) -> None:
    number = arts.train(f"echo $$ > {tmp_path}/pid; sleep 300 & wait")
    pid = written(tmp_path / "pid").strip()
    stopping = arts.ask("POST", f"{JOBS}/{number}/actions", 202, json={"action_type": "terminate"})
    assert stopping["status"]["phase"] == "Terminating"
    arts.phase(number, "Terminated")
    assert not Path(f"/proc/{pid}").exists()
    refused = arts.refused("POST", f"{JOBS}/{number}/actions", json={"action_type": "terminate"})
    assert refused == (409, "ModelArts.2796")
    assert arts.refused("POST", f"{JOBS}/{number}/actions", json={"action_type": "x"}) == (400, "ModelArts.2788")


def test_a_plain_sleep_is_terminating_first(arts: Arts) -> None:
    number = arts.train("sleep 1000", nodes=2)
    arts.phase(number, "Running")
    stopping = arts.ask("POST", f"{JOBS}/{number}/actions", 202, json={"action_type": "terminate"})
    assert stopping["status"]["phase"] == "Terminating"
    found = arts.phase(number, "Terminated")["status"]
    assert [task["exit_code"] for task in found["task_statuses"]] == [143, 143]
    assert found["running_records"][0]["end_reason"] == "the job was Terminated"


def test_what_does_not_fit_waits(own: Callable[..., Arts]) -> None:
    arts = own(nodes=2)
    long = arts.train("sleep 1000", "long", nodes=2)
    arts.phase(long, "Running")
    short = arts.train("sleep 0", "short")
    waiting = arts.phase(short, "Pending")["status"]
    assert (waiting["secondary_phase"], waiting["start_time"], waiting["node_count_metrics"]) == ("Queuing", 0, None)
    assert arts.call("GET", f"{JOBS}/{short}/tasks/worker-0/logs/preview").status_code == 204
    assert arts.call("GET", f"{JOBS}/{short}/metrics/worker-0").status_code == 204
    never = arts.train("sleep 0", "never", nodes=3)
    arts.emulator.clock.advance(1000)
    arts.phase(short, "Completed")
    assert arts.phase(never, "Pending")["status"]["phase"] == "Pending"
    assert arts.get(f"{JOBS}/{never}/events", level="Warning")["total"] == 1
    stopped = arts.ask("POST", f"{JOBS}/{never}/actions", 202, json={"action_type": "terminate"})
    assert stopped["status"]["phase"] == "Terminating"
    arts.phase(never, "Terminated")


def test_how_long_it_is_created(own: Callable[..., Arts]) -> None:
    arts = own(creating=60)
    number = arts.train("sleep 0")
    assert arts.get(f"{JOBS}/{number}")["status"]["phase"] == "Creating"
    arts.emulator.clock.advance(60)
    arts.phase(number, "Completed")


def test_auto_stop_ends_it(arts: Arts) -> None:
    body = job("sleep 100000")
    body["spec"]["auto_stop"] = {"time_unit": "HOURS", "duration": 2}
    number = arts.ask("POST", JOBS, 201, json=body)["metadata"]["id"]
    arts.phase(number, "Running")
    arts.emulator.clock.advance(7199)
    assert arts.get(f"{JOBS}/{number}")["status"]["phase"] == "Running"
    arts.emulator.clock.advance(10)
    found = arts.phase(number, "Terminated")["status"]
    assert 7_200_000 <= found["duration"] < 7_300_000


def test_a_name_is_there_once_in_a_workspace(arts: Arts) -> None:
    number = arts.train("sleep 1000", "same")
    assert arts.refused("POST", JOBS, json=job(name="same")) == (400, "ModelArts.2751")
    other = job("sleep 1000", "same")
    other["metadata"]["workspace_id"] = arts.emulator.settings.workspaces[0].id
    arts.ask("POST", JOBS, 201, json=other)
    answer = arts.call("DELETE", f"{JOBS}/{number}")
    assert (answer.status_code, answer.text) == (202, '""')
    assert arts.refused("GET", f"{JOBS}/{number}") == (400, "ModelArts.2775")
    assert arts.refused("DELETE", f"{JOBS}/{number}") == (400, "ModelArts.2775")
    arts.train("true", "same")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"kind": "nonsense"}, "2788"),
        ({"metadata": {"name": "a b"}}, "2788"),
        ({"metadata": {"name": "x" * 65}}, "2788"),
        ({"metadata": {"name": "x", "description": "d" * 257}}, "2788"),
        ({"metadata": {"name": "x", "workspace_id": "nobody"}}, "0102"),
        ({"algorithm": {}}, "2788"),
        ({"algorithm": {"command": "true", "environments": {"A": "$B"}}}, "2788"),
        ({"algorithm": {"command": "true", "environments": {str(n): "" for n in range(101)}}}, "2788"),
        ({"algorithm": {"code_dir": "/bucket/none/", "boot_file": "/bucket/none/x.py"}}, "2791"),
        (
            {"algorithm": {"command": "true", "inputs": [{"name": "i", "remote": {"obs": {"obs_url": "/b/../x"}}}]}},
            "2791",
        ),
        ({"algorithm": {"command": "true", "inputs": [{"name": "i", "remote": {"dataset": {"id": ".."}}}]}}, "2788"),
        ({"spec": {"resource": {"node_count": 0}}}, "2788"),
        ({"spec": {"resource": {"node_count": 1}, "auto_stop": {"time_unit": "DAYS", "duration": 1}}}, "2788"),
    ],
)
def test_wrong_requests_are_refused(arts: Arts, change: dict[str, Any], code: str) -> None:
    assert arts.refused("POST", JOBS, json={**job(), **change}) == (400, f"ModelArts.{code}")
    assert arts.ask("POST", "training-job-searches", json={})["total"] == 0


def test_no_json_is_refused(arts: Arts) -> None:
    assert arts.refused("POST", JOBS, data=b"{") == (400, "ModelArts.2787")
    for body in (b"[" * 60_000, b"[" * 40 + b"]" * 40, b'{"kind": NaN}', b'{"kind": "\\ud800"}', b'{"\\ud800": 1}'):
        assert arts.refused("POST", JOBS, data=body) == (400, "ModelArts.2787"), body


def test_jobs_are_found(arts: Arts) -> None:
    names = [f"find-{number}" for number in range(5)]
    numbers = []
    for name in names:
        numbers.append(arts.train("sleep 1000" if name == "find-3" else "sleep 0", name))
        arts.emulator.clock.advance(1)
    for name, number in zip(names, numbers, strict=True):
        arts.phase(number, "Running" if name == "find-3" else "Completed")

    def find(*filters: tuple[str, str, list[str]], **asked: Any) -> list[str]:
        given = [{"key": key, "operator": operator, "value": value} for key, operator, value in filters]
        body = {"filters": given, "sort_by": "create_time", **asked}
        found = arts.ask("POST", "training-job-searches", json=body)
        assert found["total"] == 5
        return [item["metadata"]["name"] for item in found["items"]]

    assert find() == names[::-1]
    assert find(order="asc", limit=2, offset=1) == names[2:4]
    assert find(limit=2, offset=5) == []
    assert find(("name", "like", ["ind-1"])) == ["find-1"]
    assert find(("name", "in", ["find-1", "find-4", "x"])) == ["find-4", "find-1"]
    assert find(("phase", "in", ["Running"])) == ["find-3"]
    assert find(("phase", "not", ["Running"]), ("name", "not", ["find-0"])) == ["find-4", "find-2", "find-1"]
    moments = [arts.get(f"{JOBS}/{number}")["metadata"]["create_time"] for number in numbers[1:3]]
    assert find(("create_time", "between", [str(moment) for moment in moments])) == ["find-2", "find-1"]
    for filters, code in [
        ([{"key": "nonsense", "operator": "in", "value": []}], "2789"),
        ([{"key": "name", "operator": "about", "value": []}], "2789"),
    ]:
        body = {"filters": filters}
        assert arts.refused("POST", "training-job-searches", json=body) == (400, f"ModelArts.{code}")
    assert arts.refused("POST", "training-job-searches", json={"sort_by": "size"}) == (400, "ModelArts.2790")
    assert arts.refused("POST", "training-job-searches", json={"limit": 51}) == (400, "ModelArts.2788")


def test_lists_may_lag(own: Callable[..., Arts]) -> None:
    arts = own(lag=60)
    workflow = f"workflows/{arts.emulator.settings.workflows[1].id}/executions"
    arts.train("sleep 1000")
    arts.ask("POST", workflow, 201, json={})
    assert arts.ask("POST", "training-job-searches", json={})["total"] == 0
    assert arts.get(workflow)["total"] == 0
    arts.emulator.clock.advance(61)
    assert arts.ask("POST", "training-job-searches", json={})["total"] == 1
    assert arts.get(workflow)["total"] == 1


def test_jobs_are_deleted_together_and_described(arts: Arts) -> None:
    numbers = [arts.train("sleep 1000", f"many-{index}") for index in range(3)]
    assert arts.call("PUT", f"{JOBS}/{numbers[2]}", json={"description": "new"}).text == "null"
    assert arts.get(f"{JOBS}/{numbers[2]}")["metadata"]["description"] == "new"
    body = {"jobs": [{"kind": "job", "metadata": {"id": number}} for number in numbers[:2]]}
    arts.ask("POST", f"{JOBS}/batch-delete", json=body)
    assert arts.ask("POST", "training-job-searches", json={})["total"] == 1
    assert arts.refused("POST", f"{JOBS}/batch-delete", json=body) == (400, "ModelArts.2775")


def test_a_long_log_is_shown_from_behind_and_linked_to(arts: Arts) -> None:
    number = arts.train("i=0; head -c 6000000 /dev/zero | tr '\\0' x; echo end")
    arts.phase(number, "Completed")
    preview = arts.get(f"{JOBS}/{number}/tasks/worker-0/logs/preview")
    assert (preview["current_size"], preview["full_size"]) == (5 << 20, 6_000_004)
    assert preview["content"].endswith("xend\n")
    url = arts.get(f"{JOBS}/{number}/tasks/worker-0/logs/url")["obs_url"]
    assert len(requests.get(url, timeout=10).content) == 6_000_004
    forged = url.replace("until=", "until=9")
    assert requests.get(forged, timeout=10).status_code == 404
    arts.emulator.clock.advance(301)
    assert requests.get(url, timeout=10).status_code == 404
    assert arts.refused("GET", f"{JOBS}/{number}/tasks/worker-9/logs/preview") == (400, "ModelArts.2788")


def test_an_image_of_a_node_is_saved(arts: Arts) -> None:
    number = arts.train("sleep 1000")
    path = f"{JOBS}/{number}/tasks/worker-0/save-image-job"
    # The manual's example has a number for the tag.
    given = {"name": "mine", "namespace": "org", "tag": 0.1, "description": "d"}
    saved = arts.ask("POST", path, 201, json=given)
    assert (saved["status"], saved["tag"]) == ("INIT", "0.1")
    assert arts.refused("POST", path, json=given) == (400, "ModelArts.2788")
    arts.emulator.clock.advance(0.5)
    assert arts.get(path)["status"] == "CREATING"
    arts.emulator.clock.advance(1)
    assert arts.get(path) == {
        **given,
        "tag": "0.1",
        "status": "ACTIVE",
        "message": "",
        "create_time": saved["create_time"],
    }
    arts.emulator.set_state("images", f"{number}/worker-0", "CREATE_FAILED")
    assert arts.get(path)["status"] == "CREATE_FAILED"


@pytest.mark.parametrize("kind", ["modelarts-training-job", "modelarts-trainJob"])
def test_tags_by_both_spellings(arts: Arts, kind: str) -> None:
    number = arts.train("sleep 1000")
    tags = [{"key": "team", "value": "vision"}, {"key": "empty"}]
    assert arts.call("POST", f"{kind}/{number}/tags/create", json={"tags": tags}).status_code == 204
    assert arts.get(f"{kind}/{number}/tags") == {
        "tags": [{"key": "team", "value": "vision"}, {"key": "empty", "value": ""}]
    }
    # The manual's example has a blank behind the project's id.
    url = f"{arts.emulator.url}/v2/{arts.emulator.project_id}%20/{kind}/{number}/tags/delete"
    answer = arts.http.delete(url, json={"tags": [{"key": "team"}]}, timeout=10)
    assert (answer.status_code, answer.content) == (204, b"")
    assert arts.get(f"{kind}/{number}/tags") == {"tags": [{"key": "empty", "value": ""}]}
    for key in ("_sys_x", " x", "k" * 129):
        wrong = {"tags": [{"key": key}]}
        assert arts.refused("POST", f"{kind}/{number}/tags/create", json=wrong) == (400, "ModelArts.2788")


def test_any_phase_can_be_reached(arts: Arts) -> None:
    number = arts.train("sleep 1000")
    arts.phase(number, "Running")
    for phase in ("Abnormal", "Failed", "SomethingNew"):
        arts.emulator.set_state("training-jobs", number, phase)
        assert arts.get(f"{JOBS}/{number}")["status"]["phase"] == phase
    url = f"{arts.emulator.url}/emulator/states/training-jobs/{number}"
    user = (arts.emulator.username, arts.emulator.password)
    assert requests.put(url, json={"state": "Creating"}, auth=user, timeout=10).json() == {"state": "Creating"}
    assert requests.put(url, json={"state": 1}, auth=user, timeout=10).status_code == 400
    assert requests.put(f"{url}x", json={"state": "x"}, auth=user, timeout=10).status_code == 404
    assert requests.put(url, json={"state": "x"}, timeout=10).status_code == 401


def test_a_restart_loses_nothing(own: Callable[..., Arts], tmp_path: Path) -> None:
    first = own(nodes=3)
    done = first.train("echo kept", "done")
    before = first.phase(done, "Completed")
    lost = first.train(f"touch {tmp_path}/up; sleep 300 & wait", "lost")
    until("the job runs", (tmp_path / "up").exists)
    asleep = first.train("sleep 1000", "asleep")
    waiting = first.train("sleep 0", "waiting", nodes=3)
    first.phase(asleep, "Running")
    first.phase(waiting, "Pending")
    key = first.emulator.access_key
    first.emulator.stop()

    second = own(nodes=3)
    assert second.emulator.access_key == key
    assert second.get(f"{JOBS}/{done}") == before
    assert second.log(done) == "kept\n"
    assert second.get(f"{JOBS}/{lost}")["status"]["phase"] == "Abnormal"
    assert "the emulator ended" in str(second.get(f"{JOBS}/{lost}/events", level="Error"))
    assert second.get(f"{JOBS}/{asleep}")["status"]["phase"] == "Running"
    second.emulator.clock.advance(1000)
    second.phase(asleep, "Completed")
    second.phase(waiting, "Completed")
    names = [item["metadata"]["name"] for item in second.ask("POST", "training-job-searches", json={})["items"]]
    assert names == ["waiting", "asleep", "lost", "done"]
    assert second.refused("POST", JOBS, json=job(name="done")) == (400, "ModelArts.2751")
