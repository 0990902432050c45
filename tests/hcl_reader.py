"""Reads the HCL that we write, by other code than writes it."""

from __future__ import annotations

import json
import re
from typing import Any


class Hcl:
    """A reader of the little HCL that we write: comments, resources, objects, lists, strings, numbers, references."""

    TOKEN = re.compile(
        r'(?P<space>[ \t\n]+|#[^\n]*\n)|(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<mark>[{}\[\](),=])'
        r"|(?P<number>-?\d[\d.eE+-]*)|(?P<word>[A-Za-z_][\w.-]*)"
    )

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        place = 0
        while place < len(text):
            found = self.TOKEN.match(text, place)
            assert found, text[place : place + 60]
            place = found.end()
            if found.lastgroup != "space":
                self.tokens.append((str(found.lastgroup), found.group()))

    def take(self, expected: str = "") -> str:
        _, found = self.tokens.pop(0)
        assert not expected or found == expected, (expected, found)
        return found

    def next_is(self, mark: str) -> bool:
        return bool(self.tokens) and self.tokens[0] == ("mark", mark)

    def resources(self) -> dict[tuple[str, str], Any]:
        made: dict[tuple[str, str], Any] = {}
        while self.tokens:
            self.take("resource")
            key = (self.string(self.take()), self.string(self.take()))
            assert key not in made
            assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", key[1])
            made[key] = self.object()
        return made

    def object(self) -> dict[str, Any]:
        self.take("{")
        made = {}
        while not self.next_is("}"):
            kind, word = self.tokens.pop(0)
            key = self.string(word) if kind == "string" else word
            self.take("=")
            made[key] = self.value()
        self.take("}")
        return made

    def value(self) -> Any:
        kind, word = self.tokens[0]
        if word == "{" and kind == "mark":
            return self.object()
        self.take()
        if kind == "string":
            return self.string(word)
        if word == "jsonencode":
            self.take("(")
            made = self.value()
            self.take(")")
            return made
        if word == "[":
            items = []
            while not self.next_is("]"):
                items.append(self.value())
                self.take(",")
            self.take("]")
            return items
        return (
            json.loads(word) if kind == "number" or word in {"true", "false", "null"} else f"reference {word}"
        )

    @staticmethod
    def string(word: str) -> str:
        """What HCL makes of a quoted string; anything that begins a template is refused."""
        body, out, place = word[1:-1], "", 0
        while place < len(body):
            rest = body[place:]
            if rest.startswith(("$${", "%%{")):
                out, place = out + rest[1:3], place + 3
                continue
            assert not rest.startswith(("${", "%{")), word
            if rest[0] != "\\":
                out, place = out + rest[0], place + 1
                continue
            width = {"u": 4, "U": 8}.get(rest[1], 0)
            out += (
                chr(int(rest[2 : 2 + width], 16))
                if width
                else {"n": "\n", "r": "\r", "t": "\t"}.get(rest[1], rest[1])
            )
            assert rest[1] in 'nrt"\\uU'
            place += 2 + width
        return out
