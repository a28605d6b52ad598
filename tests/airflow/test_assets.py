"""The assets of AIHub's datasets: their URIs, and the events that a new version gives them."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest
from airflow.providers.common.compat.sdk import Asset
from dag_runs import Round, run_dags

from airflow_provider_aihub import assets
from airflow_provider_aihub.aihub.config import PRESETS, Config
from airflow_provider_aihub.assets import dataset_asset, dataset_uri
from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.operators.dataset import DatasetVersionOperator

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("given", "uri"),
    [
        ("aihub://10.0.0.1:30061/datasets/mnist", "aihub://10.0.0.1:30061/datasets/mnist"),
        ("AIHUB://AIHub.Local/datasets/mnist/", "aihub://aihub.local/datasets/mnist"),
        ("aihub://[::1]:80/datasets/mnist", "aihub://[::1]:80/datasets/mnist"),
        ("aihub://h/datasets/car pictures", "aihub://h/datasets/car%20pictures"),
        ("aihub://h/datasets/a%2fb%7E", "aihub://h/datasets/a%2Fb~"),
        ("aihub://h/datasets/%E5%9B%BE", "aihub://h/datasets/%E5%9B%BE"),
    ],
)
def test_a_uri_has_one_form(given: str, uri: str) -> None:
    """Airflow asks the provider, and asking again changes nothing."""
    assert Asset(uri=given).uri == uri
    assert Asset(uri=uri).uri == uri


@pytest.mark.parametrize(
    "uri",
    [
        "aihub://h",
        "aihub:///datasets/mnist",
        "aihub://h/datasets",
        "aihub://h/datasets/a/b",
        "aihub://h/trainings/mnist",
        "aihub://h/datasets/mnist?version=3",
        "aihub://user@h/datasets/mnist",
        "aihub://h:99999/datasets/mnist",
        "aihub://h:0/datasets/mnist",
        "aihub://h b/datasets/mnist",
    ],
)
def test_what_is_no_dataset_is_no_asset(uri: str) -> None:
    with pytest.raises(ValueError, match=r"aihub://10\."):
        assets.sanitize_uri(urlsplit(uri))
    # Airflow 2 lets it pass with a warning.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises((ValueError, UserWarning)):
            Asset(uri=uri)


def test_a_name_is_quoted() -> None:
    assert dataset_uri("图/a b", host="H:1") == "aihub://h:1/datasets/%E5%9B%BE%2Fa%20b"
    with pytest.raises(ValueError, match="name of a dataset"):
        dataset_uri("", host="h")
    with pytest.raises(ValueError, match="host is 'http://h:1'; it is a name or an address"):
        dataset_uri("d", host="http://h:1")


@pytest.mark.parametrize(
    "name",
    [
        "car\u3000pictures",
        "\u3000",
        " ",
        "the \U0001f468\u200d\U0001f469\u200d\U0001f467 family",
        "right \u202e to left",
        "bell\a and\ttab\nand line",
        "\x00",
        "..",
        "%2F",
        "a?b#c&d=e",
        "~",
        "self",
        "数" * 164,
        "数" * 170,
        "数" * 5000,
        "x" * 1482,
        "x" * 1483,
        "a" + "数" * 170,
        "\U0001f468" * 200,
    ],
    ids=lambda name: ascii(name)[:24],
)
def test_every_name_has_a_uri(name: str) -> None:
    uri = dataset_uri(name, host="h")
    assert uri.isascii()
    assert len(uri) <= 1500
    asset = dataset_asset(name, host="h")
    assert asset.uri == getattr(asset, "name", uri) == uri
    # Airflow, too, brings a URI into its one form, whoever has written it.
    assert Asset(uri=uri).uri == uri
    quoted, whole = uri.removeprefix("aihub://h/datasets/"), quote(name, safe="")
    assert assets.sanitize_uri(urlsplit(f"aihub://h/datasets/{whole}")).geturl() == uri
    if len(whole) <= 1500 - len("aihub://h/datasets/"):
        assert unquote(quoted) == name
    else:
        beginning, _, digest = quoted.rpartition("~")
        assert digest == hashlib.sha256(name.encode()).hexdigest()[:32]
        assert name.startswith(unquote(beginning, errors="strict"))
        assert len(uri) > 1480
    assert dataset_uri(f"{name}2", host="h") != uri


@pytest.mark.parametrize(
    ("connection", "host"),
    [
        ({"host": "http://10.0.0.1:30021"}, "10.0.0.1:30021"),
        ({"host": "https://aihub.local/gateway"}, "aihub.local"),
        ({"host": "h", "extra": {"dataset_management_url": "http://d:5"}}, "d:5"),
        ({"host": "http://[::1]:5"}, "[::1]:5"),
        *(
            ({"extra": {"environment": name}}, urlsplit(addresses["dataset_management"]).netloc)
            for name, addresses in PRESETS.items()
        ),
    ],
)
def test_the_host_is_where_dataset_management_is(
    connection: dict[str, Any], host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert assets.dataset_host(Config.from_connection(**{"extra": {}, "environ": {}, **connection})) == host
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps({"conn_type": "aihub", **connection}))
    assert dataset_asset("d", aihub_conn_id="other") == dataset_asset("d", host=host)


def test_the_asset_that_a_lineage_collector_makes() -> None:
    made = assets.create_asset(host="h:1", name="d", extra={"version": 3})
    assert (made.uri, made.extra) == ("aihub://h:1/datasets/d", {"version": 3})


def test_an_operator_declares_the_alias_once() -> None:
    def names(outlets: list[Any]) -> list[str]:
        return [outlet.name for outlet in outlets if hasattr(outlet, "name")]

    given = [dataset_asset("d", host="h")]
    operator = DatasetVersionOperator(task_id="t", dataset="d", local_path="/x", outlets=given)
    assert operator.outlets[:-1] == given
    assert names(operator.outlets)[-1] == assets.VERSIONS_ALIAS
    assert len(given) == 1
    partial = DatasetVersionOperator.partial(task_id="t", local_path="/x", outlets=given)
    mapped = partial.expand(dataset=["d", "e"])
    assert mapped.outlets == operator.outlets
    assert (
        DatasetVersionOperator(**{**mapped.partial_kwargs, "task_id": "u", "dataset": "d"}).outlets == operator.outlets
    )


DAG_FILE = """
from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, Asset

