"""Templates of workflows, ready to be run. Newer platforms only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from airflow_provider_aihub.aihub.models import Named, Page, Spec, new_id, page_of
from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.aihub.values import check_id, check_ids, page_query
from airflow_provider_aihub.http.models import Answer, rows
from airflow_provider_aihub.http.request import Request, path
from airflow_provider_aihub.http.values import Number, Pairs, Positive, Text

_TEMPLATES = "/workflow-center/api/v1/templates"
_TEMPLATE = _TEMPLATES + "/{}"


class TemplateRunSpec(Spec):
    """A run of a template. AIHub takes no description, project, user or cache for it.

    :param name: Name of the run.
    :param params: Input parameters: a dict, or a list of ``{key, value}``. Numbers and booleans become text.
    :param virtual_cluster_id: Where all of its nodes run.
    """

    noun: ClassVar[str] = "run of a workflow template"

    name: Text
    params: Pairs = Field(default={}, repr=False)
    virtual_cluster_id: Positive


class TemplateOutput(Answer):
    """What a template gives: a parameter of one of its nodes."""

    output_name: str = ""
    src_node_name: str = ""
    src_param_name: str = ""


class Template(Named):
    """A template of a workflow.

    :param inputs: In AIHub's own form, which is not documented; :func:`list_template_params` names them.
    :param tags: In AIHub's own form.
    :param status: AIHub's own number; what it means is not documented.
    :param created_at: Unix milliseconds.
    """

    description: str = ""
    pipeline_id: Number = 0
    pipeline_name: str = ""
    pipeline_version_id: Number = 0
    pipeline_version_name: str = ""
    inputs: list[Any] = Field(default_factory=list)
    outputs: list[TemplateOutput] = Field(default_factory=list)
    user: Named = Field(default_factory=Named)
    tags: list[Any] = Field(default_factory=list)
    status: Number = 0
    created_at: Number = 0


class _Param(Answer):
    input_param: Text


def list_templates(
    page: int = 1,
    page_size: int = 20,
    name: str | None = None,
    tags: str | None = None,
    user_id: int | str | None = None,
    filter: int | None = None,
) -> Request[Page[Template]]:
    """List templates. Newer platforms only.

    :param name: Only those of this name. Whether a part of the name also matches is not documented.
    :param tags: Only those with these tags, in AIHub's own form.
    :param user_id: Only those of this user.
    :param filter: 1: the user's own and the released ones; 2: the user's own that can be run; 3: the released ones.
    :raises AIHubParameterError: A number is not a whole number of at least 1.
    """
    return Request(
        asks="list workflow templates",
        service=Service.WORKFLOW_CENTER,
        method="GET",
        path=_TEMPLATES,
        read=page_of(Template),
        query=page_query(page, page_size, {"user_id": user_id, "filter": filter}, name=name, tags=tags),
        optional=True,
    )


def search_templates(ids: Sequence[int | str] | None = None, name: str | None = None) -> Request[Page[Named]]:
    """Read the names and ids of templates, by their ids or a name. Newer platforms only.

    :raises AIHubParameterError: An id is not a whole number of at least 1.
    """
    asked = {"ids": None if ids is None else check_ids("ids", ids), "name": name}
    return Request(
        asks="search workflow templates",
        service=Service.WORKFLOW_CENTER,
        method="POST",
        path=f"{_TEMPLATES}/search",
        read=page_of(Named),
        json={field: value for field, value in asked.items() if value is not None},
        optional=True,
    )


def get_template(template_id: int | str) -> Request[Template]:
    """Read a template. Newer platforms only.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    number = check_id("template_id", template_id)
    return Request(
        asks=f"read workflow template {number}",
        service=Service.WORKFLOW_CENTER,
        method="GET",
        path=path(_TEMPLATE, number),
        read=Template.read,
        about={"id": number},
        optional=True,
    )


def list_template_params(template_id: int | str) -> Request[list[str]]:
    """List the names of the input parameters that a template knows. Newer platforms only.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    number = check_id("template_id", template_id)
    read = rows(_Param)
    return Request(
        asks=f"list the input parameters of workflow template {number}",
        service=Service.WORKFLOW_CENTER,
        method="GET",
        path=path(_TEMPLATE + "/input-params", number),
        read=lambda data: [row.input_param for row in read(data)],
        optional=True,
    )


def run_template(template_id: int | str, spec: TemplateRunSpec) -> Request[int]:
    """Run a template and return the id of the workflow run, as AIHub's own client takes it to be. Newer platforms only.

    :raises AIHubParameterError: The id is not a whole number of at least 1.
    """
    number = check_id("template_id", template_id)
    return Request(
        asks=f"run workflow template {number} as {spec.name!r}",
        service=Service.WORKFLOW_CENTER,
        method="POST",
        path=path(_TEMPLATE + "/run", number),
        read=new_id,
        json=spec.body(),
        creates=True,
        optional=True,
    )
