"""ModelArts, as those who wait for its jobs know it."""

from __future__ import annotations

from airflow_provider_aihub.jobs.platform import Platform
from airflow_provider_aihub.modelarts import errors
from airflow_provider_aihub.modelarts.client import AsyncModelArtsClient
from airflow_provider_aihub.modelarts.config import config_from
from airflow_provider_aihub.modelarts.kinds import KINDS

PLATFORM = Platform(
    key="modelarts",
    name="ModelArts",
    kinds=KINDS,
    config=config_from,
    client=AsyncModelArtsClient,
    errors=errors.KINDS,
    page_link="_link_ViewInModelArtsLink",
)
