"""Reports of evaluations."""

from __future__ import annotations

from typing import Any

from ..answers import Refused, not_found
from ..call import Call, Route, public
from ..fields import REQUIRED, Fields
from ..store import Row

TYPES = ("cv", "llm", "reid", "performance")
COMPLETED = "completed"
PATHS = (
    "prediction_artifact_path",
    "evaled_artifact_path",
    "ground_truth_artifact_path",
    "metrics_artifact_path",
    "performance_artifact_path",
)
NEEDED = {
    "llm": (("dataset_id", "dataset_version_id"), ("prediction_artifact_path", "evaled_artifact_path"), ("report",)),
    "cv": ((), ("prediction_artifact_path", "metrics_artifact_path", "ground_truth_artifact_path"), ()),
    "reid": (("model_id",), ("prediction_artifact_path", "metrics_artifact_path"), ("reid_config",)),
    "performance": (
        ("model_id", "infer_service_id"),
        ("name", "performance_artifact_path"),
        ("report", "eval_config"),
    ),
}
"""The numbers, texts and objects that each type of a report in its older form must have."""
REID_IDS = ("gallery_dataset_id", "query_dataset_id")


async def create(call: Call) -> Any:
    body = await call.body()
    kind = body.text("type", "", allowed=("", *TYPES))
    datasets = [_dataset(one, number) for number, one in enumerate(body.objects("datasets"))]
    overall = _object(body, "overall_metrics", {})
    if overall:
        _object(Fields(overall, "overall_metrics"), "overall")
    performance = [
        {name: one.text(name, empty=True) for name in ("metric_name", "unit")} | {"value": _number(one, "value")}
        for one in body.objects("performance", [])
    ]
    row = _row(call, body, kind, run_id=body.text("run_id"), name=body.text("name"), multi_datasets=datasets)
    if kind == "reid":
        _check_reid(_object(body, "reid_config"), REID_IDS)
    first = datasets[0] if datasets else {}
    row |= {name: first[name] for name in ("dataset_id", "dataset_version_id", "dataset_name") if name in first}
    row["metrics_summary"] = {
        **first.get("metrics_summary", {}),
        **({"overall_metrics": overall} if overall else {}),
        **({"performance": performance} if performance else {}),
    }
    return {"id": call.hub.store.eval_reports.add(row)["id"]}


async def create_run(call: Call) -> Any:
    body = await call.body()
    kind = body.text("type", allowed=TYPES)
    numbers, texts, objects = NEEDED[kind]
    for name in numbers:
        body.integer(name, minimum=1)
    for name in texts:
        body.text(name)
    for name in objects:
        _object(body, name)
    body.boolean("is_public")
    body.text("client_type", allowed=("workflow", "sdk"))
    if kind == "reid":
        _check_reid(_object(body, "reid_config"), (*REID_IDS, "id_dataset_id"))
    row = _row(call, body, kind, run_id=body.text("run_id"), name=body.text("name", "") or f"{kind} evaluation")
    for name in ("dataset_id", "dataset_version_id"):
        row[name] = body.integer(name, 0)
    row["metrics_summary"] = _object(body, "report", {})
    return {"eval_run": _show(call.hub.store.eval_reports.add(row))}


async def find(call: Call) -> Any:
    query = call.query
    wanted = {name: _ids(call, name) for name in ("model_id", "dataset_id", "dataset_version_id")}

    def matches(row: Row) -> bool:
        return (
            call.matches(row, ("name", "user_id"))
            and all(not query.given(name) or row[name] == query.text(name) for name in ("status", "run_id", "type"))
            and all(not ids or row[name] in ids for name, ids in wanted.items())
            and (row["is_public"] or call.user.id in (row["user_id"], *row["_readers"]))
        )

    return call.page(filter(matches, call.hub.store.eval_reports.newest()), _show)


async def share(call: Call) -> Any:
    row = call.hub.store.eval_reports.get(call.id())
    users = (await call.body()).integers("user_ids")
    unknown = [user for user in users if user not in call.hub.credentials.users]
    if unknown:
        raise not_found(f"user {unknown[0]}")
    call.hub.store.eval_reports.save(row, _readers=sorted({*row["_readers"], *users}))
    return {"eval_run": _show(row)}


def _row(call: Call, body: Fields, kind: str, **given: Any) -> Row:
    # 0 stands for the one who asks.
    user = call.optional_user(body, "user_id") if body.integer("user_id", 0) else call.user
    model_id, now = body.integer("model_id", 0), call.hub.clock.ms()
    paths = {name: body.text(name, "") for name in PATHS}
    return {
        "description": "",
        "type": kind,
        "user_id": user.id,
        "user_name": user.name,
        "model_id": model_id,
        "model_name": call.hub.store.models.get(model_id)["name"] if model_id else "",
        "dataset_id": 0,
        "dataset_version_id": 0,
        "dataset_name": "",
        "status": COMPLETED,
        **paths,
        "dataset_summary": {},
        "metrics_summary": {},
        "viz_summary": {},
        "eval_config": _object(body, "eval_config", {}),
        "is_public": body.boolean("is_public", True),
        "multi_datasets": [],
        "created_at": now,
        "updated_at": now,
        "_readers": [],
        **given,
    }


def _dataset(body: Fields, number: int) -> Row:
    sent = {"dataset_name": body.text("dataset_name"), "sort_order": body.integer("sort_order", number)}
    sent |= {name: body.integer(name, 0) for name in ("dataset_id", "dataset_version_id")}
    sent |= {name: body.text(name, "") for name in PATHS[:4]}
    return {**sent, "metrics_summary": _object(body, "metrics", {}), "viz_summary": _object(body, "viz", {})}


def _check_reid(given: dict[str, Any], ids: tuple[str, ...]) -> None:
    config = Fields(given, "reid_config")
    for name in ids:
        config.integer(name, minimum=1)
    config.text("search_result_artifact_path")
    for one in config.objects("metrics_viz_artifacts"):
        one.integer("MetricVizConfigID")
        one.text("MetricArtifactPath")


def _object(body: Fields, name: str, default: Any = REQUIRED) -> dict[str, Any]:
    value = body.anything(name, default)
    if not isinstance(value, dict):
        raise Refused(f"{name} must be a JSON object")
    return value


def _number(body: Fields, name: str) -> float:
    value = body.anything(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(f"{name} must be a number")
    return value


def _ids(call: Call, name: str) -> set[int]:
    """The ids that a list is narrowed to, by one field or by another of several."""
    several = {int(one) for one in call.query.text(f"{name}s", "").split(",") if one.isdigit()}
    return several | ({call.query.integer(name)} if call.query.given(name) else set())


def _show(row: Row) -> Row:
    return public(row)


PREFIX = "/eval-platform/api"
ROUTES = [
    Route("P", "POST", f"{PREFIX}/v2/run/", create),
    Route("P", "POST", f"{PREFIX}/v1/run/", create_run),
    Route("P", "GET", f"{PREFIX}/v1/run/", find),
    Route("P", "POST", f"{PREFIX}/v1/run/{{id}}/permissions", share),
]
