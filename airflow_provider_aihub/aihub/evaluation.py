"""The evaluation platform: import of predictions that were made elsewhere."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, ClassVar

from airflow_provider_aihub.aihub.models import Spec, new_id
from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.http.request import File, Form, Request
from airflow_provider_aihub.http.values import Positive, Text, one_of


class ModelType(IntEnum):
    """What a model recognises."""

    FACE = 3
    BODY = 4
    LICENCE_PLATE = 5


class EvaluationSpec(Spec):
    """An evaluation to create.

    AIHub's document mixes up the three dataset names: it explains them as the gallery, the id and the query set, in
    this order. They are sent unchanged, under the document's names.

    :param model_name: Name of the model.
    :param model_type: What it recognises, by word or number, see :class:`ModelType`.
    :param epoch: Epoch of the model, a number or a text.
    :param dataset_name: Name of a dataset, see above.
    :param id_dataset_name: Name of a dataset, see above.
    :param gallery_dataset_name: Name of a dataset, see above.
    :param user_id: Id of the user, as the login gave it.
    """

    noun: ClassVar[str] = "evaluation"

    model_name: Text
    model_type: Annotated[ModelType, one_of(ModelType)]
    epoch: Text
    dataset_name: Text
    id_dataset_name: Text
    gallery_dataset_name: Text
    user_id: Positive


def import_evaluation(spec: EvaluationSpec, model_file: File, pred_file: File) -> Request[int]:
    """Create an evaluation from a model and its predictions and return its id.

    :param model_file: The model; AIHub keeps a copy.
    :param pred_file: Its predictions, as JSON Lines.
    """
    return Request(
        asks=f"import the evaluation of model {spec.model_name!r}",
        service=Service.EVALUATION,
        method="POST",
        path="/api/v2/tasks/import_result",
        read=new_id,
        form=Form(
            fields={name: str(value) for name, value in spec.body().items()},
            files={"model_file": model_file, "pred_file": pred_file},
        ),
        creates=True,
    )
