"""Deployments: started once, waited for until they are online, stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException
from task_life import TaskInstance, TaskLife, gone
from twisted import Asked, Twisted, before
from waiting import until

from airflow_provider_aihub.aihub.errors import (
    AIHubJobStopped,
    AIHubJobTimeout,
    AIHubOtherJob,
    AIHubParameterError,
    AIHubRejectedError,
)
from airflow_provider_aihub.aihub.model_center import ModelSpec
from airflow_provider_aihub.aihub.model_deployment import DeploymentSpec
from airflow_provider_aihub.emulators.aihub import Emulator, answers, call
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.operators.deployment import StartDeploymentOperator, StopDeploymentOperator
from airflow_provider_aihub.operators.model import ModelUploadOperator

deferred_or_not = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "in place"])
CREATE: dict[str, Any] = {"virtual_cluster": "vc-cpu"}
NEVER = {**CREATE, "command_args": "exec sleep 600"}
"""How one is created that does not come online."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("deployments")) as emulator:
        yield emulator


@pytest.fixture
def aihub(server: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", server.connection_json())
    monkeypatch.setattr("airflow_provider_aihub.operators.late.PAUSE", 0.05)
    server.faults.clear()
    return server


def start(**given: Any) -> TaskLife:
    arguments = {"task_id": "start", "create": CREATE, **given}
    made: Callable[[], StartDeploymentOperator] = lambda: StartDeploymentOperator(**arguments)  # noqa: E731
    return TaskLife(made)


def stop(deployment: Any, **given: Any) -> dict[str, Any]:
    return StopDeploymentOperator(task_id="stop", deployment=deployment, **given).execute({"ti": TaskInstance("task")})


def starts(request: Asked) -> bool:
    return request.method == "POST" and request.path.endswith("/start")


def lists(request: Asked) -> bool:
    return request.method == "GET" and request.path.endswith("/deployment")


def reads(request: Asked) -> bool:
    return request.method == "GET" and "/deployment/" in request.path


def posted(server: Emulator, path: str, since: int = 0) -> int:
    return sum(one.method == "POST" and one.path.endswith(path) for one in list(server.requests)[since:])


@deferred_or_not
def test_a_model_is_served_and_taken_off_the_net(
    aihub: Emulator, tmp_path: Path, new_name: str, deferrable: bool, created: Callable[[], list[str]]
) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "weights.bin").write_bytes(b"12345")
    TaskLife(lambda: ModelUploadOperator(task_id="up", model=new_name, local_path=str(tmp_path))).try_once()
    created()
    life = start(
        deployment=new_name,
        create={**CREATE, "model": new_name, "storages": ["shared"], "envs": {"A": 1}, "description": "why"},
        deferrable=deferrable,
    )
    result = life.try_once()
    assert life.deferrals == int(deferrable)
    assert created() == [f"Created deployment {result['id']} on AIHub"]
    hook = AIHubHook()
    shown, service = hook.get_deployment(result["id"]), hook.get_infer_service(result["infer_service_id"])
    assert result == {
        "id": shown.id,
        "name": new_name,
        "status": "online",
        "infer_service_id": shown.infer_service_id,
        "endpoint_url": service.endpoint_url,
    }
    assert (shown.model_name, shown.storage_ids, shown.envs, shown.description) == (new_name, [2], {"A": "1"}, "why")
    assert service.api_key.startswith("sk-")
    assert service.api_key not in repr(service)
    with urlopen(service.endpoint_url, timeout=5) as answer:
        assert json.load(answer)["files"] == {"deep/weights.bin": 5}
    before = len(aihub.requests)
    assert start(deployment=shown.id, create=None).try_once() == result
    assert created() == []
    assert posted(aihub, "/start", before) == 0
    assert stop(new_name) == {"id": shown.id, "status": "stopped"}
    assert hook.get_infer_service(service.id).status == "offline"
    with pytest.raises(OSError, match=r"refused|reset"):
        urlopen(service.endpoint_url, timeout=5)


def test_a_deployment_that_was_stopped_starts_again(aihub: Emulator, new_name: str) -> None:
    life = start(deployment=new_name, retries=1)
    first = life.try_once()
    stop(first["id"])
    # The next try, to which Airflow has kept nothing of the first.
    assert life.try_once()["infer_service_id"] == first["infer_service_id"]
    assert AIHubHook().get_deployment(first["id"]).version == 2


@deferred_or_not
def test_one_that_never_comes_is_stopped_at_its_deadline(aihub: Emulator, new_name: str, deferrable: bool) -> None:
    life = start(
        deployment=new_name, create={**CREATE, "command_args": "exec sleep 600"}, job_timeout=0.5, deferrable=deferrable
    )
    with pytest.raises(AIHubJobTimeout, match=r"was not done at its deadline .* was asked to stop it"):
        life.try_once()
    (row,) = AIHubHook().list_deployments(name=new_name).data
    assert (row.status, row.infer_service_id) == (0, 0)


