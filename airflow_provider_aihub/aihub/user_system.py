"""The user system: who one is, and the token that says so."""

from __future__ import annotations

from pydantic import Field

from airflow_provider_aihub.aihub.services import Auth, Service
from airflow_provider_aihub.aihub.values import check_text
from airflow_provider_aihub.http.models import Answer
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.http.values import Number


class Login(Answer):
    """A login that was taken.

    :param id: Id of the user, 0 where the answer does not say it.
    :param token: The JWT for all services but the S3 relay.
    """

    id: Number = 0
    token: str = Field(min_length=1, repr=False)


def login(username: str, password: str) -> Request[Login]:
    """Get a token for a user.

    :raises AIHubParameterError: Where the user name is empty.
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
