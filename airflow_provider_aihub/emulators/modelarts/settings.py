"""What the emulator is told at its start, and what it has when told nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from .. import settings
from ..settings import DAY, SettingsError, read_json

T = TypeVar("T")


class Defined(BaseModel):
    """Something that is there from the start, as a line of a settings file tells of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Algorithm(Defined):
    """An algorithm that training jobs may name by its id, or by its subscription and version.

    :param code_dir: Folder of its code in OBS; with ``boot_file``, which Python runs.
    :param command: What runs instead of a boot file.
    """

    id: str
    name: str
    subscription_id: str = ""
    item_version_id: str = ""
    code_dir: str = ""
    boot_file: str = ""
    command: str = ""


class Step(Defined):
    """A step of a workflow. It runs when the one before it has ended.

    :param command: Runs as a local process, with the execution's parameters in its environment.
    :param waits_for: Names of parameters and data requirements without which it waits (``wait_inputs``).
    :param hold: Whether it waits for somebody to say ``continue``.
    :param timeout: Seconds on the emulator's clock after which it has failed; 0 for none.
    """

    name: str
    command: str = "true"
    title: str = ""
    type: str = "job"
    waits_for: tuple[str, ...] = ()
    hold: bool = False
    timeout: float = Field(default=0, ge=0)


class Workflow(Defined):
    """A workflow; what is executed of it are its steps, in their order.

    :param parameters: As the API has them: ``{"name", "type", "value", "default", "delay"}`` and more.
    :param data_requirements: As the API has them: ``{"name", "type", "value", "delay"}`` and more.
    """

    id: str
    name: str
    description: str = ""
    workspace_id: str = "0"
    steps: tuple[Step, ...] = Field(min_length=1)
    parameters: tuple[dict[str, Any], ...] = ()
    data_requirements: tuple[dict[str, Any], ...] = ()

    @model_validator(mode="after")
    def _one_of_each(self) -> Workflow:
        if len({step.name for step in self.steps}) < len(self.steps):
            raise ValueError("a name of a step is there twice")
        return self


class Quota(Defined):
    """How much of something a workspace may use; -1 is without limit.

    :param minimum: The least that it can be set to, and ``maximum`` the most.
    """

    resource: str
    name_en: str
    unit_en: str = ""
    name_cn: str = ""
    unit_cn: str = ""
    minimum: int = 0
    maximum: int = 1_000_000
    quota: int = -1


class Workspace(Defined):
    """A workspace; the one with id ``0`` is there in any case."""

    id: str = Field(pattern="^(0|[0-9a-f]{32})$")
    name: str
    description: str = ""
    auth_type: Literal["PUBLIC", "PRIVATE", "INTERNAL"] = "PUBLIC"
    enterprise_project_id: str = "0"
    enterprise_project_name: str = "default"
    status: str = "NORMAL"
    status_info: str = ""


class Notebook(Defined):
    """A notebook instance that is there from the start, stopped."""

    id: str
    name: str
    description: str = ""
    flavor: str = "modelarts.vm.cpu.2u"
    feature: str = "NOTEBOOK"
    image_id: str = "e1a07296-22a8-4f05-8bc8-e936c8e54090"
    image_name: str = "pytorch"
    workspace_id: str = "0"
    status: str = "STOPPED"
    tags: dict[str, str] = {}


