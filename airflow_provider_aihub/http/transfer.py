"""Files on their way to and from a platform, a piece at a time."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Final, TypeVar
from urllib.parse import urljoin, urlsplit

from airflow_provider_aihub.http import answers
from airflow_provider_aihub.http.answers import Call, ParsedAnswer
from airflow_provider_aihub.http.errors import ParameterError, RemoteJobError, Unavailable
from airflow_provider_aihub.http.exchange import send_with_retries
from airflow_provider_aihub.http.progress import Progress
from airflow_provider_aihub.http.protocol import Sink, State, Steps
from airflow_provider_aihub.http.reach import allowed_addresses
from airflow_provider_aihub.http.receiving import CHUNK
from airflow_provider_aihub.http.request import NO_AUTH, USUAL_AUTH, File, Form
from airflow_provider_aihub.http.retry import RetryPolicy
from airflow_provider_aihub.http.urls import netloc, quoted

S = TypeVar("S", bound=Sink)

MOST_REDIRECTS: Final = 5


def file_from_path(path: str | Path) -> File:
    """Describe a local file for an upload. It is opened anew for each attempt.

    :raises ParameterError: where there is no such file, it is a folder, or it may not be read.
    """
    path = Path(path)
    check_name(path.name)
    try:
        with open_file(path) as file:
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        problem = error.strerror
    except ValueError as error:
        problem = str(error)
    else:
        return File(name=path.name, open=lambda: open_file(path), size=size)
    raise ParameterError(f"The file {str(path)!r} cannot be sent: {problem}.")


def open_file(path: str | Path, *, follow_link: bool = True) -> BinaryIO:
    """Open a local file for reading; a pipe is refused, and not waited for until somebody writes into it.

    :param follow_link: Whether the path itself may be a link.
    :raises OSError: It cannot be opened, or it is no regular file.
    """

    def opener(place: str, flags: int) -> int:
        # Windows has neither of them.
        flags |= getattr(os, "O_NONBLOCK", 0) | (0 if follow_link else getattr(os, "O_NOFOLLOW", 0))
        try:
            descriptor = os.open(place, flags)
        except OSError as error:
            if not follow_link and error.errno == errno.ELOOP:
                raise OSError(error.errno, "it has become a link") from None
            raise
        # Python itself refuses a folder.
        if not (stat.S_ISREG(mode := os.fstat(descriptor).st_mode) or stat.S_ISDIR(mode)):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "it is no regular file")
        return descriptor

    return open(path, "rb", opener=opener)


def check_name(name: str) -> None:
    """Refuse the name of a file that is no UTF-8: neither a form nor a zip archive can hold it.

    :raises ParameterError: It is none. The bytes that are no UTF-8 are shown as ``\\xe9``.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = re.sub(r"\\udc([89a-f][0-9a-f])", r"\\x\1", repr(name))
    else:
        return
    raise ParameterError(f"The file {shown} cannot be sent: its name is no UTF-8; rename it.")


class Body:
    """The body of a multipart form, which is built while it is sent.

    :param fields: Names and content of its parts: texts as they are, files with their names.
    """

    def __init__(self, fields: Iterable[tuple[str, str | Content]]) -> None:
        from urllib3.fields import RequestField
        from urllib3.filepost import choose_boundary

        boundary = choose_boundary()
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._pieces: list[bytes | Content] = []
        for name, content in fields:
            file = isinstance(content, Content)
            part = RequestField(name, b"", filename=content.name if isinstance(content, Content) else None)
            part.make_multipart(content_type="application/octet-stream" if file else None)
            head = f"--{boundary}\r\n{part.render_headers()}".encode(errors="replace")
            body = [content] if isinstance(content, Content) else [content.encode()]
            self._pieces += [head, *body, b"\r\n"]
        self._pieces.append(f"--{boundary}--\r\n".encode())
        self.len = sum(piece.len if isinstance(piece, Content) else len(piece) for piece in self._pieces)

    def __iter__(self) -> Iterator[bytes]:
        small = b""
        for piece in self._pieces:
            if isinstance(piece, Content):
                yield small
                small = b""
                while data := piece.read(CHUNK):
                    yield data
            else:
                small += piece
        yield small


@contextmanager
def multipart(form: Form) -> Iterator[Body]:
    """Open the files of a form.

    :raises RemoteJobError: where a file cannot be opened, or turns out shorter than it was said to be.
    """
    with ExitStack() as stack:
        parts: list[tuple[str, str | Content]] = list(form.fields.items())
        for field_name, file in form.files.items():
            progress = Progress(f"Sending {file.name!r}", file.size)
            parts.append((field_name, Content(file, stack.enter_context(opened(file)), progress)))
        yield Body(parts)


def opened(file: File) -> BinaryIO:
    """Open a file.

    :raises ParameterError: This process has no permission to read it.
    :raises RemoteJobError: It has been deleted or replaced meanwhile; another try of the task may succeed.
    """
    try:
        return file.open()
    except PermissionError as error:
        final, problem = True, error.strerror or str(error)
    except Exception as error:
        final, problem = False, _why(error)
    raise (ParameterError if final else RemoteJobError)(f"The file {file.name!r} cannot be sent: {problem}.")


