"""Deployments of models: starting and stopping them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_aihub.aihub.errors import (
    AIHubAmbiguousSubmit,
    AIHubAuthError,
    AIHubExistsError,
    AIHubParameterError,
    AIHubRejectedError,
    AIHubUnsupportedError,
)
from airflow_provider_aihub.operators.base import JobOperator
from airflow_provider_aihub.operators.late import wait_until_shown
from airflow_provider_aihub.operators.stop import StopOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_aihub.aihub.model_deployment import DeploymentSpec, Served
    from airflow_provider_aihub.http.request import Request
    from airflow_provider_aihub.jobs.kind import JobKind, JobState
    from airflow_provider_aihub.lineage import Lineage
    from airflow_provider_aihub.tasks.job_state import Marker
    from airflow_provider_aihub.tasks.options import JobOptions

LACKING = "This AIHub has no deployments of models, which newer platforms have; deploy the model by hand there."


class StartDeploymentOperator(JobOperator):
    """Start a deployment, and wait until it serves its model.

    Returns ``{"id", "name", "status", "infer_service_id", "endpoint_url"}``. The key of the service is a secret, so it
    is not returned; read it with ``AIHubHook().get_infer_service(infer_service_id).api_key``. Newer platforms only.

    A deployment serves when it names an inference service that is online. AIHub does not document its status numbers,
    so a deployment that failed to start looks like one that is still starting: give a ``job_timeout``. A deployment
    that already serves is left as it is.

    :param deployment: Name of the deployment, or its id. Digits are read as an id.
    :param create: How a deployment of that name is created if there is none: a dict with the fields of
        :class:`~airflow_provider_aihub.aihub.model_deployment.DeploymentSpec` except the name; ``model``,
        ``virtual_cluster`` and ``storages`` may be given by name or id in place of ``model_id``, ``virtual_cluster_id``
        and ``storage_ids``. An existing deployment is not changed. Default: none is created; it must exist.

    The remaining parameters are those of :class:`~airflow_provider_aihub.operators.base.JobOperator`. When the task is
    killed or its time is over while it waits, the deployment is stopped. Each try starts from what there is on AIHub,
    so ``durable`` has no effect.
    """

    kind = "deployment"
    idempotent = True
    shared = True
    template_fields: Sequence[str] = (*JobOperator.template_fields, "deployment", "create")
    template_fields_renderers: ClassVar[dict[str, str]] = {"create": "json"}

    def __init__(self, *, deployment: str | int, create: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.deployment = deployment
        self.create = create
        self._name: str | None = None

    @property
    def job_name(self) -> str | None:
        """The deployment's name, once it is known. It is compared, since its id may be another deployment's by now."""
        return self._name

    @cached_property
    def options(self) -> JobOptions:
        """The checked parameters, with ``durable=False``: what an earlier try has started may be stopped by now."""
        return super().options.model_copy(update={"durable": False})

    def create_request(self, marker: Marker) -> Request[int]:  # noqa: ARG002 - whoever knows its name has it
        """Check the parameters, and make the request that reads the deployment."""
        from airflow_provider_aihub.operators.names import known_id

        number = known_id("deployment", self.deployment)
        self._spec()
        return self._reading(number or 1)

    def prepare_submission(self, request: Request[int]) -> Request[int]:  # noqa: ARG002 - it may not be there yet
        """Create the deployment if it is missing, and start it unless it serves."""
        from airflow_provider_aihub.aihub.model_deployment import ONLINE
        from airflow_provider_aihub.jobs.identity import other_job
        from airflow_provider_aihub.operators.names import known_id

        try:
            number = known_id("deployment", self.deployment) or self._find_or_create()
            before = self._served(number)
        except AIHubUnsupportedError:
            raise AIHubParameterError(LACKING) from None
        self._name = before.deployment.name
        if known_id("deployment", self.deployment) is None and self._name.strip() != str(self.deployment).strip():
            raise other_job(self.job_kind, number)
        if before.status != ONLINE or self._tried:
            self.started_id = number
        if before.status == ONLINE:
            self.log.info("Deployment %d serves already", number)
        else:
            self._start(before)
        return self._reading(number)

    def result(self, state: JobState) -> dict[str, Any]:
        """Return the deployment's id, name and address."""
        found: Served = state.answer
        assert found.service is not None, "it is online"  # noqa: S101
        return {
            "id": found.deployment.id,
            "name": found.deployment.name,
            "status": found.status,
            "infer_service_id": found.service.id,
            "endpoint_url": found.service.endpoint_url,
        }

    def lineage(self, state: JobState | None, result: dict[str, Any] | None) -> Lineage:  # noqa: ARG002
        """Return the model that is served."""
        from airflow_provider_aihub.lineage import Lineage, model

        known = Lineage(job={"deployment": self.deployment})
        if state is not None:
            found: Served = state.answer
            known.run = {"id": found.deployment.id, "status": found.status}
            if found.deployment.model_name:
                known.inputs = model(self.hook, found.deployment.model_name)
        return known

    def _reading(self, number: int) -> Request[int]:
        """Return the request that reads the deployment's id. It changes nothing, so it may always be sent again."""
        from airflow_provider_aihub.aihub.model_deployment import Deployment, get_deployment
        from airflow_provider_aihub.jobs.identity import other_job

        def read(payload: Any) -> int:
            deployment = Deployment.read(payload)
            if self._name not in (None, deployment.name):
                raise other_job(self.job_kind, number)
            return deployment.id

        return replace(get_deployment(number), read=read)  # type: ignore[return-value, arg-type]

    def _served(self, number: int) -> Served:
        served: Served = self.hook.send(self.job_kind.read(number))
        return served

    def _start(self, before: Served) -> None:
        """Start the deployment. Ignore a refusal if it has been started already.

        :param before: The deployment as it was read before.
        """
        number = before.deployment.id
        try:
            self._ask_to_start(number)
        except AIHubRejectedError as refusal:
            now = self._served(number).deployment
            known = (before.deployment.status, before.deployment.version, before.deployment.updated_at)
            if not self._tried and (now.status, now.version, now.updated_at) == known:
                raise
            self.log.info("Deployment %d may be starting already: %s", number, refusal)
        else:
            self.log.info("Asked AIHub to start deployment %d", number)

    def _ask_to_start(self, number: int) -> None:
        """Send the start call with the current token. After a new login, check first that the id has the same name."""
        from airflow_provider_aihub.aihub.model_deployment import start_deployment
        from airflow_provider_aihub.jobs.identity import other_job

        start = replace(start_deployment(number), same_login=True)
        self.go_on_unless_killed()
        try:
            self.hook.send(start)
        except AIHubAuthError:
            if self._served(number).deployment.name != self._name:
                raise other_job(self.job_kind, number) from None
            self.go_on_unless_killed()
            self.hook.send(start)

    def _find_or_create(self) -> int:
        """Return the id of the deployment of that name; create it if it is missing.

        If an earlier try was ended during its create call, or if the answer is lost, wait until AIHub shows it.
        """
        found = self._find()
        if not found and self._tried and self.create is not None:
            found = wait_until_shown(self.hook, self._find)
        if found:
            return found
        spec = self._spec()
        if spec is None:
            raise AIHubParameterError(
                f"deployment is {self.deployment!r}, which AIHub does not have; give create to have it created."
            )
        spec = self._with_ids(spec)
        self.go_on_unless_killed()
        try:
            number = self.hook.create_deployment(spec)
        except (AIHubAmbiguousSubmit, AIHubExistsError) as loss:
            found = wait_until_shown(self.hook, self._find)
            if found is None:
                raise
            self.log.info("AIHub has deployment %d: %s", found, loss)
            return found
        self.log.info("Created deployment %d on AIHub", number)
        return number

    def _find(self) -> int | None:
        """Return the id of the deployment of that name."""
        from airflow_provider_aihub.operators.names import deployments_named

        found = deployments_named(self.hook, str(self.deployment))
        if len(found) > 1:
            raise AIHubParameterError(
                f"deployment is {self.deployment!r}, but AIHub has {len(found)} of that name; give one of the ids "
                f"{', '.join(map(str, found))}."
            )
        return found[0] if found else None

    def _spec(self) -> DeploymentSpec | None:
        """Check ``create``, without looking up names. Return ``None`` if it was not given."""
        from airflow_provider_aihub.aihub.model_deployment import DeploymentSpec
        from airflow_provider_aihub.aihub.values import check_several
        from airflow_provider_aihub.http.values import shown
        from airflow_provider_aihub.operators.names import known_id

        if self.create is None:
            return None
        if not isinstance(self.create, Mapping) or "name" in self.create:
            raise AIHubParameterError(f"create must be a dict without a name, not {shown(self.create)}.")
        fields = {name: value for name, value in self.create.items() if name not in NAMED}
        for name, field in NAMED.items():
            given = self.create.get(name)
            if given is not None and fields.get(field) is not None:
                raise AIHubParameterError(f"create has both {name} and {field}; give one of them.")
            if given is not None and name == "storages":
                fields[field] = [known_id(name, one) or 1 for one in check_several(name, given, "names or ids")]
            elif given is not None:
                fields[field] = known_id(name, given) or 1
        return DeploymentSpec.build(name=str(self.deployment), **fields)

    def _with_ids(self, spec: DeploymentSpec) -> DeploymentSpec:
        from airflow_provider_aihub.aihub.tag_system import ModuleType
        from airflow_provider_aihub.aihub.values import check_several
        from airflow_provider_aihub.operators.model import find_model
        from airflow_provider_aihub.operators.names import known_id, storage_ids, virtual_cluster_id

        given, found = self.create or {}, {}
        if given.get("model") is not None:
            found["model_id"] = known_id("model", given["model"]) or find_model(self.hook, str(given["model"])).id
        if given.get("virtual_cluster") is not None:
            # The module of virtual clusters for deployments is not documented.
            modules = (ModuleType.TRAINING, ModuleType.WORKFLOW)
            found["virtual_cluster_id"] = virtual_cluster_id(self.hook, given["virtual_cluster"], *modules)
        if given.get("storages") is not None:
            storages = check_several("storages", given["storages"], "names or ids")
            found["storage_ids"] = storage_ids(self.hook, storages)  # type: ignore[assignment]
        return spec.model_copy(update=found)

    @property
    def _tried(self) -> bool:
        """Whether there was an earlier try, which may have been ended during a call."""
        from airflow_provider_aihub.tasks.job_state import Tries

        return Tries.of(self._context).tried


