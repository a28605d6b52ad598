"""A pytest plugin: the fixture ``aihub`` puts an emulated AIHub behind the connection ``aihub_default``.

It needs the extra ``emulator``. Load it in the ``conftest.py`` at the top of your tests:

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
the mark ``aihub``, and for all tests of a folder by overriding the fixture ``aihub_settings``. The mark goes before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow_provider_aihub.emulators.aihub import Emulator

POLL_FLOOR = 0.1
"""Seconds between two polls of a young job in tests."""


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line(
        "markers", "aihub(**settings): settings of the emulator behind the fixture aihub, see its class Emulator"
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
    settings = dict(aihub_settings)
    for mark in reversed(list(request.node.iter_markers("aihub"))):
        if mark.args:
            pytest.fail(
                f"The mark aihub takes settings by name, such as api='document', not {mark.args}.", pytrace=False
            )
        settings |= mark.kwargs
    return make_aihub(**settings)


@pytest.fixture
def make_aihub(
    quick_aihub_polls: None,  # noqa: ARG001 - taken for what it does
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., Emulator]]:
    """Start emulators, for a test of several, or of one that it starts and stops itself.

    ``make_aihub(conn_id="other", api="document")`` gives one behind the connection ``other``, default
    ``aihub_default``; all else goes to :class:`~airflow_provider_aihub.emulators.aihub.Emulator`.
    """
    with ExitStack() as running:

        def make(*, conn_id: str = "aihub_default", **settings: Any) -> Emulator:
            emulator = running.enter_context(_emulator_class()(**settings))
            monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", emulator.connection_json())
            return emulator

        yield make


@pytest.fixture
def quick_aihub_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tasks of this process look at their jobs ten times a second, since jobs of tests take no time.

    Nor does a trigger hold its event back, since there is no scheduler that could take it too early. A job that is not
    there is not waited for as long as in earnest, since the lists of the emulator do not lag.
    """
    from airflow_provider_aihub.jobs import waiting
    from airflow_provider_aihub.tasks import held
    from airflow_provider_aihub.triggers import job

    monkeypatch.setattr(waiting, "POLL_FLOOR", POLL_FLOOR)
    monkeypatch.setenv("AIRFLOW__AIHUB__POLL_FLOOR", str(POLL_FLOOR))
    monkeypatch.setattr(job, "HANDOVER", 0.0)
    monkeypatch.setattr(job, "DRAIN", 0.0)
    monkeypatch.setattr(held, "PATIENCE", held.Patience(settled=10.0, shown=2.0, first_pause=0.1))


def _emulator_class() -> type[Emulator]:
    try:
        import duckdb  # noqa: F401 - the emulator imports it only when it searches

        from airflow_provider_aihub.emulators.aihub import Emulator

        return Emulator
    except ModuleNotFoundError as error:
        missing = error.name
    pytest.fail(
        f"The fixture aihub starts an emulator of AIHub, which needs {missing}: "
        "pip install 'airflow-provider-aihub[emulator]'.",
        pytrace=False,
    )
