"""The user system: logins, tokens and users."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from pydantic import Field

from airflow_provider_aihub.aihub.models import Named, Page, page_of
from airflow_provider_aihub.aihub.services import Auth, Service
from airflow_provider_aihub.aihub.values import check_id, check_ids, check_member, check_text, page_query
from airflow_provider_aihub.http.models import Answer
from airflow_provider_aihub.http.request import Request, path
from airflow_provider_aihub.http.values import Number, Whole

_USERS = "/api/v1/users"


class Login(Answer):
    """A login that was accepted.

    :param id: Id of the user, 0 where the answer does not say it.
    :param token: The JWT for all services but the S3 relay.
    """

    id: Number = 0
    token: str = Field(min_length=1, repr=False)


class UserStatus(IntEnum):
    """Whether a user may do anything."""

    USABLE = 1
    DISABLED = 2


class User(Answer):
    """A user as AIHub shows them.

    :param status: See :class:`UserStatus`.
    :param created_at: Unix milliseconds.
    """

    id: Whole
    username: str = ""
    nickname: str = ""
    email: str = ""
    status: Number = 0
    roles: list[Named] = Field(default_factory=list)
    tags: list[Named] = Field(default_factory=list)
    created_at: Number = 0


def login(username: str, password: str) -> Request[Login]:
    """Get a token for a user.

    :raises AIHubParameterError: The user name is empty.
    """
    return Request(
        asks=f"log in as {check_text('username', username)!r}",
        service=Service.USER_SYSTEM,
        method="POST",
        path="/api/v1/auth/login",
        read=Login.read,
        json={"username": username, "password": password},
        auth=Auth.NONE,
        is_login=True,
    )


def list_users(page: int = 1, page_size: int = 20, search_key: str | None = None) -> Request[Page[User]]:
    """List users. Newer platforms only.

    :param search_key: Only users with this text in a field; which fields are searched is not documented.
    :raises AIHubParameterError: A number is not a whole number of at least 1.
    """
    return Request(
        asks="list users",
        service=Service.USER_SYSTEM,
        method="GET",
        path=_USERS,
        read=page_of(User),
        query=page_query(page, page_size, search_key=search_key),
        optional=True,
    )


def get_user(user_id: int | str) -> Request[User]:
    """Read a user. Newer platforms only. The id of the connection's own user is the hook's ``user_id``.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    number = check_id("user_id", user_id)
    return Request(
        asks=f"read user {number}",
        service=Service.USER_SYSTEM,
        method="GET",
        path=path(_USERS + "/{}", number),
        read=User.read,
        about={"id": number},
        optional=True,
    )


def search_users(
    page: int = 1,
    page_size: int = 20,
    username: str | None = None,
    nickname: str | None = None,
    email: str | None = None,
    user_ids: Sequence[int | str] | None = None,
    status: UserStatus | int | str | None = None,
) -> Request[Page[User]]:
    """Search for users. Newer platforms only. Each parameter but the first two keeps only the users that have it.

    Whether a part of a text also matches is not documented.

    :param user_ids: Ids of users.
    :param status: By word or number, see :class:`UserStatus`.
    :raises AIHubParameterError: A number is not a whole number of at least 1, or the status is unknown.
    """
    given = {"username": username, "nickname": nickname, "email": email}
    ids = None if user_ids is None else check_ids("user_ids", user_ids)
    state = None if status is None else check_member("status", UserStatus, status).value
    return Request(
        asks="search for users",
        service=Service.USER_SYSTEM,
        method="POST",
        path="/api/v1/search-users",
        read=page_of(User),
        json={
            name: value
            for name, value in {**page_query(page, page_size), **given, "user_ids": ids, "status": state}.items()
            if value is not None
        },
        optional=True,
    )
