"""The pytest plugin as a user of this package has it: in a project of its own."""

from __future__ import annotations

import os
import sys
import threading

# Tests within tests forget what they import. These modules cannot be loaded twice, so they are loaded here.
import duckdb  # noqa: F401
import pytest

from airflow_provider_aihub.emulators import aihub, modelarts  # noqa: F401
from airflow_provider_aihub.jobs import waiting
from airflow_provider_aihub.tasks import task_try
from airflow_provider_aihub.triggers import job

CONFTEST = """
    import pytest

    pytest_plugins = ["airflow_provider_aihub.testing"]
"""


@pytest.fixture(autouse=True)
def _quick_polls() -> None:
    """The plugin has to do it itself here."""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    pytester.makeconftest(CONFTEST)
    return pytester


def state() -> tuple[object, ...]:
    """What the plugin changes while a test runs."""
    environ = {name: value for name, value in os.environ.items() if name.startswith("AIRFLOW")}
    return waiting.POLL_FLOOR, job.EARLIEST_EVENT, task_try.PATIENCE, environ


def test_the_connection_leads_to_an_aihub_of_the_tests_own(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import os
        import pytest
        from airflow_provider_aihub.aihub.dataset_management import DatasetSpec
        from airflow_provider_aihub.hooks.aihub import AIHubHook

        @pytest.mark.parametrize("time", ["first", "second"])
        def test_it_is_new(aihub, time):
            assert AIHubHook().create_dataset(DatasetSpec(name="mnist")) == 1
            assert aihub.requests.count("POST", "*/datasets", 200) == 1

        def test_it_is_gone():
            assert "AIRFLOW_CONN_AIHUB_DEFAULT" not in os.environ
            assert "AIRFLOW__AIHUB__POLL_FLOOR" not in os.environ
    """)
    before, threads = state(), set(threading.enumerate())
    project.runpytest_inprocess().assert_outcomes(passed=3)
    assert state() == before
    begun = set(threading.enumerate()) - threads
    assert not [thread for thread in begun if thread.name == "aihub-emulator"]


def test_its_clock_can_be_moved_and_it_misbehaves_on_demand(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import pytest
        from airflow_provider_aihub.aihub.errors import AIHubUnavailable
        from airflow_provider_aihub.hooks.aihub import AIHubHook

        def test_a_token_expires(aihub):
            hook = AIHubHook()
            hook.list_storages()
            aihub.clock.advance(8 * 24 * 3600)
            hook.list_storages()
            assert aihub.requests.count("POST", "*/login") == 2

        def test_a_fault(aihub):
            fault = aihub.faults.add("status", path="*/storages", status=503, count=2)
            assert AIHubHook().list_storages()
            assert fault.struck == 2
    """)
    project.runpytest_inprocess().assert_outcomes(passed=2)


def test_settings_of_a_folder_and_marks_of_a_test(project: pytest.Pytester) -> None:
    project.makeconftest(
        CONFTEST
        + """
    @pytest.fixture
    def aihub_settings(tmp_path):
        (tmp_path / "meta.csv").write_text("a\\n1\\n")
        return {"data": tmp_path, "users": {"me": "secret-1"}}
    """
    )
    project.makepyfile("""
        import pytest

        def test_the_folders(aihub, tmp_path):
            assert (aihub.settings.data, aihub.settings.api, aihub.username) == (tmp_path, "platform", "me")

        @pytest.mark.aihub(api="document", speed=60)
        class TestMarks:
            def test_of_the_class(self, aihub):
                assert (aihub.settings.api, aihub.clock.speed, aihub.username) == ("document", 60, "me")

            @pytest.mark.aihub(speed=2)
            def test_of_the_test_too(self, aihub):
                assert (aihub.settings.api, aihub.clock.speed) == ("document", 2)
    """)
    project.runpytest_inprocess("--strict-markers").assert_outcomes(passed=3)


def test_a_mark_takes_settings_by_name(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import pytest

        @pytest.mark.aihub("document")
        def test_it(aihub):
            pass
    """)
    outcome = project.runpytest_inprocess()
    outcome.assert_outcomes(errors=1)
    outcome.stdout.fnmatch_lines(["The mark aihub takes settings by name*"])


def test_several_at_a_time(project: pytest.Pytester) -> None:
    project.makepyfile("""
        from airflow_provider_aihub.hooks.aihub import AIHubHook

        def test_two(make_aihub):
            here, there = make_aihub(), make_aihub(conn_id="there", api="document")
            AIHubHook().list_storages()
            assert len(here.requests) > 0
            assert len(there.requests) == 0
            AIHubHook("there").get_conn().authenticate()
            assert there.requests.count("POST", "*/login", 200) == 1
    """)
    project.runpytest_inprocess().assert_outcomes(passed=1)


@pytest.mark.parametrize("missing", ["duckdb", "cryptography"])
def test_without_the_emulators_extra_it_says_what_to_install(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    for module in [name for name in sys.modules if name.startswith("airflow_provider_aihub.emulators.aihub")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, missing, None)
    project.makepyfile("""
        def test_it(aihub):
            pass
    """)
    outcome = project.runpytest_inprocess()
    outcome.assert_outcomes(errors=1)
    outcome.stdout.fnmatch_lines(
        [f"*needs {missing}: pip install 'airflow-provider-aihub[[]emulator[]]'."], consecutive=False
    )


def test_a_modelarts_of_the_tests_own(project: pytest.Pytester) -> None:
    project.makepyfile("""
        import json
        import os
        import pytest

        @pytest.fixture
        def modelarts_settings():
            return {"nodes": 3, "region": "here"}

        @pytest.mark.modelarts(nodes=2)
        def test_it_is_there(modelarts, make_modelarts):
            connection = json.loads(os.environ["AIRFLOW_CONN_MODELARTS_DEFAULT"])
            assert connection["conn_type"] == "modelarts"
            assert connection["host"] == modelarts.url
            assert connection["login"] == modelarts.access_key
            assert (modelarts.settings.nodes, modelarts.region) == (2, "here")
            other = make_modelarts(conn_id="other")
            assert other.url in os.environ["AIRFLOW_CONN_OTHER"]

        def test_it_is_gone():
            assert "AIRFLOW_CONN_MODELARTS_DEFAULT" not in os.environ

        @pytest.mark.modelarts(7)
        def test_settings_have_names(modelarts):
            pass
    """)
    before, threads = state(), set(threading.enumerate())
    outcome = project.runpytest_inprocess()
    outcome.assert_outcomes(passed=2, errors=1)
    outcome.stdout.fnmatch_lines(["The mark modelarts takes settings by name*"])
    assert state() == before
    assert set(threading.enumerate()) == threads
