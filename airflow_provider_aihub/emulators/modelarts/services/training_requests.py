"""What requests about training jobs bring."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from ..call import Given

Named = Annotated[str, Field(min_length=1)]


class Metadata(Given):
    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    workspace_id: str | None = None
    description: str | None = Field(None, max_length=256)
    annotations: dict[str, str] | None = None


class Parameter(Given):
    name: Named
    value: str | None = ""


class ObsPlace(Given):
    obs_url: str


class DatasetPlace(Given):
    id: Named
    version_id: str | None = None

    @field_validator("id", "version_id")
    @classmethod
    def _no_path(cls, value: str | None) -> str | None:
        if value and ("/" in value or value in (".", "..") or "\0" in value):
            raise ValueError("must be an id")
        return value


class Remote(Given):
    obs: ObsPlace | None = None
    dataset: DatasetPlace | None = None


class Data(Given):
    """An input or an output."""

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$")
    local_dir: str | None = None
    access_method: Literal["parameter", "env"] | None = None
    remote: Remote | None = None


class Engine(Given):
    engine_id: str | None = None
    engine_name: str | None = None
    engine_version: str | None = None
    image_url: str | None = None


class Algorithm(Given):
    id: str | None = None
    subscription_id: str | None = None
    item_version_id: str | None = None
    code_dir: str | None = None
    boot_file: str | None = None
    command: str | None = None
    parameters: list[Parameter] | None = None
    inputs: list[Data] | None = None
    outputs: list[Data] | None = None
    engine: Engine | None = None
    environments: dict[str, str] | None = Field(None, max_length=100)

    @field_validator("environments")
    @classmethod
    def _variables(cls, variables: dict[str, str] | None) -> dict[str, str] | None:
        for name, value in (variables or {}).items():
            if not name or "=" in name or "\0" in name + value:
                raise ValueError(f"{name!r} cannot name a variable")
            if "$" in name + value:
                raise ValueError(f"{name} must not contain $")
            if len(value) > 4096:
                raise ValueError(f"the value of {name} is longer than 4096 characters")
        return variables


class Resource(Given):
    node_count: int = Field(ge=1, le=10_000)
    flavor_id: str | None = None
    pool_id: str | None = None


class AutoStop(Given):
    time_unit: Literal["HOURS"]
    duration: int = Field(ge=1)


class LogPath(Given):
    obs_url: str | None = None
    host_path: str | None = None


class Spec(Given):
    resource: Resource | None = None
    log_export_path: LogPath | None = None
    auto_stop: AutoStop | None = None


class NewJob(Given):
    kind: Literal["job"]
    metadata: Metadata
    algorithm: Algorithm | None = None
    spec: Spec | None = None


class Filter(Given):
    key: str
    operator: str
    value: list[str]


class Search(Given):
    offset: int = Field(0, ge=0)
    limit: int = Field(50, ge=1, le=50)
    sort_by: str | None = None
    order: Literal["asc", "desc"] | None = None
    workspace_id: str | None = None
    filters: list[Filter] | None = None


class Action(Given):
    action_type: Literal["terminate"]


class SchedulePolicy(Given):
    priority: int | None = Field(None, ge=1, le=3)
    preemptible: bool | None = None


class ChangedSpec(Given):
    notification: dict[str, Any] | None = None
    schedule_policy: SchedulePolicy | None = None


class Change(Given):
    description: str | None = Field(None, max_length=256)
    spec: ChangedSpec | None = None


class JobId(Given):
    id: Named


class JobToDelete(Given):
    kind: str
    metadata: JobId


class BatchDelete(Given):
    jobs: list[JobToDelete] = Field(min_length=1, max_length=100)


class EventsAsked(Given):
    offset: int = Field(0, ge=0)
    limit: int = Field(50, ge=1, le=100)
    order: Literal["asc", "desc"] = "asc"
    level: Literal["Info", "Warning", "Error"] | None = None


class NewImage(Given):
    """The manual demands none of its fields; the vendor's SDK has three as required."""

    name: str = Field("", pattern=r"^[a-z0-9_.-]{0,512}$")
    namespace: str = ""
    tag: str = Field("", pattern=r"^[A-Za-z0-9_.-]{0,64}$")
    description: str = Field("", max_length=512)


class Tag(Given):
    key: str = Field(min_length=1, max_length=128)
    value: str | None = Field("", max_length=255)

    @model_validator(mode="after")
    def _plain(self) -> Tag:
        if self.key.startswith("_sys_") or self.key != self.key.strip():
            raise ValueError("a key must not begin with _sys_ and have no blanks around it")
        return self


class Tags(Given):
    tags: list[Tag] = Field(min_length=1, max_length=20)
