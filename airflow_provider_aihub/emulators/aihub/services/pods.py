"""Pods of trainings and quota tasks, with their logs, events and specs."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterable
from typing import Any

from ..answers import not_found
from ..call import Call, Route, public
from ..store import Row


def routes(path: str, training: Callable[[Call], Row], *, with_duration: bool = False) -> list[Route]:
    """The endpoints below one job.

    :param path: Path of the jobs.
    :param training: Finds the training behind the job that a call names.
    :param with_duration: Whether each pod says how many seconds it has run.
    """

    async def find(call: Call) -> Any:
        def show(pod: Row) -> Row:
            shown = public(pod)
            if with_duration:
                end = pod["finished_at"] or call.hub.clock.ms()
                shown["duration"] = max(0, end - pod["started_at"]) // 1000 if pod["started_at"] else 0
            return shown

        return call.page(call.hub.trainings.pods(training(call)), show)

    def one(call: Call) -> tuple[Row, Row]:
        row = training(call)
        number = call.id("pod_id")
        if number not in row["_pods"]:
            raise not_found(f"pod {number}")
        return row, call.hub.store.pods.get(number)

    async def logs(call: Call) -> Any:
        file = call.hub.trainings.log_file(*one(call))
        # A command that has yet to start has an empty log.
        file.touch()
        return {"logs": [{"name": file.name, "url": call.link(file)}]}

    async def events(call: Call) -> Any:
        _, pod = one(call)
        return {"events": told(pod["_events"])}

    async def spec(call: Call) -> Any:
        row, pod = one(call)
        values = {
            "name": pod["name"],
            "namespace": pod["namespace"],
            "nodeName": pod["node_name"],
            "image": row["image"],
            "command": ["/bin/sh", "-c", row["command"]],
            "env": row["envs"] or [],
            "volumes": [storage["path"] for storage in row["storages"] or ()],
            "resources": {"skus": row["sku_cnt"], **row["virtual_cluster"]["sku"]},
        }
        return {"spec": json.dumps(values, indent=2, ensure_ascii=False)}

    return [
        Route("D", "GET", f"{path}/{{id}}/pods", find, message=False),
        Route("P", "GET", f"{path}/{{id}}/pods/{{pod_id}}/logs/new", logs),
        Route("P", "GET", f"{path}/{{id}}/pods/{{pod_id}}/events", events),
        Route("P", "GET", f"{path}/{{id}}/pods/{{pod_id}}/spec", spec),
    ]


def told(events: Iterable[tuple[int, str]]) -> str:
    """Events as the text of an answer.

    :param events: Each with its time in Unix milliseconds.
    """
    return "\n".join(f"{_time(when)} {text}" for when, text in events)


def _time(milliseconds: int) -> str:
    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC).isoformat(timespec="milliseconds")
