"""The report of the benchmarks says what they said last."""

from __future__ import annotations

from benchmarks.__main__ import BOUNDS, sections, written


def test_what_is_measured_takes_the_place_of_what_was() -> None:
    before = f"# What it costs\n\nHead.\n\n## One\n\n1\n\n## Two\n\n2\n\n{BOUNDS}\n\nWords.\n"
    parts = ["## One\n\n11", "## Three\n\n3"]
    assert list(sections(written(before, parts, whole=False)).values()) == [
        "# What it costs\n\nHead.",
        "## One\n\n11",
        "## Two\n\n2",
        "## Three\n\n3",
        f"{BOUNDS}\n\nWords.",
    ]
    assert written(before, ["# What it costs\n\nNew.", *parts], whole=True) == (
        f"# What it costs\n\nNew.\n\n## One\n\n11\n\n## Three\n\n3\n\n{BOUNDS}\n\nWords.\n"
    )