def test_a_killed_task_stops_what_it_starts(aihub: Emulator, new_name: str) -> None:
    made = StartDeploymentOperator(
        task_id="start",
        deployment=new_name,
        create={**CREATE, "command_args": "exec sleep 600"},
        deferrable=True,
    )
    life = TaskLife(lambda: made)
    life.start()
    made.on_kill()
    assert AIHubHook().list_deployments(name=new_name).data[0].status == 0


def test_a_task_killed_while_it_starts_one_stops_it(twisted: Twisted, new_name: str) -> None:
    made = StartDeploymentOperator(task_id="start", deployment=new_name, create=NEVER, deferrable=True)
    # What a kill interrupts goes on.
    twisted.rules = [before(starts, made.on_kill)]
    with pytest.raises(AIHubJobStopped, match="was killed"):
        TaskLife(lambda: made).start()
    (row,) = AIHubHook().list_deployments(name=new_name).data
    assert (row.status, row.version) == (0, 1)


@pytest.mark.parametrize("when", ["before it is created", "before it is started"])
def test_a_killed_task_neither_creates_nor_starts_one(twisted: Twisted, new_name: str, when: str) -> None:
    """A worker has a few seconds left then, which may be too few to stop once more what it starts after its kill."""
    made = StartDeploymentOperator(task_id="start", deployment=new_name, create=NEVER, deferrable=True)
    looks_for_it = when == "before it is created"
    twisted.rules = [before(lists if looks_for_it else reads, made.on_kill)]
    with pytest.raises(AIHubJobStopped, match="was killed"):
        TaskLife(lambda: made).start()
    there = [(row.status, row.version) for row in AIHubHook().list_deployments(name=new_name).data]
    assert there == [] if looks_for_it else [(0, 0)]
    assert twisted.count(starts) == 0


@pytest.mark.parametrize("theirs", ["other", "the same"])
def test_where_the_login_has_ended_a_deployment_is_looked_at_before_it_is_started(
    twisted: Twisted, new_name: str, make_aihub: Callable[..., Emulator], theirs: str
) -> None:
    """Another AIHub may stand behind the address, where another deployment has its id."""
    user = json.loads(twisted.emulator.connection_json())
    other = make_aihub(conn_id="theirs", users={user["login"]: user["password"]})
    name = new_name if theirs == "the same" else "a colleague's"
    number = AIHubHook().create_deployment(DeploymentSpec.build(name=new_name, virtual_cluster_id=1))
    for one in (*map(str, range(1, number)), name):
        last = AIHubHook("theirs").create_deployment(DeploymentSpec.build(name=one, virtual_cluster_id=1))
    assert last == number
    twisted.rules = [before(starts, lambda: setattr(twisted, "emulator", other))]
    task = start(deployment=new_name, deferrable=False)
    if theirs == "the same":
        assert task.try_once()["id"] == number
    else:
        with pytest.raises(AIHubOtherJob):
            task.try_once()
    assert AIHubHook("theirs").get_deployment(number).version == (theirs == "the same")


def test_a_last_try_that_cannot_read_what_it_has_started_stops_it(aihub: Emulator, new_name: str) -> None:
    # What is read before it is started is let through.
    aihub.faults.add("status", path="/mldp/api/v1/deployment/*", method="GET", status=200, code=1, after=1, count=1)
    with pytest.raises(AIHubRejectedError):
        start(deployment=new_name, create=NEVER).start()
    (row,) = AIHubHook().list_deployments(name=new_name).data
    assert (row.status, row.version) == (0, 1)


def test_another_deployment_under_the_same_id_is_left_alone(aihub: Emulator, new_name: str) -> None:
    other = start(deployment=f"{new_name}-other").try_once()["id"]
    life = start(deployment=new_name, create=NEVER, deferrable=True)
    trigger = life.start()
    own, trigger.job_id = trigger.job_id, other
    with pytest.raises(AIHubOtherJob):
        life.resume(trigger)
    assert stop(own)["status"] == "stopped"
    assert AIHubHook().get_infer_service(AIHubHook().get_deployment(other).infer_service_id).status == "online"


@pytest.mark.airflow(">=3.0", lacks="errors of an API server")
def test_a_worker_that_is_not_the_one_any_more_leaves_the_deployment_to_the_other(
    aihub: Emulator, new_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: Any, **__: Any) -> None:
        raise gone()

    with monkeypatch.context() as patch:
        patch.setattr(TaskInstance, "xcom_push", refuses)
        with pytest.raises(AIHubJobStopped, match="another try meanwhile, so this one ends"):
            start(deployment=new_name).start()
    assert start(deployment=new_name, create=None).try_once()["status"] == "online"
    assert AIHubHook().list_deployments(name=new_name).data[0].version == 1


