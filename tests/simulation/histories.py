"""Histories: what happens to a task, drawn from a seed or enumerated, and what cannot be promised in which of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

KINDS: Final[dict[str, tuple[str, ...]]] = {
    "AIHub": (
        *("training", "quota_task", "search", "dataset_version", "workflow_run"),
        *("template_run", "model_eval", "deployment"),
    ),
    "ModelArts": ("training_job", "workflow_execution", "saved_image", "started_notebook"),
}
"""The kinds of job of each platform that tasks create."""
SENSED: Final[dict[str, tuple[str, ...]]] = {
    "AIHub": (
        *("training", "quota_task", "search", "dataset_version", "workflow_run"),
        *("model", "label_project", "quota"),
    ),
    "ModelArts": ("training_job", "workflow_execution", "workflow_step", "saved_image", "notebook"),
}
"""Those that sensors wait for."""
NEWER: Final = ("template_run", "model_eval", "deployment", "model", "label_project", "quota")
"""Kinds that an AIHub of the document does not have."""
DIALECTS: Final = {"AIHub": ("platform", "document"), "ModelArts": ("keys", "user")}
"""How each platform may be spoken to: a newer AIHub, or one of the document's calls alone; signatures, or tokens."""
ALL_KINDS: Final = tuple(kind for kinds in KINDS.values() for kind in kinds)
ALL_SENSED: Final = tuple(kind for kinds in SENSED.values() for kind in kinds)
WEATHERS: Final[dict[str, dict[str, Any]]] = {
    "fair": {},
    "create lost": {"spoiled": {("create", 1): "lost"}},
    "create lost, not done": {"spoiled": {("create", 1): "lost, not done"}},
    "create hangs": {"spoiled": {("create", 1): "hangs"}},
    "create late, 12 s": {"spoiled": {("create", 1): "late"}, "late": 12.0},
    "create late, 55 s": {"spoiled": {("create", 1): "late"}, "late": 55.0},
    "create late, 110 s": {"spoiled": {("create", 1): "late"}, "late": 110.0},
    "create code 1": {"spoiled": {("create", 1): "code 1"}},
    "create code 3": {"spoiled": {("create", 1): "code 3"}},
    "create code 1, not done": {"spoiled": {("create", 1): "code 1, not done"}},
    "create code 8, not done": {"spoiled": {("create", 1): "code 8, not done"}},
    "create 502": {"spoiled": {("create", 1): "status 502"}},
    "create 303": {"spoiled": {("create", 1): "status 303"}},
    "create garbled": {"spoiled": {("create", 1): "garbled"}},
    "create unreached": {"spoiled": {("create", 1): "unreached"}},
    "create twice lost": {"spoiled": {("create", 1): "lost", ("create", 2): "lost"}},
    "list lags": {"list_lag": 40.0},
    "list lags, create lost": {"list_lag": 40.0, "spoiled": {("create", 1): "lost"}},
    "list lags, create code 3": {"list_lag": 40.0, "spoiled": {("create", 1): "code 3"}},
    "lists are ahead": {"lists_ended": True},
    "small pages": {"page": 20, "spoiled": {("create", 1): "lost"}},
    "no total": {"total": -1, "spoiled": {("create", 1): "lost"}},
    "reads lag": {"read_lag": 2.0},
    "reads and lists lag": {"read_lag": 5.0, "list_lag": 40.0, "spoiled": {("create", 1): "hangs"}},
    "descriptions are cut": {"cut": 255, "spoiled": {("create", 1): "lost"}},
    "descriptions are cut to nothing": {"cut_description": 16, "spoiled": {("create", 1): "lost"}},
    "descriptions are edited": {"added": " (checked by me)", "spoiled": {("create", 1): "lost"}},
    "names are trimmed": {"trims": True, "spoiled": {("create", 1): "lost"}},
    "names are cut": {"cut_name": 2, "spoiled": {("create", 1): "lost"}},
    "jobs are copied": {"copied": True, "spoiled": {("create", 1): "lost"}},
    "a colleague stops a job": {"stopped_after": 3.0},
    "reads lag, 20 s": {"read_lag": 20.0},
    "answers take 2.6 s": {"latency": 2.6},
    "down for 17 min": {"down": (4.0, 1024.0)},
    "every second read fails": {"spoiled": {("read", number): "status 503" for number in range(1, 60, 2)}},
    "stops fail": {"spoiled": {("stop", number): "status 503, not done" for number in range(1, 8)}},
    "first read fails": {"spoiled": {("read", 1): "status 503"}},
    "reads fail": {"spoiled": {("read", number): "hangs" for number in range(1, 6)}},
    "stop fails": {"spoiled": {("stop", 1): "status 503"}},
    "stop takes long": {"stop_takes": 30.0},
    "login fails": {"spoiled": {("login", 1): "status 503"}},
    "list fails": {"spoiled": {("list", 1): "status 503", ("list", 2): "hangs"}, "list_lag": 5.0},
    "other jobs": {},
    "newer jobs of that name": {"page": 20, "spoiled": {("create", 1): "lost"}},
}
OF_MODELARTS: Final[dict[str, dict[str, Any]]] = {
    "create sent twice": {"spoiled": {("create", 1): "sent twice"}},
    "list lags, create sent twice": {"list_lag": 40.0, "spoiled": {("create", 1): "sent twice"}},
    "name taken": {"spoiled": {("create", 1): "name taken"}},
    "lists count rows": {"page": 20, "rows_count": True, "spoiled": {("create", 1): "lost"}},
}
"""Weathers that AIHub does not have: its names are not unique, and its lists are known to count pages."""
ALL_WEATHERS: Final = WEATHERS | OF_MODELARTS


