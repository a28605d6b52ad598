"""Finding a secret in a text, however a server has written it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from functools import lru_cache
from html.entities import codepoint2name
from itertools import pairwise
from typing import Final

RUNS: Final = re.compile(r"\\+|(?s:.)")
"""The characters of a secret. Backslashes in a row go together: how many there are depends on how they were escaped."""
JSON_ESCAPES: Final = {"\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}
"""What JSON writes them as."""
ESCAPES: Final = r"\\{0,8}"
"""Bounds here and below keep the time to look in proportion to the text."""


def redacted(text: str, secrets: Iterable[str]) -> str:
    """Replace secrets by ``***``, however they are written."""
    for pattern in sorted(map(pattern_of, secrets), key=lambda pattern: -len(pattern.pattern)):
        text = pattern.sub("***", text)
    return text


@lru_cache(maxsize=64)
def pattern_of(secret: str) -> re.Pattern[str]:
    """Return the pattern of a secret as it is, in JSON, HTML, a URL or a form, escaped once or more; and in Base64."""
    encoded = secret.encode(errors="surrogatepass")
    packed = {encode(encoded).decode().rstrip("=") for encode in (base64.b64encode, base64.urlsafe_b64encode)}
    plain = "".join(_pattern_of_run(run, before) for before, run in pairwise(["", *RUNS.findall(secret)]))
    return re.compile("|".join([plain, *(re.escape(form) + "=*" for form in packed if len(form) > 4)]))


def _pattern_of_run(run: str, before: str) -> str:
    """Return the pattern of a character, or of backslashes in a row, in any of its writings.

    :param before: What comes before it. Backslashes there take those that escape this one.
    """
    char = run[0]
    if char.isascii() and char.isalnum():
        return char
    escapes = "" if before.startswith("\\") else ESCAPES
    units = char.encode("utf-16-be", errors="surrogatepass").hex()
    name = "apos" if char == "'" else codepoint2name.get(ord(char), "")
    ways = [
        escapes + ESCAPES.join(rf"\\u(?i:{units[at : at + 4]})" for at in range(0, len(units), 4)),
        "".join(f"%(?:25){{0,3}}(?i:{byte:02x})" for byte in char.encode(errors="surrogatepass")),
        rf"&(?:amp;){{0,3}}#0{{0,5}}(?:{ord(char)}|[xX]0{{0,5}}(?i:{ord(char):x}));",
    ]
    if name:
        ways.append(f"&(?:amp;){{0,3}}{name};")
    if char in JSON_ESCAPES:
        ways.append(rf"{escapes}\\{JSON_ESCAPES[char]}")
    if char == " ":
        ways.append(r"\+")
    if char == "\\":
        return rf"(?:{'|'.join(ways)}|\\){{1,64}}"
    return f"(?:{'|'.join(ways)}|{escapes}{re.escape(char)})"
