"""A browser in front of a real Airflow with an AIHub behind it, for the tests of one module."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from airflow_ui import PATIENCE, WEB_UI
from chromium import chromium
from packaging.version import Version
from waiting import SLACK

from airflow_provider_aihub.aihub.client import AIHubClient
from airflow_provider_aihub.aihub.config import Config
from demo.local_aihub import LocalAIHub
from demo.real_airflow import RealAirflow

HERE = Path(__file__).parent
EXAMPLES = HERE.parent.parent / "example_dags"
IMAGES = HERE.parent.parent / "docs" / "images"
AIRFLOW = version("apache-airflow")
WINDOW = {"width": 1280, "height": 800}
collect_ignore_glob = [] if Version(AIRFLOW) >= Version("3.3") else ["test_*.py"]

failed = pytest.StashKey[bool]()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        from playwright.sync_api import expect

        expect.set_options(timeout=PATIENCE)
        yield browser


@pytest.fixture(scope="module")
def local_aihub(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Iterator[LocalAIHub]:
    with LocalAIHub(tmp_path_factory.mktemp("aihub")) as aihub:
        yield aihub


@pytest.fixture(scope="module")
def client(local_aihub: LocalAIHub) -> Iterator[AIHubClient]:
    """Somebody else who uses the same AIHub."""
    address = local_aihub.address
    config = Config.from_connection(
        host=local_aihub.url, login=address["username"], password=address["password"], extra={}, environ={}
    )
    with AIHubClient(config) as client:
        yield client


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory, local_aihub: LocalAIHub) -> Iterator[RealAirflow]:
    """An Airflow with no connection yet."""
    home = tmp_path_factory.mktemp("airflow")
    dags = home / "dags"
    shutil.copytree(HERE / "dags", dags)
    shutil.copy(EXAMPLES / "digits_end_to_end.py", dags)
    shutil.copytree(EXAMPLES / "digits", dags / "digits")
    settings = {
        "CORE__TEST_CONNECTION": "Enabled",
        # A machine's name on a page is that of the component, which is its user name here: pictures show no real one.
        "CORE__HOSTNAME_CALLABLE": "getpass.getuser",
        "API__AUTO_REFRESH_INTERVAL": "1",
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
    }
    with RealAirflow(home, dags, {f"AIRFLOW__{key}": value for key, value in settings.items()}, SLACK) as airflow:
        yield airflow


@pytest.fixture(scope="module")
def standard_fields(local_aihub: LocalAIHub) -> dict[str, str]:
    """What a person writes into the standard fields of the form."""
    address = urlsplit(local_aihub.url)
    return {
        "Base URL or host": f"{address.scheme}://{address.hostname}",
        "Port": str(address.port),
        "Login": local_aihub.address["username"],
        "Password": local_aihub.address["password"],
    }


@pytest.fixture(scope="module")
def profile(browser: Any) -> Any:
    """One person's browser, in which pages load quickly once they have been there."""
    profile = browser.new_context(viewport=WINDOW, locale="en-US", timezone_id="UTC", reduced_motion="reduce")
    profile.set_default_timeout(PATIENCE)
    # Every address of AIHub's web UI has a page that says where one is.
    profile.route(
        f"{WEB_UI}/**", lambda route: route.fulfill(content_type="text/html", body="<h1>This is AIHub's own page</h1>")
    )
    return profile


@pytest.fixture
def page(profile: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A fresh tab. What it showed when a test failed is left in the test's folder."""
    page = profile.new_page()
    yield page
    if request.node.stash.get(failed, False):
        page.screenshot(path=tmp_path / "failed.png")
        (tmp_path / "failed.txt").write_text(f"{page.url}\n\n{page.locator('body').aria_snapshot()}\n")
    page.close()


@pytest.fixture
def picture(page: Any) -> Callable[..., None]:
    """Take a picture for the documentation, if somebody has asked for pictures.

    ``height`` is that of the window, in pixels, and ``show`` makes it show what is to be seen.
    """

    def take(name: str, *, height: int = WINDOW["height"], show: Callable[[], None] = lambda: None) -> None:
        if os.environ.get("SCREENSHOTS"):
            page.set_viewport_size({**WINDOW, "height": height})
            show()
            page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")
            page.set_viewport_size(WINDOW)

    return take


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if report.failed:
        item.stash[failed] = True
        folder = getattr(item, "funcargs", {}).get("tmp_path")
        if folder:
            report.sections.append(("what the browser showed", f"{folder}/failed.png and failed.txt"))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if collect_ignore_glob:
        terminalreporter.write_line(f"tests/browser was left out: it is for Airflow 3.3, this is {AIRFLOW}.")
