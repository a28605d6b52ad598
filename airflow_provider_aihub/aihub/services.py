"""The services that AIHub consists of, and the credentials that they require."""

from __future__ import annotations

from enum import StrEnum

from airflow_provider_aihub.http.request import NO_AUTH, USUAL_AUTH


class Service(StrEnum):
    """The services that AIHub consists of; the value is the name used in connections and messages."""

    USER_SYSTEM = "user_system"
    DATA_WAREHOUSE = "data_warehouse"
    DATASET_MANAGEMENT = "dataset_management"
    WORKFLOW_CENTER = "workflow_center"
    MODEL_TRAINING = "model_training"
    QUOTA_SCHEDULE = "quota_schedule"
    EVALUATION = "evaluation"
    TAG_SYSTEM = "tag_system"
    MODEL_CENTER = "model_center"
    EVAL_PLATFORM = "eval_platform"
    MODEL_DEPLOYMENT = "model_deployment"
    NOTEBOOK_MANAGEMENT = "notebook_management"
    LABELFREE = "labelfree"
    ARTIFACT_MANAGEMENT = "artifact_management"
    S3_RELAY = "s3_relay"


class Auth(StrEnum):
    """Which credential a request carries."""

    NONE = NO_AUTH
    BEARER = USUAL_AUTH
    """``Authorization: Bearer <JWT>``, from the login."""
    RELAY = "relay"
    """``Token: <token>``, given out by the relay's administrator."""
