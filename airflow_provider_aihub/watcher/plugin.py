"""A plugin that notes, with the event of a watcher and in the same transaction, that it was recorded (Airflow 3.3).

A trigger has no access to Airflow's database and cannot ask for the events of an asset, but for what Airflow keeps for
the asset. The triggerer's own process, which records the events, has access; Airflow calls this listener there.
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
    """Brings the listener."""

    name = "aihub_watcher"
    listeners = [sys.modules[__name__]] if KEEPS_STATE else []