def _why(error: Exception) -> str:
    """Say what was wrong with a file; a storage elsewhere has errors of its own, whose words may hold a secret."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else type(error).__name__


class Content:
    """A file that is being sent, as ``requests`` wants it. It yields exactly ``file.size`` bytes, or raises.

    :ivar len: Bytes that have not been read yet.
    """

    def __init__(self, file: File, content: BinaryIO, progress: Progress | None = None) -> None:
        self.name = file.name
        self.len = file.size
        self._content = content
        self._progress = progress

    def read(self, size: int = -1) -> bytes:
        try:
            data = self._content.read(self.len if size < 0 else min(size, self.len))
        except RemoteJobError:
            # An archive is made while it is read.
            raise
        except Exception as error:
            problem = _why(error)
            raise RemoteJobError(f"The file {self.name!r} could not be read while it was sent: {problem}.") from None
        if not data and self.len:
            raise RemoteJobError(f"The file {self.name!r} became shorter while it was sent.")
        self.len -= len(data)
        if self._progress:
            self._progress.add(len(data))
        return data


@dataclass(slots=True)
class _Target:
    """A file that is written anew when an attempt has to be repeated."""

    call: Call
    file: BinaryIO
    size: int = 0
    patient: bool = True
    start: int | None = field(init=False)
    progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        self.start = self.file.tell() if self.file.seekable() else None

    def begin(self) -> None:
        if self.size and self.start is None:
            what, advice = f"broke off after {self.size} bytes", "read it again from its beginning"
            raise self.call.error(Unavailable, what, advice)
        if self.size and self.start is not None:
            self.file.seek(self.start)
            self.file.truncate()
        self.size = 0
        self.progress = Progress("Receiving a file")

    def write(self, data: bytes) -> None:
        try:
            self.file.write(data)
        except OSError as error:
            problem = error.strerror or str(error)
            raise RemoteJobError(f"What was received cannot be written: {problem}.") from None
        self.size += len(data)
        self.progress.add(len(data))


def download(url: str, target: BinaryIO, state: State) -> Steps[int]:
    """Stream what is at a URL into a file, and return its size in bytes.

    The token goes along only where the URL has the scheme, host and port of one of the platform's own services, and
    then no redirect is followed. Elsewhere redirects are followed, never with the token.

    :param target: A binary file open for writing. Where it cannot be rewound, an answer that breaks off in the middle
        is an error at once.
    :raises ParameterError: where the URL is none that can be read, or leads to a host that is not to be asked; see
        :func:`~.reach.allowed_addresses`.
    :raises RequestError: of the kind that says what went wrong.
    """
    call, parsed, sink = yield from fetch(url, lambda call: _Target(call, target), state, state.policy)
    if 200 <= parsed.answer.status < 300:
        return sink.size
    raise answers.refusal(call, parsed)


def fetch(
    url: str,
    sink: Callable[[Call], S],
    state: State,
    policy: RetryPolicy,
    headers: Mapping[str, str] | None = None,
) -> Steps[tuple[Call, ParsedAnswer, S]]:
    """Request a URL, with the token if it is on the platform, and follow redirects as :func:`download` does.

    :param sink: Returns a new receiver of the content, for each request.
    :param headers: Additional headers.
    :return: The last call, its answer (which may be a refusal), and the receiver of its content.
    :raises ParameterError: The URL is invalid, or no file may be fetched from its host; see
        :func:`~.reach.allowed_addresses`.
    :raises RequestError: No answer came.
    """
    try:
        url = quoted(url)
    except ValueError:
        problem = "Only http and https URLs can be downloaded, and the given address is neither."
    else:
        problem = ""
    if problem:
        raise ParameterError(problem)
    call = _call(url, headers or {}, state, with_token=state.config.takes_token(url))
    asked = [] if call.auth else (yield from allowed_addresses(url, state.config, []))
    for _ in range(MOST_REDIRECTS):
        taker = sink(call)
        parsed = yield from send_with_retries(replace(call, sink=taker), state, policy)
        location = parsed.answer.headers.get("Location")
        if not 300 <= parsed.answer.status < 400 or not location or call.auth:
            break
        try:
            url = quoted(urljoin(url, answers.as_text(location)))
        except ValueError:
            break
        asked = yield from allowed_addresses(url, state.config, asked)
        call = _call(url, headers or {}, state, with_token=False)
    return call, parsed, taker


def _call(url: str, headers: Mapping[str, str], state: State, *, with_token: bool) -> Call:
    parts = urlsplit(url)
    host = netloc(parts)
    return Call(
        dialect=state.dialect,
        who=state.dialect.name if with_token else f"The file server {host}",
        asks="give a file",
        service=None,
        method="GET",
        url=f"{parts.scheme}://{host}{parts.path}",
        query=f"?{parts.query}" if parts.query else "",
        headers=headers,
        auth=USUAL_AUTH if with_token else NO_AUTH,
    )
