"""Training jobs: a command, a script or an algorithm on the nodes of a pool; their logs, events, metrics and tags."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import SchemaValidator, core_schema

from airflow_provider_aihub.http.models import Answer, nothing, rows
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.http.values import Flag, Number, Positive, Text, Words, as_int, one_of, shown
from airflow_provider_aihub.modelarts.errors import ModelArtsParameterError
from airflow_provider_aihub.modelarts.services import V2, WORKSPACE, to
from airflow_provider_aihub.modelarts.values import Spec, Texts, at_most, check_id, check_text, spelt

_JOBS = f"{V2}/training-jobs"
_JOB = _JOBS + "/{}"
_TASK = _JOB + "/tasks/{}"
_TAGS = f"{V2}/modelarts-training-job/{{}}/tags"
LARGEST_LIST = 50
"""Jobs that one search gives at most."""
LONGEST_NAME = 64
LONGEST_DESCRIPTION = 256
MOST_ENVIRONMENTS = 100
MOST_DELETED = 100
"""Jobs that may be deleted at once."""
CANNOT_END = "ModelArts.2796"
"""Code that says that a job cannot be terminated: only a job that is creating, pending or running can, so this one is
ending or has ended."""
MISSING = "ModelArts.2775"


class Phase(StrEnum):
    """Where a training job stands."""

    CREATING = "Creating"
    PENDING = "Pending"
    RUNNING = "Running"
    TERMINATING = "Terminating"
    COMPLETED = "Completed"
    FAILED = "Failed"
    ABNORMAL = "Abnormal"
    TERMINATED = "Terminated"


class Event(StrEnum):
    """What a notification can be about."""

    JOB_STARTED = "JobStarted"
    JOB_COMPLETED = "JobCompleted"
    JOB_FAILED = "JobFailed"
    JOB_TERMINATED = "JobTerminated"
    JOB_RESTARTED = "JobRestarted"
    JOB_HANGED = "JobHanged"
    JOB_PREEMPTED = "JobPreempted"


class ObsPlace(Spec):
    """A place in object storage, such as ``/bucket/folder/``."""

    noun: ClassVar[str] = "place"

    obs_url: Text


class DatasetPlace(Spec):
    """A dataset of ModelArts."""

    noun: ClassVar[str] = "dataset"

    id: Text
    version_id: Text | None = None


class Remote(Spec):
    """Where an input or an output is: in object storage, or, of an input, a dataset."""

    noun: ClassVar[str] = "place"

    obs: ObsPlace | None = None
    dataset: DatasetPlace | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.obs is None) == (self.dataset is None):
            raise ValueError("must have one of obs and dataset")
        return self


class Channel(Spec):
    """An input or an output of a training job.

    :param name: The job is told the folder under this name.
    :param remote: Where it is.
    :param local_dir: The folder in the container. Default: ModelArts chooses.
    :param access_method: Whether the job is told the folder by a ``parameter`` (default) or by an ``env`` variable.
    """

    noun: ClassVar[str] = "input or output"

    name: Text
    local_dir: Text | None = None
    access_method: Literal["parameter", "env"] | None = None
    remote: Remote


class Volume(Spec):
    """A volume to mount, by kind: ``{"nfs": {...}}``, ``{"pfs": {...}}`` or ``{"obs": {...}}``."""

    noun: ClassVar[str] = "volume"

    nfs: dict[Literal["nfs_server_path", "local_path", "read_only"], Any] | None = None
    pfs: dict[Literal["pfs_path", "local_path"], Any] | None = None
    obs: dict[Literal["obs_path", "local_path"], Any] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("must have one of nfs, pfs and obs")
        return self


class TrainingJobChange(Spec):
    """What may be changed of a training job; what is not given stays.

    :param description: At most 256 characters.
    :param notification_topic: URN of the topic that is told of ``notification_events``, see :class:`Event`.
    :param priority: 1 to 3; ``preemptible``: whether other jobs may take its resources.
    """

    noun: ClassVar[str] = "change of a training job"

    description: Annotated[Words, at_most(LONGEST_DESCRIPTION)] | None = None
    notification_topic: Text | None = None
    notification_events: list[Annotated[Event, one_of(Event)]] | None = None
    priority: Annotated[Positive, Field(le=3)] | None = None
    preemptible: Flag | None = None

    @model_validator(mode="after")
    def _topic_and_events(self) -> Self:
        _check_pairs(self, ("notification_topic", "notification_events"))
        return self

    def body(self) -> dict[str, Any]:
        """Return the JSON body, without what was not given."""
        return _some(description=self.description, spec=self._changeable() or None)

    def _changeable(self) -> dict[str, Any]:
        topic, policy = self.notification_topic, _some(priority=self.priority, preemptible=self.preemptible)
        notification = None if topic is None else {"topic_urn": topic, "events": list(self.notification_events or ())}
        return _some(notification=notification, schedule_policy=policy or None)


class TrainingJobSpec(TrainingJobChange):
    """A training job to create. Say what runs in one of four ways.

    The parameters of :class:`TrainingJobChange` may be given, too.

    :param name: 1 to 64 letters, digits, ``_`` and ``-``; unique in its workspace while the job exists.
    :param workspace_id: Default: that of the connection.
    :param annotations: Texts by name.
    :param algorithm_id: Id of an algorithm of the user's own.
    :param subscription_id: Id of a subscribed algorithm, with ``item_version_id``.
    :param code_dir: Folder of the code in object storage, with ``boot_file`` and an engine.
    :param image: Container image, with ``command``.
    :param engine_id: Engine for ``code_dir``; or ``engine_name`` and ``engine_version``; or ``image``.
    :param parameters: Arguments of the program, by name; numbers and booleans become text.
    :param auto_search: Policy of a search for hyperparameters, as ModelArts' document has it.
    :param inputs: See :class:`Channel`; ``outputs`` likewise.
    :param environments: At most 100 variables, of at most 4096 characters, without ``$``.
    :param node_count: Number of nodes, 1 or more. Default: 1.
    :param flavor_id: What kind of node; ``pool_id``: on which dedicated pool.
    :param log_path: Folder in object storage that the logs are copied to.
    :param log_host_path: Folder on the host that they are written to.
    :param volumes: See :class:`Volume`.
    :param auto_stop_hours: Hours after which ModelArts ends the job, 1 or more.
    """

    noun: ClassVar[str] = "training job"

    name: Annotated[
        Words, spelt(rf"[A-Za-z0-9_-]{{1,{LONGEST_NAME}}}", f"1 to {LONGEST_NAME} letters, digits, '_' and '-'")
    ]
    workspace_id: Text = WORKSPACE
    annotations: Texts | None = None
    algorithm_id: Text | None = None
    subscription_id: Text | None = None
    item_version_id: Text | None = None
    code_dir: Text | None = None
    boot_file: Text | None = None
    command: Text | None = Field(default=None, repr=False)
    image: Text | None = None
    engine_id: Text | None = None
    engine_name: Text | None = None
    engine_version: Text | None = None
    parameters: Texts | None = Field(default=None, repr=False)
    auto_search: dict[str, Any] | None = None
    inputs: list[Channel] | None = None
    outputs: list[Channel] | None = None
    environments: Texts | None = Field(default=None, repr=False)
    node_count: Positive = 1
    flavor_id: Text | None = None
    pool_id: Text | None = None
    log_path: Text | None = None
    log_host_path: Text | None = None
    volumes: list[Volume] | None = None
    auto_stop_hours: Positive | None = None

    @model_validator(mode="after")
    def _together(self) -> Self:
        ways = {
            "algorithm_id": self.algorithm_id is not None,
            "subscription_id and item_version_id": self.subscription_id is not None,
            "code_dir and boot_file": self.code_dir is not None,
            "image and command": self.image is not None and self.command is not None,
        }
        if sum(ways.values()) != 1:
            raise ValueError(f"what runs must be given in one way: {', or '.join(ways)}")
        pairs = ("subscription_id", "item_version_id"), ("code_dir", "boot_file"), ("engine_name", "engine_version")
        _check_pairs(self, *pairs)
        return self

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        given = self.environments or {}
        if len(given) > MOST_ENVIRONMENTS:
            raise ValueError(f"environments must hold at most {MOST_ENVIRONMENTS} variables, not {len(given)}")
        for name, value in given.items():
            if len(value) > 4096 or "$" in value:
                raise ValueError(f"environments: the value of {name} must have at most 4096 characters, and no '$'")
        return self

    def body(self) -> dict[str, Any]:
        """Return the JSON body, without what was not given."""
        given = self.model_dump(mode="json", exclude_none=True)

        def kept(*names: str, **more: Any) -> dict[str, Any]:
            return {name: given[name] for name in names if name in given} | _some(**more)

        algorithm = kept(
            *("subscription_id", "item_version_id", "code_dir", "boot_file", "command"),
            *("inputs", "outputs", "environments"),
            id=self.algorithm_id,
            parameters=self.parameters and [{"name": name, "value": value} for name, value in self.parameters.items()],
            policies=self.auto_search and {"auto_search": self.auto_search},
            engine=kept("engine_id", "engine_name", "engine_version", image_url=self.image) or None,
        )
        hours = self.auto_stop_hours
        spec = self._changeable() | kept(
            "volumes",
            resource=kept("node_count", "flavor_id", "pool_id"),
            log_export_path=_some(obs_url=self.log_path, host_path=self.log_host_path) or None,
            auto_stop=hours and {"time_unit": "HOURS", "duration": hours},
        )
        metadata = kept("name", "workspace_id", "description", "annotations")
        return {"kind": "job", "metadata": metadata, "algorithm": algorithm, "spec": spec}


class Metadata(Answer):
    """What identifies a training job.

    :param create_time: Unix milliseconds.
    """

    id: str
    name: str = ""
    description: str = ""
    create_time: Number = 0
    workspace_id: str = ""
    user_name: str = ""


class TaskStatus(Answer):
    """How one task of a training job ended."""

    task: str = ""
    exit_code: Number | None = None
    message: str = ""


class RunningRecord(Answer):
    """One of the times that a training job was run.

    :param start_at: Unix seconds; likewise ``end_at``. An example has an end before its start.
    """

    start_at: Number = 0
    end_at: Number = 0
    start_type: str = ""
    end_reason: str = ""
    end_related_task: str = ""


class Status(Answer):
    """Where a training job stands.

    :param phase: See :class:`Phase`; others may appear.
    :param secondary_phase: A more exact state, which this provider does not use.
    :param duration: Milliseconds.
    :param start_time: Unix milliseconds, 0 for not yet.
    :param tasks: Names of its tasks, such as ``worker-0``.
    """

    phase: str
    secondary_phase: str = ""
    duration: Number = 0
    start_time: Number = 0
    tasks: list[str] = Field(default_factory=list)
    task_statuses: list[TaskStatus] = Field(default_factory=list)
    running_records: list[RunningRecord] = Field(default_factory=list)


class TrainingJob(Answer):
    """A training job as ModelArts knows it; what the request had is among the fields that are kept as they are."""

    metadata: Metadata
    status: Status
    algorithm: dict[str, Any] = Field(default_factory=dict, repr=False)
    spec: dict[str, Any] = Field(default_factory=dict)


class JobEvent(Answer):
    """Something that happened to a training job.

    :param time: As ModelArts writes it, ISO 8601.
    :param level: ``Info``, ``Warning`` or ``Error``.
    """

    time: str = ""
    level: str = ""
    message: str = ""
    source: str = ""


class LogPreview(Answer):
    """The end of the log of a task.

    :param content: At most the last 5 MB.
    :param current_size: Bytes of it.
    :param full_size: Bytes of the whole log.
    """

    content: str = Field(default="", repr=False)
    current_size: Number = 0
    full_size: Number = 0


class Metric(Answer):
    """A measurement of a task; -1 means no value."""

    metric: str = ""
    value: list[float] = Field(default_factory=list)


class Tag(Answer):
    """A tag of a training job."""

    key: str
    value: str = ""


class TagSpec(Spec):
    """A tag to set."""

    noun: ClassVar[str] = "tag"

    key: Annotated[Text, spelt(r"\S(.{0,126}\S)?", "1 to 128 characters without blanks at their ends")]
    value: Annotated[Words, at_most(255)] = ""

    @model_validator(mode="after")
    def _not_the_systems(self) -> Self:
        if self.key.startswith("_sys_"):
            raise ValueError("key must not begin with _sys_, as those of the system do")
        return self


def create_training_job(spec: TrainingJobSpec) -> Request[str]:
    """Create a training job and return its id."""
    return Request(
        asks=f"create training job {spec.name!r}",
        **to("POST", _JOBS),
        read=_new_id,
        json=spec.body(),
        creates=True,
    )


def get_training_job(training_job_id: str) -> Request[TrainingJob]:
    """Read a training job.

    :raises ModelArtsParameterError: The id is not valid.
    """
    return Request(
        asks=f"read training job {training_job_id}",
        **to("GET", _JOB, training_job_id=training_job_id),
        read=TrainingJob.read,
        about={"metadata.id": training_job_id},
    )


def search_training_jobs(
    offset: int = 0,
    limit: int = LARGEST_LIST,
    filters: Sequence[Mapping[str, Any]] = (),
    workspace_id: str = WORKSPACE,
) -> Request[list[TrainingJob]]:
    """List training jobs, newest first.

    :param offset: Number of the page, from 0.
    :param limit: Jobs on it, 1 to 50.
    :param filters: ``{"key", "operator", "value": [...]}``: keys are name, phase and create_time (milliseconds),
        operators between, like (contains), in and not.
    :param workspace_id: Default: that of the connection.
    """
    return Request(
        asks="list training jobs",
        **to("POST", f"{V2}/training-job-searches"),
        read=rows(TrainingJob, "items"),
        json={
            "offset": offset,
            "limit": max(1, min(limit, LARGEST_LIST)),
            "sort_by": "create_time",
            "order": "desc",
            "workspace_id": workspace_id,
            "filters": [dict(one) for one in filters],
        },
    )


def terminate_training_job(training_job_id: str) -> Request[None]:
    """Ask a training job to end. A job that is ending, or has ended, is left as it is.

    :raises ModelArtsParameterError: The id is not valid.
    """
    return Request(
        asks=f"stop training job {training_job_id}",
        **to("POST", _JOB + "/actions", training_job_id=training_job_id),
        read=nothing,
        json={"action_type": "terminate"},
        already=frozenset({CANNOT_END}),
    )


def delete_training_job(training_job_id: str) -> Request[None]:
    """Delete a training job. It is no error if it does not exist.

    :raises ModelArtsParameterError: The id is not valid.
    """
    return Request(
        asks=f"delete training job {training_job_id}",
        **to("DELETE", _JOB, training_job_id=training_job_id),
        read=nothing,
        already=frozenset({MISSING}),
    )


def delete_training_jobs(training_job_ids: Sequence[str]) -> Request[None]:
    """Delete training jobs of one workspace, 100 at most.

    :raises ModelArtsParameterError: An id is not valid, or there are no ids or too many.
    """
    jobs = [check_id("training_job_ids", job) for job in training_job_ids]
    if not 0 < len(jobs) <= MOST_DELETED:
        raise ModelArtsParameterError(f"training_job_ids must be 1 to {MOST_DELETED} ids, not {len(jobs)}.")
    return Request(
        asks=f"delete {len(jobs)} training jobs",
        **to("POST", _JOBS + "/batch-delete"),
        read=nothing,
        json={"jobs": [{"kind": "job", "metadata": {"id": job}} for job in jobs]},
    )


def change_training_job(training_job_id: str, change: TrainingJobChange) -> Request[None]:
    """Change a training job.

    :raises ModelArtsParameterError: The id is not valid.
    """
    return Request(
        asks=f"change training job {training_job_id}",
        **to("PUT", _JOB, training_job_id=training_job_id),
        read=nothing,
        json=change.body(),
    )


def list_training_job_events(
    training_job_id: str, offset: int = 0, limit: int = 50, level: str | None = None
) -> Request[list[JobEvent]]:
    """List what happened to a training job, newest first.

    :param limit: 1 to 100.
    :param level: Only this level, ``Info``, ``Warning`` or ``Error``.
    :raises ModelArtsParameterError: The id is not valid.
    """
    return Request(
        asks=f"list the events of training job {training_job_id}",
        **to("GET", _JOB + "/events", training_job_id=training_job_id),
        read=rows(JobEvent, "events"),
        query={"offset": offset, "limit": limit, "order": "desc", "level": level},
    )


def get_training_job_log(training_job_id: str, task: str) -> Request[LogPreview]:
    """Read the end of the log of a task; nothing if there is no log yet (HTTP 204).

    :param task: One of ``status.tasks``, such as ``worker-0``.
    :raises ModelArtsParameterError: An id is not valid.
    """
    return Request(
        asks=f"read the log of {task} of training job {training_job_id}",
        **to("GET", _TASK + "/logs/preview", training_job_id=training_job_id, task=task),
        read=lambda data: LogPreview() if data is None else LogPreview.read(data),
    )


def get_training_job_log_url(training_job_id: str, task: str) -> Request[str]:
    """Return an address of the whole log of a task. It is valid for 5 minutes and contains a signature.

    :raises ModelArtsParameterError: An id is not valid.
    """
    return Request(
        asks=f"say where the log of {task} of training job {training_job_id} is",
        **to("GET", _TASK + "/logs/url", training_job_id=training_job_id, task=task),
        read=lambda data: _LogUrl.read(data).obs_url,
        headers={"Content-Type": "application/octet-stream"},
    )


def get_training_job_metrics(training_job_id: str, task: str) -> Request[list[Metric]]:
    """Read how much of its resources a task uses; nothing if that is not known yet (HTTP 204).

    :raises ModelArtsParameterError: An id is not valid.
    """
    return Request(
        asks=f"read the metrics of {task} of training job {training_job_id}",
        **to("GET", _JOB + "/metrics/{}", training_job_id=training_job_id, task=task),
        read=lambda data: [] if data is None else rows(Metric, "metrics")(data),
    )


def add_training_job_tags(training_job_id: str, tags: Mapping[str, Any]) -> Request[None]:
    """Set tags of a training job; a value that a tag has is overwritten.

    :param tags: Values by key: of 1 to 128 characters, without blanks at their ends, not beginning with ``_sys_``;
        values of at most 255.
    :raises ModelArtsParameterError: A value is wrong.
    """
    if not isinstance(tags, Mapping):
        raise ModelArtsParameterError(f"tags must be a dict of keys and values, not {shown(tags)}.")
    specs = [TagSpec.build(key=key, value=value) for key, value in tags.items()]
    return _tags("create", training_job_id, "POST", [spec.body() for spec in specs])


def remove_training_job_tags(training_job_id: str, keys: Sequence[str]) -> Request[None]:
    """Remove tags of a training job.

    :raises ModelArtsParameterError: A value is wrong.
    """
    return _tags("delete", training_job_id, "DELETE", [{"key": check_text("tags", key)} for key in keys])


def list_training_job_tags(training_job_id: str) -> Request[list[Tag]]:
    """List the tags of a training job.

    :raises ModelArtsParameterError: The id is not valid.
    """
    return Request(
        asks=f"list the tags of training job {training_job_id}",
        **to("GET", _TAGS, training_job_id=training_job_id),
        read=rows(Tag, "tags"),
    )


def job_rows(data: Any) -> list[dict[str, Any]]:
    """Read the rows of a search without looking into them; what is no object is left out.

    :raises ValueError: There is no list.
    """
    items = data.get("items") or [] if isinstance(data, dict) else None
    if not isinstance(items, list):
        raise ValueError("the answer has no list 'items'")  # noqa: TRY004 - readers raise ValueError
    return [item for item in items if isinstance(item, dict)]


def job_total(data: Any) -> int | None:
    """Read how many jobs a search has found."""
    return as_int(data.get("count")) if isinstance(data, dict) else None


def _rows_alone() -> Callable[[bytes], Any]:
    """Make a decoder of searches that leaves out of their rows what tells neither who nor where a job is."""
    anything = core_schema.any_schema()

    def with_fields(**schemas: core_schema.CoreSchema) -> core_schema.CoreSchema:
        known = {name: core_schema.typed_dict_field(schema, required=False) for name, schema in schemas.items()}
        return core_schema.typed_dict_schema(known)

    metadata = with_fields(**dict.fromkeys(("id", "name", "description", "create_time"), anything))
    status = with_fields(**dict.fromkeys(("phase", "secondary_phase", "start_time", "duration"), anything))
    row = with_fields(metadata=metadata, status=status)
    top = dict.fromkeys(("error_code", "error_msg", "total", "count", "offset", "limit"), anything)
    return SchemaValidator(with_fields(**top, items=core_schema.list_schema(row))).validate_json


decode_rows = _rows_alone()


def _some(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _check_pairs(spec: Spec, *pairs: tuple[str, str]) -> None:
    for one, other in pairs:
        if (getattr(spec, one) is None) != (getattr(spec, other) is None):
            raise ValueError(f"{one} and {other} belong together")


class _LogUrl(Answer):
    obs_url: str = Field(repr=False)


def _tags(
    verb: str, training_job_id: str, method: Literal["POST", "DELETE"], tags: list[dict[str, str]]
) -> Request[None]:
    return Request(
        asks=f"{verb} tags of training job {training_job_id}",
        **to(method, f"{_TAGS}/{verb}", training_job_id=training_job_id),
        read=nothing,
        json={"tags": tags},
    )


def _new_id(data: Any) -> str:
    metadata = data.get("metadata") if isinstance(data, dict) else None
    job = metadata.get("id") if isinstance(metadata, dict) else None
    if not isinstance(job, str) or not job:
        raise ValueError("the answer has no metadata.id")
    return job
