"""The data warehouse: searches by SQL, by images and by keywords."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, computed_field, model_validator

from airflow_provider_aihub.aihub.job_calls import JobCalls
from airflow_provider_aihub.aihub.models import Page, Spec
from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.http.models import Answer
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.http.values import Box, NotEmpty, Number, Positive, Text, Whole, Words

_SEARCHES = JobCalls(Service.DATA_WAREHOUSE, "search", "searches", "/data-warehouse/api/v1/searches", "search_id")


class SearchType(IntEnum):
    """What a search goes by."""

    SQL = 1
    IMAGES = 2
    KEYWORDS = 3


class SearchStatus(IntEnum):
    """Where a search stands."""

    WAITING = 1
    RUNNING = 2
    SUCCESS = 3
    FAILED = 4


class SearchImage(Spec):
    """An image to search by.

    :param url: Its HTTP address.
    :param box: The part of it to search by, ``[x1, y1, x2, y2]``.
    """

    noun: ClassVar[str] = "image to search by"

    url: Text
    box: Box


class SearchSpec(Spec):
    """A search to create. Its type follows from which one of ``sql``, ``images`` and ``keywords`` is given.

    :param name: Name of the search.
    :param description: Free text.
    :param sql: The query.
    :param images: Images to search by.
    :param keywords: Words to search by.
    :param feature_lib_id: Feature library to search; for images and keywords, where it is required.
    :param top_k: Number of results wanted, 1 or more; for images and keywords, where it is required.
    """

    noun: ClassVar[str] = "search"

    name: Text
    description: Words | None = None
    sql: Text | None = None
    images: Annotated[list[SearchImage], NotEmpty] | None = None
    keywords: Text | None = None
    feature_lib_id: Positive | None = None
    top_k: Positive | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def type(self) -> SearchType:
        """What the search goes by."""
        if self.sql is not None:
            return SearchType.SQL
        return SearchType.IMAGES if self.images is not None else SearchType.KEYWORDS

    @model_validator(mode="after")
    def _one_type(self) -> Self:
        given = [name for name in ("sql", "images", "keywords") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"one of sql, images and keywords must be given, not {' and '.join(given) or 'none'}")
        limits = {"feature_lib_id": self.feature_lib_id, "top_k": self.top_k}
        wrong = [name for name, value in limits.items() if (value is None) != (self.sql is not None)]
        if wrong:
            rule = "has no meaning for a search by sql" if self.sql else f"is missing for a search by {given[0]}"
            raise ValueError("; ".join(f"{name} {rule}" for name in wrong))
        return self


class SearchResult(Answer):
    """One result of a search by images or keywords.

    :param score: How similar it is.
    :param box: The part of the image that was found, ``[x1, y1, x2, y2]``.
    """

    image_url: str = ""
    label: str = ""
    score: float = 0
    box: list[float] = Field(default_factory=list)


class Search(Answer):
    """A search as AIHub knows it.

    :param status: See :class:`SearchStatus`; numbers beyond it may appear.
    :param message: AIHub's words on a failure.
    :param result_url: HTTP address of the result as CSV, on success.
    :param results: Results of a search by images or keywords.
    :param created_at: Unix milliseconds.
    """

    id: Whole
    status: Whole
    type: Number = 0
    name: str = ""
    description: str = ""
    sql: str = ""
    feature_lib_id: Number = 0
    feature_lib_name: str = ""
    images: list[dict[str, Any]] = Field(default_factory=list)
    keywords: str = ""
    top_k: Number = 0
    message: str = ""
    result_url: str = ""
    results: list[SearchResult] = Field(default_factory=list)
    created_at: Number = 0
    username: str = ""


def create_search(spec: SearchSpec) -> Request[int]:
    """Start a search and return its id."""
    return _SEARCHES.create(spec, spec.name)


def get_search(search_id: int | str) -> Request[Search]:
    """Read a search.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    return _SEARCHES.read(Search, search_id)


def list_searches(
    page: int = 1,
    page_size: int = 20,
    name: str | None = None,
    status: int | None = None,
    user_id: int | str | None = None,
) -> Request[Page[Search]]:
    """List searches. Newer platforms only.

    :param name: Only those of this name. Whether a part of the name also matches is not documented.
    :param status: Only those in this status, see :class:`SearchStatus`.
    :param user_id: Only those of this user.
    :raises AIHubParameterError: A number is not a whole number of at least 1.
    """
    return _SEARCHES.listing(Search, page, page_size, {"status": status, "user_id": user_id}, name=name)
