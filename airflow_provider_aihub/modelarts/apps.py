"""Apps: identities with which other programs call the services of ModelArts. Each has a key and a secret."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from airflow_provider_aihub.http.models import Answer, nothing, rows
from airflow_provider_aihub.http.request import Request
from airflow_provider_aihub.http.values import Number, Text, Words
from airflow_provider_aihub.modelarts.services import V1, WORKSPACE, to
from airflow_provider_aihub.modelarts.values import Spec, at_most

_APPS = f"{V1}/app-auth/apps"


class AppSpec(Spec):
    """An app to create.

    :param app_remark: At most 200 characters.
    :param workspace_id: Default: that of the connection.
    """

    noun: ClassVar[str] = "app"

    app_name: Text
    app_remark: Annotated[Words, at_most(200)] | None = None
    workspace_id: Text = WORKSPACE


class App(Answer):
    """An app. Whoever has its key, its secret or one of its codes can act as it, so they are shown nowhere.

    :param app_type: APIC, APIG or DEDICATE_APIG.
    """

    app_id: str
    app_name: str = ""
    app_key: str = Field(default="", repr=False)
    app_secret: str = Field(default="", repr=False)
    app_codes: list[str] = Field(default_factory=list, repr=False)
    app_type: str = ""
    app_remark: str = ""
    bounded_api_count: Number = 0
    created_at: Number = 0
    updated_at: Number = 0
    project_id: str = ""
    user_id: str = ""


def create_app(spec: AppSpec) -> Request[App]:
    """Create an app; a user may have five."""
    return Request(
        asks=f"create app {spec.app_name!r}",
        **to("POST", _APPS),
        read=_app,
        json=spec.body(),
        creates=True,
    )


def list_apps(app_name: str | None = None) -> Request[list[App]]:
    """List apps.

    :param app_name: Only those of this name.
    """
    return Request(
        asks="list apps",
        **to("GET", _APPS),
        read=rows(App, "apps"),
        query={"app_name": app_name},
    )


def delete_app(app_id: str) -> Request[None]:
    """Delete an app.

    :raises ModelArtsParameterError: The id is not valid.
    """
    return Request(
        asks=f"delete app {app_id}",
        **to("DELETE", _APPS + "/{}", app_id=app_id),
        read=nothing,
    )


def _app(data: Any) -> App:
    if not isinstance(data, dict) or not isinstance(data.get("app"), dict):
        raise ValueError("the answer has no app")  # noqa: TRY004 - readers raise ValueError
    return App.read(data["app"])
