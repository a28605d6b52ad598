"""Notebooks, images, workspaces, quotas and apps, through the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from arts_http import Arts, job

HOUR = 3_600_000


@pytest.fixture
def notebook(arts: Arts) -> str:
    return f"notebooks/{arts.emulator.settings.notebooks[0].id}"


def ask(arts: Arts, method: str, path: str, **more: Any) -> Any:
    return arts.ask(method, path, version="v1", **more)


def test_a_notebook_starts_and_stops(arts: Arts, notebook: str) -> None:
    assert ask(arts, "GET", notebook)["status"] == "STOPPED"
    assert arts.refused("POST", f"{notebook}/stop", "v1") == (400, "ModelArts.6307")
    started = ask(arts, "POST", f"{notebook}/start", params={"duration": 2 * HOUR, "type": "timing"})
    assert started["status"] == "STARTING"
    assert started["lease"]["duration"] == 2 * HOUR
    assert started["lease"]["type"] == "TIMING"
    assert arts.refused("POST", f"{notebook}/start", "v1") == (400, "ModelArts.6306")
    arts.emulator.clock.advance(1)
    running = ask(arts, "GET", notebook)
    assert running["status"] == "RUNNING"
    assert running["url"]
    assert arts.refused("POST", f"{notebook}/start", "v1") == (400, "ModelArts.6305")
    assert ask(arts, "POST", f"{notebook}/stop")["status"] == "STOPPING"
    assert arts.refused("POST", f"{notebook}/stop", "v1") == (400, "ModelArts.6308")
    assert arts.refused("POST", f"{notebook}/start", "v1") == (400, "ModelArts.6308")
    arts.emulator.clock.advance(1)
    assert ask(arts, "GET", notebook)["status"] == "STOPPED"
    assert arts.refused("GET", "notebooks/nobody", "v1") == (400, "ModelArts.6309")


def test_a_lease_ends(arts: Arts, notebook: str) -> None:
    for wrong in (HOUR - 1, 72 * HOUR + 1):
        assert arts.refused("POST", f"{notebook}/start", "v1", params={"duration": wrong}) == (400, "ModelArts.6349")
    assert ask(arts, "POST", f"{notebook}/start")["lease"]["duration"] == HOUR
    arts.emulator.clock.advance(1)
    lease = ask(arts, "PATCH", f"{notebook}/lease", json={"duration": 3 * HOUR, "type": "IDLE"})
    assert (lease["duration"], lease["type"]) == (3 * HOUR, "IDLE")
    assert ask(arts, "GET", f"{notebook}/lease") == lease
    arts.emulator.clock.advance(3 * 3600 - 10)
    assert ask(arts, "GET", notebook)["status"] == "RUNNING"
    arts.emulator.clock.advance(10)
    assert ask(arts, "GET", notebook)["status"] == "STOPPED"


def test_an_image_of_a_notebook(arts: Arts, notebook: str) -> None:
    given = {"name": "mine", "namespace": "org", "tag": 0.1}
    assert arts.refused("POST", f"{notebook}/create-image", "v1", json=given) == (400, "ModelArts.6307")
    ask(arts, "POST", f"{notebook}/start")
    arts.emulator.clock.advance(1)
    image = ask(arts, "POST", f"{notebook}/create-image", json=given)
    assert (image["status"], image["tag"]) == ("INIT", "0.1")
    assert ask(arts, "GET", notebook)["status"] == "SNAPSHOTTING"
    arts.emulator.clock.advance(1)
    assert ask(arts, "GET", f"images/{image['id']}")["status"] == "ACTIVE"
    assert ask(arts, "GET", notebook)["status"] == "RUNNING"


def test_notebooks_are_listed_made_and_deleted(own: Callable[..., Arts]) -> None:
    arts = own()
    volume = {"category": "EFS", "ownership": "MANAGED"}
    made = ask(arts, "POST", "notebooks", json={"name": "third", "image_id": "i", "volume": volume})
    assert made["status"] == "STARTING"
    found = ask(arts, "GET", "notebooks", params={"limit": 2})
    assert (found["total"], found["pages"], len(found["data"])) == (3, 2, 2)
    assert [item["name"] for item in ask(arts, "GET", "notebooks/all", params={"name": "thi"})["data"]] == ["third"]
    changed = ask(arts, "PUT", f"notebooks/{made['id']}", json={"description": "new"})
    assert changed["description"] == "new"
    arts.emulator.set_state("notebooks", made["id"], "FROZEN")
    arts.emulator.stop()
    arts = own()
    assert ask(arts, "GET", f"notebooks/{made['id']}")["status"] == "FROZEN"
    assert ask(arts, "DELETE", f"notebooks/{made['id']}")["status"] == "DELETED"
    first = arts.emulator.settings.notebooks[0].id
    ask(arts, "DELETE", f"notebooks/{first}")
    arts.emulator.stop()
    arts = own()
    for gone in (made["id"], first):
        assert arts.refused("GET", f"notebooks/{gone}", "v1") == (400, "ModelArts.6309")
    assert ask(arts, "GET", "notebooks")["total"] == 1


def test_tags_of_notebooks(arts: Arts) -> None:
    assert ask(arts, "GET", "notebooks/tags") == {"tags": [{"key": "team", "values": ["vision"]}]}
    other = arts.emulator.settings.workspaces[0].id
    assert ask(arts, "GET", "notebooks/tags", params={"workspace_id": other}) == {"tags": []}
    assert arts.refused("GET", "notebooks/tags", "v1", params={"workspace_id": "x"}) == (400, "ModelArts.0102")


def test_workspaces_are_listed(arts: Arts) -> None:
    found = ask(arts, "GET", "workspaces")
    assert (found["total_count"], found["count"]) == (2, 2)
    assert [item["name"] for item in found["workspaces"]] == ["research", "default"]
    first = found["workspaces"][1]
    assert first["id"] == "0"
    assert (first["auth_type"], first["status"], first["owner"]) == ("PUBLIC", "NORMAL", arts.emulator.username)

    def names(**asked: Any) -> list[str]:
        return [item["name"] for item in ask(arts, "GET", "workspaces", params=asked)["workspaces"]]

    assert names(order="asc") == ["default", "research"]
    assert names(order="asc", offset=1, limit=1) == ["research"]
    assert names(name="sear", filter_accessible="true") == ["research"]
    assert names(enterprise_project_id="other") == []
    assert arts.refused("GET", "workspaces", "v1", params={"sort_by": "size"}) == (400, "ModelArts.0104")


def test_quotas_are_set_within_their_bounds(own: Callable[..., Arts]) -> None:
    arts = own()
    path = "workspaces/0/quotas"
    known = {item["resource"]: item for item in ask(arts, "GET", path)["quotas"]}
    jobs = known["trainJob.quantity"]
    assert (jobs["quota"], jobs["used_quota"], jobs["max_quota"]) == (-1, 0, 10_000)
    arts.train("sleep 1000", "one")
    body = {"quotas": [{"resource": "trainJob.quantity", "quota": 1}]}
    (changed,) = ask(arts, "PUT", path, json=body)["quotas"]
    assert changed["quota"] == 1
    assert "used_quota" not in changed
    assert arts.refused("POST", "training-jobs", json=job(name="two")) == (400, "ModelArts.0118")
    for quota in (0, -2, 10_001):
        wrong = {"quotas": [{"resource": "trainJob.quantity", "quota": quota}]}
        assert arts.refused("PUT", path, "v1", json=wrong) == (400, "ModelArts.0104")
    wrong = {"quotas": [{"resource": "nonsense", "quota": 1}]}
    assert arts.refused("PUT", path, "v1", json=wrong) == (400, "ModelArts.0104")
    assert arts.refused("PUT", "workspaces/x/quotas", "v1", json=body) == (400, "ModelArts.0102")
    arts.emulator.stop()
    again = own()
    known = {item["resource"]: item for item in ask(again, "GET", path)["quotas"]}
    assert (known["trainJob.quantity"]["quota"], known["trainJob.quantity"]["used_quota"]) == (1, 1)


def test_apps_are_made_and_found(arts: Arts) -> None:
    app = ask(arts, "POST", "app-auth/apps", json={"app_name": "mine", "app_remark": "r"})["app"]
    assert app["app_secret"]
    assert app["app_codes"]
    assert app["project_id"] == arts.emulator.project_id
    assert ask(arts, "GET", "app-auth/apps", params={"app_name": "mine"})["apps"] == [app]
    assert arts.refused("POST", "app-auth/apps", "v1", json={"app_name": "mine"}) == (400, "ModelArts.0104")
    for number in range(4):
        ask(arts, "POST", "app-auth/apps", json={"app_name": f"more-{number}"})
    assert arts.refused("POST", "app-auth/apps", "v1", json={"app_name": "sixth"}) == (400, "ModelArts.0118")
    ask(arts, "DELETE", f"app-auth/apps/{app['app_id']}")
    answer = arts.call("DELETE", f"app-auth/apps/{app['app_id']}", "v1")
    assert answer.status_code == 404
