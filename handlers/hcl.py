r"""JSON values as expressions of HCL, the language of Terraform. Pure.

Source: HCL Native Syntax Specification, "Template Expressions" and "Quoted Strings": in quotes `${` and `%{` begin a
template, doubled signs (`$${`) stand for themselves, and `\uNNNN` is any character.
"""

from __future__ import annotations

import json
import re
import unicodedata

_PLAIN = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def string(value: str) -> str:
    """A quoted string in which nothing is a template, and in which every character can be seen."""
    parts = re.split(r"([$%]+\{)", value)
    return '"' + "".join(_sign(p) if n % 2 else "".join(map(_letter, p)) for n, p in enumerate(parts)) + '"'


def _sign(found: str) -> str:
    """What would begin a template: doubled, or as numbers where there are several signs, which could be read twice."""
    signs = found[:-1]
    return f"{signs * 2}{{" if len(signs) == 1 else "".join(f"\\u{ord(c):04x}" for c in signs) + "{"


def _letter(letter: str) -> str:
    if letter in _PLAIN:
        return _PLAIN[letter]
    if unicodedata.category(letter) not in _HIDDEN:
        return letter
    return f"\\u{ord(letter):04x}" if ord(letter) <= 0xFFFF else f"\\U{ord(letter):08x}"


def value(found: object, depth: int = 0) -> str:
    """A value with its indentation; objects with quoted keys, one a line."""
    inner, outer = "  " * (depth + 1), "  " * depth
    if isinstance(found, dict):
        if not found:
            return "{}"
        rows = [f"{inner}{string(str(k))} = {value(v, depth + 1)}\n" for k, v in found.items()]
        return "{\n" + "".join(rows) + outer + "}"
    if isinstance(found, list):
        if not found:
            return "[]"
        return "[\n" + "".join(f"{inner}{value(v, depth + 1)},\n" for v in found) + outer + "]"
    return string(found) if isinstance(found, str) else json.dumps(found)


def label(name: str, taken: set[str]) -> str:
    """A resource's label made of a name: letters, digits and lines, another one for each name."""
    safe = re.sub(r"[^A-Za-z0-9_]+", "_", name)[:60].strip("_")
    base = safe if safe[:1].isalpha() else f"p_{safe}".rstrip("_")
    made, number = base, 1
    while made in taken:
        number += 1
        made = f"{base}_{number}"
    taken.add(made)
    return made
