"""Addresses of the pages that people open in AIHub's web UI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PAGES: Final[Mapping[str, str]] = {
    "training": "/#/trainings/{id}",
    "quota_task": "/#/quota-tasks/{id}",
    "search": "/#/searches/{id}",
    "dataset": "/#/datasets/{id}",
    "dataset_version": "/#/dataset-versions/{id}",
    "workflow_run": "/#/workflow-runs/{id}",
    "model": "/#/models/{id}",
    "evaluation": "/#/evaluations/{id}",
    "template_run": "/#/workflow-runs/{id}",
    "model_eval": "/#/model-evaluations/{id}",
    "eval_report": "/#/eval-reports/{id}",
    "deployment": "/#/deployments/{id}",
    "label_project": "/#/label-projects/{id}",
    "quota": "/#/quotas/{id}",
}
"""Where the page of each kind of thing is, below the address of the web UI.

AIHub's document names no page, so an AIHub may have them elsewhere; a connection can say where.
"""
