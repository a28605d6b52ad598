"""Workspaces of ModelArts: their quotas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_aihub.operators.modelarts_base import ModelArtsCallOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class ModelArtsWorkspaceQuotaOperator(ModelArtsCallOperator):
    """Set quotas of a workspace. They must lie within the bounds that ModelArts gives, which are read first.

    Returns ``{"id", "quotas"}``: the quotas that were set, by resource.

    :param quotas: A dict of resources and numbers; -1 for no limit.
    :param workspace_id: Default: that of the connection.

    The remaining parameters are those of :class:`~.modelarts_base.ModelArtsCallOperator`.
    """

    template_fields_renderers: ClassVar[dict[str, str]] = {"quotas": "json"}

    def __init__(self, *, quotas: Mapping[str, int | str], workspace_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.quotas = quotas
        self.workspace_id = workspace_id

    def call(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Check the numbers and set them."""
        from airflow_provider_aihub.http.values import shown
        from airflow_provider_aihub.modelarts.errors import ModelArtsParameterError
        from airflow_provider_aihub.modelarts.workspaces import UNLIMITED, QuotaSpec

        if not isinstance(self.quotas, Mapping) or not self.quotas:
            raise ModelArtsParameterError(f"quotas must be a dict of resources and numbers, not {shown(self.quotas)}.")
        asked = {name: QuotaSpec.build(resource=name, quota=quota).quota for name, quota in self.quotas.items()}
        workspace = self.workspace_id or self.hook.get_conn().config.workspace_id
        known = {quota.resource: quota for quota in self.hook.get_workspace_quotas(workspace)}
        wrong = [f"{name} is none of its resources" for name in asked if name not in known]
        for name, number in asked.items():
            bounds = known.get(name)
            if bounds is None:
                continue
            least, most = bounds.min_quota, bounds.max_quota
            too_much = most is not None and most != UNLIMITED and number > most
            if number != UNLIMITED and (too_much or number < (least or 0)):
                wrong.append(f"{name} must be from {least} to {most}, not {number}")
        if wrong:
            raise ModelArtsParameterError(f"The quotas of workspace {workspace} cannot be set: {'; '.join(wrong)}.")
        now = self.hook.set_workspace_quotas(workspace, asked)
        return {"id": workspace, "quotas": {quota.resource: quota.quota for quota in now if quota.resource in asked}}
