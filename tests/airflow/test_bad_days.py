"""What a task says when the connection or AIHub is not as it should be: one error, one sentence, no secret."""

from __future__ import annotations

import json
import socket
import traceback
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from task_life import TaskLife, said

from airflow_provider_aihub.aihub.errors import (
    AIHubAmbiguousSubmit,
    AIHubAuthError,
    AIHubBadAnswerError,
    AIHubConfigError,
    AIHubError,
    AIHubNotFoundError,
    AIHubRejectedError,
    AIHubUnavailable,
)
from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.operators.dataset import DatasetVersionOperator
from airflow_provider_aihub.operators.training import TrainingOperator
from airflow_provider_aihub.operators.warehouse import WarehouseSearchOperator

LOGIN = "/api/v1/auth/login"
TRAININGS = "/model-training-platform/api/v1/trainings"
ON_AIHUB: dict[str, Any] = {"image": "any", "virtual_cluster": 1, "project": 1}


pytestmark = pytest.mark.usefixtures("short_pauses", "patience")


def connection(aihub: Emulator, **changed: Any) -> str:
    given = json.loads(aihub.connection_json())
    given["extra"] = given["extra"] | changed.pop("extra", {})
    return json.dumps(given | changed)


def failure_of(**given: Any) -> AIHubError:
    """Run a training and give the error it ends with; it must be the only one that the log would show."""
    arguments: dict[str, Any] = {"task_id": "train", "name": "t", "command": "true", **ON_AIHUB, **given}
    with pytest.raises(AIHubError) as caught:
        TaskLife(lambda: TrainingOperator(**arguments)).try_once()
    error = caught.value
    text = "".join(traceback.format_exception(error))
    assert text.count("Traceback (most recent call last)") == 1
    assert "\n" not in str(error)
    assert said(error).endswith(".")
    return error


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_wrong_password(aihub: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", connection(aihub, password="not-the-password"))
    error = failure_of()
    assert isinstance(error, AIHubAuthError)
    assert isinstance(error, AirflowFailException)
    assert "user_system" in str(error)
    assert "log in" in str(error)
    assert "not-the-password" not in str(error)


def test_an_unknown_host(aihub: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", connection(aihub, host="http://no-such-host.invalid:1"))
    error = failure_of()
    assert isinstance(error, AIHubUnavailable)
    assert "no-such-host.invalid" in str(error)


def test_a_refused_connection(aihub: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"http://127.0.0.1:{closed_port()}"
    monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", connection(aihub, extra={"model_training_url": address}))
    error = failure_of()
    assert isinstance(error, AIHubUnavailable)
    assert "create training 't'" in str(error)
    assert address in str(error)


def test_no_address(aihub: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", connection(aihub, host=None))
    error = failure_of()
    assert isinstance(error, AIHubConfigError)
    assert isinstance(error, AirflowFailException)
    assert "user_system_url" in str(error)


def test_html_instead_of_json(aihub: Emulator) -> None:
    aihub.faults.add("garbage", path="/tag-resource-management/*")
    try:
        error = failure_of(virtual_cluster="vc-cpu")
    finally:
        aihub.faults.clear()
    assert isinstance(error, AIHubBadAnswerError)
    assert "tag_system" in str(error)
    assert "<" not in str(error)


def test_html_instead_of_the_id_of_a_new_job(document: Emulator) -> None:
    document.faults.add("garbage", method="POST", path=TRAININGS)
    try:
        error = failure_of()
    finally:
        document.faults.clear()
    assert isinstance(error, AIHubAmbiguousSubmit)
    assert isinstance(error, AirflowFailException)


@pytest.mark.usefixtures("little_patience")
def test_a_code_other_than_0(aihub: Emulator) -> None:
    aihub.faults.add("status", method="POST", path=TRAININGS, status=200, code=77, msg="the quota is used up")
    try:
        error = failure_of()
    finally:
        aihub.faults.clear()
    assert isinstance(error, AIHubRejectedError)
    assert not isinstance(error, AirflowFailException)
    assert "code 77" in str(error)
    assert "the quota is used up" in str(error)
    assert error.code == 77


def test_an_id_that_aihub_does_not_have(aihub: Emulator) -> None:
    error = failure_of(virtual_cluster=99)
    assert isinstance(error, AIHubNotFoundError)
    assert "create training 't'" in str(error)
    assert "99" in str(error)


def test_the_test_button(aihub: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    ok, message = AIHubHook().test_connection()
    assert ok
    assert message == f"Logged in to AIHub as user {AIHubHook().user_id}."
    monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", connection(aihub, password="not-the-password"))
    ok, message = AIHubHook().test_connection()
    assert not ok
    assert "not-the-password" not in message
    assert "\n" not in message


MISSPELT = (
    "The connection's extra has 'tokn' (the nearest field is 'token'), 'Verify_SSL' (the nearest field is "
    "'verify_tls'), 'base_url' (it belongs into the field 'host' beside the extra), 'shelf', "
    "which this provider does not know."
)


def test_fields_that_are_misspelt(
    aihub: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    extra = {"tokn": "not-to-be-told", "Verify_SSL": "nor-this", "base_url": "nor-that", "shelf": "nor-it"}
    monkeypatch.setenv("AIRFLOW_CONN_MISSPELT", connection(aihub, extra=extra))
    for _ in range(3):
        assert AIHubHook("misspelt").test_connection() == (True, f"Logged in to AIHub as user 1. {MISSPELT}")
    assert [line for line in caplog.messages if "extra" in line] == [f"misspelt: {MISSPELT}"]
    assert "nor-" not in caplog.text
    assert "not-to-be-told" not in caplog.text
    # Where it cannot work, that may well be why.
    monkeypatch.setenv("AIRFLOW_CONN_MISSPELT", json.dumps({"conn_type": "aihub", "extra": extra}))
    ok, message = AIHubHook("misspelt").test_connection()
    assert (ok, message.endswith(MISSPELT)) == (False, True)


@pytest.mark.parametrize(
    ("given", "lacks"),
    [
        ({"login": None}, "a password and no login"),
        ({"password": None}, "a login and no password"),
        ({"login": None, "password": None}, "no credentials"),
    ],
)
def test_half_of_a_login(aihub: Emulator, monkeypatch: pytest.MonkeyPatch, given: dict[str, None], lacks: str) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", connection(aihub, **given))
    ok, message = AIHubHook().test_connection()
    assert (ok, message.startswith(f"The connection has {lacks}; fill in login and password")) == (False, True)


def test_no_rights(aihub: Emulator) -> None:
    """A refusal for want of rights is asked for once, with one login, and no parameter is blamed."""
    for refused in ({"code": 1, "msg": "forbidden"}, {"code": 403, "msg": "forbidden"}, {}):
        before = [aihub.requests.count("POST", path) for path in (TRAININGS, LOGIN)]
        aihub.faults.add("status", method="POST", path=TRAININGS, status=403, count=1, **refused)
        error = failure_of(retries=1)
        assert isinstance(error, AIHubRejectedError)
        assert "HTTP 403" in str(error)
        assert said(error).endswith("; ask for the rights to it, which the user of the connection does not have.")
        asked = [aihub.requests.count("POST", path) for path in (TRAININGS, LOGIN)]
        assert [now - then for now, then in zip(asked, before, strict=True)] == [1, 1]


def test_nobody_is_told_to_stop_what_cannot_be_stopped(document: Emulator) -> None:
    document.faults.add("lost", method="POST", path="/data-warehouse/api/v1/searches", count=1)
    search = {"task_id": "s", "name": "lost", "sql": "SELECT 1"}
    with pytest.raises(AIHubAmbiguousSubmit, match="look there whether the search 'lost' exists") as lost:
        TaskLife(lambda: WarehouseSearchOperator(**search)).try_once()
    assert "stop" not in str(lost.value)


def test_a_dataset_that_one_may_not_read_is_not_said_to_be_missing(document: Emulator) -> None:
    document.faults.add("status", path="*/dataset-versions-detail", status=403, code=1, msg="forbidden")
    before = document.requests.count(path="*/dataset-versions-detail")
    version = {"task_id": "v", "dataset": "theirs", "upload_path": "s3://x", "upload_type": 1}
    with pytest.raises(AIHubRejectedError, match="ask for the rights to it"):
        TaskLife(lambda: DatasetVersionOperator(**version)).try_once()
    assert document.requests.count(path="*/dataset-versions-detail") == before + 1


def test_the_test_button_with_a_token(aihub: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    token = AIHubHook().login(aihub.username, aihub.password).token
    given = {"login": None, "password": None}
    monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", connection(aihub, **given, extra={"token": token}))
    assert AIHubHook().test_connection()[0]
    monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", connection(aihub, **given, extra={"token": f"{token}x"}))
    ok, message = AIHubHook().test_connection()
    assert not ok
    assert token not in message


@pytest.mark.parametrize("service", list(Service))
def test_the_test_button_with_the_address_of_one_service(
    aihub: Emulator, monkeypatch: pytest.MonkeyPatch, service: Service
) -> None:
    extra = {"token": AIHubHook().login(aihub.username, aihub.password).token, f"{service}_url": aihub.url}
    monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", json.dumps({"conn_type": "aihub", "extra": extra}))
    tried, message = AIHubHook().test_connection()
    if service in (Service.USER_SYSTEM, Service.EVALUATION, Service.S3_RELAY):
        assert not tried
        assert f"only the address of AIHub's {service}, where a token cannot be tried" in message
    else:
        assert (tried, message) == (True, f"AIHub's {service} takes the token.")


def test_the_test_button_of_a_connection_that_is_not_there() -> None:
    ok, message = AIHubHook("nowhere").test_connection()
    assert not ok
    assert "nowhere" in message


def test_a_token_from_the_workflow_node(aihub: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_HUB_TOKEN", AIHubHook().login(aihub.username, aihub.password).token)
    monkeypatch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", f"aihub://{aihub.url.removeprefix('http://')}")
    result = TaskLife(
        lambda: TrainingOperator(
            **{"task_id": "train", "name": "t", "command": "true", **ON_AIHUB, "virtual_cluster": "vc-cpu"}
        )
    ).try_once()
    assert result["status"] == "succeeded"
