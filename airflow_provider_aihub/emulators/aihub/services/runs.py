"""What a workflow run begins with, whoever starts it."""

from __future__ import annotations

from typing import Any

from ..call import Call
from ..settings import PROJECTS, Pipeline, PipelineVersion
from ..store import Row


def new_run(call: Call, pipeline: Pipeline, version: PipelineVersion, **given: Any) -> Row:
    """A run of a version of a pipeline that has yet to be submitted.

    :param given: What is asked for, and what differs from the usual.
    """
    project = next(iter(PROJECTS))
    return {
        "name": "",
        "description": "",
        "pipeline_id": pipeline.id,
        "pipeline_name": pipeline.name,
        "pipeline_version_id": version.id,
        "pipeline_version_name": version.name,
        "finished_at": 0,
        "created_at": call.hub.clock.ms(),
        "params": [],
        "user_id": call.user.id,
        "username": call.user.name,
        "project": {"id": project, "name": PROJECTS[project]},
        "node_virtual_clusters": [],
        "use_cache": False,
        "avg_gpu_util": 0,
        "total_gpu_time": 0,
        **given,
    }


def placed(version: PipelineVersion, cluster: int) -> list[dict[str, Any]]:
    """All nodes of a version on one virtual cluster."""
    return [{"virtual_cluster_id": cluster, "nodes": [node.name for node in version.nodes]}]
