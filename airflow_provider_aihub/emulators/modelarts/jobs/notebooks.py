"""Notebooks and images: nothing runs for them, but they change their states as time passes.

What a state becomes is worked out when somebody looks, so there is nothing to be done at a restart.
"""

from __future__ import annotations

import uuid
from typing import Any

from ...clock import Clock
from ...refused import Refused
from ...store import Row
from .. import errors
from ..settings import Notebook, Settings
from ..store import ModelArtsStore

RUNNING, STARTING, STOPPED, STOPPING = "RUNNING", "STARTING", "STOPPED", "STOPPING"
SNAPSHOTTING, DELETED = "SNAPSHOTTING", "DELETED"
BECOMES = {STARTING: RUNNING, STOPPING: STOPPED, SNAPSHOTTING: RUNNING}
INIT, CREATING, ACTIVE = "INIT", "CREATING", "ACTIVE"
HOUR = 3_600_000
"""In milliseconds, as leases are given."""
SHORTEST, LONGEST = HOUR, 72 * HOUR
"""Milliseconds of a lease."""


class Notebooks:
    """The notebooks and the images made of notebooks and of nodes of training jobs."""

    def __init__(self, store: ModelArtsStore, clock: Clock, settings: Settings) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        for notebook in settings.notebooks:
            if notebook.id not in store.notebooks.rows:
                store.notebooks.add(self._row(notebook))

    def create(self, notebook: Notebook, duration: int) -> Row:
        """Make a notebook that starts at once."""
        row = self._store.notebooks.add(self._row(notebook))
        self.start(row, duration, "timing")
        return row

    def get(self, notebook: str) -> Row:
        """A notebook as it is now.

        :raises Refused: There is none.
        """
        row = self._store.notebooks.get(notebook)
        if row["status"] == DELETED:
            raise errors.no_notebook(notebook)
        return self._settled(row)

    def all(self) -> list[Row]:
        """All notebooks as they are now, the oldest first."""
        return [self._settled(row) for row in self._store.notebooks if row["status"] != DELETED]

    def delete(self, row: Row) -> None:
        """Nobody sees it any more. It is kept, lest one of the settings come again at the next start."""
        self._store.notebooks.save(row, status=DELETED)

    def _settled(self, row: Row) -> Row:
        """A notebook whose states have passed that are over."""
        now = self._clock.ms()
        if row["status"] in BECOMES and now >= row["until"]:
            self._store.notebooks.save(row, status=BECOMES[row["status"]])
        lease = row["lease"]
        if row["status"] == RUNNING and lease["enable"] and now >= lease["update_at"] + lease["duration"]:
            self._store.notebooks.save(row, status=STOPPED)
        return row

    def start(self, row: Row, duration: int | None, kind: str) -> None:
        """:raises Refused: It does not stand still (6305, 6306, 6308, ...), or the duration is out of bounds."""
        if row["status"] in (RUNNING, STARTING, STOPPING, SNAPSHOTTING):
            raise errors.notebook_is(row["status"])
        self.lease(row, HOUR if duration is None else duration, kind)
        self._become(row, STARTING)

    def stop(self, row: Row) -> None:
        """:raises Refused: It does not run (6307, 6308, ...)."""
        if row["status"] not in (RUNNING, STARTING):
            raise errors.notebook_is(row["status"])
        self._become(row, STOPPING)

    def lease(self, row: Row, duration: int, kind: str) -> None:
        """:param duration: Milliseconds from now; for the kind ``idle``, of rest.

        :raises Refused: It is out of bounds (6349).
        """
        if not SHORTEST <= duration <= LONGEST:
            raise errors.wrong_duration(f"The duration must be {SHORTEST} to {LONGEST} milliseconds.")
        now = self._clock.ms()
        lease = {"create_at": row["lease"]["create_at"] or now, "update_at": now, "duration": duration}
        self._store.notebooks.save(row, lease={**lease, "type": kind.upper(), "enable": True})

    def set_status(self, row: Row, status: str) -> None:
        """Put a notebook into any status, known or not: for tests of what a client makes of it."""
        self._store.notebooks.save(row, status=status, until=0)

    def snapshot(self, row: Row, image: dict[str, Any]) -> Row:
        """Make an image of a notebook, which is ``SNAPSHOTTING`` meanwhile.

        :raises Refused: It does not run.
        """
        if row["status"] != RUNNING:
            raise errors.notebook_is(row["status"])
        until = self._clock.ms() + int(self._settings.saving * 1000)
        self._store.notebooks.save(row, status=SNAPSHOTTING, until=until)
        return self.save_image(str(uuid.uuid4()), image)

    def save_image(self, image_id: str, image: dict[str, Any]) -> Row:
        """Begin to save an image.

        :param image_id: Its id; an older image of the same id is forgotten.
        :raises Refused: The older one is still being saved.
        """
        older = self._store.images.rows.get(image_id)
        if older and self.image(image_id)["status"] in (INIT, CREATING):
            raise Refused("An image of this is being saved already.", errors.TRAINING)
        return self._store.images.add(
            {"id": image_id, **image, "status": INIT, "message": "", "created": self._clock.ms()}
        )

    def image(self, image_id: str) -> Row:
        """An image as it is now.

        :raises Refused: There is none.
        """
        row = self._store.images.get(image_id)
        age = self._clock.ms() - row["created"]
        if row["status"] in (INIT, CREATING) and age > 0:
            status = ACTIVE if age >= self._settings.saving * 1000 else CREATING
            if status != row["status"]:
                self._store.images.save(row, status=status)
        return row

    def set_image_status(self, row: Row, status: str, message: str) -> None:
        """The same as :meth:`set_status` for an image."""
        self._store.images.save(row, status=status, message=message)

    def _become(self, row: Row, status: str) -> None:
        until = self._clock.ms() + int(self._settings.starting * 1000)
        self._store.notebooks.save(row, status=status, until=until)

    def _row(self, notebook: Notebook) -> Row:
        lease = {"create_at": 0, "update_at": 0, "duration": 0, "type": "TIMING", "enable": False}
        now = self._clock.ms()
        return {**notebook.model_dump(), "lease": lease, "until": 0, "created": now, "updated": now}
