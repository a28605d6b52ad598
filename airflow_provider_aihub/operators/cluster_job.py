"""What trainings and quota tasks have in common: a command in a container on a virtual cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_aihub.operators.base import JobOperator

if TYPE_CHECKING:
    from airflow_provider_aihub.aihub.model_training import JobSpec, Training
    from airflow_provider_aihub.aihub.tag_system import ModuleType
    from airflow_provider_aihub.jobs.kind import JobState
    from airflow_provider_aihub.lineage import Lineage
    from airflow_provider_aihub.tasks.job_state import Marker


class ClusterJobOperator(JobOperator):
    """Run a command in a container on a virtual cluster.

    Virtual cluster, project and storages may be names or ids; digits are read as an id. Projects are found by name on
    newer platforms only.

    :param name: Name of the job.
    :param command: What it runs.
    :param image: Container image.
    :param virtual_cluster: Virtual cluster to run on.
    :param project: Project it belongs to.
    :param storages: Storages to mount. Default: none.
    :param description: Free text.
    :param framework: ``PyTorchJob`` (default), ``MpiJob``; newer platforms: ``PyTorchJob``, ``MpiJobMpiRun``,
        ``MpiJobDeepspeed``.
    :param category: ``"training"`` (1, default), ``"inference"`` (2), ``"debugging"`` (3) or ``"special"`` (4).
    :param sku_cnt: SKUs for each instance. Default: 1.
    :param instances: Number of instances. Default: 1.
    :param envs: Environment variables, a dict. Values that
        Airflow knows to be secrets are masked among the rendered fields.
    :param shm: Shared memory, in GiB by AIHub's document (newer platforms of quota tasks: MB). Default: newer platforms
        choose; an AIHub with the document's API alone requires a number and is sent 1. Unless ``shm`` is given, one
        request before the job is created finds out which kind of AIHub it is.
    :param estimate_run_time: Estimated run time, in seconds. Default: 3600.
    :param enable_ssh: Whether one can log in with SSH. Default: false.
    :param use_ib_network: Whether to use InfiniBand. Default: false.
    :param always_pull_image: Whether to pull the image even if the node has it. Default: false.
    :param notify_type: When AIHub tells the user: ``"silent"`` (1), ``"failure"`` (2), ``"completion"`` (3). Newer
        platforms only.
    :param enable_sys_admin: Whether to grant the container SYS_ADMIN. Newer platforms only.
    :param stream_logs: Whether the logs of its pods are copied to the task's log while it runs, deferred or not, each
        line once. Newer platforms only; on others the task's log says so. Default: false.
    """

    template_fields: Sequence[str] = (
        *JobOperator.template_fields,
        "name",
        "command",
        "image",
        "virtual_cluster",
        "project",
        "storages",
        "description",
        "framework",
        "category",
        "sku_cnt",
        "instances",
        "envs",
        "shm",
        "estimate_run_time",
        "enable_ssh",
        "use_ib_network",
        "always_pull_image",
        "notify_type",
        "enable_sys_admin",
        "stream_logs",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"command": "bash", "storages": "json", "envs": "json"}

    def __init__(
        self,
        *,
        name: str,
        command: str,
        image: str,
        virtual_cluster: str | int,
        project: str | int,
        storages: Sequence[str | int] | None = None,
        description: str | None = None,
        framework: str | None = None,
        category: str | int | None = None,
        sku_cnt: int | str | None = None,
        instances: int | str | None = None,
        envs: Mapping[str, Any] | None = None,
        shm: int | str | None = None,
        estimate_run_time: int | str | None = None,
        enable_ssh: bool | str | None = None,
        use_ib_network: bool | str | None = None,
        always_pull_image: bool | str | None = None,
        notify_type: str | int | None = None,
        enable_sys_admin: bool | str | None = None,
        stream_logs: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.command = command
        self.image = image
        self.virtual_cluster = virtual_cluster
        self.project = project
        self.storages = storages
        self.description = description
        self.framework = framework
        self.category = category
        self.sku_cnt = sku_cnt
        self.instances = instances
        self.envs = envs
        self.shm = shm
        self.estimate_run_time = estimate_run_time
        self.enable_ssh = enable_ssh
        self.use_ib_network = use_ib_network
        self.always_pull_image = always_pull_image
        self.notify_type = notify_type
        self.enable_sys_admin = enable_sys_admin
        self.stream_logs = stream_logs

    def job_spec(self, kind: type[JobSpec], modules: Sequence[ModuleType], marker: Marker, **more: Any) -> JobSpec:
        """Check the parameters, find ids for names, and return the fields of the create call.

        :param kind: Class of the result.
        :param modules: The virtual cluster is looked for among those for these modules, in this order.
        :param marker: The marker for the description.
        :param more: Fields besides those that all cluster jobs have.
        :raises AIHubParameterError: A parameter is wrong, or there is nothing of a name.
        """
        from airflow_provider_aihub.aihub.model_training import Category
        from airflow_provider_aihub.aihub.values import check_member, check_several
        from airflow_provider_aihub.operators.names import known_id, project_id, storage_ids, virtual_cluster_id

        storages = [] if self.storages is None else check_several("storages", self.storages, "names or ids")
        spec = kind.build(
            name=self.name,
            command=self.command,
            image=self.image,
            # Names are looked up only once all else is known to be right.
            virtual_cluster_id=known_id("virtual_cluster", self.virtual_cluster) or 1,
            project_id=known_id("project", self.project) or 1,
            storage_ids=[known_id("storages", storage) or 1 for storage in storages],
            description=marker.sign(self.description),
            framework=self.framework,
            category_id=None if self.category is None else check_member("category", Category, self.category).value,
            sku_cnt=self.sku_cnt,
            instances=self.instances,
            envs=self.envs,
            shm=self.shm,
            estimate_run_time=self.estimate_run_time,
            enable_ssh=self.enable_ssh,
            use_ib_network=self.use_ib_network,
            always_pull_image=self.always_pull_image,
            notify_type=self.notify_type,
            enable_sys_admin=self.enable_sys_admin,
            **more,
        )
        return spec.model_copy(
            update={
                "virtual_cluster_id": virtual_cluster_id(self.hook, self.virtual_cluster, *modules),
                "project_id": project_id(self.hook, self.project),
                "storage_ids": storage_ids(self.hook, storages),
            }
        )

    def lineage(self, state: JobState | None, result: dict[str, Any] | None) -> Lineage:  # noqa: ARG002
        """Return the job's facts and its storages, for lineage. Before the job has ended, only the given parameters."""
        from airflow_provider_aihub.lineage import Data, Lineage

        asked = ("name", "image", "command", "framework", "virtual_cluster", "sku_cnt", "instances")
        known = Lineage(job={name: getattr(self, name) for name in asked if getattr(self, name) is not None})
        if state is None:
            return known
        job: Training = state.answer
        cluster = job.virtual_cluster
        known.job |= {
            "framework": job.framework,
            "virtual_cluster": cluster.name,
            "gpu_type": cluster.gpu_type,
            "sku_cnt": job.sku_cnt,
            "instances": job.instances,
        }
        known.run = {
            "id": job.id,
            "status": str(state.phase),
            "started_at": job.started_at,
            "finished_at": job.finished_at,
            "avg_gpu_util": job.avg_gpu_util,
        }
        known.inputs = [Data(f"file://{s.server_host}", s.server_path) for s in job.storages if s.server_path]
        return known

    def result(self, state: JobState) -> dict[str, Any]:
        """Return the job's id, name, times in Unix milliseconds and mean GPU utilisation."""
        job: Training = state.answer
        return {
            "id": job.id,
            "name": job.name,
            "status": str(state.phase),
            "created_at": job.created_at,
            "started_at": job.started_at,
            "finished_at": job.finished_at,
            "avg_gpu_util": job.avg_gpu_util,
        }
