"""Errors go through pickles, copies and other processes as what they are."""

from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_aihub.aihub import errors
from airflow_provider_aihub.aihub.errors import KINDS as KINDS_OF_AIHUB
from airflow_provider_aihub.aihub.errors import AIHubAuthError, AIHubError, AIHubJobError, AIHubRequestError
from airflow_provider_aihub.tasks.failures import as_task_failure, section, task_failures

KINDS = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, AIHubError)]
WAYS: dict[str, Callable[[Any], Any]] = {
    **{
        f"pickle {number}": lambda error, number=number: pickle.loads(pickle.dumps(error, number))
        for number in range(pickle.HIGHEST_PROTOCOL + 1)
    },
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


def made(kind: type[AIHubError], *, final: bool) -> AIHubError:
    """Make an error with all attributes that its kind has."""
    known: dict[str, Any] = {}
    if issubclass(kind, AIHubRequestError):
        known = {"service": "model_training", "asks": "read", "status": 500, "code": 3, "retry_after": 1.5}
    elif issubclass(kind, AIHubJobError):
        known = {"kind": "training", "job_id": 12}
    error = kind("It did not go well", **known)
    error.final = final
    error.add_note("Seen twice.")
    return as_task_failure(error)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("final", [False, True], ids=["may be mended", "final"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_error_stays_what_it_is(kind: type[AIHubError], final: bool, way: str) -> None:
    error = made(kind, final=final)
    again = WAYS[way](error)
    assert type(again) is type(error)
    assert isinstance(again, kind)
    assert isinstance(again, AirflowFailException) == final
    assert (str(again), again.args, vars(again)) == ("It did not go well.", error.args, vars(error))
    assert "status" in vars(again) or not issubclass(kind, AIHubRequestError)


def test_a_final_error_is_made_again_in_another_process() -> None:
    """A worker may hand the error of a task to another process, which knows nothing of it yet."""
    with pytest.raises(AIHubAuthError) as raised, task_failures(KINDS_OF_AIHUB):
        raise AIHubAuthError("No", service="user_system", asks="log in", status=401)
    script = (
        "import pickle, sys; error = pickle.loads(sys.stdin.buffer.read());"
        "print(type(error).__mro__[1:3], error, error.status, error.final)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input=pickle.dumps(raised.value), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    (line,) = [line for line in done.stdout.decode().splitlines() if line.startswith("(")]
    assert line.endswith(f"No. See {section(AIHubAuthError)} of airflow-provider-aihub. 401 True")
    assert "AIHubAuthError" in line


@pytest.mark.parametrize("kind", KINDS)
def test_what_leaves_a_task_says_once_where_to_read_on(kind: type[AIHubError]) -> None:
    def leave(error: AIHubError) -> AIHubError:
        with pytest.raises(kind) as raised, task_failures(KINDS_OF_AIHUB):
            raise error
        return raised.value

    left = leave(kind("It did not go well"))
    assert str(left) == f"It did not go well. See {section(kind)} of airflow-provider-aihub."
    for way, again in WAYS.items():
        assert str(leave(again(left))) == str(left), way


class OfAUser(AIHubJobError):
    """A kind of error that a user's package adds, of the same name as another one."""

    final = True


def test_two_kinds_of_one_name_are_two() -> None:
    other = type("OfAUser", (AIHubRequestError,), {"final": True})
    assert isinstance(as_task_failure(OfAUser("x")), OfAUser)
    assert isinstance(as_task_failure(other("x")), other)
