"""Engines, flavors and quotas for training jobs, and the stages that a job has gone through."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from airflow_provider_aihub.http.models import Answer, rows
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.http.values import Number
from airflow_provider_aihub.modelarts.services import V2, to


class Engine(Answer):
    """What a job whose code is in object storage is run by: its ``engine_id``, or name and version."""

    engine_id: str
    engine_name: str = ""
    engine_version: str = ""


class Flavor(Answer):
    """A kind of node.

    :param flavor_type: CPU, GPU or Ascend.
    :param max_num: How many of them a job may have.
    """

    flavor_id: str
    flavor_name: str = ""
    flavor_type: str = ""
    max_num: Number = 0


class TrainingQuota(Answer):
    """How much of something training jobs may use, and use."""

    resource: str
    quota: Number = 0
    used: Number = 0


class Stage(Answer):
    """A stage that a run of a job has gone through.

    :param en_message: What it is, in English.
    :param start_time: As ModelArts writes it; likewise ``end_time``, "" for not yet.
    """

    name: str = ""
    en_message: str = ""
    start_time: str = ""
    end_time: str = ""
    stage_order: Number = 0


class Run(Answer):
    """One of the times that a job was run.

    :param record_order: Its number, from 0.
    """

    record_order: Number = 0
    stages: list[Stage] = Field(default_factory=list)


def list_training_job_engines() -> Request[list[Engine]]:
    """List the engines that there are."""
    return Request(
        asks="list the engines of training jobs",
        **to("GET", f"{V2}/training-job-engines"),
        read=rows(Engine, "items"),
    )


def list_training_job_flavors(flavor_type: Literal["CPU", "GPU", "Ascend"] | None = None) -> Request[list[Flavor]]:
    """List the kinds of node that there are.

    :param flavor_type: Only those of this type.
    """
    return Request(
        asks="list the flavors of training jobs",
        **to("GET", f"{V2}/training-job-flavors"),
        read=rows(Flavor, "flavors"),
        query={"flavor_type": flavor_type},
    )


def get_training_quotas() -> Request[list[TrainingQuota]]:
    """Read how much training jobs may use."""
    return Request(
        asks="read the quotas of training jobs",
        **to("GET", f"{V2}/training-quotas"),
        read=rows(TrainingQuota, "quotas"),
    )


def list_training_job_stages(training_job_id: str) -> Request[list[Run]]:
    """List the stages that a training job has gone through, for each time that it was run.

    :raises ModelArtsParameterError: The id is not valid.
    """
    return Request(
        asks=f"list the stages of training job {training_job_id}",
        **to("GET", f"{V2}/training-jobs/{{}}/stages", training_job_id=training_job_id),
        read=rows(Run, "running_records"),
    )
