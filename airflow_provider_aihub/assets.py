"""AIHub's datasets as assets of Airflow: ``aihub://<host>/datasets/<name>``.

The host is where the connection reaches AIHub's dataset management, with the port where it is none of HTTP's own: one
machine may have several AIHubs. A name is quoted as in any URI, so ``/`` in it becomes ``%2F``, and each character
beyond ASCII several ``%xx``. Airflow takes no URI of more than 1500 characters: where a name makes a longer one, it is
cut and ends in ``~`` and 32 hexadecimal digits, the beginning of the SHA-256 of the whole name in UTF-8.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset as OpenLineageDataset
    from airflow.providers.common.compat.sdk import Asset

    from airflow_provider_aihub.aihub.config import Config as AIHubConfig
    from airflow_provider_aihub.aihub.dataset_management import DatasetVersion

SCHEME = "aihub"
FOLDER = "datasets"
VERSIONS_ALIAS = "aihub_dataset_versions"
"""Name of the asset alias that stands for all datasets whose versions Airflow has made.

Each task of a :class:`~airflow_provider_aihub.operators.dataset.DatasetVersionOperator` has it as an outlet, so that
the asset of its dataset gets an event without having been declared; a DAG may be scheduled on it.
"""
LONGEST_URI = 1500
"""Characters that Airflow takes."""
FACTS = {"id", "version", "dataset", "size", "count"}
"""What is told of a version along with an event."""
_EXAMPLE = f"{SCHEME}://10.0.0.1:30061/{FOLDER}/mnist"


def dataset_uri(name: str, *, host: str) -> str:
    """Return the URI of a dataset.

    :param name: Name of the dataset, not quoted. Any name has a URI.
    :param host: Host of AIHub's dataset management, with its port, such as ``10.0.0.1:30061``.
    :raises ValueError: One of them is empty, or there is no such host.
    """
    if "/" in host:
        raise ValueError(f"host is {host!r}; it is a name or an address and its port, as in {_EXAMPLE}")
    return sanitize_uri(urlsplit(f"{SCHEME}://{host}/{FOLDER}/{quote(name, safe='')}")).geturl()


def _fitting(name: str, room: int) -> str:
    """Return a name quoted, in so many characters at most."""
    quoted = quote(name, safe="")
    if len(quoted) <= room:
        return quoted
    end = f"~{hashlib.sha256(name.encode()).hexdigest()[:32]}"
    # Nothing is cut within a character.
    sizes = accumulate(len(quote(char, safe="")) for char in name)
    kept = sum(size <= room - len(end) for size in sizes)
    return quote(name[:kept], safe="") + end


def dataset_asset(name: str, *, host: str | None = None, aihub_conn_id: str = "aihub_default", **given: Any) -> Asset:
    """Return the asset of a dataset, for the schedule of a DAG or the outlets of a task.

    The asset is named by its URI, as it is in the events of
    :class:`~airflow_provider_aihub.operators.dataset.DatasetVersionOperator`. To Airflow an asset of the same URI and
    another name is in conflict with it, and gets an event only from a task that has it among its outlets.

    :param name: Name of the dataset.
    :param host: See :func:`dataset_uri`. Default: read from the connection, whenever the DAG file is read; a DAG file
        that names the host needs no connection.
    :param aihub_conn_id: Connection of type ``aihub``. Default: ``aihub_default``.
    :param given: More of the asset, such as ``watchers`` and ``group``.
    :raises ValueError: The name or the host cannot be.
    :raises AIHubConfigError: The connection does not say where dataset management is.
    """
    from airflow.providers.common.compat.sdk import Asset

    if host is None:
        from airflow_provider_aihub.hooks.aihub import AIHubHook

        host = dataset_host(AIHubHook(aihub_conn_id).get_conn().config)
    return Asset(uri=dataset_uri(name, host=host), **given)


def dataset_host(config: AIHubConfig) -> str:
    """Return the host of dataset management, as in the URIs of datasets.

    :raises AIHubConfigError: The connection does not say it.
    """
    from airflow_provider_aihub.aihub.services import Service
    from airflow_provider_aihub.http.urls import origin

    scheme, host, port = origin(config.address(Service.DATASET_MANAGEMENT))
    host = f"[{host}]" if ":" in host else host
    return host if port == {"http": 80, "https": 443}[scheme] else f"{host}:{port}"


def version_facts(version: DatasetVersion, dataset: str) -> dict[str, str | int]:
    """Return what is told of a version along with an event: ``{"id", "version", "dataset", "size", "count"}``.

    The size is AIHub's ``data_size``, for which its document names no unit; the count is of files.

    :param dataset: Name of the dataset.
    """
    return {
        "id": version.id,
        "version": version.version,
        "dataset": dataset,
        "size": version.data_size,
        "count": version.data_count,
    }


def recorded_key(payload: Any) -> str | None:
    """Return the key under which Airflow keeps, for an asset, that the event of a watcher was recorded.

    :param payload: That of the event; another than :func:`version_facts` has no key.
    """
    if not isinstance(payload, dict) or payload.keys() != FACTS or not isinstance(payload["id"], int):
        return None
    dataset = hashlib.sha256(str(payload["dataset"]).encode()).hexdigest()
    return f"aihub_dataset_version_recorded_{payload['id']}_{dataset[:16]}"


def with_versions_alias(outlets: Any) -> list[Any]:
    """Add the alias of :data:`VERSIONS_ALIAS` to the outlets of a task, unless it is there."""
    from airflow.providers.common.compat.sdk import AssetAlias

    given = [] if outlets is None else list(outlets) if isinstance(outlets, list | tuple | set) else [outlets]
    alias = AssetAlias(VERSIONS_ALIAS)
    return given if alias in given else [*given, alias]


def announce(context: Mapping[str, Any], outlets: Iterable[Any], uri: str, facts: Mapping[str, Any]) -> None:
    """Let a task that succeeds give one event to the asset of a URI.

    An outlet that is this asset gives its event anyway, which is told the facts; otherwise the asset is added to the
    task's :data:`VERSIONS_ALIAS`.

    :param context: Airflow's, of the process that ends the task.
    :param outlets: Those of the task.
    :param facts: Become the event's extra.
    """
    events = context.get("outlet_events")
    if events is None:
        return
    declared = [found for outlet in outlets if (found := _event_of(events, outlet, uri)) is not None]
    for event in declared:
        event.extra = {**event.extra, **facts}
    if not declared:
        from airflow.providers.common.compat.sdk import Asset, AssetAlias

        alias = AssetAlias(VERSIONS_ALIAS)
        _make_known(alias)
        events[alias].add(Asset(uri=uri), extra=dict(facts))


def _event_of(events: Any, outlet: Any, uri: str) -> Any:
    """Return the event of an outlet if the outlet is the asset of the URI; it may be declared by its name alone."""
    from airflow.providers.common.compat.sdk import AssetAlias

    known = getattr(outlet, "uri", None)
    if known is not None:
        return events[outlet] if known == uri else None
    if isinstance(outlet, AssetAlias) or not hasattr(outlet, "name"):
        return None
    event = events[outlet]
    return event if getattr(event.key, "uri", None) == uri else None


def _make_known(alias: Any) -> None:
    """Let Airflow 2 know the alias, which fails a task whose alias no DAG processor has seen, as in ``dag.test()``."""
    try:
        from airflow.models.dataset import DatasetAliasModel  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        return
    from airflow import settings
    from sqlalchemy import select
    from sqlalchemy.orm import Session

    # Airflow's own session of this thread is the running task's.
    with Session(settings.engine) as session, session.begin():
        if session.scalar(select(DatasetAliasModel).where(DatasetAliasModel.name == alias.name)) is None:
            session.add(DatasetAliasModel(name=alias.name))


# What Airflow is told of these URIs, see the provider's metadata.


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Bring the URI of a dataset into its one form.

    :raises ValueError: It is no such URI.
    """
    try:
        usable = bool(uri.hostname) and uri.port != 0 and re.fullmatch(r"[^\s@]+", uri.netloc) is not None
    except ValueError:
        usable = False
    if not usable or uri.hostname is None or uri.query:
        raise ValueError(
            f"The URI of a dataset on AIHub has a host, a port that can be, no user and no query, as in {_EXAMPLE}"
        )
    root, _, path = uri.path.partition("/")
    folder, _, quoted = path.partition("/")
    name = unquote(quoted)
    if root or folder != FOLDER or not name or "/" in quoted:
        raise ValueError(
            f"The path of an asset on AIHub is /{FOLDER}/ and the quoted name of a dataset, as in {_EXAMPLE}"
        )
    host = f"[{uri.hostname}]" if ":" in uri.hostname else uri.hostname
    netloc = host if uri.port is None else f"{host}:{uri.port}"
    room = LONGEST_URI - len(f"{SCHEME}://{netloc}/{FOLDER}/")
    return uri._replace(netloc=netloc, path=f"/{FOLDER}/{_fitting(name, room)}")


def create_asset(*, host: str, name: str, extra: dict[str, Any] | None = None) -> Asset:
    """Make the asset of a dataset, for Airflow's collector of lineage.

    :param host: See :func:`dataset_uri`.
    :param name: Name of the dataset.
    :param extra: What else is told of it.
    """
    return dataset_asset(name, host=host, extra=extra)


def convert_asset_to_openlineage(asset: Asset, lineage_context: Any) -> OpenLineageDataset:  # noqa: ARG001
    """Return the dataset of OpenLineage for an asset: ``aihub://<host>`` is its namespace.

    :param lineage_context: The hook or operator that has used it.
    """
    from airflow.providers.common.compat.openlineage.facet import Dataset as OpenLineageDataset

    parts = urlsplit(asset.uri)
    return OpenLineageDataset(namespace=f"{parts.scheme}://{parts.netloc}", name=parts.path.lstrip("/"))
