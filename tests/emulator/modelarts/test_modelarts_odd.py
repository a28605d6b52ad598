"""Whatever is sent, the emulator answers, and goes on."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

import pytest
from arts_http import Arts, job

from airflow_provider_aihub.emulators.modelarts.app import SERVICES
from airflow_provider_aihub.emulators.modelarts.call import Given, Route

ROUTES = [route for service in SERVICES for route in service.ROUTES]
ODD: list[Any] = [None, -1, "\0", [None], {"a": 1e300}]


def kinds(kind: type[Given] = Given) -> Iterator[type[Given]]:
    """All that requests may bring."""
    yield kind
    for more in kind.__subclasses__():
        yield from kinds(more)


NAMES = sorted({name for kind in kinds() for name in kind.model_fields})


def filled(arts: Arts, route: Route) -> str:
    """The path of a route, with ids of what is there."""
    for_names = {
        "project": arts.emulator.project_id,
        "job": "{job}",
        "task": "worker-0",
        "workflow": arts.emulator.settings.workflows[1].id,
        "execution": "{execution}",
        "step": "{step}",
        "subscription": "{subscription}",
        "notebook": arts.emulator.settings.notebooks[0].id,
        "image": "none",
        "workspace": "0",
        "app": "none",
    }
    return route.path.format(**for_names)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET"])
def test_odd_bodies_and_queries_are_answered(arts: Arts, method: str) -> None:
    workflow = f"workflows/{arts.emulator.settings.workflows[1].id}"
    topics = {"topic_urns": ["u"]}
    odd_bodies = [*ODD, *({name: value} for name, value in itertools.product(NAMES, ODD))]
    full = [
        {**job(name="n"), part: {name: value}}
        for part, name, value in itertools.product(("metadata", "algorithm", "spec"), NAMES, ODD)
    ]
    dice = random.Random(5)
    for route in (route for route in ROUTES if route.method == method):
        ids = {
            "job": arts.train("sleep 1000", f"odd-{abs(hash(route))}"),
            "execution": arts.ask("POST", f"{workflow}/executions", 201, json={})["execution_id"],
            "subscription": arts.ask("POST", f"{workflow}/subscriptions", 201, json=topics)["subscription_id"],
        }
        steps = arts.get(f"{workflow}/executions/{ids['execution']}")["steps_execution"]
        path = filled(arts, route).format(**ids, step=steps[0]["uuid"])
        url = f"{arts.emulator.url}{path}"
        if method == "GET":
            queries = list(itertools.product(NAMES, ("", "-1", "x", "\0", "é", "1" * 30)))
            for name, value in dice.sample(queries, 60):
                assert arts.http.get(url, params={name: value}, timeout=10).status_code < 500, (path, name, value)
            continue
        for body in dice.sample(full, 400) if route.path.endswith("training-jobs") else dice.sample(odd_bodies, 60):
            answer = arts.http.request(method, url, json=body, timeout=10)
            assert answer.status_code < 500, (path, body, answer.text)
    assert arts.ask("POST", "training-job-searches", json={})["total"] > 0
    arts.get(f"{workflow}/executions")
