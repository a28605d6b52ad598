"""The vendor's own SDK drives the emulator, which verifies its signatures.

It turns an answer that it cannot read into an object without anything in it, so what was answered is looked at, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import huaweicloudsdkmodelarts.v1 as sdk
import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.region.region import Region
from vendor_sdk import call, client_at
from waiting import until

from airflow_provider_aihub.emulators.modelarts import Emulator


class Vendor:
    """The SDK as a client of the emulator."""

    def __init__(self, emulator: Emulator, **change: str) -> None:
        self.emulator = emulator
        given = {"access_key": emulator.access_key, "secret_key": emulator.secret_key, **change}
        self.client = client_at(emulator.url, project_id=emulator.project_id, **given)

    def __call__(self, name: str, status: int = 200, /, **given: Any) -> Any:
        """Call one method of the SDK, and see that it was answered so.

        :param name: Of the method.
        :param given: Fields of its request; ``body`` as plain values.
        """
        answer = call(self.client, name, **given)
        assert list(self.emulator.requests)[-1].status == status
        return answer

    def refused(self, name: str, /, **given: Any) -> tuple[int, str]:
        with pytest.raises(ClientRequestException) as caught:
            self(name, **given)
        return caught.value.status_code, caught.value.error_code


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("home")) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def vendor(emulator: Emulator) -> Vendor:
    return Vendor(emulator)


def job(name: str, command: str = "echo hello", **spec: Any) -> dict[str, Any]:
    return {
        "kind": "job",
        "metadata": {"name": name, "workspace_id": "0", "description": "d"},
        "algorithm": {
            "engine": {"image_url": "org/image:tag"},
            "command": command,
            "parameters": [{"name": "epochs", "value": "3"}],
            "policies": {},
            "environments": {"A": "b"},
        },
        "spec": {"resource": {"flavor_id": "modelarts.vm.cpu.2u", "node_count": 1}, **spec},
    }


def wait(vendor: Vendor, number: str, phase: str) -> Any:
    look = lambda: vendor("show_training_job_details", training_job_id=number)  # noqa: E731
    return until(f"the job is {phase}", look, lambda found: found.status.phase == phase, every=0.02)


def test_a_training_job_from_its_creation_to_its_end(vendor: Vendor) -> None:
    created = vendor("create_training_job", 201, body=job("vendor"))
    number = created.metadata.id
    assert created.status.phase == "Creating"
    done = wait(vendor, number, "Completed")
    assert (done.kind, done.metadata.name, done.metadata.description) == ("job", "vendor", "d")
    assert done.status.tasks == ["worker-0"]
    assert done.status.task_statuses[0].exit_code == 0
    assert done.status.running_records[0].start_type == "init_or_rescheduled"
    assert done.algorithm.engine.image_url == "org/image:tag"
    assert done.spec.resource.node_count == 1
    task = {"training_job_id": number, "task_id": "worker-0"}
    preview = vendor("show_training_job_logs_preview", **task)
    assert (preview.content, preview.current_size, preview.full_size) == ("hello\n", 6, 6)
    assert vendor("show_training_job_metrics", **task).metrics[0].metric
    events = vendor("list_training_job_events", training_job_id=number, limit=10, order="asc")
    assert events.total == len(events.events) == 4
    assert vendor.refused("create_training_job", body=job("vendor")) == (400, "ModelArts.2751")
    stop = {"training_job_id": number, "body": {"action_type": "terminate"}}
    assert vendor.refused("stop_training_job", **stop) == (409, "ModelArts.2796")
    filters = [{"key": "name", "operator": "like", "value": ["vendo"]}]
    found = vendor("list_training_jobs", body={"limit": 10, "offset": 0, "filters": filters})
    assert (found.count, [item.metadata.name for item in found.items]) == (1, ["vendor"])
    vendor("delete_training_job", 202, training_job_id=number)
    assert vendor.refused("show_training_job_details", training_job_id=number) == (400, "ModelArts.2775")


def test_a_training_job_is_terminated(vendor: Vendor) -> None:
    number = vendor("create_training_job", 201, body=job("stop", "sleep 300 & wait")).metadata.id
    wait(vendor, number, "Running")
    stopping = vendor("stop_training_job", 202, training_job_id=number, body={"action_type": "terminate"})
    assert stopping.status.phase == "Terminating"
    wait(vendor, number, "Terminated")
    body = {"jobs": [{"kind": "job", "metadata": {"id": number}}]}
    vendor("batch_delete_training_job", body=body)


def test_what_there_is_for_training_jobs(vendor: Vendor) -> None:
    assert vendor("show_training_job_engines").items[0].engine_name == "PyTorch"
    assert [item.flavor_type for item in vendor("show_training_job_flavors", flavor_type="GPU").flavors] == ["GPU"]
    assert vendor("show_training_quotas").quotas[0].quota == 64
    number = vendor("create_training_job", 201, body=job("stages")).metadata.id
    wait(vendor, number, "Completed")
    record = vendor("list_training_job_stages", training_job_id=number).running_records[0]
    assert [stage.name for stage in record.stages] == ["Creating", "Running"]
    changed = {"description": "new", "spec": {"schedule_policy": {"priority": 2}}}
    vendor("change_training_job_description", training_job_id=number, body=changed)
    assert vendor("show_training_job_details", training_job_id=number).metadata.description == "new"


def test_an_unknown_algorithm(vendor: Vendor) -> None:
    body = {**job("unknown"), "algorithm": {"id": "nobody"}}
    assert vendor.refused("create_training_job", body=body) == (400, "ModelArts.2755")


def test_an_image_is_saved(vendor: Vendor) -> None:
    number = vendor("create_training_job", 201, body=job("image", "sleep 1000")).metadata.id
    task = {"training_job_id": number, "task_id": "worker-0"}
    body = {"name": "mine", "namespace": "org", "tag": "0.1", "description": "d"}
    saved = vendor("create_save_image_job", 201, **task, body=body)
    assert (saved.name, saved.tag, saved.status) == ("mine", "0.1", "INIT")
    vendor.emulator.clock.advance(1)
    assert vendor("show_save_image_job", **task).status == "ACTIVE"


def test_tags_of_a_training_job(vendor: Vendor) -> None:
    number = vendor("create_training_job", 201, body=job("tags", "sleep 1000")).metadata.id
    tags = [{"key": "team", "value": "vision"}, {"key": "a", "value": "b"}]
    vendor("create_train_job_tags", 204, training_job_id=number, body={"tags": tags})
    vendor("delete_train_job_tags", 204, training_job_id=number, body={"tags": tags[:1]})
    (left,) = vendor("show_train_job_tags", training_job_id=number).tags
    assert (left.key, left.value) == ("a", "b")


def test_a_workflow_whose_steps_wait_fail_and_stop(vendor: Vendor) -> None:
    workflow = vendor.emulator.settings.workflows[1].id
    made = vendor("create_workflow_execution", 201, workflow_id=workflow, body={"name": "e", "labels": ["l"]})
    assert (made.status, made.steps_execution) == (None, None)
    one = {"workflow_id": workflow, "execution_id": made.execution_id}

    def step(index: int, status: str) -> Any:
        look = lambda: vendor("show_workflow_execution", **one).steps_execution[index]  # noqa: E731
        return until(f"step {index} is {status}", look, lambda found: found.status == status, every=0.02)

    waiting = step(1, "wait_inputs")
    (vendor.emulator.obs / "bucket" / "labels").mkdir(parents=True)
    (vendor.emulator.obs / "bucket" / "labels" / "a").touch()
    value = {"obs_url": "/bucket/labels/"}
    body = {"action_name": "continue", "data_requirements": [{"name": "labels", "type": "obs", "value": value}]}
    on_step = {**one, "step_execution_id": waiting.uuid}
    answer = vendor("create_workflow_step_executions_actions", 201, **on_step, body=body)
    assert answer.step_name == "label"
    held = step(2, "hold")
    on_step = {**one, "step_execution_id": held.uuid}
    stopped = vendor("create_workflow_step_executions_actions", 201, **on_step, body={"action_name": "stop"})
    assert stopped.status == "stopped"
    again = vendor("create_workflow_step_executions_actions", 201, **on_step, body={"action_name": "retry"})
    assert again.status == "hold"
    vendor("create_workflow_executions_actions", 201, **one, body={"action_name": "stop"})
    body = {"action_name": "rerun", "policies": {"rerun_steps": ["train"]}}
    assert vendor("create_workflow_executions_actions", 201, **one, body=body).status == "running"
    asked = {"limit": "10", "offset": "0", "sort_by": "create_time", "order": "desc", "labels": "l"}
    found = vendor("list_workflow_executions", workflow_id=workflow, **asked)
    assert (found.total, found.items[0].execution_id) == (1, made.execution_id)
    step(2, "hold")
    vendor("delete_workflow_execution", 204, **one)
    assert vendor.refused("show_workflow_execution", **one) == (400, "ModelArts.7511")


def test_a_subscription(vendor: Vendor) -> None:
    workflow = {"workflow_id": vendor.emulator.settings.workflows[0].id}
    body = {"topic_urns": ["urn:smn:region:project:topic"], "entity": "e", "events": ["*:failed,completed"]}
    created = vendor("create_workflow_subscriptions", 201, **workflow, body=body)
    one = {**workflow, "subscription_id": created.subscription_id}
    assert vendor("show_workflow_subscription", **one).topic_urns == body["topic_urns"]
    assert vendor("show_workflow", **workflow).subscription_id == created.subscription_id
    changed = vendor("update_workflow_subscription", **one, body={**body, "events": ["job_step:stop"]})
    assert changed.events == ["job_step:stop"]
    vendor("delete_workflow_subscription", 204, **one)
    assert vendor.refused("show_workflow_subscription", **one) == (400, "ModelArts.7519")


def test_a_notebook(vendor: Vendor) -> None:
    one = {"id": vendor.emulator.settings.notebooks[0].id}
    started = vendor("start_notebook", **one, duration=7_200_000, type="timing")
    assert (started.status, started.lease.duration) == ("STARTING", 7_200_000)
    assert vendor.refused("start_notebook", **one) == (400, "ModelArts.6306")
    vendor.emulator.clock.advance(1)
    running = vendor("show_notebook", **one)
    assert (running.status, running.volume.mount_path) == ("RUNNING", "/home/ma-user/work/")
    assert vendor("renew_lease", **one, body={"duration": 3_600_000, "type": "timing"}).duration == 3_600_000
    assert vendor("show_lease", **one).duration == 3_600_000
    image = vendor("create_image", **one, body={"name": "mine", "namespace": "org", "tag": "1"})
    vendor.emulator.clock.advance(1)
    assert vendor("show_image", id=image.id).status == "ACTIVE"
    assert vendor("stop_notebook", **one).status == "STOPPING"
    assert vendor("list_notebooks", name="notebook-1").total == 1
    (tag,) = vendor("show_notebook_tags", workspace_id="0").tags
    assert (tag.key, tag.values) == ("team", ["vision"])


def test_workspaces_and_their_quotas(vendor: Vendor) -> None:
    found = vendor("list_workspace", sort_by="name", order="asc", name="def", filter_accessible=True)
    assert (found.total_count, found.workspaces[0].id, found.workspaces[0].status) == (1, "0", "NORMAL")
    body = {"quotas": [{"resource": "trainJob.quantity", "quota": 100}]}
    (changed,) = vendor("update_workspace_quotas", workspace_id="0", body=body).quotas
    assert (changed.resource, changed.quota, changed.max_quota) == ("trainJob.quantity", 100, 10_000)
    quotas = vendor("show_workspace_quotas", workspace_id="0").quotas
    assert {item.resource: item.quota for item in quotas}["trainJob.quantity"] == 100
    body["quotas"][0]["quota"] = 0
    assert vendor.refused("update_workspace_quotas", workspace_id="0", body=body)[0] == 400


@pytest.mark.parametrize("change", [{"secret_key": "wrong"}, {"access_key": "wrong"}])
def test_a_wrong_key_is_refused(emulator: Emulator, change: dict[str, str]) -> None:
    assert Vendor(emulator, **change).refused("list_workspace") == (401, "APIGW.0301")


def test_the_sdk_loses_what_an_empty_answer_says(emulator: Emulator, vendor: Vendor) -> None:
    emulator.faults.add("status", status=429, code="APIGW.0308", msg="slowly", count=1)
    assert vendor.refused("list_workspace")[0] == 429


def test_the_sdk_finds_the_project_by_itself(emulator: Emulator) -> None:
    credentials = BasicCredentials(emulator.access_key, emulator.secret_key).with_iam_endpoint(emulator.url)
    region = Region(emulator.region, emulator.url)
    client = sdk.ModelArtsClient.new_builder().with_credentials(credentials).with_region(region).build()
    assert client.list_workspace(sdk.ListWorkspaceRequest()).total_count == 2
    assert emulator.requests.count("GET", "/v3/projects", status=200) == 1