@dataclass(frozen=True)
class Blow:
    """Something that ends or disturbs a process.

    :param at: Number of the step, counted over the whole history, at which it happens: of workers and triggers alike.
    :param after: Whether the step has been done by then.
    :param what: ``kill`` (SIGKILL), ``term`` (SIGTERM, as when a pod is evicted), ``timeout`` (``execution_timeout``),
        ``mark`` (a person marks the task failed), ``clear``, ``mark, noticed late`` or ``clear, noticed late`` (its
        worker hears of it with its next heartbeat), ``clear less`` (with fewer retries), ``freeze`` (Airflow takes the
        process for dead, and it goes on later), ``deaf`` (Airflow's API takes nothing for a while), ``swap`` (another
        platform stands behind the address), ``lose`` (the record is lost), ``hand over`` (the trigger goes to another
        triggerer), ``make anew`` (the run is deleted, and another one made with its id).
    """

    at: int
    what: str
    after: bool = False

    def __str__(self) -> str:
        return f"{self.what}@{self.at}{'+' if self.after else ''}"


WORKER_BLOWS: Final = (
    *("kill", "term", "timeout", "mark", "clear", "mark, noticed late", "clear, noticed late"),
    *("freeze", "deaf", "swap", "lose", "make anew"),
)
TRIGGER_BLOWS: Final = ("kill", "mark", "clear", "clear less", "freeze", "swap", "hand over", "make anew")
SENSOR_BLOWS: Final = ("kill", "mark", "clear", "freeze", "hand over", "make anew")
WAYS: Final = ("deferred", "deferred, in lists", "in place")
"""How a task waits: in the triggerer, which reads its job alone or in lists; or in its worker."""
RESCHEDULED: Final = "rescheduled"
"""How a sensor may wait besides: in a new worker for each look."""


