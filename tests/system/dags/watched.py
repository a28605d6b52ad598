"""A DAG that runs for each new version of a dataset. It is paused until its test begins, and so is its watcher."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, AssetWatcher, task

from airflow_provider_aihub.assets import dataset_asset
from airflow_provider_aihub.triggers.dataset_version import DatasetVersionTrigger

pictures = dataset_asset(
    "pictures",
    host="aihub.example",
    watchers=[
        AssetWatcher(
            name="versions",
            trigger=DatasetVersionTrigger(dataset="pictures", aihub_conn_id="watched_dataset", poll_interval=2),
        )
    ],
)

with DAG("watched", schedule=[pictures], is_paused_upon_creation=True):

    @task
    def what_came(triggering_asset_events: Any = None) -> list[Any]:
        """Give the extras of the events that have started this run."""
        return [event.extra for events in triggering_asset_events.values() for event in events]

    what_came()
