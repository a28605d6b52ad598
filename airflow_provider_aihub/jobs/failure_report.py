"""Reports about a job that has ended: a line for the log and, if it did not succeed, the error with the reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_aihub.http.answers import quote
from airflow_provider_aihub.http.durations import span
from airflow_provider_aihub.http.errors import RemoteJobError
from airflow_provider_aihub.jobs.errands import Ask, Fetch
from airflow_provider_aihub.jobs.errors import JobError, JobFailed, JobStopped
from airflow_provider_aihub.jobs.kind import JobKind, JobState, Notes, Phase
from airflow_provider_aihub.jobs.log_stream import lines
from airflow_provider_aihub.jobs.parts import FAILED, SUCCEEDED, Part, PartLog
from airflow_provider_aihub.jobs.progress_log import plain

if TYPE_CHECKING:
    from airflow_provider_aihub.http.blocking import Client

MOST_PARTS = 5
"""The error names so many of the parts that failed."""
MOST_LOGS = 3
"""The logs of so many of them are read."""
LAST_LINES = 20
TAIL = 8 * 1024
"""Bytes at the end of a log file that are read for its last lines."""


class Log(Protocol):
    """A logger, the standard library's or Airflow's."""

    def debug(self, message: str, /, *args: Any, **kwargs: Any) -> Any: ...
    def error(self, message: str, /, *args: Any) -> Any: ...


def summary(kind: JobKind, state: JobState) -> str:
    """Return the line of the log that says how a job ended, how long it waited and ran, and what it used."""
    facts = state.facts
    parts = [f"{kind.called(state.job_id)} {state.verb}"]
    if facts.created and (facts.started or 0) >= facts.created:
        parts.append(f"waited {span((facts.started or 0) - facts.created)}")
    if facts.started and (facts.finished or 0) >= facts.started:
        parts.append(f"ran {span((facts.finished or 0) - facts.started)}")
    if facts.usage:
        parts.append(facts.usage)
    if facts.stopped_by:
        parts.append(f"stopped by {plain(facts.stopped_by)}")
    return ", ".join(parts)


def failure(client: Client, kind: JobKind, state: JobState, log: Log | None = None) -> JobError:
    """Return the error for a job that failed or was stopped. The platform is asked for the reasons.

    :param client: Asks for parts, logs and events. A request that fails only shortens the message.
    :param log: Gets the last lines of the logs of the failed parts. Default: they are not logged.
    """
    facts = state.facts
    subject = f"{kind.platform}'s {kind.called(state.job_id)}" + (f" ({plain(facts.name)})" if facts.name else "")
    if state.phase is Phase.STOPPED:
        message = f"{subject} was stopped on {kind.platform}"
        message += f" by {plain(facts.stopped_by)}" if facts.stopped_by else ""
        return JobStopped(f"{message}.", kind=kind.name, job_id=state.job_id)
    try:
        reasons = _reasons(client, kind, state, log)
    except Exception:
        # Whatever goes wrong here, the failure itself must be told.
        if log:
            log.debug("The reasons for the failure could not be found", exc_info=True)
        reasons = [plain(facts.message)]
    told = "; ".join(reason for reason in reasons if reason) or f"{kind.platform} gives no reason"
    return JobFailed(f"{subject} failed: {told}", kind=kind.name, job_id=state.job_id)


def _reasons(client: Client, kind: JobKind, state: JobState, log: Log | None) -> list[str]:
    if kind.parts_within:
        parts = kind.parts_within(state.answer)
    else:
        parts = (kind.parts and _result_or_none(client, Ask(kind.parts(state.job_id)))) or []
    bad = [part for part in parts if part.state == FAILED]
    # The pods of a job that has failed may have been deleted since, or be in a state of another name.
    bad = bad or [part for part in parts if part.over and part.state != SUCCEEDED]
    told = {part.key: _end_of_log(client, part, kind, log) for part in (bad or parts)[:MOST_LOGS]}
    reasons = []
    if not any(part.message for part in bad[:MOST_PARTS]):
        reasons.append(quote(state.facts.message, client.config.redact))
    for part in bad[:MOST_PARTS]:
        end = "failed" if part.state == FAILED else f"ended as {plain(part.state)}"
        machine = f" on node {plain(part.machine)}" if part.machine else ""
        message = f": {quote(part.message, client.config.redact)}" if part.message else ""
        reasons.append(f"{kind.part_noun} {plain(part.name)} {end}{machine}{message}{told.get(part.key, '')}")
    if len(bad) > MOST_PARTS:
        reasons.append(f"and {len(bad) - MOST_PARTS} more")
    reasons += _note_texts(client, kind.reasons(state))
    if not bad:
        reasons += [f"{kind.part_noun} {plain(part.name)}{told[part.key]}" for part in parts if told.get(part.key)]
    return reasons


def _note_texts(client: Client, notes: Notes) -> list[str]:
    """Run the generator of notes, and return them, redacted."""
    reply: Any = None
    while True:
        try:
            reply = _result_or_none(client, notes.send(reply))
        except StopIteration as end:
            return [quote(said, client.config.redact).strip('"') for said in end.value]


def _end_of_log(client: Client, part: Part, kind: JobKind, log: Log | None) -> str:
    """Log the last lines of a part's log, or else its last events. Return the last line as the end of a sentence."""
    redact, what = client.config.redact, "its log ends with"
    named = (_result_or_none(client, Ask(request)) for request in (part.logs, part.logs_otherwise) if request)
    files: list[PartLog] = next(filter(None, named), [])
    found = next((tail for tail in (_tail(client, file) for file in files) if tail), [])
    if not found and part.events:
        what = "its last event is"
        events = _result_or_none(client, Ask(part.events)) or ""
        found = _without_blanks(events.encode()[-TAIL:])
    if not found:
        return ""
    if log:
        title = "last lines of the log" if what.startswith("its log") else "last events"
        told = "\n".join(redact(line) for line in found)
        log.error("The %s of %s %s:\n%s", title, kind.part_noun, plain(part.name), told)
    return f", {what} {quote(found[-1], redact)}"


def _tail(client: Client, file: PartLog) -> list[str]:
    if file.text:
        return _without_blanks(file.text.encode()[-TAIL:])
    piece = _result_or_none(client, Fetch(file.url, 0, TAIL))
    if not piece or piece.size is None:
        return []
    if piece.size > TAIL:
        piece = _result_or_none(client, Fetch(file.url, piece.size - TAIL, TAIL))
        # The first line lacks its beginning.
        return _without_blanks(piece.data.partition(b"\n")[2] or piece.data) if piece else []
    return _without_blanks(piece.data)


def _without_blanks(data: bytes) -> list[str]:
    return [line for line in lines(data) if line.strip()][-LAST_LINES:]


def _result_or_none(client: Client, errand: Ask | Fetch) -> Any:
    """Return the result of an errand; ``None`` if it failed."""
    try:
        return client.perform(errand)
    except RemoteJobError:
        return None
