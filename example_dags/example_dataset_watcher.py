"""Run for each new version of a dataset, whoever makes it. Needs Airflow 3."""

from __future__ import annotations

from typing import Any

from airflow.sdk import AssetWatcher, dag, task

from airflow_provider_aihub.assets import dataset_asset
from airflow_provider_aihub.triggers.dataset_version import DatasetVersionTrigger

texts = dataset_asset(
    "example-photos",
    # As in the connection's base URL; without it the connection is read whenever this file is.
    host="10.0.0.1:30021",
    watchers=[AssetWatcher(name="example-photos", trigger=DatasetVersionTrigger(dataset="example-photos"))],
)


@dag(schedule=[texts], catchup=False, tags=["aihub", "example"], doc_md=__doc__)
def example_dataset_watcher() -> None:
    """Tell which versions are new."""

    @task
    def tell(triggering_asset_events: Any = None) -> list[dict[str, Any]]:
        """Give what is told of each version: ``{"id", "version", "dataset", "size", "count"}``."""
        return [event.extra["payload"] for events in triggering_asset_events.values() for event in events]

    tell()


example_dataset_watcher()
