"""Apps of ModelArts: identities with which other programs call its services."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from airflow_provider_aihub.operators.modelarts_base import ModelArtsCallOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_aihub.modelarts.apps import App

LONGEST_NAME = 250
"""Characters that Airflow's database keeps of the name of a variable or a connection."""


class ModelArtsCreateAppOperator(ModelArtsCallOperator):
    """Create an app, and keep its key, secret and codes in an Airflow variable or connection, and nowhere else.

    Returns ``{"id", "name", "type"}``. If Airflow cannot keep the secret, the task fails before anything is created. If
    keeping it fails later, the app is deleted again, since nobody could use it.

    :param app_name: Name of the app.
    :param secret_variable: Name of the variable that is set to ``{"app_key", "app_secret", "app_codes"}`` as JSON. A
        name with ``secret`` in it has Airflow mask the value wherever it shows variables.
    :param secret_conn_id: Instead: id of a connection of type ``http`` that is created, with the key as login, the
        secret as password and the codes in the extra. Airflow 2 only: a task of Airflow 3 can only read connections.
    :param app_remark: Free text, at most 200 characters.
    :param workspace_id: Default: that of the connection.

    The remaining parameters are those of :class:`~.modelarts_base.ModelArtsCallOperator`.
    """

    def __init__(
        self,
        *,
        app_name: str,
        secret_variable: str | None = None,
        secret_conn_id: str | None = None,
        app_remark: str | None = None,
        workspace_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.app_name = app_name
        self.secret_variable = secret_variable
        self.secret_conn_id = secret_conn_id
        self.app_remark = app_remark
        self.workspace_id = workspace_id

    def call(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Create the app and keep its secret."""
        from airflow_provider_aihub.modelarts.apps import AppSpec

        self._check_place()
        spec = AppSpec.build(app_name=self.app_name, app_remark=self.app_remark, workspace_id=self.workspace_id)
        app = self.hook.create_app(spec)
        try:
            self._keep(app)
        except Exception:
            self.log.warning("Deleting app %s again, since Airflow did not take its secret", app.app_id)
            self.hook.delete_app(app.app_id)
            raise
        return {"id": app.app_id, "name": app.app_name, "type": app.app_type}

    def _check_place(self) -> None:
        from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

        from airflow_provider_aihub.http.values import shown
        from airflow_provider_aihub.modelarts.errors import ModelArtsParameterError

        places = {"secret_variable": self.secret_variable, "secret_conn_id": self.secret_conn_id}
        given = {name: place for name, place in places.items() if place is not None}
        if len(given) != 1:
            raise ModelArtsParameterError(
                f"One of {' and '.join(places)} must be given, to say where the secret is kept."
            )
        if "secret_conn_id" in given and AIRFLOW_V_3_0_PLUS:
            raise ModelArtsParameterError(
                "secret_conn_id is for Airflow 2, since a task of Airflow 3 cannot make a connection; give "
                "secret_variable."
            )
        ((name, place),) = given.items()
        if not isinstance(place, str) or not 0 < len(place) <= LONGEST_NAME:
            raise ModelArtsParameterError(
                f"{name} must be a name of 1 to {LONGEST_NAME} characters, not {shown(place)}."
            )
        elsewhere = f"AIRFLOW_{'VAR' if name == 'secret_variable' else 'CONN'}_{place.upper()}"
        if elsewhere in os.environ:
            raise ModelArtsParameterError(
                f"{name} is {place!r}, which Airflow reads from {elsewhere} in its environment, and not from where a "
                "task writes it; give another name."
            )

    def _keep(self, app: App) -> None:
        if self.secret_variable is not None:
            from airflow.providers.common.compat.sdk import Variable

            secrets = {"app_key": app.app_key, "app_secret": app.app_secret, "app_codes": app.app_codes}
            Variable.set(self.secret_variable, json.dumps(secrets))
            return
        from airflow.models import Connection
        from airflow.utils.session import create_session

        with create_session() as session:
            session.query(Connection).filter(Connection.conn_id == self.secret_conn_id).delete()
            session.add(
                Connection(
                    conn_id=self.secret_conn_id,
                    conn_type="http",
                    login=app.app_key,
                    password=app.app_secret,
                    extra=json.dumps({"app_codes": app.app_codes}),
                )
            )
