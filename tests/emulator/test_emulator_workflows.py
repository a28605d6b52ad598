"""Workflow runs: nodes that really run, in the order of their dependencies."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from plain_http import RUNS, TRAININGS, Api
from waiting import until, written

from airflow_provider_aihub.emulators.aihub import Node, Pipeline, PipelineVersion


@pytest.fixture
def start(own: Callable[..., Api]) -> Callable[..., tuple[Api, str]]:
    """Starts a run of a pipeline with the given nodes; answers its path."""

    def begin(*nodes: Node, params: list[dict[str, str]] | None = None) -> tuple[Api, str]:
        api = own(pipelines=(Pipeline(id=5, name="p", versions=(PipelineVersion(id=6, name="V1", nodes=nodes),)),))
        body = {"name": "r", "pipeline_id": 5, "pipeline_version_id": 6, "params": params or [], "project_id": 2}
        return api, f"{RUNS}/{api.post(RUNS, body)['id']}"

    return begin


def nodes_of(run: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {node["name"]: node for node in run["task_nodes"]}


def test_nodes_run_in_order_and_params_reach_the_first(start: Callable[..., tuple[Api, str]], tmp_path: Path) -> None:
    out = tmp_path / "order"
    api, path = start(
        Node(name="last", command=f'echo "last [$x]" >> {out}', dependencies=("left", "right")),
        Node(name="right", command=f"echo right >> {out}", dependencies=("first",)),
        Node(name="left", command=f"sleep 0.2; echo left >> {out}", dependencies=("first",)),
        Node(name="first", command=f'echo "first [$x]" >> {out}'),
        params=[{"key": "x", "value": "y z"}],
    )
    run = api.until(path, 3, 4)
    assert run["status"] == 3
    assert out.read_text().splitlines() == ["first [y z]", "right", "left", "last []"]
    found = nodes_of(run)
    assert json.loads(found["first"]["params"]["input"]) == [{"key": "x", "value": "y z"}]
    assert found["last"]["params"] == {"input": "null", "output": "null"}
    assert found["last"]["started_at"] >= found["left"]["finished_at"] > 0
    assert (run["pipeline_name"], run["pipeline_version_name"]) == ("p", "V1")
    assert run["project"] == {"id": 2, "name": "research"}


def test_a_node_finds_a_token(start: Callable[..., tuple[Api, str]]) -> None:
    api, path = start(Node(name="n", command='echo "$AI_HUB_TOKEN"'))
    pod = api.until(path, 3)["task_nodes"][0]["pod_name"]
    log = api.get(f"{path}/tasks/{pod}/logs")
    headers = {"Authorization": f"Bearer {log['log'].strip()}"}
    assert requests.get(api.aihub.url + TRAININGS, headers=headers, timeout=5).status_code == 200
    assert requests.get(log["log_s3_url"], timeout=5).text == log["log"]
    assert api.call("GET", f"{path}/tasks/other/logs").json()["code"] == 2


def test_a_failed_node_fails_the_run_and_retry_goes_on_from_there(
    start: Callable[..., tuple[Api, str]], tmp_path: Path
) -> None:
    api, path = start(
        Node(name="a", command=f"echo a >> {tmp_path}/ran"),
        Node(name="b", command=f"echo b >> {tmp_path}/ran; test -e {tmp_path}/go", dependencies=("a",)),
        Node(name="c", command=f"echo c >> {tmp_path}/ran", dependencies=("b",)),
    )
    run = api.until(path, 3, 4)
    assert run["status"] == 4
    assert {name: node["status"] for name, node in nodes_of(run).items()} == {"a": 3, "b": 4, "c": 1}
    assert nodes_of(run)["b"]["message"] == "exited with code 1"
    (tmp_path / "go").touch()
    assert api.put(f"{path}/retry")["id"] == run["id"]
    assert api.until(path, 3, 4)["status"] == 3
    assert (tmp_path / "ran").read_text().split() == ["a", "b", "b", "c"]
    assert api.call("PUT", f"{path}/retry").json()["code"] == 1
    again = api.put(f"{path}/resubmit")
    assert again["id"] == run["id"] + 1
    assert api.until(f"{RUNS}/{again['id']}", 3)["name"] == "r"


def test_stop_ends_the_nodes(start: Callable[..., tuple[Api, str]], tmp_path: Path) -> None:
    api, path = start(
        Node(name="a", command=f"echo $$ > {tmp_path}/pid; sleep 300 & wait"),
        Node(name="b", command="true", dependencies=("a",)),
    )
    pid = int(written(tmp_path / "pid"))
    assert api.put(f"{path}/stop")["status"] == 5
    until("node a is not running", lambda: nodes_of(api.get(path))["a"], lambda node: node["status"] != 2, every=0.02)
    run = api.get(path)
    assert run["status"] == 5
    assert nodes_of(run)["a"]["message"] == "terminated by admin"
    assert nodes_of(run)["b"]["status"] == 1
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_duration_is_in_seconds_of_the_emulators_clock(start: Callable[..., tuple[Api, str]]) -> None:
    api, path = start(
        Node(name="a", command="sleep 90"),
        Node(name="b", command="sleep 30; exit 2", dependencies=("a",)),
    )
    api.aihub.clock.advance(60)
    assert (api.get(path)["duration"], api.get(path)["status"]) == (60, 2)
    api.aihub.clock.advance(600)
    assert (api.get(path)["duration"], api.get(path)["status"]) == (120, 4)


def test_the_document_reads_a_run_by_post_alone(document: Api) -> None:
    body = {"name": "r", "pipeline_id": 1, "pipeline_version_id": 1, "params": []}
    path = f"{RUNS}/{document.post(RUNS, body)['id']}"
    assert document.call("GET", path).status_code == 405
    assert document.call("POST", path).json()["data"]["name"] == "r"


def test_runs_are_listed_and_placed(api: Api) -> None:
    placed = [{"virtual_cluster_id": 2, "nodes": ["train"]}]
    body = {"name": "placed", "pipeline_id": 2, "pipeline_version_id": 2, "params": [], "project_id": 1}
    number = api.post(RUNS, {**body, "node_virtual_clusters": placed})["id"]
    (found,) = api.get(RUNS, name="place")["data"]
    cluster = {"id": 2, "name": "vc-4090", "sku": {"cpu": 8, "gpu": 1, "memory": 64}}
    assert (found["id"], found["node_virtual_clusters"]) == (number, [{"virtual_cluster": cluster, "nodes": ["train"]}])
    assert nodes_of(found)["train"]["virtual_cluster"] == cluster
    assert nodes_of(found)["report"]["virtual_cluster"]["name"] == "vc-cpu"
    wrong = {**body, "node_virtual_clusters": [{"virtual_cluster_id": 2, "nodes": ["nobody"]}]}
    assert api.refused(RUNS, wrong) == (2, "node nobody not found")
    api.put(f"{RUNS}/{number}/stop")
