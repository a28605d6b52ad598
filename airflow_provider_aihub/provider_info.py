"""What Airflow is told about this provider: its connection type and form, and where its parts are.

Airflow reads this in every component, so nothing is imported here.
"""

from __future__ import annotations

from typing import Any

_OPTIONAL_TEXT = {"type": ["string", "null"]}
_OPTIONAL_SECRET = {"type": ["string", "null"], "format": "password"}

_SERVICES = {
    "user_system": "User system",
    "data_warehouse": "Data warehouse",
    "dataset_management": "Dataset management",
    "workflow_center": "Workflow center",
    "model_training": "Model training",
    "quota_schedule": "Quota schedule",
    "evaluation": "Evaluation",
    "tag_system": "Tag system",
    "model_center": "Model center",
    "eval_platform": "Evaluation platform",
    "model_deployment": "Model deployment",
    "notebook_management": "Notebook management",
    "labelfree": "Labelling",
    "artifact_management": "Artifact management",
    "s3_relay": "S3 relay",
}


def _field(label: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": schema}


CONN_FIELDS: dict[str, dict[str, Any]] = {
    "environment": _field(
        "Environment",
        "AIHub's own environments with their known addresses. Single addresses below go before it, and so does a "
        "base URL; one without a port takes the environment's ports.",
        {"type": ["string", "null"], "enum": ["production", "internal-test", "external-test"]},
    ),
    "token": _field(
        "Static token",
        "A JWT to use where no login and password are given. Inside an AIHub workflow node leave all three empty: "
        "AI_HUB_TOKEN is used.",
        _OPTIONAL_SECRET,
    ),
    "s3_relay_token": _field("S3 relay token", "Token of the S3 relay, from its administrator.", _OPTIONAL_SECRET),
    "ca_file": _field(
        "CA file",
        "Path of a PEM file with the certificates to trust, for example the S3 relay's self-signed one. It must be "
        "readable on the workers and the triggerers.",
        _OPTIONAL_TEXT,
    ),
    "verify_tls": _field(
        "Verify TLS",
        "Whether certificates are checked. Leave it on.",
        # Without "null" the form says that it is required.
        {"type": ["boolean", "null"], "default": True},
    ),
    "timeout": _field(
        "Request timeout (s)",
        "Seconds to wait for one answer. Default: 30.",
        {"type": ["number", "null"], "minimum": 1},
    ),
    "web_url": _field(
        "Web UI address",
        "Where people open AIHub in the browser; tasks link there. Default: the base URL.",
        _OPTIONAL_TEXT,
    ),
    "link_templates": _field(
        "Link templates",
        "Where AIHub has its pages, if not where this provider takes them to be: a JSON object such as "
        '{"training": "/#/trainings/{id}"}. Kinds: training, quota_task, search, dataset, dataset_version, '
        "workflow_run, model, evaluation, template_run, model_eval, eval_report, deployment, label_project, quota. "
        "Each has a path below the web UI address, or a whole URL; {id} is the only placeholder.",
        {"type": ["object", "null"]},
    ),
    **{
        f"{service}_url": _field(
            f"{label} address",
            f"Address of this one service, such as {'https' if service == 's3_relay' else 'http'}://10.0.0.1:30000.",
            _OPTIONAL_TEXT,
        )
        for service, label in _SERVICES.items()
    },
}

UI_FIELD_BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": ["schema", "extra"],
    "relabeling": {"host": "Base URL or host"},
    "placeholders": {
        "host": "http://10.0.0.1",
        "port": "30021",
        "login": "leave empty to use a token",
    },
}

MODELARTS_FIELDS: dict[str, dict[str, Any]] = {
    "region": _field(
        "Region",
        "Name of the region, such as cn-north-4. It says where ModelArts and IAM are, and which project it is, where "
        "these are not given.",
        _OPTIONAL_TEXT,
    ),
    "project_id": _field(
        "Project id", "Default: it is looked up by the region's name, which takes one more request.", _OPTIONAL_TEXT
    ),
    "workspace_id": _field("Workspace id", "Default: 0, the default workspace.", _OPTIONAL_TEXT),
    "security_token": _field("Security token", "Belongs to temporary access keys.", _OPTIONAL_SECRET),
    "iam_user": _field(
        "IAM user", "An IAM user to get tokens with, where there are no access key and secret key.", _OPTIONAL_TEXT
    ),
    "iam_password": _field("IAM password", "The password of this user.", _OPTIONAL_SECRET),
    "account": _field("Account", "Name of the account that the IAM user belongs to.", _OPTIONAL_TEXT),
    "iam_url": _field(
        "IAM address", "Where IAM is, if not where the region has it; for a private cloud.", _OPTIONAL_TEXT
    ),
    "ca_file": _field(
        "CA file",
        "Path of a PEM file with the certificates to trust. It must be readable on the workers and the triggerers.",
        _OPTIONAL_TEXT,
    ),
    "verify_tls": CONN_FIELDS["verify_tls"],
    "timeout": CONN_FIELDS["timeout"],
    "web_url": _field(
        "Console address",
        "Where people open ModelArts in the browser; tasks link there. Default: the public console of the region.",
        _OPTIONAL_TEXT,
    ),
    "link_templates": _field(
        "Link templates",
        "Where the console has its pages, if not where this provider takes them to be: a JSON object such as "
        '{"training_job": "/#/trainingJobs/{id}"}. Kinds: training_job, workflow_execution, saved_image, notebook.',
        {"type": ["object", "null"]},
    ),
}

