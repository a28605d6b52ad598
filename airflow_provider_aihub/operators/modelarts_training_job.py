"""Training jobs of ModelArts: run, stopped, deleted, tagged, saved as images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_aihub.jobs.best_effort import best_effort
from airflow_provider_aihub.operators.modelarts_base import (
    ModelArtsCallOperator,
    ModelArtsJobOperator,
    as_list,
    skip_without,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_aihub.http.request import Request
    from airflow_provider_aihub.jobs.kind import JobId, JobKind, JobState, ListRequest
    from airflow_provider_aihub.lineage import Data, Lineage
    from airflow_provider_aihub.modelarts.training_jobs import TrainingJob
    from airflow_provider_aihub.tasks.job_state import Marker

_ATTEMPT = 9
"""Characters that each attempt adds to the name of a job."""


class ModelArtsTrainingJobOperator(ModelArtsJobOperator):
    """Run a training job and wait for its end.

    Returns ``{"id", "name", "status", "create_time", "start_time", "duration"}``, the times in Unix milliseconds, the
    duration in milliseconds.

    Say what runs in one of four ways: ``algorithm_id``; ``subscription_id`` and ``item_version_id``; ``code_dir`` and
    ``boot_file`` with an engine or an image; ``image`` and ``command``.

    Names are unique in a workspace as long as the job exists. So each attempt has its own name: the given one, cut to
    55 characters, then ``-`` and eight hexadecimal digits. If a create call lost its answer, or its name was taken, the
    job is looked up by this name and the marker in the description.

    :param name: What the name begins with: letters, digits, ``_`` and ``-``.
    :param description: Free text. The marker is added, and what is longer than 256 characters is cut, without the
        marker being lost.
    :param workspace_id: Default: that of the connection.
    :param algorithm_id: Id of an algorithm of the user's own.
    :param subscription_id: Id of a subscribed algorithm.
    :param item_version_id: Its version.
    :param code_dir: Folder of the code in object storage.
    :param boot_file: File in it that is run.
    :param image: Container image.
    :param command: What runs in it.
    :param engine_id: Engine that runs the file.
    :param engine_name: Name of an engine, instead of its id.
    :param engine_version: Version of the engine of that name.
    :param parameters: Arguments of the program, a dict; numbers and booleans become text.
    :param auto_search: Policy of a search for hyperparameters, in ModelArts' own form.
    :param inputs: A dict of names and places in object storage; or a list in ModelArts' own form, also of datasets.
    :param outputs: Likewise.
    :param environments: Environment variables, a dict of at most 100. Values that Airflow knows to be secrets are
        masked among the rendered fields.
    :param node_count: Number of nodes. Default: 1.
    :param flavor_id: What kind of node.
    :param pool_id: On which dedicated pool.
    :param log_path: Folder in object storage that the logs are copied to.
    :param volumes: Volumes to mount, a list in ModelArts' own form.
    :param auto_stop_hours: Hours after which ModelArts ends the job, in whole numbers. ``job_timeout`` is this task's
        own deadline.
    :param notification_topic: URN of a topic that gets notifications about the job.
    :param notification_events: Events that it is notified of: ``JobStarted``, ``JobCompleted``, ``JobFailed``,
        ``JobTerminated``, ``JobRestarted``, ``JobHanged``, ``JobPreempted``.
    :param priority: 1 to 3.
    :param preemptible: Whether other jobs may take its resources.
    :param annotations: Texts by name, a dict.
    :param tags: Tags to set once it is there, a dict.
    :param stream_logs: Whether the logs of its tasks are copied to the task's log while it runs, deferred or not, each
        line once. Default: false.

    The remaining parameters are those of :class:`~.modelarts_base.ModelArtsJobOperator`.
    """

    kind = "training_job"
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "command": "bash",
        **dict.fromkeys(("parameters", "inputs", "outputs", "environments", "volumes", "tags", "annotations"), "json"),
    }

    def __init__(
        self,
        *,
        name: str,
        description: str | None = None,
        workspace_id: str | None = None,
        algorithm_id: str | None = None,
        subscription_id: str | None = None,
        item_version_id: str | None = None,
        code_dir: str | None = None,
        boot_file: str | None = None,
        image: str | None = None,
        command: str | None = None,
        engine_id: str | None = None,
        engine_name: str | None = None,
        engine_version: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        auto_search: Mapping[str, Any] | None = None,
        inputs: Mapping[str, str] | Sequence[Mapping[str, Any]] | None = None,
        outputs: Mapping[str, str] | Sequence[Mapping[str, Any]] | None = None,
        environments: Mapping[str, Any] | None = None,
        node_count: int | str | None = None,
        flavor_id: str | None = None,
        pool_id: str | None = None,
        log_path: str | None = None,
        volumes: Sequence[Mapping[str, Any]] | None = None,
        auto_stop_hours: int | str | None = None,
        notification_topic: str | None = None,
        notification_events: Sequence[str] | None = None,
        priority: int | str | None = None,
        preemptible: bool | str | None = None,
        annotations: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
        stream_logs: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.description = description
        self.workspace_id = workspace_id
        self.algorithm_id = algorithm_id
        self.subscription_id = subscription_id
        self.item_version_id = item_version_id
        self.code_dir = code_dir
        self.boot_file = boot_file
        self.image = image
        self.command = command
        self.engine_id = engine_id
        self.engine_name = engine_name
        self.engine_version = engine_version
        self.parameters = parameters
        self.auto_search = auto_search
        self.inputs = inputs
        self.outputs = outputs
        self.environments = environments
        self.node_count = node_count
        self.flavor_id = flavor_id
        self.pool_id = pool_id
        self.log_path = log_path
        self.volumes = volumes
        self.auto_stop_hours = auto_stop_hours
        self.notification_topic = notification_topic
        self.notification_events = notification_events
        self.priority = priority
        self.preemptible = preemptible
        self.annotations = annotations
        self.tags = tags
        self.stream_logs = stream_logs

    @property
    def job_name(self) -> str:
        """What the names of all attempts begin with."""
        from airflow_provider_aihub.modelarts.training_jobs import LONGEST_NAME

        return str(self.name)[: LONGEST_NAME - _ATTEMPT]

    def create_request(self, marker: Marker) -> Request[Any]:
        """Check the parameters."""
        from airflow_provider_aihub.http.values import check_text
        from airflow_provider_aihub.modelarts.training_jobs import (
            LONGEST_DESCRIPTION,
            TrainingJobSpec,
            add_training_job_tags,
            create_training_job,
        )

        # An empty name would not be noticed later, because the attempt is added to it.
        check_text("name", self.name)
        asked = TrainingJobSpec.model_fields.keys() - {"name", "description", "inputs", "outputs", "log_host_path"}
        spec = TrainingJobSpec.build(
            **{name: getattr(self, name) for name in asked},
            name=f"{self.job_name}-{marker.attempt}",
            # The marker comes first where it would be cut off.
            description=marker.sign(self.description)[:LONGEST_DESCRIPTION],
            inputs=as_list("inputs", self.inputs, _channel),
            outputs=as_list("outputs", self.outputs, _channel),
        )
        if self.tags is not None:
            add_training_job_tags("checked-before-it-is-there", self.tags)
        return create_training_job(spec)

    def listing(self) -> ListRequest:
        """Return what lists the jobs of the workspace that this one is in."""
        from airflow_provider_aihub.modelarts.kinds import jobs_in

        return jobs_in(self.workspace_id)

    def link(self, job_id: JobId) -> None:
        """Link the task to the job's page, and set the job's tags."""
        super().link(job_id)
        if self.tags:
            with best_effort(self.log, "the tags of its job"):
                self.hook.add_training_job_tags(str(job_id), self.tags)

    def lineage(self, state: JobState | None, result: dict[str, Any] | None) -> Lineage:  # noqa: ARG002
        """Return what is read and written in object storage."""
        from airflow_provider_aihub.lineage import Lineage

        asked = ("name", "image", "command", "algorithm_id", "code_dir", "flavor_id", "pool_id", "node_count")
        known = Lineage(
            inputs=_places(self.inputs),
            outputs=_places(self.outputs),
            job={name: getattr(self, name) for name in asked if getattr(self, name) is not None},
        )
        if state is not None:
            job: TrainingJob = state.answer
            known.run = {"id": job.metadata.id, "status": str(state.phase), "duration": job.status.duration}
        return known

    def result(self, state: JobState) -> dict[str, Any]:
        """Return the job's id, name and times."""
        job: TrainingJob = state.answer
        return {
            "id": job.metadata.id,
            "name": job.metadata.name,
            "status": str(state.phase),
            "create_time": job.metadata.create_time,
            "start_time": job.status.start_time,
            "duration": job.status.duration,
        }


