"""Ids for names: what people call a cluster, a storage, a project or a dataset, as AIHub wants it.

Everywhere an id may be given instead, as a number or as its digits; then nothing is asked of AIHub.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Protocol

from airflow_provider_aihub.api.errors import (
    AIHubConfigError,
    AIHubParameterError,
    AIHubRejectedError,
    AIHubUnsupportedError,
)
from airflow_provider_aihub.api.values import as_int, check_id, check_text

if TYPE_CHECKING:
    from airflow_provider_aihub.api.tag_system import ModuleType
    from airflow_provider_aihub.hooks.aihub import AIHubHook

PAGE_SIZE = 100
MOST_SHOWN = 5
MOST_PROBED = 32
"""Versions probed, from the first, to learn a dataset's id from an AIHub that does not list datasets."""


class Row(Protocol):
    """Anything with an id and a name."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...


def known_id(parameter: str, given: int | str) -> int | None:
    """Give the id where one was given, and ``None`` where it is a name.

    :raises AIHubParameterError: It is neither.
    """
    if as_int(given) is not None:
        return check_id(parameter, given)
    check_text(parameter, given, allowed="a name or an id")  # type: ignore[arg-type]
    return None


def virtual_cluster_id(hook: AIHubHook, given: int | str, module: ModuleType) -> int:
    """Find a virtual cluster among those that the user of the connection may use."""
    known = known_id("virtual_cluster", given)
    if known is not None:
        return known
    user_id = hook.user_id
    if user_id is None:
        raise AIHubConfigError(
            f"The virtual cluster {given!r} cannot be looked up, since the token in the connection does not say whose "
            "it is; give the cluster's id, or a login and password in the connection."
        )
    return _match("virtual_cluster", given, hook.list_virtual_clusters(user_id, module))


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
        raise AIHubParameterError(
            f"project is {given!r}, but this AIHub does not list projects; give the id that its web pages show."
        ) from None


def dataset_id(hook: AIHubHook, given: int | str) -> int:
    """Find a dataset."""
    known = known_id("dataset", given)
    if known is not None:
        return known
    try:
        rows = _datasets(hook, str(given))
        return _match("dataset", given, rows if any(row.name == given for row in rows) else _datasets(hook, None))
    except AIHubUnsupportedError:
        pass
    # The document's API names a dataset only through its versions.
    for number in range(1, MOST_PROBED + 1):
        try:
            return hook.get_dataset_version_by_name(f"{given}/V{number}").dataset_id
        except AIHubRejectedError:
            continue
    raise AIHubParameterError(
        f"dataset is {given!r}, but AIHub knows no version of a dataset of that name and cannot list datasets; "
        "check the name, or for a dataset without versions give its id as dataset and its name as dataset_name."
    )


def _datasets(hook: AIHubHook, name: str | None) -> list[Row]:
    rows: list[Row] = []
    page_num, more = 1, True
    while more:
        page = hook.list_datasets(page=page_num, page_size=PAGE_SIZE, name=name)
        rows += page.data
        more = bool(page.data) and page_num * PAGE_SIZE < page.total
        page_num += 1
    return rows


def _match(parameter: str, given: int | str, rows: Iterable[Row]) -> int:
    ids_of: dict[str, list[int]] = {}
    for row in rows:
        ids_of.setdefault(row.name, []).append(row.id)
    found = ids_of.get(str(given), [])
    if len(found) == 1:
        return found[0]
    if found:
        raise AIHubParameterError(
            f"{parameter} is {given!r}, which AIHub has {len(found)} of; give one of the ids "
            f"{', '.join(map(str, sorted(found)))}."
        )
    names = sorted(ids_of)
    near = get_close_matches(str(given), names, MOST_SHOWN, cutoff=0.4) or names[:MOST_SHOWN]
    offer = f"the nearest are {', '.join(map(repr, near))}" if near else "it has none at all"
    raise AIHubParameterError(f"{parameter} is {given!r}, which AIHub does not have; {offer}.")
