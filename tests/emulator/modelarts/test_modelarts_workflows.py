"""Executions of workflows, their steps, and subscriptions, through the API."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from arts_http import Arts
from waiting import until, written

from airflow_provider_aihub.emulators.modelarts import Step, Workflow
from airflow_provider_aihub.emulators.modelarts.settings import WORKFLOWS

PLAIN, WAITING = WORKFLOWS
ENDED = ("completed", "abnormal", "stopped")


class Runs:
    """The executions of one workflow."""

    def __init__(self, arts: Arts, workflow: Workflow = PLAIN) -> None:
        self.arts = arts
        self.path = f"workflows/{workflow.id}/executions"

    def start(self, **given: Any) -> str:
        return str(self.arts.ask("POST", self.path, 201, json=given)["execution_id"])

    def get(self, number: str) -> Any:
        return self.arts.get(f"{self.path}/{number}")

    def until(self, number: str, *status: str) -> Any:
        what = f"the execution is {' or '.join(status)}"
        return until(what, lambda: self.get(number), lambda found: found["status"] in status, every=0.02)

    def until_step(self, number: str, index: int, status: str) -> Any:
        look = lambda: self.get(number)["steps_execution"][index]  # noqa: E731
        return until(f"step {index} is {status}", look, lambda step: step["status"] == status, every=0.02)

    def act(self, number: str, action: str, status: int = 201, **given: Any) -> Any:
        return self.arts.ask("POST", f"{self.path}/{number}/actions", status, json={"action_name": action, **given})

    def act_on(self, number: str, index: int, action: str, spelling: str = "step-executions", **given: Any) -> Any:
        step = self.get(number)["steps_execution"][index]["uuid"]
        path = f"{self.path}/{number}/{spelling}/{step}/actions"
        return self.arts.call("POST", path, json={"action_name": action, **given})


def statuses(execution: Any) -> list[str]:
    return [step["status"] for step in execution["steps_execution"]]


def test_steps_run_one_after_the_other(arts: Arts) -> None:
    runs = Runs(arts)
    parameters = [{"name": "dataset", "value": "boats"}]
    created = arts.ask("POST", runs.path, 201, json={"name": "mine", "labels": ["a", "b"], "parameters": parameters})
    assert "status" not in created
    assert created["steps_execution"] is None
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+08:00", created["created_at"])
    number = created["execution_id"]
    runs.until_step(number, 1, "running")
    assert statuses(runs.get(number)) == ["completed", "running", "init"]
    arts.emulator.clock.advance(10)
    done = runs.until(number, "completed")
    assert statuses(done) == ["completed"] * 3
    assert (done["name"], done["labels"], done["workflow_id"]) == ("mine", ["a", "b"], PLAIN.id)
    assert done["parameters"] == [{"name": "dataset", "type": "str", "default": "cars", "value": "boats"}]
    log = arts.emulator.home / "logs" / number / "prepare.log"
    assert log.read_text() == "preparing boats\n"
    first, second, _ = done["steps_execution"]
    assert json.loads(first["instance_id"]) == {"job_id": first["uuid"]}
    assert second["instance_id"] == {"job_id": second["uuid"]}
    assert second["duration"] >= 1
    assert arts.refused("POST", f"{runs.path}/{number}/actions", json={"action_name": "stop"})[0] == 400


def test_a_step_waits_for_inputs_and_one_for_a_word(arts: Arts) -> None:
    runs = Runs(arts, WAITING)
    number = runs.start()
    runs.until_step(number, 1, "wait_inputs")
    assert runs.get(number)["status"] == "running"
    assert runs.act_on(number, 1, "continue").status_code == 400
    (arts.emulator.obs / "bucket" / "labels").mkdir(parents=True)
    (arts.emulator.obs / "bucket" / "labels" / "a").write_text("x")
    labels = {"name": "labels", "type": "obs", "value": {"obs_url": "/bucket/labels/"}}
    answer = runs.act_on(number, 1, "continue", data_requirements=[labels])
    assert (answer.status_code, answer.json()["step_name"]) == (201, "label")
    runs.until_step(number, 2, "hold")
    assert runs.act_on(number, 1, "continue").status_code == 400
    assert runs.act_on(number, 2, "continue", "step_executions").status_code == 201
    assert statuses(runs.until(number, "completed")) == ["completed"] * 3
    assert (arts.emulator.home / "logs" / number / "train.log").read_text() == "3 epochs\n"


def test_a_failed_step_makes_it_abnormal_and_can_be_retried(own: Callable[..., Arts], tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    steps = (Step(name="a"), Step(name="b", command=f"test -e {ready} || exit 4"), Step(name="c"))
    workflow = Workflow(id="w", name="w", steps=steps)
    runs = Runs(own(workflows=(workflow,)), workflow)
    number = runs.start()
    lost = runs.until(number, "abnormal")
    assert statuses(lost) == ["completed", "failed", "init"]
    assert lost["steps_execution"][1]["error_info"]["error_message"] == "exited with code 4"
    ready.touch()
    assert runs.act_on(number, 0, "retry").status_code == 400
    assert runs.act_on(number, 1, "retry").status_code == 201
    runs.until(number, "completed")
    ran = runs.act(number, "rerun", policies={"rerun_steps": ["b"]})
    assert ran["execution_id"] == number
    runs.until(number, "completed")
    events = runs.get(number)["events"]
    assert [sum(f"{name}: running" in event for event in events) for name in "abc"] == [1, 3, 1]
    runs.act(number, "rerun", 400, policies={"rerun_steps": ["nobody"]})
    runs.act(number, "rerun")
    done = runs.until(number, "completed")
    assert sum("a: running" in event for event in done["events"]) == 2


def test_stop_ends_the_process(own: Callable[..., Arts], tmp_path: Path) -> None:
    workflow = Workflow(
        id="w", name="w", steps=(Step(name="a", command=f"echo $$ > {tmp_path}/pid; sleep 300 & wait"),)
    )
    runs = Runs(own(workflows=(workflow,)), workflow)
    number = runs.start()
    pid = written(tmp_path / "pid").strip()
    runs.act(number, "stop")
    assert statuses(runs.until(number, "stopped")) == ["stopped"]
    assert not Path(f"/proc/{pid}").exists()
    (tmp_path / "pid").unlink()
    runs.act(number, "rerun")
    pid = written(tmp_path / "pid").strip()
    assert runs.act_on(number, 0, "stop").json()["status"] == "stopping"
    runs.until(number, "stopped")
    assert runs.arts.call("DELETE", f"{runs.path}/{number}").status_code == 204
    assert runs.arts.refused("GET", f"{runs.path}/{number}") == (400, "ModelArts.7511")


def test_a_plain_sleep_is_stopping_first(own: Callable[..., Arts]) -> None:
    workflow = Workflow(id="w", name="w", steps=(Step(name="a", command="sleep 1000"),))
    runs = Runs(own(workflows=(workflow,)), workflow)
    number = runs.start()
    runs.until_step(number, 0, "running")
    assert statuses(runs.act(number, "stop")) == ["stopping"]
    assert statuses(runs.until(number, "stopped")) == ["stopped"]


def test_a_step_has_a_limit(own: Callable[..., Arts]) -> None:
    workflow = Workflow(id="w", name="w", steps=(Step(name="a", command="sleep 1000", timeout=100),))
    arts = own(workflows=(workflow,))
    runs = Runs(arts, workflow)
    number = runs.start()
    runs.until_step(number, 0, "running")
    arts.emulator.clock.advance(100)
    assert statuses(runs.until(number, "abnormal")) == ["timeout"]


def test_executions_are_listed(arts: Arts) -> None:
    runs = Runs(arts, WAITING)
    numbers = []
    for label in ("x", "y", "x,z"):
        numbers.append(runs.start(labels=label.split(","), scene_id=f"scene-{label[0]}"))
        arts.emulator.clock.advance(1)
    for number in numbers:
        runs.until_step(number, 1, "wait_inputs")

    def find(**asked: Any) -> list[str]:
        return [item["execution_id"] for item in arts.get(runs.path, **asked)["items"]]

    assert find() == numbers[::-1]
    assert find(sort_by="create_time", order="asc") == numbers
    assert find(limit="1", offset="1") == numbers[1:2]
    assert find(labels="x") == [numbers[2], numbers[0]]
    assert find(labels="x,z") == [numbers[2]]
    assert find(scene_id="scene-y") == [numbers[1]]
    assert find(status="completed") == []
    assert find(workspace_id="f" * 32) == []
    found = arts.get(runs.path, limit="2")
    assert (found["total"], found["count"]) == (3, 2)
    assert arts.refused("GET", "workflows/nobody/executions") == (400, "ModelArts.7512")
    assert arts.refused("GET", f"{runs.path}/nobody") == (400, "ModelArts.7511")
    assert arts.refused("GET", f"workflows/{PLAIN.id}/executions/{numbers[0]}") == (400, "ModelArts.7511")
    assert arts.refused("GET", runs.path, params={"limit": "many"}) == (400, "ModelArts.0104")


def test_any_status_can_be_reached(arts: Arts) -> None:
    runs = Runs(arts, WAITING)
    number = runs.start()
    step = runs.until_step(number, 1, "wait_inputs")
    arts.emulator.set_state("steps", step["uuid"], "create_failed")
    arts.emulator.set_state("executions", number, "failed")
    found = runs.get(number)
    assert (found["status"], found["steps_execution"][1]["status"]) == ("failed", "create_failed")


def test_subscriptions_are_kept(own: Callable[..., Arts]) -> None:
    arts = own()
    path = f"workflows/{PLAIN.id}/subscriptions"
    given = {"topic_urns": ["urn:smn:x:p:t"], "entity": "workflow", "events": ["*:failed,completed", "job_step:stop"]}
    made = arts.ask("POST", path, 201, json={**given, "created_at": "x", "subscription_id": "mine"})
    number = made["subscription_id"]
    assert number != "mine"
    assert {name: made[name] for name in given} == given
    assert arts.get(f"{path}/{number}") == made
    assert arts.get(f"workflows/{PLAIN.id}")["subscription_id"] == number
    changed = arts.ask("PUT", f"{path}/{number}", json={**given, "events": []})
    assert changed == {**made, "events": []}
    arts.emulator.stop()
    again = own()
    assert again.get(f"{path}/{number}") == changed
    assert again.call("DELETE", f"{path}/{number}").status_code == 204
    assert again.refused("GET", f"{path}/{number}") == (400, "ModelArts.7519")
    assert again.refused("POST", path, json={"topic_urns": []}) == (400, "ModelArts.0104")


@pytest.mark.parametrize("command", ["sleep 1000", "sleep 300 & wait"])
def test_a_restart_loses_nothing(own: Callable[..., Arts], command: str) -> None:
    workflow = Workflow(id="w", name="w", steps=(Step(name="a", command=command), Step(name="b", hold=True)))
    first = Runs(own(workflows=(workflow,)), workflow)
    number = first.start()
    first.until_step(number, 0, "running")
    first.arts.emulator.stop()
    second = Runs(own(workflows=(workflow,)), workflow)
    if "&" in command:
        assert second.get(number)["status"] == "abnormal"
        assert second.get(number)["steps_execution"][0]["error_info"]["error_message"].startswith("the emulator ended")
    else:
        second.arts.emulator.clock.advance(1000)
        second.until_step(number, 1, "hold")
