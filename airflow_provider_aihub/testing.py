"""A pytest plugin: fixtures that put an emulated platform behind a connection.

``aihub`` puts an AIHub behind ``aihub_default``, ``modelarts`` a ModelArts behind ``modelarts_default``.

They need the extra ``emulator``. Load it in the ``conftest.py`` at the top of your tests:

.. code-block:: python

    pytest_plugins = ["airflow_provider_aihub.testing"]

Then a test that takes ``aihub`` runs against an AIHub of its own:

.. code-block:: python

    def test_a_lost_answer_makes_no_second_training(aihub):
        lost = aihub.faults.add("lost", method="POST", path="*/trainings", count=1)
        assert str(dag.test().state) == "success"
        assert lost.struck == 1
        assert aihub.requests.count("POST", "*/trainings") == 1


    @pytest.mark.aihub(api="document", token_lifetime=600)
    def test_a_token_that_expires(aihub):
        operator.hook.user_id
        aihub.clock.advance(3600)
        operator.hook.list_storages()

It is an :class:`~airflow_provider_aihub.emulators.aihub.Emulator`; starting one takes less than a tenth of a second.
When the test ends, the emulator and its jobs are ended, its files removed and the environment is as it was.

What the emulator is told at its start, such as ``data``, ``api``, ``speed`` or ``users``, is given for a single test by
the mark ``aihub``, and for all tests of a folder by overriding the fixture ``aihub_settings``. The mark takes
precedence.

``modelarts`` is the same with an :class:`~airflow_provider_aihub.emulators.modelarts.Emulator`, the mark ``modelarts``,
and the fixtures ``modelarts_settings`` and ``make_modelarts``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow_provider_aihub.emulators import modelarts as modelarts_emulator
    from airflow_provider_aihub.emulators.aihub import Emulator

POLL_FLOOR = 0.1
"""Seconds between two polls of a young job in tests."""


def pytest_configure(config: pytest.Config) -> None:
    """Make the marks known."""
    for name in ("aihub", "modelarts"):
        config.addinivalue_line(
            "markers", f"{name}(**settings): settings of the emulator behind the fixture {name}, see its class Emulator"
        )


@pytest.fixture
def aihub_settings() -> dict[str, Any]:
    """What the emulators of ``aihub`` are told at their start. Override it; default: nothing.

    See :class:`~airflow_provider_aihub.emulators.aihub.Emulator` for what there is.
    """
    return {}


@pytest.fixture
def aihub(
    make_aihub: Callable[..., Emulator], aihub_settings: dict[str, Any], request: pytest.FixtureRequest
) -> Emulator:
    """An emulated AIHub behind the connection ``aihub_default``, for one test.

    Its ``faults`` make it misbehave, its ``clock`` can be moved, its ``requests`` tell what it was asked.
    """
    return make_aihub(**aihub_settings | _marked(request, "aihub", "api='document'"))


@pytest.fixture
def make_aihub(
    quick_aihub_polls: None,  # noqa: ARG001 - taken for what it does
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., Emulator]]:
    """Start emulators, for a test of several, or of one that it starts and stops itself.

    ``make_aihub(conn_id="other", api="document")`` gives one behind the connection ``other``, default
    ``aihub_default``; all else goes to :class:`~airflow_provider_aihub.emulators.aihub.Emulator`.
    """
    # The emulator imports it only when it searches.
    yield from _maker("aihub", "AIHub", ("duckdb",), monkeypatch)


@pytest.fixture
def modelarts_settings() -> dict[str, Any]:
    """What the emulators of ``modelarts`` are told at their start. Override it; default: nothing.

    See :class:`~airflow_provider_aihub.emulators.modelarts.Emulator` for what there is.
    """
    return {}


@pytest.fixture
def modelarts(
    make_modelarts: Callable[..., modelarts_emulator.Emulator],
    modelarts_settings: dict[str, Any],
    request: pytest.FixtureRequest,
) -> modelarts_emulator.Emulator:
    """An emulated ModelArts behind the connection ``modelarts_default``, for one test.

    Its ``faults`` make it misbehave, its ``clock`` can be moved, its ``requests`` tell what it was asked, its folder
    ``obs`` stands for OBS.
    """
    return make_modelarts(**modelarts_settings | _marked(request, "modelarts", "nodes=2"))


@pytest.fixture
def make_modelarts(
    quick_aihub_polls: None,  # noqa: ARG001 - taken for what it does
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., modelarts_emulator.Emulator]]:
    """Start emulators, as ``make_aihub`` does.

    ``make_modelarts(conn_id="other", nodes=2)`` gives one behind the connection ``other``, default
    ``modelarts_default``; all else goes to :class:`~airflow_provider_aihub.emulators.modelarts.Emulator`.
    """
    yield from _maker("modelarts", "ModelArts", (), monkeypatch)


@pytest.fixture
def quick_aihub_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tasks of this process poll their jobs ten times a second, since jobs of tests end quickly.

    Triggers send their events at once, since there is no scheduler that could receive them too early. A missing job is
    waited for only briefly, since the lists of the emulator are never late.
    """
    from airflow_provider_aihub.jobs import waiting
    from airflow_provider_aihub.tasks import task_try
    from airflow_provider_aihub.triggers import job

    monkeypatch.setattr(waiting, "POLL_FLOOR", POLL_FLOOR)
    for section in ("AIHUB", "MODELARTS"):
        monkeypatch.setenv(f"AIRFLOW__{section}__POLL_FLOOR", str(POLL_FLOOR))
    monkeypatch.setattr(job, "EARLIEST_EVENT", 0.0)
    monkeypatch.setattr(job, "LOG_DRAIN", 0.0)
    monkeypatch.setattr(task_try, "PATIENCE", task_try.Patience(settled=10.0, shown=2.0, first_pause=0.1))


def _marked(request: pytest.FixtureRequest, name: str, example: str) -> dict[str, Any]:
    """The settings that a test is marked with, the nearest mark first."""
    settings: dict[str, Any] = {}
    for mark in reversed(list(request.node.iter_markers(name))):
        if mark.args:
            pytest.fail(f"The mark {name} takes settings by name, such as {example}, not {mark.args}.", pytrace=False)
        settings |= mark.kwargs
    return settings


def _maker(
    name: str, platform: str, needs: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Any]]:
    with ExitStack() as running:

        def make(*, conn_id: str = f"{name}_default", **settings: Any) -> Any:
            emulator = running.enter_context(_emulator_class(name, platform, needs)(**settings))
            monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", emulator.connection_json())
            return emulator

        yield make


def _emulator_class(name: str, platform: str, needs: tuple[str, ...]) -> Any:
    try:
        for module in needs:
            import_module(module)
        return import_module(f"airflow_provider_aihub.emulators.{name}").Emulator
    except ModuleNotFoundError as error:
        missing = error.name
    pytest.fail(
        f"The fixture {name} starts an emulator of {platform}, which needs {missing}: "
        "pip install 'airflow-provider-aihub[emulator]'.",
        pytrace=False,
    )
