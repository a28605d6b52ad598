"""What the log says of a job that is waited for: the exact lines, and how few requests they take."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from airflow_provider_aihub.aihub.errors import AIHubBadAnswerError, AIHubError, AIHubUnavailable, AIHubUnsupportedError
from airflow_provider_aihub.aihub.kinds import QUOTA_TASK, SEARCH, TRAINING, WORKFLOW_RUN, JobKind
from airflow_provider_aihub.jobs.progress_log import UNCHANGED_INTERVAL
from airflow_provider_aihub.jobs.waiting import Ask, Fetch, Outcome, Watch, wait

LOG = logging.getLogger("test.story")
CLUSTER = {"id": 3, "name": "vc-a800"}


def tell(
    caplog: pytest.LogCaptureFixture,
    kind: JobKind,
    looks: list[dict[str, Any]],
    asked: Mapping[str, Any] | None = None,
    *,
    every: float = 30.0,
) -> tuple[list[str], list[str]]:
    """Wait for a job that is seen as told, one look every so many seconds.

    :param asked: What the paths that end so answer, one after the other; the last one for ever.
    :return: The lines of the log, and the paths that were asked for.
    """
    caplog.set_level(logging.INFO)
    scripts = {end: iter(given if isinstance(given, list) else [given]) for end, given in (asked or {}).items()}
    last: dict[str, Any] = {}
    seen: list[str] = []
    states: Iterator[dict[str, Any]] = iter(looks)
    time = [1000.0]

    def look() -> Any:
        given = {"id": 12, "virtual_cluster": CLUSTER, "created_at": 500, **next(states)}
        return kind.state(12, kind.read(12).read(given))

    def perform(step: Ask | Fetch) -> Any:
        assert isinstance(step, Ask)
        seen.append(step.request.path.rpartition("/v1/")[2])
        end = next(end for end in scripts if step.request.path.endswith(end))
        last[end] = next(scripts[end], last.get(end))
        if isinstance(last[end], AIHubError):
            raise last[end]
        try:
            return step.request.read(last[end])
        except ValueError as error:
            # As a client does.
            raise AIHubBadAnswerError(str(error)) from None

    def sleep(_: float) -> None:
        time[0] += every

    waited = wait(
        look,
        Watch(kind=kind, job_id=12, since=1000.0),
        LOG,
        perform=perform,
        sleep=sleep,
        clock=lambda: time[0],
    )
    assert waited.outcome is Outcome.ENDED
    assert all(record.levelno == logging.INFO for record in caplog.records)
    return [record.getMessage() for record in caplog.records], seen


def pods(*states: str, nodes: tuple[str, ...] = ("node-1", "node-2")) -> dict[str, Any]:
    rows = [
        {"id": number, "name": f"p-{number}", "status": state, "node_name": nodes[number % len(nodes)]}
        for number, state in enumerate(states, 1)
    ]
    return {"total": len(rows), "page_size": 9999, "page_num": 1, "data": rows}


def page(*rows: dict[str, Any], total: int | None = None) -> dict[str, Any]:
    every = [{"status": 1, "virtual_cluster": CLUSTER, **row} for row in rows]
    return {"total": len(every) if total is None else total, "page_size": 100, "page_num": 1, "data": every}


def status(*numbers: int) -> list[dict[str, Any]]:
    return [{"status": number} for number in numbers]


def test_pods_are_told_as_they_change(caplog: pytest.LogCaptureFixture) -> None:
    told, asked = tell(
        caplog,
        TRAINING,
        status(2, 2, 2, 2, 2, 3),
        {"/pods": [pods(*["Pending"] * 4), pods("Running", "Running", "Pending", "Pending"), pods(*["Running"] * 4)]},
    )
    assert told == [
        "training 12 is running, 0 s after its submission",
        "training 12: all 4 pods Pending",
        "training 12: 2 of 4 pods Running (node-2, node-1); 2 Pending",
        "training 12: all 4 pods Running (node-2, node-1)",
        "training 12 has succeeded, 2 min after its submission",
    ]
    # No pod waits any more after the third time.
    assert asked == ["trainings/12/pods"] * 3


def test_the_queue_and_signs_of_life(caplog: pytest.LogCaptureFixture) -> None:
    told, asked = tell(
        caplog,
        TRAINING,
        [*status(*[1] * 12), {"status": 2}, *[{"status": 2, "avg_gpu_util": 87.5}] * 11, {"status": 3}],
        {
            "/pods": [pods("Pending"), pods("Pending"), pods("Running")],
            "/trainings": [
                page({"id": 14, "created_at": 900}, {"id": 12, "created_at": 500}, {"id": 11, "created_at": 100}),
                page({"id": 12, "created_at": 500}),
            ],
        },
    )
    assert told == [
        "training 12 is waiting, 0 s after its submission",
        "training 12: 2 other trainings wait on vc-a800, 1 of them for longer",
        "training 12: its pod is Pending",
        "training 12 is still waiting, 5 min after its submission; no other training waits on vc-a800; "
        "its pod is Pending",
        "training 12 is running, 6 min after its submission",
        "training 12: its pod is Running (node-2)",
        "training 12 is still running, 11 min after its submission; avg_gpu_util 87.5; its pod is Running (node-2)",
        "training 12 has succeeded, 12 min after its submission",
    ]
    # Two requests at the change to waiting, two at its sign of life, one at the change to running, one at its own.
    assert asked == ["trainings/12/pods", "trainings"] * 2 + ["trainings/12/pods"] * 2


@pytest.mark.parametrize(
    ("queue", "line"),
    [
        (page(), "no other training waits on vc-a800"),
        (page({"id": 11, "created_at": 500}), "1 other training waits on vc-a800, for longer"),
        (page({"id": 13, "created_at": 500}), "1 other training waits on vc-a800, not for as long"),
        # Not all of them were seen.
        (page({"id": 12}, {"id": 11}, total=250), "249 other trainings wait on vc-a800"),
        # This AIHub knows no such filter.
        (page({"id": 11, "status": 3}), None),
        (page({"id": 11, "virtual_cluster": {"id": 4}}), None),
        (AIHubUnsupportedError("There is no list."), None),
        (AIHubUnavailable("It is away."), None),
    ],
)
def test_what_is_known_of_the_queue(caplog: pytest.LogCaptureFixture, queue: Any, line: str | None) -> None:
    told, _ = tell(caplog, TRAINING, status(1, 3), {"/pods": AIHubUnavailable("It is away."), "/trainings": queue})
    assert told[1:-1] == ([f"training 12: {line}"] if line else [])


def test_who_uses_the_cluster_of_a_quota_task(caplog: pytest.LogCaptureFixture) -> None:
    def task(number: int, name: str) -> dict[str, Any]:
        return {"id": str(number), "name": name, "username": "alice" if number < 3 else ""}

    nodes = [
        {"node_name": "node-1", "tasks": [task(1, "bert"), task(2, "a\nb")]},
        {"node_name": "node-2", "tasks": [task(1, "bert"), *[task(n, f"t{n}") for n in range(3, 10)]]},
        {"node_name": "node-3", "tasks": None},
    ]
    told, asked = tell(
        caplog,
        QUOTA_TASK,
        [{"status": 1, "virtual_cluster": {**CLUSTER, "node_tasks": nodes}}, {"status": 3}],
        {"/pods": pods(), "/tasks": AIHubUnsupportedError("There is no list.")},
    )
    assert told[1:-1] == [
        "quota task 12: on vc-a800 run now: bert of alice (node-1, node-2), ab of alice (node-1), t3 (node-2), "
        "t4 (node-2), t5 (node-2), t6 (node-2), t7 (node-2), t8 (node-2) and 1 more"
    ]
    assert asked == ["tasks/12/pods", "tasks"]


def test_the_nodes_of_a_workflow_run(caplog: pytest.LogCaptureFixture) -> None:
    def run(status: int, *nodes: int) -> dict[str, Any]:
        names = ("prepare", "train", "report")
        return {
            "status": status,
            "task_nodes": [{"name": name, "status": node} for name, node in zip(names, nodes, strict=True)],
        }

    told, asked = tell(
        caplog,
        WORKFLOW_RUN,
        [run(2, 2, 1, 1), run(2, 2, 1, 1), run(2, 3, 2, 1), run(2, 3, 9, 1), run(4, 3, 4, 1)],
    )
    assert told == [
        "workflow run 12 is running, 0 s after its submission",
        "workflow run 12: 1 of 3 nodes Running (prepare); 2 Pending (train, report)",
        "workflow run 12: 1 of 3 nodes Running (train); 1 Pending (report); 1 Succeeded (prepare)",
        "workflow run 12: 1 of 3 nodes Pending (report); 1 Succeeded (prepare); 1 in status 9 (train)",
        "workflow run 12 has failed, 2 min after its submission",
    ]
    assert asked == []


def test_a_kind_without_parts_is_asked_for_no_more(caplog: pytest.LogCaptureFixture) -> None:
    told, asked = tell(caplog, SEARCH, status(1, *[2] * 12, 3))
    assert told == [
        "search 12 is waiting, 0 s after its submission",
        "search 12 is running, 30 s after its submission",
        "search 12 is still running, 6 min after its submission",
        "search 12 has succeeded, 6 min after its submission",
    ]
    assert asked == []


def test_the_pods_of_a_job_that_runs_for_days_are_asked_for_ever_more_seldom(caplog: pytest.LogCaptureFixture) -> None:
    hours = 24
    lines, asked = tell(
        caplog, TRAINING, status(*[2] * (hours * 12), 3), {"pods": pods("Running", "Running")}, every=UNCHANGED_INTERVAL
    )
    assert len([line for line in lines if "still running" in line and "all 2 pods Running" in line]) == hours * 12 - 1
    assert 10 <= len(asked) <= 20


def test_pods_that_cannot_be_listed_are_asked_for_seldom(caplog: pytest.LogCaptureFixture) -> None:
    looks = 40
    told, asked = tell(caplog, TRAINING, status(*[2] * looks, 3), {"/pods": AIHubUnavailable("It is away.")})
    assert len(asked) == 1 + int((looks - 1) * 30 / UNCHANGED_INTERVAL)
    assert len(told) == 2 + len(asked) - 1


def test_many_nodes_are_not_all_named(caplog: pytest.LogCaptureFixture) -> None:
    nodes = tuple(f"n{number}" for number in range(30))
    told, _ = tell(caplog, TRAINING, status(2, 3), {"/pods": pods(*["Running"] * 30, nodes=nodes)})
    assert told[1] == "training 12: all 30 pods Running (n1, n2, n3, n4, n5, n6, n7, n8 and 22 more)"


ODD: list[Any] = [None, "", "text", 0, -1, 7, 1e9, True, [], {}, [None], [7], {"id": None}]


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("field", ["id", "name", "status", "node_name", "virtual_cluster", "created_at", "total"])
def test_odd_answers_do_not_end_the_waiting(caplog: pytest.LogCaptureFixture, odd: Any, field: str) -> None:
    def spoilt(answer: dict[str, Any]) -> dict[str, Any]:
        rows = [{**row, field: odd} for row in answer["data"]]
        return {**answer, "total": odd if field == "total" else 1, "data": rows}

    cluster = {"virtual_cluster": odd} if field == "virtual_cluster" else {}
    told, _ = tell(
        caplog,
        QUOTA_TASK,
        [{"status": 1, **cluster}, {"status": 2, "avg_gpu_util": odd, **cluster}, {"status": 3}],
        {"/pods": spoilt(pods("Pending", "Running")), "/tasks": spoilt(page({"id": 11}))},
    )
    assert told[-1].startswith("quota task 12 has succeeded")
