"""Reading requests: each field by name and type, with a refusal that names the field."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from .answers import Refused

T = TypeVar("T")


class Missing:
    """Stands for "this field has no default"."""


REQUIRED = Missing()


class Fields:
    """The fields of one object in a request. ``null`` counts as not given.

    Every reader takes the name of a field and a default; without a default the field must be there.
    """

    def __init__(self, values: Any, where: str = "") -> None:
        if not isinstance(values, Mapping):
            raise Refused(f"{where or 'the body'} must be a JSON object")
        self._values: Mapping[str, Any] = values
        self._prefix = f"{where}." if where else ""

    def given(self, name: str) -> bool:
        return self._values.get(name) is not None

    def anything(self, name: str, default: Any = REQUIRED) -> Any:
        return self._value(name, default)

    def integer(
        self,
        name: str,
        default: int | Missing = REQUIRED,
        *,
        allowed: Collection[int] | None = None,
        minimum: int | None = None,
    ) -> int:
        value = self._value(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise Refused(f"{self._prefix}{name} must be an integer")
        self._within(name, value, allowed)
        if minimum is not None and value < minimum and value != default:
            raise Refused(f"{self._prefix}{name} must be at least {minimum}")
        return value

    def text(
        self,
        name: str,
        default: str | Missing = REQUIRED,
        *,
        allowed: Collection[str] | None = None,
        empty: bool = False,
    ) -> str:
        value = self._value(name, default)
        if not isinstance(value, str):
            raise Refused(f"{self._prefix}{name} must be a string")
        if not value.strip() and not empty and default is REQUIRED:
            raise Refused(f"{self._prefix}{name} must not be empty")
        self._check_text(name, value)
        self._within(name, value, allowed)
        return value

    def boolean(self, name: str, default: bool | Missing = REQUIRED) -> bool:
        value = self._value(name, default)
        if not isinstance(value, bool):
            raise Refused(f"{self._prefix}{name} must be true or false")
        return value

    def integers(self, name: str, default: list[int] | Missing = REQUIRED) -> list[int]:
        value = self._list(name, default)
        if not all(isinstance(item, int) and not isinstance(item, bool) for item in value):
            raise Refused(f"{self._prefix}{name} must be a list of integers")
        return value

    def texts(self, name: str, default: list[str] | Missing = REQUIRED) -> list[str]:
        value = self._list(name, default)
        if not all(isinstance(item, str) for item in value):
            raise Refused(f"{self._prefix}{name} must be a list of strings")
        self._check_text(name, *value)
        return value

    def objects(self, name: str, default: list[Any] | Missing = REQUIRED) -> list[Fields]:
        value = self._list(name, default)
        return [Fields(item, f"{self._prefix}{name}[{index}]") for index, item in enumerate(value)]

    def pairs(
        self, name: str, default: list[Any] | Missing = REQUIRED, *, value: str | Missing = REQUIRED
    ) -> list[dict[str, str]]:
        """A list of ``{"key", "value"}``, as environment variables and parameters come; each key becomes the name
        of an environment variable.

        :param value: Stands for a value that is left out.
        """
        pairs = [
            {"key": item.text("key"), "value": item.text("value", value, empty=True)}
            for item in self.objects(name, default)
        ]
        for pair in pairs:
            if "=" in pair["key"] or "\0" in pair["key"] + pair["value"]:
                raise Refused(f"{self._prefix}{name} holds the key {pair['key']!r}, which cannot name a variable")
        return pairs

    def box(self, name: str, default: list[float] | Missing = REQUIRED) -> list[float]:
        value = self._list(name, default)
        numbers = all(isinstance(item, int | float) and not isinstance(item, bool) for item in value)
        if not numbers or (len(value) != 4 and value != default):
            raise Refused(f"{self._prefix}{name} must be [x1, y1, x2, y2]")
        return value

    def _value(self, name: str, default: Any) -> Any:
        value = self._values.get(name)
        if value is not None:
            return value
        if default is REQUIRED:
            raise Refused(f"{self._prefix}{name} is required")
        return default

    def _list(self, name: str, default: Any) -> list[Any]:
        # A list may be null and then is empty, but a required one must be named.
        value = self._values.get(name)
        if value is None and (name in self._values or default is not REQUIRED):
            return [] if default is REQUIRED else list(default)
        if value is None:
            raise Refused(f"{self._prefix}{name} is required")
        if not isinstance(value, list):
            raise Refused(f"{self._prefix}{name} must be a list")
        return value

    def _check_text(self, name: str, *values: str) -> None:
        # JSON can spell half a character, which no answer could repeat.
        try:
            "".join(values).encode()
        except UnicodeEncodeError:
            raise Refused(f"{self._prefix}{name} must be text in Unicode") from None

    def _within(self, name: str, value: T, allowed: Collection[T] | None) -> None:
        if allowed is not None and value not in allowed:
            raise Refused(f"{self._prefix}{name} must be one of {', '.join(map(str, allowed))}")


class Query(Fields):
    """The fields of a query string: numbers and truth values come as text, empty text counts as not given."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__({name: value for name, value in values.items() if value != ""})

    def integer(
        self,
        name: str,
        default: int | Missing = REQUIRED,
        *,
        allowed: Collection[int] | None = None,
        minimum: int | None = None,
    ) -> int:
        text = self._value(name, default)
        try:
            number = int(text)
        except ValueError:
            raise Refused(f"{name} must be an integer") from None
        return Fields({name: number}).integer(name, allowed=allowed, minimum=minimum)

    def boolean(self, name: str, default: bool | Missing = REQUIRED) -> bool:
        text = self._value(name, default)
        words = {"true": True, "1": True, "false": False, "0": False}
        value = words.get(str(text).lower())
        if value is None:
            raise Refused(f"{name} must be true or false")
        return value
