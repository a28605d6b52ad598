"""What the emulated ModelArts keeps."""

from __future__ import annotations

from pathlib import Path

from ..store import Store
from . import errors


class ModelArtsStore(Store):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.jobs = self.table("training job", errors.no_job)
        self.executions = self.table("execution", errors.no_execution)
        self.subscriptions = self.table("subscription", errors.no_subscription)
        self.notebooks = self.table("notebook", errors.no_notebook)
        self.images = self.table("image", errors.no_image)
        self.quotas = self.table("quota", errors.no_workspace)
        self.apps = self.table("app", errors.no_app)
