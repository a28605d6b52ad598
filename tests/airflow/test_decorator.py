"""``@task.aihub_training``: a function writes the command, AIHub runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, task
from serialized import round_trip
from task_life import TaskLife

from airflow_provider_aihub.aihub.errors import AIHubJobFailed, AIHubParameterError
from airflow_provider_aihub.decorators.training import TrainingDecoratedOperator
from airflow_provider_aihub.emulators.aihub import Emulator
from airflow_provider_aihub.hooks.aihub import AIHubHook
from airflow_provider_aihub.triggers.job import JobTrigger

CLUSTER: dict[str, Any] = {"image": "any", "virtual_cluster": "vc-cpu", "project": "research"}

deferred_or_not = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "in place"])


class Written:
    """A function that writes a command, and how often it did.

    :param commands: What it returns, call by call; the last one ever after.
    """

    def __init__(self, *commands: Any) -> None:
        self.commands = list(commands)
        self.calls: list[tuple[Any, ...]] = []

    def life(self, **given: Any) -> TaskLife:
        """Let a task run it."""

        def write(word: str, *, number: int = 1, ti: Any = None) -> Any:
            self.calls.append((word, number, ti.task_id))
            return self.commands.pop(0) if len(self.commands) > 1 else self.commands[0]

        arguments: dict[str, Any] = {"task_id": "train", "op_args": ["w"], "op_kwargs": {"number": 2}, **CLUSTER}
        self.operators: list[TrainingDecoratedOperator] = []

        def make() -> TrainingDecoratedOperator:
            self.operators.append(TrainingDecoratedOperator(python_callable=write, **{**arguments, **given}))
            return self.operators[-1]

        return TaskLife(make)


@deferred_or_not
def test_the_function_writes_the_command(aihub: Emulator, tmp_path: Path, deferrable: bool) -> None:
    written = Written(f"echo {{{{ ti.task_id }}}} > {tmp_path}/out")
    life = written.life(deferrable=deferrable)
    result = life.try_once()
    assert (tmp_path / "out").read_text() == "train\n"
    assert written.calls == [("w", 2, "train")], "once, and not again when the task resumes"
    assert life.deferrals == int(deferrable)
    assert result["name"] == "train"
    # Airflow shows the fields of the operator that ended the task.
    assert written.operators[-1].command == f"echo train > {tmp_path}/out"


@deferred_or_not
def test_a_task_that_fails_shows_its_command(aihub: Emulator, deferrable: bool) -> None:
    written = Written("exit 3")
    with pytest.raises(AIHubJobFailed):
        written.life(deferrable=deferrable).try_once()
    assert written.operators[-1].command == "exit 3"


def test_the_rest_is_as_for_the_operator(aihub: Emulator, tmp_path: Path) -> None:
    life = Written(f'echo "$GREETING" > {tmp_path}/out').life(
        # Airflow has rendered it already; what stands there now is no template any more.
        name="{{ ti.task_id }}",
        envs={"GREETING": "hello"},
        category="debugging",
    )
    result = life.try_once()
    assert (tmp_path / "out").read_text() == "hello\n"
    training = AIHubHook().get_training(result["id"])
    assert (training.name, training.category.id) == ("{{ ti.task_id }}", 3)


@pytest.mark.parametrize("command", ["", " \n", None, 12, ["true"], b"true"])
def test_what_is_no_command_creates_nothing(aihub: Emulator, command: Any) -> None:
    with pytest.raises(AIHubParameterError, match=r"task 'train' must return the command .* returned ") as failure:
        Written(command).life().try_once()
    assert isinstance(failure.value, AirflowFailException)
    assert aihub.requests.count("POST", "*/trainings") == 0


def test_a_template_that_leaves_nothing_creates_nothing(aihub: Emulator) -> None:
    with pytest.raises(AIHubParameterError, match="command"):
        Written("{% if not ti %}true{% endif %}").life().try_once()
    assert aihub.requests.count("POST", "*/trainings") == 0


def test_an_error_of_the_function_is_the_tasks(aihub: Emulator) -> None:
    def write() -> str:
        raise KeyError("learning_rate")

    life = TaskLife(lambda: TrainingDecoratedOperator(task_id="train", python_callable=write, **CLUSTER))
    with pytest.raises(KeyError, match="learning_rate"):
        life.try_once()


def test_a_retry_writes_the_command_anew(aihub: Emulator) -> None:
    written = Written("exit 1", "true")
    life = written.life()
    with pytest.raises(AIHubJobFailed):
        life.try_once()
    assert life.try_once()["status"] == "succeeded"
    assert len(written.calls) == 2


def test_a_retry_takes_up_the_job_that_runs(aihub: Emulator) -> None:
    life = Written("sleep 0.5", "exit 1").life(deferrable=True)
    assert isinstance(life.start(), JobTrigger)
    first = life.ti.xcoms["job_id"]
    assert life.try_once()["id"] == first
    assert aihub.requests.count("POST", "*/trainings") == 1


def test_the_command_is_the_functions_alone() -> None:
    with pytest.raises(TypeError, match="command"):
        Written("true").life(command="false")


def test_airflow_has_it_as_a_decorator() -> None:
    with DAG("decorated", schedule=None) as dag:

        @task.aihub_training(**CLUSTER, deferrable=True)
        def train(rate: float, epochs: int = 1) -> str:
            """Train with a rate."""
            return f"echo {rate} {epochs}"

        train(0.1)
        train.override(task_id="special", image="special")(0.2)
        train.partial(epochs=3).expand(rate=[0.1, 0.2])
    assert dag.task_ids == ["train", "special", "train__1"]
    for one in (dag, round_trip(dag)):
        assert {one.get_task(task_id).task_type for task_id in dag.task_ids} == {"TrainingDecoratedOperator"}
        assert {one.get_task(task_id).operator_name for task_id in dag.task_ids} == {"@task.aihub_training"}
        assert one.get_task("special").image == "special"
    assert dag.get_task("train").deferrable
    assert dag.get_task("train").doc_md == "Train with a rate."
    mapped = dag.get_task("train__1").unmap({"op_kwargs": {"rate": 0.2}})
    assert (mapped.op_kwargs, mapped.image) == ({"epochs": 3, "rate": 0.2}, "any")