@dataclass(frozen=True)
class History:
    """What happens to one task.

    :param dialect: One of the :data:`DIALECTS` of its platform. Default: the first of them.
    :param waits: One of :data:`WAYS`.
    :param remembers: Whether this Airflow keeps a record.
    :param lasts: Seconds that its jobs run; ``ends_well`` says how they end.
    :param timeout: Its ``job_timeout``.
    :param cleared: With how many retries it is cleared after its end, time and again.
    :param skew: Seconds by which the clock of every second process is ahead.
    :param skews_first: Whether that of the first one is.
    :param sibling: Whether another task of the same mapped task runs beside it.
    :param sensor: Whether the task is a sensor, which waits for a job of somebody else's.
    :param seed: Of the dice of all processes.
    """

    kind: str
    dialect: str = ""
    waits: str = "deferred"
    remembers: bool = True
    weather: str = "fair"
    blows: tuple[Blow, ...] = ()
    retries: int = 2
    lasts: float = 6.0
    ends_well: bool = True
    timeout: float | None = None
    cleared: tuple[int, ...] = ()
    skew: float = 0.0
    skews_first: bool = False
    sibling: bool = False
    sensor: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.dialect:
            object.__setattr__(self, "dialect", self.dialects[0])

    @property
    def platform(self) -> str:
        """Name of the platform whose job it is."""
        return next(name for name in KINDS if self.kind in (*KINDS[name], *SENSED[name]))

    @property
    def dialects(self) -> tuple[str, ...]:
        """Those in which its platform may be spoken to about jobs of this kind."""
        return DIALECTS[self.platform][:1] if self.kind in NEWER else DIALECTS[self.platform]

    @property
    def lists(self) -> bool:
        """Whether the platform lists jobs of this kind."""
        return self.dialect != "document"

    @property
    def stoppable(self) -> bool:
        """Whether the platform stops jobs of this kind."""
        lacking = ("search", "dataset_version", "saved_image")
        return self.kind not in lacking and (self.lists or self.kind != "workflow_run")

    def __str__(self) -> str:
        words = [
            self.kind,
            self.dialect,
            self.waits,
            "store" if self.remembers else "no store",
            self.weather,
            *map(str, self.blows),
            f"retries={self.retries}",
            f"jobs of {self.lasts:g} s" if self.lasts != 6 else "",
            "" if self.ends_well else "jobs fail",
            f"timeout={self.timeout:g}" if self.timeout else "",
            f"cleared={self.cleared}" if self.cleared else "",
            "sibling" if self.sibling else "",
            "sensor" if self.sensor else "",
            f"skew={self.skew:g}{' from the first on' if self.skews_first else ''}" if self.skew else "",
            f"seed={self.seed}",
        ]
        return ", ".join(word for word in words if word)


EXCUSES: Final[dict[str, set[str]]] = {
    "a worker is killed on the last try": {"orphan"},
    "a task is killed before the platform knows its job, or has started it, which takes longer than a killed worker "
    "has": {"orphan"},
    "a person was told to look for a job where jobs cannot be listed": {"orphan", "duplicate"},
    "a refusal was none, where jobs cannot be listed": {"orphan", "duplicate"},
    "another platform stands behind the address": {"orphan"},
    "the record is lost where jobs cannot be listed": {"orphan", "duplicate"},
    "a worker that Airflow took for dead lives on, before Airflow 3.3 or with a job that cannot be stopped at once": {
        "orphan",
        "duplicate",
    },
    "a try is ended before Airflow 3.3, where jobs cannot be listed": {"orphan", "duplicate"},
    "a job that cannot be stopped comes to its deadline": {"duplicate"},
    "a task is cleared in its worker before Airflow 3.3, which does not tell, and its job cannot be stopped in time": {
        "duplicate",
        "late",
        "wrong result",
    },
    "a job is left running and its task cleared after the end of its run, before Airflow 3.3 or where the record was "
    "lost": {"wrong result"},
    "a task comes to its `execution_timeout` while its job is created, where jobs cannot be listed": {"orphan"},
    "a worker that Airflow took for dead lives on with a deployment or a notebook, which a later try has, too": {
        "orphan",
        "duplicate",
        "wrong result",
    },
    "a deployment or a notebook is started by a call whose answer was lost, and only after its task has ended": {
        "orphan"
    },
    "a task is marked just as its try ends: it defers, or it fails and leaves its job to the next try": {"orphan"},
    "the platform cannot be reached, refuses each stop, or does not know the job yet, when it is to be stopped": {
        "orphan"
    },
    "a run is deleted and made anew while a deployment is being created, which takes effect late": {"duplicate"},
    "a try ends as it begins, and the one before was cleared after it had started a deployment or a notebook": {
        "orphan"
    },
    "the platform shows nothing of the marker, and there is no record, or one with the time of a wrong clock alone": {
        "orphan",
        "duplicate",
        "wrong result",
    },
    "a task gave up waiting for a job that could not be read, and was then cleared": {"wrong result"},
    "an image that is saved late, after the task was cleared, stands in the place of the next one": {
        "duplicate",
        "wrong result",
    },
}
"""The classes of histories in which a promise cannot be kept, and what may be wrong in each."""
(
    LAST,
    CREATING,
    TOLD,
    REFUSED,
    ELSEWHERE,
    LOST,
    OLD_WORKER,
    UNLISTED,
    LATE,
    UNTOLD,
    LEFT,
    OUT_OF_TIME,
    SHARED,
    STARTED_LATE,
    AS_IT_ENDS,
    OUT_OF_REACH,
    ANEW,
    LEFT_STARTING,
    UNMARKED,
    GIVEN_UP,
    REPLACED,
) = EXCUSES
