"""Evaluations of models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_aihub.aihub.errors import AIHubParameterError
from airflow_provider_aihub.operators.base import JobOperator

if TYPE_CHECKING:
    from airflow_provider_aihub.http.request import File, Request
    from airflow_provider_aihub.jobs.kind import JobState
    from airflow_provider_aihub.lineage import Lineage
    from airflow_provider_aihub.tasks.job_state import Marker


class EvalImportOperator(JobOperator):
    """Create an evaluation from a model file and its predictions.

    Returns ``{"id"}``. AIHub has no call that reads an evaluation, so the task ends when AIHub has accepted it; the
    parameters about waiting have no effect.

    AIHub's document mixes up the three dataset names: it explains them as the gallery, the id and the query set, in
    this order. They are sent unchanged, under the document's names.

    :param model_name: Name of the model.
    :param model_type: What it recognises: ``"face"`` (3), ``"body"`` (4) or ``"licence_plate"`` (5).
    :param epoch: Epoch of the model, a number or a text.
    :param dataset_name: Name of a dataset, see above.
    :param id_dataset_name: Name of a dataset, see above.
    :param gallery_dataset_name: Name of a dataset, see above.
    :param model_file: Path of the model on the worker; it is streamed, whatever its size.
    :param pred_file: Path of the predictions on the worker, as JSON Lines.
    :param user_id: Id of the user it belongs to. Default: the one the connection logs in as.

    The remaining parameters are those of :class:`~airflow_provider_aihub.operators.base.JobOperator`.
    """

    kind = "evaluation"
    template_fields: Sequence[str] = (
        *JobOperator.template_fields,
        "model_name",
        "model_type",
        "epoch",
        "dataset_name",
        "id_dataset_name",
        "gallery_dataset_name",
        "model_file",
        "pred_file",
        "user_id",
    )

    def __init__(
        self,
        *,
        model_name: str,
        model_type: str | int,
        epoch: str | int,
        dataset_name: str,
        id_dataset_name: str,
        gallery_dataset_name: str,
        model_file: str,
        pred_file: str,
        user_id: int | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model_name = model_name
        self.model_type = model_type
        self.epoch = epoch
        self.dataset_name = dataset_name
        self.id_dataset_name = id_dataset_name
        self.gallery_dataset_name = gallery_dataset_name
        self.model_file = model_file
        self.pred_file = pred_file
        self.user_id = user_id

    def create_request(self, marker: Marker) -> Request[int]:  # noqa: ARG002 - an evaluation has no description
        """Check the parameters and find the files."""
        from airflow_provider_aihub.aihub.evaluation import EvaluationSpec, import_evaluation

        spec = EvaluationSpec.build(
            model_name=self.model_name,
            model_type=self.model_type,
            epoch=self.epoch,
            dataset_name=self.dataset_name,
            id_dataset_name=self.id_dataset_name,
            gallery_dataset_name=self.gallery_dataset_name,
            user_id=self.user_id or 1,
        )
        files = _file("model_file", self.model_file), _file("pred_file", self.pred_file)
        if not self.user_id:
            user_id = self.hook.user_id
            if user_id is None:
                raise AIHubParameterError(
                    "user_id is missing, and the token in the connection names no user; give user_id."
                )
            spec = spec.model_copy(update={"user_id": user_id})
        return import_evaluation(spec, *files)

    def lineage(self, state: JobState | None, result: dict[str, Any] | None) -> Lineage:  # noqa: ARG002
        """Return the files and, once AIHub has accepted them, the datasets."""
        from airflow_provider_aihub.lineage import Lineage, dataset, located

        known = Lineage(
            inputs=[located(self.model_file), located(self.pred_file)],
            job={"model_name": self.model_name, "model_type": self.model_type, "epoch": self.epoch},
        )
        if result:
            known.run = {"id": result["id"]}
            names = dict.fromkeys((self.dataset_name, self.id_dataset_name, self.gallery_dataset_name))
            known.inputs += [data for name in names for data in dataset(self.hook, name)]
        return known


def _file(parameter: str, path: str) -> File:
    from airflow_provider_aihub.aihub.files import file_from_path
    from airflow_provider_aihub.aihub.values import check_text

    try:
        return file_from_path(check_text(parameter, path, allowed="the path of a file"))
    except AIHubParameterError as error:
        raise AIHubParameterError(f"{parameter}: {error}") from None
