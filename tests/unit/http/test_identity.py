"""Whose a job is: by its marker, and where AIHub does not show that, by name, user and time of creation."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_aihub.aihub.kinds import DATASET_VERSION, TRAINING, WORKFLOW_RUN
from airflow_provider_aihub.jobs.identity import Identity, Verdict, opening_of, other_job
from airflow_provider_aihub.jobs.kind import Facts

MARKER = "[airflow:0123456789abcdef.01234567.2.1.89abcdef]"
OTHERS = "[airflow:fedcba9876543210.01234567.2.1.89abcdef]"
BEGAN = 1_800_000_000.0
OWN = Identity(marker=MARKER, name="nightly", user_id=7, submitted_at=BEGAN)


def row(description: Any = "", **given: Any) -> dict[str, Any]:
    """What AIHub shows of a job; by default all but the description is that of the task's own."""
    own = {"id": 1, "status": 2, "name": "nightly", "user_id": 7, "created_at": int(BEGAN * 1000) + 900}
    return {**own, "description": description, **given}


def shown(description: Any = "", **given: Any) -> Facts:
    """The same, as the machinery knows it."""
    return TRAINING.facts(row(description, **given))


@pytest.mark.parametrize(
    ("description", "verdict"),
    [
        (MARKER, Verdict.OWN),
        (f"my training {MARKER}", Verdict.OWN),
        (f"my training {MARKER} - seen by Li, do not stop", Verdict.OWN),
        (f"copied from {OTHERS} {MARKER}", Verdict.OWN),
        (OTHERS, Verdict.OTHER),
        (f"their training {OTHERS} and more", Verdict.OTHER),
        (MARKER.replace("89abcdef", "89abcdee"), Verdict.OTHER),
        (f"my training {OTHERS[:30]}", Verdict.OTHER),
    ],
)
def test_the_marker_decides(description: str, verdict: Verdict) -> None:
    # Whatever else is shown.
    assert OWN.judge(shown(description)) is verdict
    assert OWN.judge(shown(description, name="other", user_id=8, created_at=1)) is verdict


WITHOUT = ["", None, 12, f"my training {MARKER[:20]}", f"my training {MARKER[:-1]}…", "my training [airf", "x" * 255]


@pytest.mark.parametrize("description", WITHOUT)
def test_where_it_is_not_shown_the_rest_does(description: Any) -> None:
    assert OWN.judge(shown(description)) is Verdict.OWN
    assert OWN.judge(shown(description, name="other")) is Verdict.OTHER
    assert OWN.judge(shown(description, user_id=8)) is Verdict.OTHER
    assert OWN.judge(shown(description, created_at=int(BEGAN - 3600) * 1000)) is Verdict.OTHER
    assert OWN.judge(shown(description, created_at=int(BEGAN + 86400) * 1000)) is Verdict.OTHER


@pytest.mark.parametrize("description", WITHOUT)
def test_too_little_to_tell(description: Any) -> None:
    assert Identity(marker=MARKER).judge(shown(description)) is Verdict.UNKNOWN
    assert OWN.judge(TRAINING.facts({"id": 1, "status": 2, "description": description})) is Verdict.UNKNOWN


def test_a_short_description_without_a_marker_is_another_s_unless_all_else_agrees() -> None:
    assert Identity(marker=MARKER).judge(shown("nightly")) is Verdict.OTHER
    assert OWN.judge(shown("edited by Li")) is Verdict.OWN


@pytest.mark.parametrize(
    ("description", "verdict"),
    [
        ("", Verdict.OWN),
        ("my long", Verdict.OWN),
        ("my long...", Verdict.OWN),
        ("my long description " * 3, Verdict.OWN),
        ("my short", Verdict.OTHER),
        ("edited by Li", Verdict.OTHER),
    ],
)
def test_a_description_that_was_cut_is_known_by_its_beginning(description: str, verdict: Verdict) -> None:
    own = replace(OWN, opening=opening_of("my long description " * 5))
    assert own.judge(shown(description)) is verdict


def test_a_job_without_a_marker_of_its_own() -> None:
    assert Identity(name="nightly", submitted_at=BEGAN).judge(shown("anything")) is Verdict.OWN
    assert Identity(name="nightly").judge(shown("anything")) is Verdict.UNKNOWN


@pytest.mark.parametrize(("given", "name"), [(" nightly ", "nightly"), ("n" * 100, "n" * 64), ("nightly", " nightly")])
def test_a_name_that_aihub_has_trimmed_is_the_same(given: str, name: str) -> None:
    assert Identity(name=given, submitted_at=BEGAN).judge(shown(name=name)) is Verdict.OWN


@pytest.mark.parametrize("kind", [TRAINING, WORKFLOW_RUN, DATASET_VERSION])
def test_models_are_judged_as_rows_are(kind: Any) -> None:
    own = Identity(marker=MARKER, submitted_at=BEGAN, user_id=7)
    assert own.judge(kind.facts(kind.decode(row(f"x {MARKER}")))) is Verdict.OWN
    assert own.judge(kind.facts(kind.decode(row(OTHERS)))) is Verdict.OTHER
    assert own.judge(kind.facts(kind.decode(row()))) is Verdict.OWN


def test_it_passes_through_json() -> None:
    assert Identity.from_plain(json.loads(json.dumps(OWN.plain()))) == OWN
    assert Identity().plain() == {}
    # As a newer version may have written it.
    assert Identity.from_plain({**OWN.plain(), "colour": "blue"}) == OWN


def test_the_error_names_the_job_and_what_to_see_to() -> None:
    error = other_job(TRAINING, 12)
    assert "training 12" in str(error)
    assert "connection" in str(error)
    assert (error.kind, error.job_id) == ("training", 12)
