"""AIHub, as those who wait for its jobs know it."""

from __future__ import annotations

from airflow_provider_aihub.aihub import errors
from airflow_provider_aihub.aihub.client import AsyncAIHubClient
from airflow_provider_aihub.aihub.config import config_from
from airflow_provider_aihub.aihub.kinds import KINDS
from airflow_provider_aihub.jobs.platform import Platform

PLATFORM = Platform(
    key="aihub",
    name="AIHub",
    kinds=KINDS,
    config=config_from,
    client=AsyncAIHubClient,
    errors=errors.KINDS,
    page_link="_link_ViewInAIHubLink",
)
