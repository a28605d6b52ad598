"""A plugin that saves a note for each event of a watcher, in the transaction that records the event (Airflow 3.3).

A trigger cannot read Airflow's database, and cannot ask for the events of an asset, but it can read the asset's state.
So the note is saved there. Airflow calls this listener in the triggerer's main process, which records the events.
"""

from __future__ import annotations

import sys
from typing import Any

from airflow.plugins_manager import AirflowPlugin
from airflow.providers.common.compat.sdk import hookimpl

from airflow_provider_aihub.assets import recorded_key

try:
    from airflow.state import AssetScope, get_state_backend
except ImportError:
    KEEPS_STATE = False
else:
    KEEPS_STATE = True


@hookimpl
def on_asset_event_emitted(asset_event: Any) -> None:
    """Note that a watcher's event is recorded."""
    key = recorded_key(asset_event.extra.get("payload")) if asset_event.extra.get("from_trigger") else None
    if key is None:
        return
    from airflow import settings
    from airflow.models.asset import AssetModel
    from sqlalchemy import select

    # The session of this thread, in which the event is being written.
    factory: Any = settings.Session
    session = factory()
    asset = asset_event.asset
    with session.begin_nested():
        known = select(AssetModel.id).where(AssetModel.name == asset.name, AssetModel.uri == asset.uri)
        get_state_backend().set(AssetScope(asset_id=session.scalar(known)), key, "true", session=session)


class AIHubWatcherPlugin(AirflowPlugin):
    """Registers the listener of this module."""

    name = "aihub_watcher"
    listeners = [sys.modules[__name__]] if KEEPS_STATE else []