class ModelArtsStopTrainingJobOperator(ModelArtsJobOperator):
    """Stop a training job, and wait until it is over.

    Returns ``{"id", "status"}``, where the status is ``"stopped"``, ``"succeeded"`` or ``"failed"``. A job that is over
    already is left as it is. Without an id the task is skipped, so it can be a teardown or have
    ``trigger_rule="all_done"``.

    :param training_job_id: Id of the training job.

    The remaining parameters are those of :class:`~.modelarts_base.ModelArtsJobOperator`.
    """

    kind = "training_job"
    idempotent = True

    def __init__(self, *, training_job_id: str | None, **kwargs: Any) -> None:
        # A stop cannot be cancelled.
        super().__init__(**{"cancel_on_kill": False, **kwargs})
        self.training_job_id = training_job_id

    @property
    def job_kind(self) -> JobKind:
        """A training job, of which any end is a success."""
        return self.platform.kinds["training_job_end"]

    def execute(self, context: Context) -> Any:
        """Stop the job."""
        skip_without("training_job_id", self.training_job_id)
        return super().execute(context)

    def create_request(self, marker: Marker) -> Request[Any]:  # noqa: ARG002 - nothing is created
        """Check the id."""
        from airflow_provider_aihub.modelarts.training_jobs import terminate_training_job
        from airflow_provider_aihub.modelarts.values import reading

        job_id = str(self.training_job_id)
        return reading(terminate_training_job(job_id), lambda _: job_id)

    def result(self, state: JobState) -> dict[str, Any]:
        """Return the job's id and how it has ended."""
        return {"id": state.id, "status": str(self.platform.kinds[self.kind].phases[state.status])}


