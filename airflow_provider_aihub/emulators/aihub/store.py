"""What the emulated AIHub keeps. Ids count up from 1 and are never used again."""

from __future__ import annotations

from pathlib import Path

from ..refused import Refused
from ..store import Row, Store, Table
from .answers import not_found

__all__ = ["AIHubStore", "Row"]


class AIHubStore(Store):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.trainings = self._things("training")
        self.quota_tasks = self._things("quota task")
        self.pods = self._things("pod")
        self.searches = self._things("search")
        self.datasets = self._things("dataset")
        self.versions = self._things("dataset version")
        self.runs = self._things("workflow run", "run")
        self.models = self._things("model")
        self.notebooks = self._things("notebook")
        self.artifacts = self._things("artifact")
        self.label_projects = self._things("label project")
        self.evaluations = self._things("evaluation")
        self.eval_reports = self._things("report of an evaluation", "eval_report")
        self.deployments = self._things("deployment")
        self.infer_services = self._things("inference service", "infer_service")
        self.model_tasks = self._things("task of a model", "model_task")

    def _things(self, what: str, kind: str = "") -> Table:
        def missing(row_id: int) -> Refused:
            return not_found(f"{what} {row_id}")

        return self.table(kind or what.replace(" ", "_"), missing)
