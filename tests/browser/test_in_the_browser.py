"""What a person sees of this provider in Airflow's web UI."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow_ui import WEB_UI, Connections, TaskPage
from playwright.sync_api import BrowserContext, Page, expect
from waiting import until

from airflow_provider_aihub.aihub.client import AIHubClient
from airflow_provider_aihub.aihub.model_training import TrainingSpec
from airflow_provider_aihub.provider_info import CONN_FIELDS
from demo.local_aihub import LocalAIHub
from demo.real_airflow import RealAirflow

FLAGSHIP = "digits_end_to_end"
RUNNING = 2


@pytest.fixture
def connections(page: Page, airflow: RealAirflow) -> Connections:
    return Connections(page, airflow.url)


@pytest.fixture(scope="module")
def default_connection(
    profile: BrowserContext, airflow: RealAirflow, local_aihub: LocalAIHub, standard_fields: dict[str, str]
) -> None:
    """The connection that the DAGs use, made as a person makes it."""
    page = profile.new_page()
    connections = Connections(page, airflow.url)
    connections.new("aihub_default")
    connections.fill(standard_fields)
    connections.unfold("Extra Fields")
    address = local_aihub.address
    relay = {"S3 relay address": address["relay_url"], "S3 relay token": address["relay_token"]}
    connections.fill({**relay, "CA file": address["ca_file"], "Web UI address": WEB_UI})
    connections.submit()
    page.close()


@pytest.fixture(scope="module")
def patient(
    default_connection: None, airflow: RealAirflow, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """A run of the DAG ``patient``, and the file that its jobs wait for."""
    folder = tmp_path_factory.mktemp("patient")
    return airflow.trigger("patient", conf={"folder": str(folder)}), folder / "go"


@pytest.fixture
def busy_cluster(client: AIHubClient) -> Iterator[Callable[[], None]]:
    """All of the virtual cluster ``vc-cpu`` is taken, until it is called."""
    blocker = client.create_training(
        TrainingSpec(
            name="blocker",
            command="sleep 900",
            image="any",
            virtual_cluster_id=1,
            project_id=1,
            sku_cnt=64,
            instances=1,
        )
    )
    yield lambda: client.stop_training(blocker)
    client.stop_training(blocker)


def test_the_form_has_every_field_in_its_place(connections: Connections) -> None:
    connections.new("looked_at")
    required = ["Connection ID *", "Connection Type *"]

    standard = ["Description", "Base URL or host", "Login", "Password", "Port"]
    expect(connections.labels).to_have_text([*required, *standard])
    expect(connections.text("Base URL or host")).to_have_attribute("placeholder", "http://10.0.0.1")
    expect(connections.text("Port")).to_have_attribute("placeholder", "30021")
    expect(connections.text("Login")).to_have_attribute("placeholder", "leave empty to use a token")
    expect(connections.text("Password")).to_have_attribute("type", "password")

    connections.unfold("Extra Fields")
    expect(connections.labels).to_have_text([*required, *(field["label"] for field in CONN_FIELDS.values())])
    for field in CONN_FIELDS.values():
        expect(connections.field(field["label"])).to_contain_text(field["description"])
    # All but the two are empty, and nothing is missing.
    expect(connections.save).to_be_enabled()


def test_every_field_is_filled_in_as_its_kind_wants(connections: Connections) -> None:
    connections.new("looked_at")
    connections.unfold("Extra Fields")

    secret = {"token", "s3_relay_token"}
    for name, field in CONN_FIELDS.items():
        label = field["label"]
        match field["schema"]:
            case {"enum": environments}:
                assert connections.options(label) == environments
            case {"type": ["boolean", "null"], "default": True}:
                expect(connections.switch(label)).to_be_checked()
            case {"type": ["number", "null"]}:
                expect(connections.field(label).get_by_role("spinbutton")).to_have_value("")
            case {"type": ["object", "null"]}:
                expect(connections.field(label).get_by_role("textbox")).to_be_editable()
            case _:
                kind = "password" if name in secret else "text"
                assert connections.text(label).evaluate("input => input.type") == kind, name


def test_what_was_saved_stands_and_secrets_are_masked(
    connections: Connections, airflow: RealAirflow, standard_fields: dict[str, str], picture: Callable[..., None]
) -> None:
    connections.new("aihub_staging")
    connections.fill(standard_fields)
    picture("connection-form")
    connections.unfold("Extra Fields")
    picture("connection-fields", height=1150)
    connections.drop_down("Environment")
    picture("connection-environment")
    connections.fold_up()
    connections.choose("Environment", "internal-test")
    connections.fill({"S3 relay token": "relay-secret", "Request timeout (s)": "7.5", "Web UI address": WEB_UI})
    connections.switch("Verify TLS").press("Space")
    connections.submit()

    connections.edit("aihub_staging")
    expect(connections.text("Base URL or host")).to_have_value(standard_fields["Base URL or host"])
    expect(connections.text("Port")).to_have_value(standard_fields["Port"])
    expect(connections.text("Login")).to_have_value(standard_fields["Login"])
    expect(connections.text("Password")).to_have_value("***")
    connections.unfold("Extra Fields")
    expect(connections.field("Environment")).to_contain_text("internal-test")
    expect(connections.text("S3 relay token")).to_have_value("***")
    expect(connections.text("Static token")).to_have_value("")
    expect(connections.text("Request timeout (s)")).to_have_value("7.5")
    expect(connections.text("Web UI address")).to_have_value(WEB_UI)
    expect(connections.switch("Verify TLS")).not_to_be_checked()

    secrets = {"relay-secret", standard_fields["Password"]}
    assert not [secret for secret in secrets if secret in connections.page.content()]
    stored = json.loads(airflow.api("GET", "/connections/aihub_staging")["extra"])
    assert {name: value for name, value in stored.items() if value is not None} == {
        "environment": "internal-test",
        "s3_relay_token": "***",
        "verify_tls": False,
        "timeout": 7.5,
        "web_url": WEB_UI,
    }


@pytest.mark.usefixtures("default_connection")
def test_the_test_button_says_who_one_is(connections: Connections, picture: Callable[..., None]) -> None:
    expect(connections.test("aihub_default")).to_have_text(
        re.compile(r"^Test Connection Successful\s*Logged in to AIHub as user 1\.$")
    )
    picture("connection-test")


def test_the_test_button_says_what_is_wrong(connections: Connections, standard_fields: dict[str, str]) -> None:
    connections.new("mistyped")
    connections.fill({**standard_fields, "Password": "not-the-password"})
    connections.submit()

    message = connections.test("mistyped")
    expect(message).to_have_text(
        re.compile(
            r"^Test Connection Failed\s*AIHub's user_system was asked to log in as 'admin' .* and answered code 1: "
            r'"wrong username or password"; check login and password of the connection\.$'
        )
    )
    assert "not-the-password" not in (message.text_content() or "")


def test_a_masked_token_survives_a_change_of_another_field(
    connections: Connections, client: AIHubClient, standard_fields: dict[str, str]
) -> None:
    token = client.login(standard_fields["Login"], standard_fields["Password"]).token
    connections.new("by_token")
    connections.fill({name: standard_fields[name] for name in ("Base URL or host", "Port")})
    connections.unfold("Extra Fields")
    connections.fill({"Static token": token})
    connections.submit()

    connections.edit("by_token")
    connections.unfold("Extra Fields")
    connections.fill({"Request timeout (s)": "12"})
    connections.submit()

    expect(connections.test("by_token")).to_contain_text("takes the token.")


# The tasks of the other test come up meanwhile.
@pytest.mark.usefixtures("default_connection", "patient")
def test_the_flagship_is_triggered_waits_and_succeeds(
    page: Page,
    airflow: RealAirflow,
    local_aihub: LocalAIHub,
    busy_cluster: Callable[[], None],
    picture: Callable[..., None],
) -> None:
    page.goto(f"{airflow.url}/dags/{FLAGSHIP}")
    page.get_by_role("button", name="Trigger Dag").click()
    page.get_by_role("dialog").get_by_role("button", name="Trigger").click()
    page.wait_for_url(f"**/dags/{FLAGSHIP}/runs/**")
    run = page.url.partition("?")[0]
    run_id = run.rpartition("/")[2]

    train = TaskPage(page, run, "train").details()
    expect(page.get_by_text("Deferred", exact=True)).to_be_visible()
    job_id = airflow.xcom(FLAGSHIP, run_id, "train", "job_id")
    address = f"{WEB_UI}/#/trainings/{job_id}"
    expect(train.link("View in AIHub")).to_have_attribute("href", address)
    assert local_aihub.job_status("TrainingOperator", job_id) == (f"training {job_id}", "waiting")
    picture("task-deferred")
    opened = train.opens("View in AIHub")
    expect(opened).to_have_url(address)
    expect(opened.get_by_role("heading", name="This is AIHub's own page")).to_be_visible()
    opened.close()

    page.goto(run)
    page.get_by_role("button", name="Show Graph").click()
    graph = page.get_by_role("application")
    expect(graph.get_by_text("deferred", exact=True)).to_have_count(1)
    page.get_by_role("button", name="Collapse Details Panel").click()
    picture("dag-graph", height=640, show=page.get_by_role("button", name="Fit View").click)
    busy_cluster()
    expect(graph.get_by_text("success", exact=True)).to_have_count(9)
    page.get_by_role("button", name="Show Details Panel").click()
    expect(page.get_by_text("Success", exact=True).first).to_be_visible()
    page.get_by_role("button", name="Show Grid").click()

    expect(TaskPage(page, run, "train").details().opens("View in AIHub")).to_have_url(address)
    search = airflow.xcom(FLAGSHIP, run_id, "find_images")
    found = TaskPage(page, run, "find_images").details()
    expect(found.link("View in AIHub")).to_have_attribute("href", f"{WEB_UI}/#/searches/{search['id']}")
    expect(found.link("Result CSV")).to_have_attribute("href", search["result_url"])
    picture("task-link")
    with page.context.expect_event("download") as download:
        found.link("Result CSV").click()
    table = download.value.path().read_text().splitlines()
    assert len(table) == 1 + search["result_count"]
    assert "image_id" in table[0]


def test_links_of_mapped_tasks_and_of_a_second_try(
    page: Page, airflow: RealAirflow, local_aihub: LocalAIHub, patient: tuple[str, Path]
) -> None:
    run_id, go = patient
    run = f"{airflow.url}/dags/patient/runs/{run_id}"
    tasks = {
        "first": TaskPage(page, run, "mapped", 0),
        "second": TaskPage(page, run, "mapped", 1),
        "in-place": TaskPage(page, run, "in_place"),
        "second-try": TaskPage(page, run, "second_try"),
    }

    def trainings() -> list[dict[str, Any]]:
        airflow.check_components()
        return [job for job in local_aihub.jobs("TrainingOperator") if job["name"] in tasks]

    def in_last_try(jobs: list[dict[str, Any]]) -> bool:
        alive = {job["name"] for job in jobs if job["status"] == RUNNING}
        return alive == set(tasks) and len(jobs) == len(tasks) + 1

    found = until("each task is in its last try and its training runs", trainings, in_last_try, every=0.5)
    jobs = {name: sorted(job["id"] for job in found if job["name"] == name) for name in tasks}
    addresses = {name: f"{WEB_UI}/#/trainings/{ids[-1]}" for name, ids in jobs.items()}

    def look(*names: str) -> None:
        for name in names:
            task = tasks[name]
            expect(task.details().link("View in AIHub")).to_have_attribute("href", addresses[name])
            expect(task.opens("View in AIHub")).to_have_url(addresses[name])

    look(*tasks)
    go.touch()
    for _ in airflow.watch("patient", run_id):
        pass
    assert airflow.run_state("patient", run_id) == "success"
    look("second", "second-try")
    # Each try's log keeps the address of its own job.
    for try_number, job_id in enumerate(jobs["second-try"], start=1):
        expect(tasks["second-try"].log(try_number).link(f"{WEB_UI}/#/trainings/{job_id}")).to_be_visible()
