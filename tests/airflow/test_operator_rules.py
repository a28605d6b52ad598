"""What Airflow asks of every operator, for all operators, sensors and decorated operators that the package has.

Each rule is a function that gives the problems it finds; each is also shown an operator that breaks it.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator, BaseOperatorLink, conf
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from serialized import round_trip

import airflow_provider_aihub
from airflow_provider_aihub import get_provider_info
from airflow_provider_aihub.links import ViewInAIHubLink, ViewInModelArtsLink
from airflow_provider_aihub.operators.base import JobOperator
from airflow_provider_aihub.operators.call import CallOperator
from airflow_provider_aihub.operators.stop import StopOperator
from airflow_provider_aihub.sensors.base import JobSensor

PACKAGE = airflow_provider_aihub.__name__
FOLDERS = ("operators", "sensors", "decorators")


def _operators() -> Iterator[type[BaseOperator]]:
    for folder in FOLDERS:
        package = importlib.import_module(f"{PACKAGE}.{folder}")
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(found.name)
            for value in vars(module).values():
                if inspect.isclass(value) and issubclass(value, BaseOperator) and value.__module__ == module.__name__:
                    yield value


OPERATORS = [
    kind
    for kind in _operators()
    if not inspect.isabstract(kind) and kind.__module__.rpartition(".")[2] not in ("base", "call", "modelarts_base")
]
every_operator = pytest.mark.parametrize("kind", OPERATORS, ids=lambda kind: kind.__name__)


def test_all_are_found() -> None:
    names = {kind.__name__ for kind in OPERATORS}
    assert {"TrainingOperator", "StopTrainingOperator", "TrainingSensor", "TrainingDecoratedOperator"} <= names
    assert not names & {"JobOperator", "ClusterJobOperator", "CallOperator", "StopOperator", "JobSensor"}


def ancestors(kind: type) -> list[type]:
    """Give the classes of this package, or of these tests, that an operator is made of."""
    return [part for part in kind.__mro__ if part.__module__.startswith(PACKAGE) or part.__module__ == __name__]


def parameters(kind: type, *, own: bool = False) -> dict[str, inspect.Parameter]:
    """Give the parameters of an operator that this package adds to Airflow's.

    :param own: Only those that the class itself adds.
    """
    found: dict[str, inspect.Parameter] = {}
    for part in [kind] if own else reversed(ancestors(kind)):
        if "__init__" in vars(part):
            init = constructor(part)
            given = {p.name: p for p in inspect.signature(init).parameters.values() if p.kind is p.KEYWORD_ONLY}
            # What a class gives to its base itself is no parameter of its own.
            for name in {name for statement in tree_of(init).body for name, _ in _to_base(statement)} - set(given):
                found.pop(name, None)
            found |= given
    return found


def constructor(kind: type) -> Any:
    """Give a class's own constructor, as it is before Airflow wraps it."""
    return inspect.unwrap(vars(kind)["__init__"])


def tree_of(function: Any) -> ast.FunctionDef:
    """Give the syntax tree of a function."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(tree, ast.FunctionDef)
    return tree


def _to_base(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """Give what a statement hands on to the next constructor by name."""
    if (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Call)
        and ast.unparse(statement.value.func) == "super().__init__"
    ):
        yield from ((keyword.arg, keyword.value) for keyword in statement.value.keywords if keyword.arg)


# Templated fields are only stored in the constructor: they are rendered later, and may be XComArgs before.


def template_problems(kind: type[BaseOperator]) -> list[str]:
    """Find what a constructor does to a templated field besides storing it, and fields that it does not store."""
    problems = []
    for part in ancestors(kind):
        if "__init__" in vars(part):
            wrong = _stored_wrongly(tree_of(constructor(part)), set(kind.template_fields))
            problems += [f"{part.__name__}: {problem}" for problem in wrong]
    return problems


def _stored_wrongly(init: ast.FunctionDef, templated: set[str]) -> Iterator[str]:
    fields = {argument.arg for argument in (*init.args.args, *init.args.kwonlyargs)} & templated
    allowed: set[int] = set()
    stored = set()
    for statement in init.body:
        for name, value in _handed_on(statement):
            if isinstance(value, ast.Name) and value.id == name:
                allowed.add(id(value))
                stored.add(name)
    for node in ast.walk(init):
        if isinstance(node, ast.Compare) and all(isinstance(operator, ast.Is | ast.IsNot) for operator in node.ops):
            allowed |= {id(node.left)}
    for node in ast.walk(init):
        if id(node) in allowed or not isinstance(getattr(node, "ctx", None), ast.Load):
            continue
        if isinstance(node, ast.Name) and node.id in fields:
            yield f"reads {node.id} in line {node.lineno} of its constructor"
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self" and node.attr in templated:
            yield f"reads self.{node.attr} in line {node.lineno} of its constructor"
    for name in sorted(fields - stored):
        yield f"does not store {name} as it is"


def _handed_on(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """Give what a statement stores under a name of ``self``, or hands on to the next constructor by name."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self":
            yield target.attr, statement.value
    yield from _to_base(statement)


