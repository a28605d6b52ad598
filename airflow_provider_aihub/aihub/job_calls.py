"""The calls that jobs of AIHub have in common, whatever their service: create, read, list, stop, and those of pods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from airflow_provider_aihub.aihub.models import LogFile, Page, Pod, Spec, new_id, page_of, text_of
from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.aihub.values import check_id, page_query
from airflow_provider_aihub.http.models import Answer, nothing, rows
from airflow_provider_aihub.http.request import FieldsWithout, Request, path

A = TypeVar("A", bound=Answer)


@dataclass(frozen=True, slots=True)
class JobCalls:
    """The calls about jobs of one kind.

    :param noun: What one is called.
    :param plural: What several are called.
    :param base: Path of their list.
    :param id_field: What their id is called.
    """

    service: Service
    noun: str
    plural: str
    base: str
    id_field: str

    def create(self, spec: Spec, name: str, fields_without: FieldsWithout | None = None) -> Request[int]:
        """Start a job and return its id."""
        return Request(
            asks=f"create {self.noun} {name!r}",
            service=self.service,
            method="POST",
            path=self.base,
            read=new_id,
            json=spec.body(),
            fields_without=fields_without,
            creates=True,
        )

    def read(self, model: type[A], job_id: int | str) -> Request[A]:
        """Read a job."""
        number = check_id(self.id_field, job_id)
        return Request(
            asks=f"read {self.noun} {number}",
            service=self.service,
            method="GET",
            path=path(self.base + "/{}", number),
            read=model.read,
            about={"id": number},
        )

    def listing(
        self, model: type[A], page: int, page_size: int, numbers: dict[str, int | str | None], **others: Any
    ) -> Request[Page[A]]:
        """List jobs. Newer platforms only.

        :param numbers: Filters by numbers.
        :param others: Filters by texts and flags.
        """
        return Request(
            asks=f"list {self.plural}",
            service=self.service,
            method="GET",
            path=self.base,
            read=page_of(model),
            query=page_query(page, page_size, numbers, **others),
            optional=True,
        )

    def stop(self, job_id: int | str) -> Request[None]:
        """Stop a job."""
        number = check_id(self.id_field, job_id)
        return Request(
            asks=f"stop {self.noun} {number}",
            service=self.service,
            method="POST",
            path=path(self.base + "/{}/stop", number),
            read=nothing,
        )

    def pods(self, job_id: int | str, page: int, page_size: int) -> Request[Page[Pod]]:
        """List the pods of a job."""
        number = check_id(self.id_field, job_id)
        return Request(
            asks=f"list the pods of {self.noun} {number}",
            service=self.service,
            method="GET",
            path=path(self.base + "/{}/pods", number),
            read=page_of(Pod),
            query=page_query(page, page_size),
        )

    def pod_logs(self, job_id: int | str, pod_id: int | str) -> Request[list[LogFile]]:
        """Name the log files of a pod. Newer platforms only."""
        number, pod = check_id(self.id_field, job_id), check_id("pod_id", pod_id)
        return Request(
            asks=f"name the logs of pod {pod} of {self.noun} {number}",
            service=self.service,
            method="GET",
            path=path(self.base + "/{}/pods/{}/logs/new", number, pod),
            read=rows(LogFile, "logs"),
            optional=True,
        )

    def pod_text(self, what: str, job_id: int | str, pod_id: int | str) -> Request[str]:
        """Read the ``events`` or the ``spec`` of a pod as text. Newer platforms only."""
        number, pod = check_id(self.id_field, job_id), check_id("pod_id", pod_id)
        return Request(
            asks=f"read the {what} of pod {pod} of {self.noun} {number}",
            service=self.service,
            method="GET",
            path=path(self.base + "/{}/pods/{}/{}", number, pod, what),
            read=text_of(what),
            optional=True,
        )
