"""Addresses of the pages that people open in AIHub's web UI."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote, urlsplit

from airflow_provider_aihub.aihub.errors import AIHubConfigError

PAGES: Final[Mapping[str, str]] = {
    "training": "/#/trainings/{id}",
    "quota_task": "/#/quota-tasks/{id}",
    "search": "/#/searches/{id}",
    "dataset": "/#/datasets/{id}",
    "dataset_version": "/#/dataset-versions/{id}",
    "workflow_run": "/#/workflow-runs/{id}",
    "evaluation": "/#/evaluations/{id}",
}
"""Where the page of each kind of thing is, below the address of the web UI.

AIHub's document names no page, so an AIHub may have them elsewhere; a connection can say where.
"""
_PLACEHOLDER = "{id}"


def read_pages(given: Any, field: str) -> dict[str, str]:
    """Read where a connection says that pages are; the others are where :data:`PAGES` has them.

    :param given: A mapping of kinds to paths or whole URLs, or such a mapping as JSON. What is ``None`` or empty is
        not set.
    :param field: The connection's field that it comes from.
    :raises AIHubConfigError: naming the field and what it may hold.
    """
    if isinstance(given, str):
        with suppress(ValueError):
            given = json.loads(given)
    given = given or {}
    if not isinstance(given, Mapping):
        raise AIHubConfigError(
            f"The connection's '{field}' must be a JSON object of kinds and paths, such as "
            '{"training": "/#/trainings/{id}"}.'
        )
    pages = dict(PAGES)
    for kind, page in given.items():
        if kind not in PAGES:
            raise AIHubConfigError(
                f"The connection's '{field}' has a page for {kind!r}; it may have pages for "
                f"{', '.join(map(repr, PAGES))}."
            )
        if page is None or page == "":
            continue
        # The page is not repeated in the error, since it could hold a password.
        if not isinstance(page, str) or not _is_page(page):
            raise AIHubConfigError(
                f"The connection's '{field}' has a page for {kind!r} that cannot be used; it may be a path that begins "
                f"with / or a URL, without credentials or spaces, and {_PLACEHOLDER} is its only placeholder."
            )
        pages[kind] = page
    return pages


def address_of(page: str, thing: int | str, web_url: str | None) -> str | None:
    """Return the address of one thing's page.

    :param page: Where pages of its kind are: a path or a whole URL.
    :param thing: Its id; its name where it has no other.
    :param web_url: Address of the web UI.
    :return: ``None`` where the address of the web UI is needed and not known.
    """
    if page.startswith("/"):
        if web_url is None:
            return None
        page = web_url + page
    return page.replace(_PLACEHOLDER, quote(str(thing), safe=""))


def _is_page(text: str) -> bool:
    fixed = text.replace(_PLACEHOLDER, "")
    if any(char in "{}" or char.isspace() or not char.isprintable() for char in fixed):
        return False
    if text.startswith("/"):
        return True
    try:
        parts = urlsplit(fixed)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False