@every_operator
def test_templated_fields_are_stored_as_they_are(kind: type[BaseOperator]) -> None:
    assert template_problems(kind) == []


class _Templated(JobOperator):
    kind = "training"
    template_fields = (*JobOperator.template_fields, "word")

    def create_request(self, marker: Any) -> Any:
        raise NotImplementedError


class Stripping(_Templated):
    def __init__(self, *, word: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.word = word.strip()


class Renaming(_Templated):
    def __init__(self, *, word: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.other = word


class Choosing(_Templated):
    def __init__(self, *, word: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if word:
            self.word = word


class LookingBack(_Templated):
    def __init__(self, *, word: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.word = word
        self.letters = len(self.word)


class LookingAtTheInherited(_Templated):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.local = self.aihub_conn_id == "local"


class Changing(_Templated):
    def __init__(self, *, aihub_conn_id: str, word: str | None = None, **kwargs: Any) -> None:
        super().__init__(aihub_conn_id=f"{aihub_conn_id}_1", **kwargs)
        self.word = word


class Fine(_Templated):
    def __init__(self, *, aihub_conn_id: str, word: str | None = None, **kwargs: Any) -> None:
        super().__init__(aihub_conn_id=aihub_conn_id, **kwargs)
        self.word = word
        self.given = word is not None


@pytest.mark.parametrize(
    ("kind", "problems"),
    [
        (Stripping, ["reads word in line 3 of its constructor", "does not store word as it is"]),
        (Renaming, ["reads word in line 3 of its constructor", "does not store word as it is"]),
        (
            Choosing,
            [
                "reads word in line 3 of its constructor",
                "reads word in line 4 of its constructor",
                "does not store word as it is",
            ],
        ),
        (LookingBack, ["reads self.word in line 4 of its constructor"]),
        (LookingAtTheInherited, ["reads self.aihub_conn_id in line 3 of its constructor"]),
        (Changing, ["reads aihub_conn_id in line 2 of its constructor", "does not store aihub_conn_id as it is"]),
        (Fine, []),
    ],
)
def test_the_rule_on_templated_fields(kind: type[BaseOperator], problems: list[str]) -> None:
    assert template_problems(kind) == [f"{kind.__name__}: {problem}" for problem in problems]


class Untouchable(str):
    """A text that may be stored, compared with ``is`` and asked for its class; nothing else."""

    __slots__ = ()

    def _touched(self, *_: Any) -> Any:
        raise AssertionError("touched")

    __bool__ = __len__ = __iter__ = __contains__ = __getitem__ = __add__ = __radd__ = __mod__ = _touched
    __eq__ = __ne__ = __lt__ = __gt__ = __hash__ = __str__ = __repr__ = __format__ = _touched  # type: ignore[assignment]

    def __getattribute__(self, name: str) -> Any:
        if name != "__class__":
            raise AssertionError("touched")
        return super().__getattribute__(name)


def touched_fields(kind: type[BaseOperator]) -> list[str]:
    """Find templated fields that a constructor does something with, in whatever way, or stores otherwise."""
    # A sensor that is started in the triggerer gives its arguments, as they are, to that.
    given = {name: value for name, value in samples(kind).items() if name != "start_from_trigger"}
    problems = []
    for name in sorted(set(given) & set(kind.template_fields) - {"op_args", "op_kwargs"}):
        value = Untouchable(f"{{{{ params.{name} }}}}")
        try:
            stored = vars(kind(task_id="task", **{**given, name: value})).get(name)
        except AssertionError:
            problems.append(name)
        else:
            problems += [name] if stored is not value else []
    return problems


@every_operator
def test_templated_fields_are_not_touched(kind: type[BaseOperator]) -> None:
    assert touched_fields(kind) == []


class Helping(_Templated):
    def __init__(self, *, word: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.word = word
        self._tidy()

    def _tidy(self) -> None:
        self.word = self.word.strip()


class GoingBehind(_Templated):
    def __init__(self, *, word: str, **kwargs: Any) -> None:
        kwargs["aihub_conn_id"] = f"{kwargs['aihub_conn_id']}_1"
        super().__init__(**kwargs)
        self.word = word
        self.letters = len(vars(self)["word"])


def test_the_rule_on_touching() -> None:
    assert touched_fields(Fine) == []
    assert touched_fields(Stripping) == ["word"]
    assert touched_fields(Choosing) == ["word"]
    assert touched_fields(Changing) == ["aihub_conn_id"]
    assert touched_fields(LookingAtTheInherited) == ["aihub_conn_id"]
    assert touched_fields(Helping) == ["word"]
    assert touched_fields(GoingBehind) == ["aihub_conn_id", "word"]


def missing_parameters(kind: type[BaseOperator]) -> set[str]:
    """Find templated fields that no constructor takes; they could not be mapped over."""
    taken = {name for part in ancestors(kind) for name in parameters(part, own=True)} | {"op_args", "op_kwargs"}
    return set(kind.template_fields) - taken


@every_operator
def test_every_templated_field_is_a_parameter(kind: type[BaseOperator]) -> None:
    assert missing_parameters(kind) == set()
    assert len(kind.template_fields) == len(set(kind.template_fields))


def test_the_rule_on_parameters() -> None:
    assert missing_parameters(Fine) == set()
    assert missing_parameters(LookingAtTheInherited) == {"word"}


@every_operator
@pytest.mark.parametrize("given", [None, False, True])
def test_each_part_of_a_result_is_an_xcom_unless_one_says_no(kind: type[BaseOperator], given: bool | None) -> None:
    told = {} if given is None else {"multiple_outputs": given}
    needed = {
        name: value for name, value in samples(kind).items() if name not in ("multiple_outputs", "start_from_trigger")
    }
    alone = kind(task_id="alone", **needed, **told)
    with DAG("rules", schedule=None, default_args=told):
        by_default = kind(task_id="by_default", **needed)
    wanted = given is not False
    assert (alone.multiple_outputs, by_default.multiple_outputs) == (wanted, wanted)


FIXED = {"python_callable", "op_args", "op_kwargs", "start_from_trigger", "multiple_outputs"}
"""What Airflow, or the scheduler, must know before a task runs."""


def fixed_parameters(kind: type[BaseOperator]) -> set[str]:
    """Find parameters that no template may give, so that no ``Param`` of a run can steer them."""
    return set(parameters(kind)) - set(kind.template_fields) - FIXED


@every_operator
def test_every_parameter_is_a_templated_field(kind: type[BaseOperator]) -> None:
    assert fixed_parameters(kind) == set()


def test_the_rule_on_fixed_parameters() -> None:
    assert fixed_parameters(Fine) == set()
    assert fixed_parameters(Undocumented) == {"word"}


@every_operator
def test_renderers_are_of_templated_fields(kind: type[BaseOperator]) -> None:
    assert set(kind.template_fields_renderers) <= set(kind.template_fields)
    # What Airflow 2.11 and 3 both know.
    assert set(kind.template_fields_renderers.values()) <= {"bash", "json", "py", "sql"}
    assert re.fullmatch("#[0-9a-f]{6}", kind.ui_color)


# Documentation


def documentation_problems(kind: type) -> list[str]:
    """Find parameters that the docstring, and those of the classes that it names, do not tell of; and the reverse."""
    texts = [inspect.cleandoc(kind.__doc__ or "")]
    for part in ancestors(kind)[1:]:
        if any(re.search(rf"\b{part.__name__}`", text) for text in texts):
            texts.append(inspect.cleandoc(part.__doc__ or ""))
    told = {name for text in texts for name in re.findall(r"^:param (\w+):", text, re.MULTILINE)}
    problems = [f"{name} is not documented" for name in parameters(kind) if name not in told]
    own = set(re.findall(r"^:param (\w+):", texts[0], re.MULTILINE))
    airflows = {"python_callable", "op_args", "op_kwargs"}
    problems += [f"{name} is documented, but no parameter" for name in sorted(own - set(parameters(kind)) - airflows)]
    own_parameters = parameters(kind, own=True)
    return problems + [f"{name} is not documented in its own class" for name in own_parameters if name not in own]


@every_operator
def test_every_parameter_is_documented(kind: type[BaseOperator]) -> None:
    assert documentation_problems(kind) == []


@pytest.mark.parametrize("kind", [JobOperator, CallOperator, StopOperator, JobSensor])
def test_every_parameter_of_a_base_is_documented(kind: type[BaseOperator]) -> None:
    assert documentation_problems(kind) == []


class Undocumented(CallOperator):
    """Do something.

    :param wrod: What to do.
    """

    def __init__(self, *, word: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.word = word


def test_the_rule_on_documentation() -> None:
    assert documentation_problems(Undocumented) == [
        "aihub_conn_id is not documented",
        "multiple_outputs is not documented",
        "word is not documented",
        "wrod is documented, but no parameter",
        "word is not documented in its own class",
    ]


# Serialization and mapping


def words(*given: Any, **named: Any) -> str:
    """Stand for the function of a decorated task."""
    return f"echo {given} {named}"


def sample(kind: type[BaseOperator], parameter: inspect.Parameter) -> Any:
    """Give a value for a parameter: a template where one may stand, else one that is not the default."""
    name, default = parameter.name, parameter.default
    special = {"python_callable": words, "op_args": ["{{ ds }}"], "op_kwargs": {"word": "{{ ds }}"}}
    if name in special:
        return special[name]
    if name in kind.template_fields:
        return f"{{{{ params.{name} }}}}"
    if isinstance(default, bool):
        return not default
    return default + 1 if isinstance(default, int | float) else default or True


def samples(kind: type[BaseOperator]) -> dict[str, Any]:
    """Give values for all parameters of an operator."""
    return {name: sample(kind, parameter) for name, parameter in parameters(kind).items()}


def serialization_problems(kind: type[BaseOperator]) -> list[str]:
    """Find what is lost when a DAG with the operator, all its parameters given, is written and read again."""
    given = samples(kind)
    with DAG("rules", schedule=None) as dag:
        kind(task_id="task", **given)
    shown = round_trip(dag).get_task("task")
    lost = {name for name in given if name in kind.template_fields and getattr(shown, name, None) != given[name]}
    links = {link.name for link in kind.operator_extra_links} ^ set(shown.extra_links)
    return [f"{name} is lost" for name in sorted(lost)] + [f"link {name!r} is lost" for name in sorted(links)]


def mapping_problems(kind: type[BaseOperator]) -> list[str]:
    """Find templated fields that an operator cannot be mapped over."""
    given = samples(kind)
    fields = [name for name in given if name in kind.template_fields]
    problems = []
    with DAG("rules", schedule=None) as dag:
        for field in fields:
            others = {name: value for name, value in given.items() if name != field}
            values = [f"{given[field]}{number}" for number in (1, 2)]
            if field in ("op_args", "op_kwargs"):
                values = [given[field], given[field]]
            kind.partial(task_id=field, **others).expand(**{field: values})
            task = dag.get_task(field).unmap({field: values[0]})
            problems += [
                f"{field} as mapped makes {name} {value!r}"
                for name in fields
                if (value := getattr(task, name)) != (values[0] if name == field else given[name])
            ]
    shown = round_trip(dag)
    return problems + [
        f"{field} is not mapped" for field in fields if "Mapped" not in type(shown.get_task(field)).__name__
    ]


@pytest.fixture(scope="module")
def database() -> None:
    """Airflow 2 looks into its database when it writes a DAG whose tasks have asset aliases."""
    if not AIRFLOW_V_3_0_PLUS:
        from airflow.utils.db import initdb

        initdb()


@every_operator
@pytest.mark.usefixtures("database")
def test_dags_with_it_are_serialized(kind: type[BaseOperator]) -> None:
    assert serialization_problems(kind) == []


@every_operator
@pytest.mark.usefixtures("database")
def test_it_can_be_mapped_over_every_templated_field(kind: type[BaseOperator]) -> None:
    assert mapping_problems(kind) == []


class Forgetting(_Templated):
    template_fields = (*JobOperator.template_fields, "word", "other")

    def __init__(self, *, word: str, other: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.word = word[:5]
        self.other = other


class UnregisteredLink(BaseOperatorLink):
    name = "Somewhere"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        return ""


def test_the_rules_on_serialization_and_mapping() -> None:
    assert serialization_problems(Forgetting) == ["word is lost"]
    assert "aihub_conn_id as mapped makes word '{{ pa'" in mapping_problems(Forgetting)
    with pytest.raises((TypeError, AttributeError)):
        mapping_problems(type("Unmappable", (Forgetting,), {"__init__": _refusing_text}))


def _refusing_text(self: Any, *, word: str, **kwargs: Any) -> None:
    raise TypeError("must be read before it is rendered")


# Links, defaults and imports


def link_problems(kind: type[BaseOperator]) -> list[str]:
    """Find links that Airflow 2.11 would drop, since the provider does not declare them."""
    declared = get_provider_info()["extra-links"]
    classes = [type(link) for link in kind.operator_extra_links]
    return [link.__name__ for link in classes if f"{link.__module__}.{link.__name__}" not in declared]


@every_operator
def test_links_are_declared(kind: type[BaseOperator]) -> None:
    assert link_problems(kind) == []


def test_every_declared_link_is_used() -> None:
    used = {
        f"{type(link).__module__}.{type(link).__name__}" for kind in OPERATORS for link in kind.operator_extra_links
    }
    assert used == set(get_provider_info()["extra-links"])


def test_what_is_about_a_thing_with_a_page_links_to_it() -> None:
    links = {ViewInAIHubLink, ViewInModelArtsLink}
    unlinked = [k.__name__ for k in OPERATORS if not links & set(map(type, k.operator_extra_links))]
    assert unlinked == [
        "ModelArtsCreateAppOperator",
        "ModelArtsDeleteTrainingJobOperator",
        "ModelArtsTagTrainingJobOperator",
        "ModelArtsStepExecutionActionOperator",
        "ModelArtsWorkflowSubscriptionOperator",
        "ModelArtsWorkspaceQuotaOperator",
        "S3RelayUploadOperator",
    ]


def test_the_rule_on_links() -> None:
    kind = type("Linked", (_Templated,), {"operator_extra_links": (ViewInAIHubLink(), UnregisteredLink())})
    assert link_problems(kind) == ["UnregisteredLink"]


def default_problems(kind: type) -> list[str]:
    """Find a default of ``deferrable`` that does not come from Airflow's configuration."""
    problems = []
    for part in ancestors(kind):
        if "deferrable" in parameters(part, own=True):
            init = tree_of(constructor(part))
            defaults = dict(zip([a.arg for a in init.args.kwonlyargs], init.args.kw_defaults, strict=True))
            default = defaults["deferrable"]
            if default is None or ast.unparse(default) != _DEFERRABLE:
                problems.append(f"deferrable of {part.__name__} is not {_DEFERRABLE}")
    return problems


_DEFERRABLE = "conf.getboolean('operators', 'default_deferrable', fallback=False)"


@every_operator
def test_deferrable_is_what_airflow_says(kind: type[BaseOperator]) -> None:
    assert default_problems(kind) == []
    default = conf.getboolean("operators", "default_deferrable", fallback=False)
    assert "deferrable" not in parameters(kind) or parameters(kind)["deferrable"].default is default


class Deferring(_Templated):
    def __init__(self, *, deferrable: bool = True, **kwargs: Any) -> None:
        super().__init__(deferrable=deferrable, **kwargs)


def test_the_rule_on_deferrable() -> None:
    assert default_problems(Deferring) == [f"deferrable of Deferring is not {_DEFERRABLE}"]


PUBLIC = (
    "airflow.plugins_manager",
    "airflow.providers.common.compat",
    "airflow.providers.openlineage.extractors",
    "airflow.sdk.exceptions",
    "airflow.triggers.base",
    "airflow.triggers.shared_stream",
)
"""What providers may import: the compatibility layer, and what Airflow documents for triggers, plugins and lineage."""
INTERNAL = {
    # How a triggerer asks whether its task is still deferred; before Airflow 3, of its database.
    "triggers/hand_over.py": {
        "airflow.models.taskinstance",
        "airflow.sdk.execution_time",
        "airflow.utils.session",
    },
    # Whether the task was marked or cleared while it ran, which its worker hears of too late.
    "tasks/own_state.py": {"airflow.sdk.execution_time"},
    # XComs that stand in Airflow's database, whatever backend the users have.
    "tasks/own_xcoms.py": {"airflow.models.xcom", "airflow.sdk.bases.xcom", "airflow.utils.session"},
    # The secret of an app may go into a connection; on Airflow 2, which lets a task make one.
    "operators/modelarts_app.py": {"airflow.models", "airflow.utils.session"},
    # How a command of Airflow's own command line is described.
    "doctor/command.py": {"airflow.cli.cli_config"},
    # Airflow 2 knows an alias only once its database has it.
    "assets.py": {"airflow", "airflow.models.dataset"},
    # It writes in the transaction in which Airflow records an event.
    "watcher/plugin.py": {"airflow", "airflow.models.asset", "airflow.state"},
}
"""Modules that need more, for want of another way, and what."""


def import_problems(file: str, code: str) -> list[str]:
    """Find imports of what Airflow keeps to itself.

    :param file: Path within the package.
    """
    problems = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom):
            imported = [(node.module or "", alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            imported = [(alias.name, "") for alias in node.names]
        else:
            continue
        for module, name in imported:
            if module.split(".")[0] != "airflow":
                continue
            known = any(module == public or module.startswith(f"{public}.") for public in PUBLIC)
            if not known and module not in INTERNAL.get(file, ()):
                problems.append(module)
            elif any(part.startswith("_") for part in (*module.split("."), name)):
                problems.append(f"{module}.{name}")
    return problems


def test_nothing_of_airflow_is_imported_that_it_keeps_to_itself() -> None:
    root = Path(airflow_provider_aihub.__file__).parent
    files = sorted(root.rglob("*.py"))
    assert len(files) > 50
    problems = {
        name: found
        for file in files
        if (found := import_problems(name := file.relative_to(root).as_posix(), file.read_text()))
    }
    assert problems == {}


def test_the_rule_on_imports() -> None:
    code = """
from airflow.models.taskinstance import TaskInstance
from airflow.providers.common.compat.sdk import conf, _hidden
import airflow.sdk.definitions._internal.types
import airflow_of_others
"""
    expected = [
        "airflow.models.taskinstance",
        "airflow.providers.common.compat.sdk._hidden",
        "airflow.sdk.definitions._internal.types",
    ]
    assert import_problems("operators/base.py", code) == expected
    assert import_problems("triggers/hand_over.py", code) == expected[1:]
