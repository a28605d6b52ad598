"""The base classes of operators for ModelArts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from inspect import signature
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_aihub.lineage import HasLineage
from airflow_provider_aihub.links import ViewInModelArtsLink
from airflow_provider_aihub.tasks.failures import task_failures
from airflow_provider_aihub.tasks.job_operator import RemoteJobOperator
from airflow_provider_aihub.tasks.platform_task import PlatformTask

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperatorLink, Context

    from airflow_provider_aihub.hooks.modelarts import ModelArtsHook


class ModelArtsTask(PlatformTask):
    """An operator or a sensor with a connection of type ``modelarts``."""

    platform_key = "modelarts"
    operator_extra_links: Collection[BaseOperatorLink] = (ViewInModelArtsLink(),)
    template_fields: Sequence[str]
    modelarts_conn_id: str

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Add the parameters of the class' own constructor to ``template_fields``, unless the class sets them."""
        super().__init_subclass__(**kwargs)
        own = vars(cls)
        # Only for the classes of this package, not for those that users derive from them.
        ours = cls.__module__.partition(".")[0] == __name__.partition(".")[0]
        if ours and "__init__" in own and "template_fields" not in own:
            asked = signature(own["__init__"]).parameters.values()
            names = [one.name for one in asked if one.kind is one.KEYWORD_ONLY]
            cls.template_fields = tuple(dict.fromkeys((*cls.template_fields, *names)))

    @cached_property
    def hook(self) -> ModelArtsHook:
        """The hook of the task's connection."""
        from airflow_provider_aihub.hooks.modelarts import ModelArtsHook

        return ModelArtsHook(self.modelarts_conn_id)


class ModelArtsJobOperator(ModelArtsTask, HasLineage, RemoteJobOperator):
    """Submit a job to ModelArts and wait for its end.

    :param modelarts_conn_id: Connection of type ``modelarts``. Default: ``modelarts_default``.

    The remaining parameters are those of :class:`~airflow_provider_aihub.tasks.job_operator.RemoteJobOperator`.
    """

    template_fields: Sequence[str] = ("modelarts_conn_id", *RemoteJobOperator.template_fields)
    ui_color = "#fde8e6"

    def __init__(self, *, modelarts_conn_id: str = "modelarts_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.modelarts_conn_id = modelarts_conn_id


class ModelArtsCallOperator(ModelArtsTask, BaseOperator):
    """Make a call to ModelArts that is done at once.

    :param modelarts_conn_id: Connection of type ``modelarts``. Default: ``modelarts_default``.
    :param multiple_outputs: Whether each part of the result is an XCom of its own, too. Default: true.
    """

    template_fields: Sequence[str] = ("modelarts_conn_id",)
    operator_extra_links: Collection[BaseOperatorLink] = ()
    ui_color = "#fdf3e1"

    def __init__(
        self, *, modelarts_conn_id: str = "modelarts_default", multiple_outputs: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(multiple_outputs=multiple_outputs, **kwargs)
        self.modelarts_conn_id = modelarts_conn_id

    @abstractmethod
    def call(self, context: Context) -> dict[str, Any]:
        """Make the call. Return the task's return value: a small dict of JSON values.

        :raises ModelArtsError: One of its kinds, see :mod:`airflow_provider_aihub.modelarts.errors`.
        """

    def execute(self, context: Context) -> dict[str, Any]:
        """Make the call.

        :raises ModelArtsError: One of its subclasses, see :mod:`airflow_provider_aihub.modelarts.errors`.
        """
        from airflow_provider_aihub.http.errors import AmbiguousSubmit

        with task_failures(self.platform.errors):
            try:
                return self.call(context)
            except AmbiguousSubmit as loss:
                # It cannot be found out whether the call had an effect, and a retry might repeat the effect.
                loss.final = True
                raise


def skip_without(parameter: str, value: Any) -> None:
    """Skip a task that has nothing to do, such as a teardown whose setup has failed.

    :param value: What the task works on; a template that finds nothing renders to ``"None"``.
    """
    from airflow.providers.common.compat.sdk import AirflowSkipException

    from airflow_provider_aihub.http.values import is_nothing

    if is_nothing(value):
        raise AirflowSkipException(f"There is nothing to do, since {parameter} is empty.")


def as_list(parameter: str, given: Any, entry: Any) -> list[Any] | None:
    """Return a parameter in ModelArts' form, a list. A mapping of names and values becomes a list of entries.

    :param entry: Returns the entry for a name and its value.
    :raises ModelArtsParameterError: It is neither a list nor a mapping.
    """
    from airflow_provider_aihub.http.values import shown
    from airflow_provider_aihub.modelarts.errors import ModelArtsParameterError

    if given is None or isinstance(given, list):
        return given
    if isinstance(given, tuple):
        return list(given)
    if isinstance(given, Mapping):
        return [entry(name, value) for name, value in given.items()]
    raise ModelArtsParameterError(f"{parameter} must be a list or a dict, not {shown(given)}.")
