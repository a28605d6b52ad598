"""What the emulator was asked, for tests to look at."""

from __future__ import annotations

import fnmatch
from collections import Counter, deque
from collections.abc import Iterator
from typing import NamedTuple


class Entry(NamedTuple):
    """One request. ``status`` is 0 where no whole answer was sent; ``port`` is the client's own port."""

    method: str
    path: str
    status: int
    port: int


NO_ENDPOINT = "(no such endpoint)"
"""What requests count for together that no endpoint serves: anybody can think up any number of those."""

LONGEST = 256
"""Characters of a path that are kept."""


class Journal:
    """The latest 100,000 requests, the number of all by endpoint, and the TCP connections accepted."""

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque(maxlen=100_000)
        self.counts: Counter[str] = Counter()
        self.connections = 0

    def note(self, entry: Entry, endpoint: str | None) -> None:
        """Keep a request.

        :param endpoint: The path with names for its ids; ``None`` where nothing serves it.
        """
        self.entries.append(entry._replace(method=entry.method[:16], path=entry.path[:LONGEST]))
        self.counts[NO_ENDPOINT if endpoint is None else f"{entry.method} {endpoint}"] += 1

    def count(self, method: str = "*", path: str = "*", status: int | None = None) -> int:
        """How many of the entries match.

        :param path: Pattern for the whole path; ``*`` stands for any text.
        """
        return sum(
            method in ("*", entry.method) and fnmatch.fnmatchcase(entry.path, path) and status in (None, entry.status)
            for entry in list(self.entries)
        )

    def clear(self) -> None:
        self.entries.clear()
        self.counts.clear()
        self.connections = 0

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self.entries))

    def __len__(self) -> int:
        return len(self.entries)
