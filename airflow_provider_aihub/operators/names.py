"""Finds the ids of clusters, storages, projects, datasets, pipelines and so on by their names.

An id, as a number or as digits, may always be given instead; then AIHub is not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import count
from typing import TYPE_CHECKING, Protocol, TypeVar

from airflow_provider_aihub.aihub.errors import (
    AIHubConfigError,
    AIHubParameterError,
    AIHubRejectedError,
    AIHubUnsupportedError,
)
from airflow_provider_aihub.aihub.values import check_id, check_text
from airflow_provider_aihub.http.answers import FORBIDDEN
from airflow_provider_aihub.http.values import as_int

if TYPE_CHECKING:
    from airflow_provider_aihub.aihub.dataset_management import Dataset
    from airflow_provider_aihub.aihub.model_deployment import Deployment
    from airflow_provider_aihub.aihub.models import Page
    from airflow_provider_aihub.aihub.tag_system import ModuleType
    from airflow_provider_aihub.aihub.templates import Template
    from airflow_provider_aihub.hooks.aihub import AIHubHook

T = TypeVar("T")

PAGE_SIZE = 100
MOST_SHOWN = 5
MOST_PROBED = 100
"""Highest number of a version that is read to find a dataset's id, on an AIHub that does not list datasets."""


class Row(Protocol):
    """Anything with an id and a name."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...


def known_id(parameter: str, given: int | str) -> int | None:
    """Return the id if one was given, and ``None`` for a name.

    :raises AIHubParameterError: It is neither.
    """
    if as_int(given) is not None:
        return check_id(parameter, given)
    check_text(parameter, given, allowed="a name or an id")
    return None


def virtual_cluster_id(hook: AIHubHook, given: int | str, *modules: ModuleType) -> int:
    """Find a virtual cluster among those that the user of the connection may use.

    :param modules: What the cluster is used for; they are tried in this order until the cluster is found.
    """
    known = known_id("virtual_cluster", given)
    if known is not None:
        return known
    user_id = hook.user_id
    if user_id is None:
        raise AIHubConfigError(
            f"The virtual cluster {given!r} cannot be looked up, since the token in the connection names no user; "
            "give the cluster's id, or a login and password in the connection."
        )
    rows: list[Row] = []
    for module in modules:
        try:
            rows += hook.list_virtual_clusters(user_id, module)
        except AIHubRejectedError:
            # An AIHub with the document's API knows only trainings and workflows.
            if not rows:
                raise
        if any(row.name == str(given) for row in rows):
            break
    return _match("virtual_cluster", given, rows)


def storage_ids(hook: AIHubHook, given: Sequence[int | str]) -> list[int]:
    """Find storages, in the order given."""
    known = [known_id("storages", one) for one in given]
    if None not in known:
        return [one for one in known if one]
    rows = hook.list_storages()
    return [known_one or _match("storages", one, rows) for known_one, one in zip(known, given, strict=True)]


def project_id(hook: AIHubHook, given: int | str) -> int:
    """Find a project."""
    known = known_id("project", given)
    if known is not None:
        return known
    try:
        return _match("project", given, hook.list_projects())
    except AIHubUnsupportedError:
        raise _id_needed("project", given, "projects") from None


def pipeline_ids(hook: AIHubHook, pipeline: int | str, version: int | str | None) -> tuple[int, int]:
    """Find a pipeline and its version.

    :param version: ``None`` for the latest.
    """
    pipeline_id = known_id("pipeline", pipeline)
    version_id = None if version is None else known_id("pipeline_version", version)
    if pipeline_id is None:
        try:
            pipeline_id = _narrowed("pipeline", pipeline, lambda name: hook.list_pipelines(name))
        except AIHubUnsupportedError:
            raise _id_needed("pipeline", pipeline, "pipelines") from None
    found = pipeline_id
    if version_id is not None:
        return found, version_id
    try:
        if version is not None:
            return found, _narrowed("pipeline_version", version, lambda name: hook.list_pipeline_versions(found, name))
        version_id = hook.get_pipeline(found).latest_version_id
    except AIHubUnsupportedError:
        if version is not None:
            raise _id_needed("pipeline_version", version, "the versions of pipelines") from None
        raise AIHubParameterError(
            "pipeline_version is missing, and this AIHub does not say which one is a pipeline's latest; give the id "
            "that its web pages show."
        ) from None
    if version_id < 1:
        raise AIHubParameterError(f"pipeline is {pipeline!r}, but AIHub has no version of it; release one first.")
    return found, version_id


def check_pipeline_params(hook: AIHubHook, version_id: int, given: Iterable[str]) -> None:
    """Make sure that a version of a pipeline knows the parameters that it is given.

    If an AIHub does not list them, nothing is checked here.

    :raises AIHubParameterError: It does not know one of them.
    """
    names = list(given)
    if not names:
        return
    try:
        known = hook.list_pipeline_params(version_id)
    except AIHubUnsupportedError:
        return
    _check_known("pipeline_params", names, known, f"version {version_id} of the pipeline")


def template_id(hook: AIHubHook, given: int | str) -> int:
    """Find a workflow template.

    :raises AIHubUnsupportedError: This AIHub has none.
    """
    known = known_id("template", given)
    if known is not None:
        return known

    def templates(name: str | None) -> list[Template]:
        return list(pages(lambda page: hook.list_templates(page=page, page_size=PAGE_SIZE, name=name)))

    return _narrowed("template", given, templates)


def check_template_params(hook: AIHubHook, number: int, given: Iterable[str]) -> None:
    """Make sure that a workflow template knows the parameters that it is given.

    :raises AIHubParameterError: It does not know one of them.
    :raises AIHubUnsupportedError: This AIHub has no templates.
    """
    _check_known("template_params", given, hook.list_template_params(number), f"workflow template {number}")


def _check_known(parameter: str, given: Iterable[str], known: Sequence[str], whose: str) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        allowed = f"it knows {', '.join(map(repr, known))}" if known else "it knows none"
        raise AIHubParameterError(
            f"{parameter} holds {', '.join(map(repr, unknown))}, which {whose} does not know; {allowed}."
        )


def deployment_id(hook: AIHubHook, given: int | str) -> int:
    """Find a deployment.

    :raises AIHubUnsupportedError: This AIHub has none.
    """
    known = known_id("deployment", given)
    return _narrowed("deployment", given, lambda name: _deployments(hook, name)) if known is None else known


def deployments_named(hook: AIHubHook, name: str) -> list[int]:
    """Return the ids of the deployments of a name. Blanks around it do not count, since AIHub may drop them."""
    name = name.strip()
    return [row.id for row in _deployments(hook, name) if row.name.strip() == name]


def _deployments(hook: AIHubHook, name: str | None) -> list[Deployment]:
    return list(pages(lambda page: hook.list_deployments(page=page, page_size=PAGE_SIZE, name=name)))


def dataset_id(hook: AIHubHook, given: int | str) -> int:
    """Find a dataset."""
    known = known_id("dataset", given)
    return dataset_named(hook, str(given)) if known is None else known


def dataset_named(hook: AIHubHook, name: str) -> int:
    """Find a dataset by its name, also where the name is a number."""
    try:
        return _narrowed("dataset", name, lambda narrowed: _datasets(hook, narrowed))
    except AIHubUnsupportedError:
        pass
    # The document's API names a dataset only through its versions, of which old ones may have been deleted.
    number = 1
    while number <= MOST_PROBED:
        try:
            return hook.get_dataset_version_by_name(f"{name}/V{number}").dataset_id
        except AIHubRejectedError as refusal:
            if refusal.status == FORBIDDEN:
                raise
            number += number // 2 + 1
    raise AIHubParameterError(
        f"dataset is {name!r}, but AIHub knows no version of a dataset of that name and cannot list datasets; "
        "check the name, or for a dataset without versions give its id as dataset and its name as dataset_name."
    )


def _datasets(hook: AIHubHook, name: str | None) -> list[Dataset]:
    return list(pages(lambda page: hook.list_datasets(page=page, page_size=PAGE_SIZE, name=name)))


def pages(read: Callable[[int], Page[T]]) -> Iterator[T]:
    """Yield the rows of all pages of a list.

    :param read: Reads a page by its number, from 1. A short page need not be the last one.
    """
    seen, before = 0, None
    for number in count(1):
        page = read(number)
        # An AIHub that gives the same page again has no other.
        if not page.data or page.data == before:
            return
        yield from page.data
        seen, before = seen + len(page.data), page.data
        # A negative total is no count.
        if 0 <= page.total <= seen:
            return


def _narrowed(parameter: str, given: int | str, read: Callable[[str | None], Sequence[Row]]) -> int:
    """Return the id of a name. AIHub is asked for this name only, and if that fails, for all, to suggest similar names.

    :param read: Reads the list: narrowed to a name, or all of it for ``None``.
    """
    rows = read(str(given))
    return _match(parameter, given, rows if any(row.name == str(given) for row in rows) else read(None))


def _id_needed(parameter: str, given: int | str, lacking: str) -> AIHubParameterError:
    return AIHubParameterError(
        f"{parameter} is {given!r}, but this AIHub does not list {lacking}; give the id that its web pages show."
    )


def _match(parameter: str, given: int | str, rows: Iterable[Row]) -> int:
    ids_of: dict[str, set[int]] = {}
    for row in rows:
        ids_of.setdefault(row.name, set()).add(row.id)
    found = ids_of.get(str(given), set())
    if len(found) == 1:
        return next(iter(found))
    if found:
        raise AIHubParameterError(
            f"{parameter} is {given!r}, but AIHub has {len(found)} of that name; give one of the ids "
            f"{', '.join(map(str, sorted(found)))}."
        )
    names = sorted(ids_of)
    near = get_close_matches(str(given), names, MOST_SHOWN, cutoff=0.4) or names[:MOST_SHOWN]
    nearest = f"the nearest {'is' if len(near) == 1 else 'are'} {', '.join(map(repr, near))}"
    offer = nearest if near else "AIHub shows none at all"
    raise AIHubParameterError(f"{parameter} is {given!r}, which AIHub does not have; {offer}.")