from airflow_provider_aihub.assets import dataset_asset
from airflow_provider_aihub.operators.dataset import DatasetVersionOperator

COMMON = {{"upload_type": "host", "poll_interval": 1}}

with DAG("makes", schedule=None):
    DatasetVersionOperator(task_id="here", dataset="here", upload_path={path!r}, deferrable=False, **COMMON)
    DatasetVersionOperator(task_id="deferred", dataset="deferred", upload_path={path!r}, deferrable=True, **COMMON)
    DatasetVersionOperator(
        task_id="declared", dataset="declared", upload_path={path!r}, **COMMON,
        outlets=[dataset_asset("declared", host={host!r}), dataset_asset("other", host={host!r})],
    )
    DatasetVersionOperator(
        task_id="not_waited_for", dataset="later", upload_path={path!r}, wait_for_completion=False, **COMMON
    )
    DatasetVersionOperator.partial(task_id="mapped", upload_path={path!r}, deferrable=True, **COMMON).expand(
        dataset=["first", "second"]
    )

with DAG("fails", schedule=None):
    DatasetVersionOperator(task_id="failing", dataset="failing", upload_path="/no/such/folder", **COMMON)

with DAG("knows", start_date=datetime(2026, 1, 1), schedule=[dataset_asset("known", host={host!r})]):
    DatasetVersionOperator(task_id="known", dataset="known", upload_path={path!r}, **COMMON)
"""
NAMES = ["here", "deferred", "declared", "later", "first", "second", "failing", "known"]
EVENTS = """
SELECT a.uri, e.extra, e.source_task_id, e.source_map_index
FROM {0}_event e JOIN {0} a ON a.id = e.{0}_id ORDER BY e.id
"""


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """Every event that a real run of the DAGs has left in Airflow's database, by the URI of the asset."""
    home = tmp_path_factory.mktemp("airflow")
    data = tmp_path_factory.mktemp("data")
    (data / "a.txt").write_text("12345")
    (data / "b.txt").write_text("123")
    with Emulator(data=data) as aihub, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_AIHUB_DEFAULT", aihub.connection_json())
        host = urlsplit(aihub.url).netloc
        hook = AIHubHook()
        from airflow_provider_aihub.aihub.dataset_management import DatasetSpec

        for name in NAMES:
            hook.create_dataset(DatasetSpec(name=name))
        file = home / "made.py"
        file.write_text(DAG_FILE.format(path=str(data), host=host))
        (ended,) = run_dags(home, home, Round(aihub.connection_json(), [file]))
        assert {*ended["makes"].tasks.values(), *ended["knows"].tasks.values()} == {"success"}, ended
        assert ended["fails"].tasks == {"failing": "failed"}
        # Nothing is asked for that Airflow would say in the worker's log that it does not have.
        assert "Asset not found" not in (home / "printed.txt").read_text()
    with sqlite3.connect(home / "airflow.db") as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        rows = database.execute(EVENTS.format("asset" if "asset" in tables else "dataset")).fetchall()
    database.close()
    found: dict[str, list[dict[str, Any]]] = {}
    for uri, extra, task_id, map_index in rows:
        found.setdefault(uri.replace(host, "HOST"), []).append(
            {"extra": json.loads(extra), "task": task_id, "map_index": map_index}
        )
    return found


def of(events: dict[str, list[dict[str, Any]]], name: str) -> list[dict[str, Any]]:
    return events.get(f"aihub://HOST/datasets/{name}", [])


@pytest.mark.parametrize("name", ["here", "deferred", "declared", "first", "second", "known"])
def test_a_version_gives_one_event(events: dict[str, list[dict[str, Any]]], name: str) -> None:
    (event,) = of(events, name)
    version_id = event["extra"].pop("id")
    assert isinstance(version_id, int)
    assert event["extra"] == {"version": 1, "dataset": name, "size": 8, "count": 2}
    assert event["task"] == ("mapped" if name in ("first", "second") else name)
    assert event["map_index"] == {"first": 0, "second": 1}.get(name, -1)


def test_what_gives_none(events: dict[str, list[dict[str, Any]]]) -> None:
    assert not of(events, "failing")
    assert not of(events, "later")
    # Another asset that the task declares has its event, but nothing is told of it.
    assert [event["extra"] for event in of(events, "other")] == [{}]
    assert len(events) == 7
