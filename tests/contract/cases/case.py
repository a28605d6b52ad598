"""One call to AIHub as its API describes it: what must be sent, what comes back, what is read from that."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from world import World

from airflow_provider_aihub.aihub.endpoints import Endpoints
from airflow_provider_aihub.aihub.services import Service
from airflow_provider_aihub.http.request import File, Request

TOKEN, RELAY_TOKEN = "the-token", "the-relay-token"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
RELAY = {"Token": RELAY_TOKEN}
NO_CREDENTIAL: dict[str, str] = {}


@dataclass(frozen=True)
class Part:
    """One part of a multipart form; a file where it has a file name."""

    name: str
    content: bytes
    filename: str | None = None


@dataclass(frozen=True, kw_only=True)
class Case:
    """A call.

    :param id: The hook's method, and what is special about the case.
    :param source: ``D`` where AIHub's OpenAPI document says so, ``P`` where it takes the newer platform.
    :param route: The path with names for its ids, as the API describes it.
    :param call: Name of the hook's method.
    :param args: Its arguments.
    :param path: The path that must be sent for them.
    :param query: The query that must be sent, likewise.
    :param body: The JSON body that must be sent; ``None`` for none.
    :param form: The parts of the multipart form that must be sent, in order; ``None`` for none.
    :param credential: The header that must go along; no other credential may.
    :param answer: What comes back, as the document prints it, or made of the fields of the newer platform.
    :param reads: What must be read from it: value by path, such as ``data.0.name``; the empty path is the result.
    :param vital: Paths in ``data`` without which the answer is none.
    :param list_key: Name of the list in ``data`` that must be there, though it may be ``null``; empty for none.
    :param real: The method's arguments for a running AIHub.
    """

    id: str
    source: Literal["D", "P"]
    service: Service
    method: Literal["GET", "POST", "PUT", "DELETE"]
    route: str
    call: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    path: str
    query: str = ""
    body: Mapping[str, Any] | None = None
    form: tuple[Part, ...] | None = None
    credential: Mapping[str, str] = field(default_factory=lambda: BEARER)
    answer: Mapping[str, Any]
    reads: Mapping[str, Any]
    vital: tuple[str, ...] = ()
    list_key: str = ""
    real: Callable[[World], tuple[Any, ...]]

    def __str__(self) -> str:
        return self.id

    @property
    def row(self) -> str:
        """The row of the API that this is a case of."""
        return f"{self.method} {self.route}"

    @property
    def creates(self) -> bool:
        """Whether the call must never be sent twice."""
        return self.request().creates

    def request(self) -> Request[Any]:
        """What the hook's method sends."""
        return self.build(*self.args, **self.kwargs)

    def build(self, *args: Any, **kwargs: Any) -> Request[Any]:
        """Call the function behind the hook's method."""
        request: Request[Any] = vars(Endpoints)[self.call].build(*args, **kwargs)
        return request

    def check(self, result: Any, but: Callable[[str], bool] = lambda _: False) -> None:
        """Compare what was read, types included.

        :param but: Says of a path in ``reads`` whether to leave it out.
        """
        for path, want in self.reads.items():
            if but(path):
                continue
            got = at(result, path)
            assert (type(got), got) == (type(want), want), f"{self.id}: {path or 'the result'}"


def newer(service: Service, base: str = "") -> Callable[..., Case]:
    """Return what makes the cases of a service of newer platforms.

    :param base: What all of its routes begin with.
    """

    def case(name: str, method: str, route: str, **more: Any) -> Case:
        """``name`` is that of the method, and, behind a hyphen, what is special; an ``{id}`` in the path is 1."""
        common = {"id": name, "call": name.partition("-")[0], "source": "P", "service": service, "method": method}
        path = (base + route).replace("{id}", "1")
        return Case(**{**common, "route": base + route, "path": path, **more})

    return case


def at(value: Any, path: str) -> Any:
    """Follow a path such as ``data.0.name`` through objects, dicts and lists."""
    for part in path.split(".") if path else ():
        if isinstance(value, list):
            value = value[int(part)]
        else:
            value = value[part] if isinstance(value, dict) else getattr(value, part)
    return value


def ok(data: Any) -> dict[str, Any]:
    """The envelope of a success, as most calls have it."""
    return {"code": 0, "msg": "", "data": data}


def page(*rows: Any, number: int = 1) -> dict[str, Any]:
    """The envelope with one page of rows."""
    return ok({"total": len(rows), "page_size": 20, "page_num": number, "data": list(rows)})


def file(name: str, content: bytes) -> File:
    """A file to upload."""
    return File(name, open=lambda: io.BytesIO(content), size=len(content))


def encoded(answer: Any) -> bytes:
    """An answer as it comes over the wire."""
    return json.dumps(answer).encode()