class ModelArtsSaveImageOperator(ModelArtsJobOperator):
    """Save the container of a task of a training job as an image, and wait until the image can be used.

    Returns ``{"id", "name", "namespace", "tag", "status"}``; the id is ``<training job>/<task>``. While the image is
    being saved, nobody can use the job on ModelArts.

    :param training_job_id: Id of the training job.
    :param task: Which of its tasks. Default: ``worker-0``.
    :param name: Name of the image: at most 512 lower-case letters, digits, ``-``, ``_`` and ``.``.
    :param namespace: Organisation in the registry (SWR).
    :param tag: At most 64 letters, digits, ``-``, ``_`` and ``.``.
    :param description: Free text. The marker is added, and what is longer than 512 characters is cut, without the
        marker being lost.

    The remaining parameters are those of :class:`~.modelarts_base.ModelArtsJobOperator`.
    """

    kind = "saved_image"

    def __init__(
        self,
        *,
        training_job_id: str,
        name: str,
        namespace: str,
        tag: str | float,
        task: str = "worker-0",
        description: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.training_job_id = training_job_id
        self.task = task
        self.name = name
        self.namespace = namespace
        self.tag = tag
        self.description = description

    def create_request(self, marker: Marker) -> Request[Any]:
        """Check the parameters."""
        from airflow_provider_aihub.modelarts.images import (
            LONGEST_DESCRIPTION,
            SaveImageSpec,
            save_training_job_image,
        )
        from airflow_provider_aihub.modelarts.values import reading

        spec = SaveImageSpec.build(
            name=self.name,
            namespace=self.namespace,
            tag=self.tag,
            description=marker.sign(self.description)[:LONGEST_DESCRIPTION],
        )
        job_id = f"{self.training_job_id}/{self.task}"
        return reading(save_training_job_image(self.training_job_id, self.task, spec), lambda _: job_id)

    def listing(self) -> ListRequest:
        """Return the request that lists the image, if there is one."""
        from airflow_provider_aihub.modelarts.kinds import image_of

        return image_of(self.training_job_id, self.task)

    def result(self, state: JobState) -> dict[str, Any]:
        """Return the image's id, name, namespace and tag."""
        image = state.answer
        named = {name: getattr(image, name) for name in ("name", "namespace", "tag")}
        return {"id": state.job_id, **named, "status": str(state.phase)}


class ModelArtsDeleteTrainingJobOperator(ModelArtsCallOperator):
    """Delete a training job. If it does not exist, the task succeeds; without an id it is skipped.

    Returns ``{"id"}``.

    :param training_job_id: Id of the training job.

    The remaining parameters are those of :class:`~.modelarts_base.ModelArtsCallOperator`.
    """

    def __init__(self, *, training_job_id: str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.training_job_id = training_job_id

    def call(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Delete the job."""
        skip_without("training_job_id", self.training_job_id)
        self.hook.delete_training_job(str(self.training_job_id))
        return {"id": self.training_job_id}


class ModelArtsTagTrainingJobOperator(ModelArtsCallOperator):
    """Add tags to a training job, or remove some.

    Returns ``{"id", "tags"}``: the tags that the job then has, as a dict.

    :param training_job_id: Id of the training job.
    :param tags: Tags to add, a dict of keys and values; or keys of tags to remove, a list.
    :param action: ``"add"`` (default) or ``"remove"``.

    The remaining parameters are those of :class:`~.modelarts_base.ModelArtsCallOperator`.
    """

    template_fields_renderers: ClassVar[dict[str, str]] = {"tags": "json"}

    def __init__(
        self,
        *,
        training_job_id: str,
        tags: Mapping[str, Any] | Sequence[str],
        action: Literal["add", "remove"] | str = "add",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.training_job_id = training_job_id
        self.tags = tags
        self.action = action

    def call(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Change the tags."""
        from airflow_provider_aihub.http.values import shown
        from airflow_provider_aihub.modelarts.errors import ModelArtsParameterError
        from airflow_provider_aihub.modelarts.values import check_text

        if check_text("action", self.action, "add|remove", "add or remove") == "remove":
            if not isinstance(self.tags, Mapping | list | tuple):
                raise ModelArtsParameterError(f"tags must be a list of keys, not {shown(self.tags)}.")
            self.hook.remove_training_job_tags(self.training_job_id, list(self.tags))
        else:
            self.hook.add_training_job_tags(self.training_job_id, self.tags)  # type: ignore[arg-type]  # it is checked there
        left = self.hook.list_training_job_tags(self.training_job_id)
        return {"id": self.training_job_id, "tags": {tag.key: tag.value for tag in left}}


def _channel(name: str, place: Any) -> dict[str, Any]:
    return {"name": name, "remote": place if isinstance(place, Mapping) else {"obs": {"obs_url": place}}}


def _places(given: Any) -> list[Data]:
    """Name the places in object storage among inputs or outputs."""
    from airflow_provider_aihub.lineage import Data

    found = []
    for channel in as_list("inputs", given, _channel) or ():
        url = ((channel.get("remote") or {}).get("obs") or {}).get("obs_url") if isinstance(channel, Mapping) else None
        if isinstance(url, str):
            bucket, _, key = url.removeprefix("obs://").lstrip("/").partition("/")
            found.append(Data(f"obs://{bucket}", key))
    return found
