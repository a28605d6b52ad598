"""The form of a connection for Airflow before 3.2, from the same table as the declarative one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def form_widgets(fields: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Build the fields of a form.

    :param fields: As :mod:`~airflow_provider_aihub.provider_info` has them.
    """
    from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
    from wtforms import BooleanField, PasswordField, StringField
    from wtforms.validators import Optional, any_of

    # Airflow leaves out a connection type that has any other class of field.
    def widget(field: dict[str, Any]) -> Any:
        schema, label, described = field["schema"], field["label"], field["description"]
        if "enum" in schema:
            described = f"{described} One of {', '.join(schema['enum'])}."
        if schema.get("format") == "password":
            return PasswordField(label, description=described, widget=BS3PasswordFieldWidget())
        if "boolean" in schema["type"]:
            return BooleanField(label, default=schema["default"], description=described)
        rules = [Optional(), any_of(schema["enum"])] if "enum" in schema else []
        return StringField(label, rules, description=described, widget=BS3TextFieldWidget())

    return {name: widget(field) for name, field in fields.items()}