DEFAULT_WORKSPACE = Workspace(id="0", name="default")
WORKSPACES = (Workspace(id="0123456789abcdef0123456789abcdef", name="research", auth_type="PRIVATE"),)
NOTEBOOKS = (
    Notebook(id="6fa459ea-ee8a-4ca4-894e-db77e160355e", name="notebook-1", tags={"team": "vision"}),
    Notebook(id="16fd2706-8baf-433b-82eb-8c7fada847da", name="notebook-2"),
)
ALGORITHMS = (
    Algorithm(
        id="2e5451fe-913f-4ce0-844c-2a9a3d7d8f10",
        name="greet",
        subscription_id="b7a0e4b2-7f7c-4f0a-9a35-1f6f3a8a5c11",
        item_version_id="1.0.0",
        command='echo "hello ${name:-world}"',
    ),
)
WORKFLOWS = (
    Workflow(
        id="0a4bd4e3-2f07-4b36-9f92-9d2f65b9a1c0",
        name="prepare-train-report",
        steps=(
            Step(name="prepare", command='echo "preparing ${dataset:-nothing}"'),
            Step(name="train", command="sleep 1"),
            Step(name="report", command="echo done"),
        ),
        parameters=({"name": "dataset", "type": "str", "default": "cars"},),
    ),
    Workflow(
        id="5c6f0f5d-5b53-4ea8-8f5e-40ab4bd0a7f3",
        name="train-and-wait",
        steps=(
            Step(name="train", command='echo "$epochs epochs"'),
            Step(name="label", command='cat "$labels"/* > /dev/null', waits_for=("labels",)),
            Step(name="release", command="echo released", hold=True),
        ),
        parameters=({"name": "epochs", "type": "int", "default": 3},),
        data_requirements=({"name": "labels", "type": "obs", "delay": True},),
    ),
)
QUOTAS = (
    Quota(resource="trainJob.quantity", name_en="Training jobs", unit_en="pcs", maximum=10_000),
    Quota(resource="trainJob.duration", name_en="Training duration", unit_en="minutes"),
    Quota(resource="notebook.quantity", name_en="Notebook instances", unit_en="pcs", maximum=1_000),
    Quota(resource="notebook.duration", name_en="Notebook duration", unit_en="minutes"),
)


@dataclass(frozen=True, kw_only=True)
class Settings(settings.Settings):
    """
    :param obs: Folder that stands for OBS, a folder in it for each bucket; default: ``obs`` in the home.
    :param signatures: ``strict`` checks signatures and tokens, ``lenient`` takes any.
    :param access_key: Access key (AK); default: a random one that is kept in the home. So with the next two.
    :param secret_key: Secret key (SK).
    :param project_id: Id of the project, 32 hexadecimal digits.
    :param region: Region; it is also the project's name.
    :param account: Account (domain) of the IAM users.
    :param nodes: How many nodes run at the same time; what does not fit waits (``Pending``).
    :param rate: Requests that are answered in a second; 0 for any number. The others get HTTP 429.
    :param lag: Seconds, on the emulator's clock, for which no list shows a new training job or execution.
    :param creating: Seconds that a training job is ``Creating``, on the emulator's clock. So with the next two.
    :param saving: Seconds that saving an image takes.
    :param starting: Seconds that a notebook takes to start, and to stop.
    """

    token_lifetime: float = DAY
    obs: Path | None = None
    signatures: Literal["strict", "lenient"] = "strict"
    access_key: str = ""
    secret_key: str = ""
    project_id: str = ""
    region: str = "cn-north-4"
    account: str = "emulated"
    nodes: int = 64
    rate: int = 0
    lag: float = 0.0
    creating: float = 0.0
    saving: float = 1.0
    starting: float = 1.0
    workflows: tuple[Workflow, ...] = WORKFLOWS
    algorithms: tuple[Algorithm, ...] = ALGORITHMS
    workspaces: tuple[Workspace, ...] = WORKSPACES
    notebooks: tuple[Notebook, ...] = NOTEBOOKS
    quotas: tuple[Quota, ...] = QUOTAS

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.signatures not in ("strict", "lenient"):
            raise SettingsError(f"signatures must be strict or lenient, not {self.signatures!r}.")
        if self.obs is not None and not self.obs.is_dir():
            raise SettingsError(f"The folder {self.obs} (obs) does not exist.")
        if min(self.nodes, self.rate, self.lag, self.creating, self.saving, self.starting) < 0:
            raise SettingsError("The number of nodes, the rate and the durations must be 0 or more.")
        for what in ("workflows", "algorithms", "workspaces", "notebooks"):
            ids = [item.id for item in getattr(self, what)]
            if len(set(ids)) < len(ids):
                raise SettingsError(f"Two of the {what} have the same id.")

    @property
    def all_workspaces(self) -> tuple[Workspace, ...]:
        given = any(workspace.id == DEFAULT_WORKSPACE.id for workspace in self.workspaces)
        return self.workspaces if given else (DEFAULT_WORKSPACE, *self.workspaces)


def read_defined(kind: type[T], path: Path, what: str) -> tuple[T, ...]:
    """What a JSON file defines, a list of objects with the fields of a kind of :class:`Defined`.

    :param what: The word for it.
    :raises SettingsError: The file is missing or does not hold that.
    """
    entries = read_json(path)
    try:
        return TypeAdapter(tuple[kind, ...]).validate_python(entries)  # type: ignore[valid-type]
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"{path} does not hold {what}: {where}: {first['msg']}.") from None
