"""What ModelArts and the gateway before it refuse, with their codes."""

from __future__ import annotations

from ..refused import Refused

TRAINING = "ModelArts.2788"
"""A wrong parameter of a call about training jobs."""
OTHER = "ModelArts.0104"
"""A wrong parameter of any other call."""
NO_JSON = "ModelArts.2787"
GATEWAY_LOGIN = "APIGW.0301"
GATEWAY_LIMIT = "APIGW.0308"


def no_job(job: str) -> Refused:
    return Refused(f"The training job {job} does not exist.", "ModelArts.2775")


def duplicate_name(name: str) -> Refused:
    return Refused(f"There is a training job of the name {name} already.", "ModelArts.2751")


def no_algorithm(algorithm: str) -> Refused:
    return Refused(f"The algorithm {algorithm} does not exist.", "ModelArts.2755")


def cannot_terminate(phase: str) -> Refused:
    return Refused(f"A training job in the phase {phase} cannot be terminated.", "ModelArts.2796", 409)


def wrong_filter(message: str) -> Refused:
    return Refused(message, "ModelArts.2789")


def wrong_sort(message: str) -> Refused:
    return Refused(message, "ModelArts.2790")


def wrong_path(message: str) -> Refused:
    return Refused(message, "ModelArts.2791")


def no_execution(execution: str) -> Refused:
    return Refused(f"The workflow execution {execution} does not exist.", "ModelArts.7511")


def no_workflow(workflow: str) -> Refused:
    return Refused(f"The workflow {workflow} does not exist.", "ModelArts.7512")


def no_subscription(subscription: str) -> Refused:
    return Refused(f"The subscription {subscription} does not exist.", "ModelArts.7519")


def no_workspace(workspace: str) -> Refused:
    return Refused(f"The workspace {workspace} does not exist.", "ModelArts.0102")


def workspace_not_normal(workspace: str, status: str) -> Refused:
    return Refused(f"The workspace {workspace} has the status {status}, not NORMAL.", "ModelArts.7004")


def no_notebook(notebook: str) -> Refused:
    return Refused(f"The notebook instance {notebook} does not exist.", "ModelArts.6309")


def no_image(image: str) -> Refused:
    return Refused(f"The image {image} does not exist.", OTHER)


NOTEBOOK_IS = {"RUNNING": "ModelArts.6305", "STARTING": "ModelArts.6306", "STOPPED": "ModelArts.6307"}
NOTEBOOK_IS |= {"STOPPING": "ModelArts.6308"}


def notebook_is(status: str) -> Refused:
    return Refused(f"The notebook instance is {status}.", NOTEBOOK_IS.get(status, OTHER))


def wrong_duration(message: str) -> Refused:
    return Refused(message, "ModelArts.6349")


def beyond_quota(message: str) -> Refused:
    return Refused(message, "ModelArts.0118")


def no_app(app: str) -> Refused:
    return Refused(f"The app {app} does not exist.", OTHER, 404)


def not_the_project(project: str) -> Refused:
    return Refused(f"The project {project} is not the one of these credentials.", "ModelArts.2786", 404)


def not_admitted(message: str) -> Refused:
    return Refused(f"Incorrect IAM authentication information: {message}", GATEWAY_LOGIN, 401)


def no_api(method: str, path: str) -> Refused:
    return Refused(f"The API {method} {path[:256]} does not exist.", "APIGW.0101", 404)


def too_many(limit: int) -> Refused:
    message = f"The throttling threshold has been reached: policy user over ratelimit, limit:{limit},time:1 second"
    return Refused(message, GATEWAY_LIMIT, 429)
