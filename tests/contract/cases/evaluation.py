from __future__ import annotations

from airflow_provider_aihub.aihub.evaluation import EvaluationSpec
from airflow_provider_aihub.aihub.services import Service

from .case import Case, Part, file, ok

MODEL, PREDICTIONS = bytes(range(256)), b'{"score": 0.5}\n'
SPEC = {
    "model_name": "resnet 人脸",
    "model_type": "face",
    "epoch": 7,
    "dataset_name": "d",
    "id_dataset_name": "i",
    "gallery_dataset_name": "g",
}

CASES = (
    Case(
        id="import_evaluation",
        source="D",
        service=Service.EVALUATION,
        method="POST",
        route="/api/v2/tasks/import_result",
        call="import_evaluation",
        args=(
            EvaluationSpec.build(**SPEC, user_id=1),
            file("model.bin", MODEL),
            file("pred.jsonl", PREDICTIONS),
        ),
        path="/api/v2/tasks/import_result",
        form=(
            Part("model_name", "resnet 人脸".encode()),
            Part("model_type", b"3"),
            Part("epoch", b"7"),
            Part("dataset_name", b"d"),
            Part("id_dataset_name", b"i"),
            Part("gallery_dataset_name", b"g"),
            Part("user_id", b"1"),
            Part("model_file", MODEL, "model.bin"),
            Part("pred_file", PREDICTIONS, "pred.jsonl"),
        ),
        answer=ok({"id": 1}),
        reads={"": 1},
        vital=("id",),
        real=lambda world: (
            EvaluationSpec.build(**SPEC, user_id=world.user_id),
            file("model.bin", MODEL),
            file("pred.jsonl", PREDICTIONS),
        ),
    ),
)
