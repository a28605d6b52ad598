"""What the log says of a long transfer."""

from __future__ import annotations

import pytest

from airflow_provider_aihub.http.progress import Progress, amount

MIB = 2**20


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_line_every_15_seconds(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    progress = Progress("Sending 'model.bin'", 400 * MIB, clock=clock)
    for _ in range(32):
        clock.now += 1
        progress.add(10 * MIB)
    assert caplog.messages == [
        "Sending 'model.bin': 150.0 MiB of 400.0 MiB, 10.0 MiB/s, 25 s left",
        "Sending 'model.bin': 300.0 MiB of 400.0 MiB, 10.0 MiB/s, 10 s left",
    ]


def test_a_size_that_is_not_known(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    progress = Progress("Receiving a file", clock=clock)
    clock.now += 20
    progress.add(3 * 1024)
    assert caplog.messages == ["Receiving a file: 3.0 KiB, 154 B/s"]


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 * 2**30, "3.0 GiB"), (2**41, "2.0 TiB")]
)
def test_amounts(count: int, said: str) -> None:
    assert amount(count) == said