MODELARTS_FORM: dict[str, Any] = {
    "hidden-fields": ["extra"],
    "relabeling": {
        "host": "Base URL or host",
        "schema": "http or https",
        "login": "Access key (AK)",
        "password": "Secret key (SK)",
    },
    "placeholders": {
        "host": "leave empty to take the region's",
        "login": "leave empty to use an IAM user",
    },
}

SECTION = "aihub"


def _setting(kind: str, default: str, description: str) -> dict[str, str | None]:
    return {
        "description": f"{description}\n",
        "version_added": "1.0.0",
        "type": kind,
        "example": None,
        "default": default,
    }


SETTINGS: dict[str, Any] = {
    "poll_floor": _setting(
        "float",
        "1.7",
        "Seconds between two polls of a young job in a triggerer, and so between any two polls of one job, at least.",
    ),
    "page_threshold": _setting(
        "integer",
        "8",
        "From how many jobs of a kind on that are polled about as often a triggerer reads them in pages of AIHub's "
        "list, where AIHub has one, instead of one by one. 0 for never.",
    ),
    "pool_size": _setting(
        "integer",
        "10",
        "Connections to AIHub that a triggerer has open at a time at most, for each Airflow connection; up to four "
        "times as many while answers take longer than 2 s.",
    ),
}

_ASSET_URIS = [
    {
        "schemes": ["aihub"],
        "handler": "airflow_provider_aihub.assets.sanitize_uri",
        "factory": "airflow_provider_aihub.assets.create_asset",
        "to_openlineage_converter": "airflow_provider_aihub.assets.convert_asset_to_openlineage",
    }
]

_INTEGRATION = "AIHub"
_MODELARTS = "Huawei Cloud ModelArts"


def _modules(package: str, *names: str, integration: str = _INTEGRATION) -> list[dict[str, Any]]:
    modules = [f"airflow_provider_aihub.{package}.{name}" for name in names]
    return [{"integration-name": integration, "python-modules": modules}]


PROVIDER_INFO: dict[str, Any] = {
    "package-name": "airflow-provider-aihub",
    "name": "AIHub",
    "description": "AIHub: warehouse searches, dataset versions, GPU trainings, quota tasks, workflow runs and "
    "evaluations. Huawei Cloud ModelArts: training jobs, workflow executions, images, notebooks, workspaces and apps.",
    "config": {
        SECTION: {
            "description": "How the triggerer asks AIHub about the jobs that are waited for.",
            "options": SETTINGS,
        },
        "modelarts": {
            "description": "How the triggerer asks ModelArts about the jobs that are waited for.",
            "options": SETTINGS,
        },
    },
    "integrations": [
        {
            "integration-name": _INTEGRATION,
            # AIHub is on the premises of those who run it, and has no pages on the web.
            "external-doc-url": "docs/api-coverage.md",
            "how-to-guide": ["/docs/operators/index.md"],
            "logo": "/docs/integration-logos/AIHub.svg",
            "tags": ["software"],
        },
        {
            "integration-name": _MODELARTS,
            "external-doc-url": "https://support.huaweicloud.com/intl/en-us/modelarts/index.html",
            "how-to-guide": ["/docs/operators/index.md"],
            "logo": "/docs/integration-logos/ModelArts.svg",
            "tags": ["service"],
        },
    ],
    "operators": _modules(
        "operators",
        "artifact",
        "dataset",
        "deployment",
        "eval_report",
        "evaluation",
        "model",
        "model_eval",
        "quota_task",
        "s3_relay",
        "stop",
        "training",
        "warehouse",
        "workflow",
        "workflow_template",
    )
    + _modules(
        "operators",
        "modelarts_app",
        "modelarts_notebook",
        "modelarts_training_job",
        "modelarts_workflow",
        "modelarts_workspace",
        integration=_MODELARTS,
    ),
    "sensors": _modules(
        "sensors", "dataset", "label_project", "model", "quota", "quota_task", "training", "warehouse", "workflow"
    )
    + _modules("sensors", "modelarts", integration=_MODELARTS),
    "hooks": _modules("hooks", "aihub") + _modules("hooks", "modelarts", integration=_MODELARTS),
    "triggers": _modules("triggers", "dataset_version", "job"),
    "task-decorators": [
        {"name": "aihub_training", "class-name": "airflow_provider_aihub.decorators.training.training_task"}
    ],
    "extra-links": [
        "airflow_provider_aihub.links.ViewInAIHubLink",
        "airflow_provider_aihub.links.ResultCsvLink",
        "airflow_provider_aihub.links.ViewInModelArtsLink",
    ],
    "cli": ["airflow_provider_aihub.doctor.command.airflow_commands"],
    "asset-uris": _ASSET_URIS,
    # For Airflow 2.
    "dataset-uris": _ASSET_URIS,
    "connection-types": [
        {
            "connection-type": "aihub",
            "hook-class-name": "airflow_provider_aihub.hooks.aihub.AIHubHook",
            "hook-name": "AIHub",
            "ui-field-behaviour": UI_FIELD_BEHAVIOUR,
            "conn-fields": CONN_FIELDS,
        },
        {
            "connection-type": "modelarts",
            "hook-class-name": "airflow_provider_aihub.hooks.modelarts.ModelArtsHook",
            "hook-name": _MODELARTS,
            "ui-field-behaviour": MODELARTS_FORM,
            "conn-fields": MODELARTS_FIELDS,
        },
    ],
}