def test_one_whose_model_is_not_there_does_not_come_online(aihub: Emulator, new_name: str) -> None:
    hook = AIHubHook()
    hook.create_model(ModelSpec.build(name=new_name))
    with pytest.raises(AIHubJobTimeout):
        start(deployment=new_name, create={**CREATE, "model": new_name}, job_timeout=0.5).try_once()
    (row,) = hook.list_deployments(name=new_name).data
    assert hook.get_deployment_logs(row.id) == f"The model {new_name} is init.\n"


@pytest.mark.parametrize("path", ["/mldp/api/v1/deployment", "/mldp/api/v1/deployment/*/start"])
def test_a_lost_answer_creates_and_starts_nothing_twice(
    aihub: Emulator, new_name: str, path: str, patience: None
) -> None:
    aihub.faults.add("lost", path=path, method="POST", count=1)
    result = start(deployment=new_name).try_once()
    assert [row.id for row in AIHubHook().list_deployments(name=new_name).data] == [result["id"]]
    assert AIHubHook().get_deployment(result["id"]).version == 1


def test_one_on_a_later_page_is_found_where_pages_are_small(
    aihub: Emulator, new_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call, "page", lambda rows, size, number: answers.page(rows, min(size, 2), number))
    own, *_ = [
        AIHubHook().create_deployment(DeploymentSpec.build(name=f"{new_name}{end}", virtual_cluster_id=1))
        for end in ("", "-1", "-2", "-3")
    ]
    assert start(deployment=new_name).try_once()["id"] == own


def test_a_refused_start_fails_unless_it_has_begun(aihub: Emulator, new_name: str) -> None:
    slowly = "sleep 1; exec python -m http.server $PORT --bind 127.0.0.1"
    life = start(deployment=new_name, create={**CREATE, "command_args": slowly, "health_check_path": "/"}, retries=1)
    refusal = {"path": "*/start", "method": "POST", "status": 200, "code": 1, "count": 1}
    aihub.faults.add("status", **refusal, msg="no room")
    with pytest.raises(AIHubRejectedError, match="no room"):
        life.try_once()
    hook = AIHubHook()
    hook.start_deployment(hook.list_deployments(name=new_name).data[0].id)
    fault = aihub.faults.add("status", **refusal, msg="it starts")
    assert life.try_once()["status"] == "online"
    assert fault.struck == 1


def test_what_starts_is_stopped_too(aihub: Emulator, new_name: str) -> None:
    life = start(deployment=new_name, create={**CREATE, "command_args": "exec sleep 600"}, wait_for_completion=False)
    number = life.try_once()["id"]
    hook = AIHubHook()
    until("it starts", lambda: hook.get_deployment(number).status, (1).__eq__)
    assert stop(number, wait_for_completion="true", poll_interval=1) == {"id": number, "status": "stopped"}
    assert hook.get_deployment(number).status == 0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"deployment": ""}, "deployment must be a name or an id"),
        ({"deployment": "None"}, "not 'None', as a template renders when it finds nothing"),
        ({"create": {"name": "x"}}, "create must be a dict without a name"),
        ({"create": {"virtual_cluster": 1, "cpu": 2}}, "cpu is none of its parameters"),
        ({"create": {}}, "virtual_cluster_id is missing"),
        (
            {"create": {"virtual_cluster": "vc-a800", "virtual_cluster_id": 2}},
            "create has both virtual_cluster and virtual_cluster_id; give one of them",
        ),
        ({"create": {"virtual_cluster": 1, "storages": [""]}}, "storages must be a name or an id"),
        ({"create": {"virtual_cluster": 1, "storages": 1.5}}, "storages must be a list of names or ids, not 1.5"),
    ],
)
def test_a_bad_parameter_fails_before_anything_is_sent(aihub: Emulator, given: dict[str, Any], words: str) -> None:
    before = len(aihub.requests)
    with pytest.raises(AIHubParameterError, match=words):
        start(**{"deployment": "d", **given}).try_once()
    assert len(aihub.requests) == before


def test_what_is_not_there_is_said(aihub: Emulator, new_name: str) -> None:
    with pytest.raises(AIHubParameterError, match="which AIHub does not have; give create to have it created"):
        start(deployment=new_name, create=None).try_once()
    with pytest.raises(AIHubParameterError, match=r"deployment is '\w+', which AIHub does not have"):
        stop(new_name)
    for nothing in (None, "", "None"):
        with pytest.raises(AirflowSkipException, match="no deployment to stop, since deployment is empty"):
            stop(nothing)


def test_the_document_has_no_deployments(document: Emulator) -> None:
    for deployment in ("d", 1):
        with pytest.raises(AIHubParameterError, match="This AIHub has no deployments of models"):
            start(deployment=deployment).try_once()
        with pytest.raises(AIHubParameterError, match="This AIHub has no deployments of models"):
            stop(deployment)
