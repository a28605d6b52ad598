"""What the emulator is told at its start, and what it has when told nothing."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .. import settings
from ..settings import SettingsError, read_json, reading

GPU_TYPES = {1: "A800", 2: "4090", 3: "3090", 4: "2080", 5: "unknown"}
CATEGORIES = {1: "training", 2: "inference", 3: "debugging", 4: "special"}
PROJECTS = {1: "default", 2: "research"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A virtual cluster.

    :param capacity: How many SKUs fit at the same time, over all nodes.
    :param cpu: CPUs of one SKU.
    :param memory: Memory of one SKU in GiB.
    :param gpu_type: A number of :data:`GPU_TYPES`.
    :param gpu_memory: GPU memory of one SKU in GiB; 0 for a SKU without a GPU.
    :param network: 0 other, 1 RoCE, 2 IB.
    :param nodes: Names of its nodes.
    """

    id: int
    name: str
    capacity: int = 64
    cpu: int = 8
    memory: int = 64
    gpu_type: int = 5
    gpu_memory: int = 0
    network: int = 0
    nodes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        numbers = (self.id, self.capacity, self.cpu, self.memory, self.gpu_type, self.gpu_memory, self.network)
        if any(isinstance(number, bool) or not isinstance(number, int) or number < 0 for number in numbers):
            raise ValueError(f"virtual cluster {self.name}: all but name and nodes must be integers from 0")
        if self.gpu_type not in GPU_TYPES:
            raise ValueError(f"virtual cluster {self.name}: gpu_type must be one of {', '.join(map(str, GPU_TYPES))}")
        if not self.nodes:
            object.__setattr__(self, "nodes", (f"{self.name}-node-1", f"{self.name}-node-2"))

    def sku(self) -> dict[str, int]:
        """One SKU, as a job or a node of a run tells of it."""
        return {"cpu": self.cpu, "gpu": int(self.gpu_memory > 0), "memory": self.memory}

    def address(self, node: str) -> str:
        """An address for a node, made up."""
        return f"10.{min(self.id, 255)}.0.{self.nodes.index(node) + 1}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node of a pipeline: a command that runs once all nodes in ``dependencies`` have succeeded."""

    name: str
    command: str
    dependencies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineVersion:
    """A version of a workflow.

    :param params: Names of its input parameters. Default: the variables that the commands of its first nodes use.
    """

    id: int
    name: str
    nodes: tuple[Node, ...]
    params: tuple[str, ...] | None = None

    @property
    def input_params(self) -> list[str]:
        if self.params is not None:
            return list(self.params)
        first = (node.command for node in self.nodes if not node.dependencies)
        return list(dict.fromkeys(name for command in first for name in re.findall(r"\$\{?([A-Za-z_]\w*)", command)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A workflow and its versions."""

    id: int
    name: str
    versions: tuple[PipelineVersion, ...]


CLUSTERS = (
    Cluster(id=1, name="vc-cpu", capacity=64, cpu=1, memory=4),
    Cluster(id=2, name="vc-4090", capacity=32, cpu=8, memory=64, gpu_type=2, gpu_memory=24),
    Cluster(id=3, name="vc-a800", capacity=64, cpu=16, memory=128, gpu_type=1, gpu_memory=80, network=2),
)
_GREET = (Node(name="greet", command='echo "hello ${name:-world}"'),)
_TRAIN = (
    Node(name="prepare", command='echo "preparing ${dataset:-nothing}"'),
    Node(name="train", command="sleep 1", dependencies=("prepare",)),
    Node(name="report", command="echo done", dependencies=("train",)),
)
_EVALUATE = Node(
    name="evaluate", command=f"exec python {shlex.quote(str(Path(__file__).with_name('evaluate_model.py')))}"
)
PIPELINES = (
    Pipeline(id=1, name="greet", versions=(PipelineVersion(id=1, name="V1", nodes=_GREET),)),
    Pipeline(id=2, name="prepare-train-report", versions=(PipelineVersion(id=2, name="V1", nodes=_TRAIN),)),
    Pipeline(
        id=3,
        name="evaluate-model",
        versions=(PipelineVersion(id=3, name="V1", nodes=(_EVALUATE,), params=("REPORT_NAME", "DATASET_NAME")),),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Settings(settings.Settings):
    """
    :param data: Folder with the tables of the data warehouse, one CSV or Parquet file each.
    :param api: ``platform`` serves all of the API, ``document`` only what AIHub's OpenAPI document has.
    :param relay_port: Port for the S3 relay (HTTPS), 0 for a free one.
    :param port_per_service: Whether each service also gets a port of its own.
    :param storages: Folders by name, besides ``datasets`` and ``shared``.
    """

    data: Path | None = None
    api: Literal["platform", "document"] = "platform"
    relay_port: int = 0
    port_per_service: bool = False
    storages: Mapping[str, Path] = field(default_factory=dict)
    clusters: tuple[Cluster, ...] = CLUSTERS
    pipelines: tuple[Pipeline, ...] = PIPELINES

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.api not in ("platform", "document"):
            raise SettingsError(f"api must be platform or document, not {self.api!r}.")
        for name, folder in {"data": self.data, **self.storages}.items():
            if folder is not None and not folder.is_dir():
                raise SettingsError(f"The folder {folder} ({name}) does not exist.")


def read_clusters(path: Path) -> tuple[Cluster, ...]:
    """Virtual clusters from a JSON file: a list of objects with the fields of :class:`Cluster`.

    :raises SettingsError: The file is missing or does not hold that.
    """
    with reading(path, "clusters"):
        clusters = tuple(Cluster(**{**entry, "nodes": tuple(entry.get("nodes", ()))}) for entry in read_json(path))
        _unique(cluster.id for cluster in clusters)
        _unique(cluster.name for cluster in clusters)
        return clusters


def read_pipelines(path: Path) -> tuple[Pipeline, ...]:
    """Pipelines from a JSON file: a list of ``{id, name, versions: [{id, name, nodes: [{name, command,
    dependencies}], params?: [name]}]}``.

    :raises SettingsError: The file is missing or does not hold that, or nodes depend on each other in a circle.
    """
    with reading(path, "pipelines"):
        pipelines = tuple(
            Pipeline(
                id=entry["id"], name=entry["name"], versions=tuple(_version(version) for version in entry["versions"])
            )
            for entry in read_json(path)
        )
        _unique(pipeline.id for pipeline in pipelines)
        _unique(version.id for pipeline in pipelines for version in pipeline.versions)
        return pipelines


def _version(entry: Mapping[str, Any]) -> PipelineVersion:
    nodes = tuple(
        Node(name=node["name"], command=node["command"], dependencies=tuple(node.get("dependencies", ())))
        for node in entry["nodes"]
    )
    _unique(node.name for node in nodes)
    if not nodes:
        raise ValueError(f"version {entry['name']} has no nodes")
    if not all(isinstance(text, str) for node in nodes for text in (node.name, node.command, *node.dependencies)):
        raise ValueError("name, command and dependencies of a node must be text")
    done: set[str] = set()
    while len(done) < len(nodes):
        ready = {node.name for node in nodes if node.name not in done and done.issuperset(node.dependencies)}
        if not ready:
            left = ", ".join(node.name for node in nodes if node.name not in done)
            raise ValueError(f"the nodes {left} wait for each other or for a node that is not there")
        done |= ready
    params = entry.get("params")
    if params is not None and not all(isinstance(name, str) for name in params):
        raise ValueError("params of a version must be text")
    return PipelineVersion(
        id=entry["id"], name=entry["name"], nodes=nodes, params=None if params is None else tuple(params)
    )


def _unique(values: Iterable[object]) -> None:
    seen: set[object] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{value!r} is there twice")
        seen.add(value)