NAMED = {"model": "model_id", "virtual_cluster": "virtual_cluster_id", "storages": "storage_ids"}
"""Fields of ``create`` that may be names, and the fields of AIHub for their ids."""


class StopDeploymentOperator(StopOperator):
    """Stop a deployment, and wait until its inference service is offline. Newer platforms only.

    It is stopped even if its service is not online, because it may be starting.

    :param deployment: Name of the deployment, or its id. Digits are read as an id.

    What it returns, and the remaining parameters, are those of
    :class:`~airflow_provider_aihub.operators.stop.StopOperator`.
    """

    kind = "deployment"
    may_begin = True
    job_field = "deployment"
    template_fields: Sequence[str] = (*StopOperator.template_fields, "deployment")

    def __init__(self, *, deployment: int | str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.deployment = deployment
        self._number: int | None = None

    @property
    def job_kind(self) -> JobKind:
        """A deployment that is to go offline."""
        from airflow_provider_aihub.aihub.kinds import DEPLOYMENT_TO_STOP

        return DEPLOYMENT_TO_STOP

    @property
    def job_id(self) -> int | str | None:
        """Id or name of the deployment."""
        return self.deployment if self._number is None else self._number

    def call(self, context: Context) -> dict[str, Any]:
        """Stop the deployment."""
        from airflow_provider_aihub.http.values import is_nothing
        from airflow_provider_aihub.operators.names import deployment_id
        from airflow_provider_aihub.tasks.options import StopOptions

        StopOptions.of(self)
        try:
            if self.deployment is not None and not is_nothing(self.deployment):
                self._number = deployment_id(self.hook, self.deployment)
            return super().call(context)
        except AIHubUnsupportedError:
            raise AIHubParameterError(LACKING) from None
