"""What a plan does to one document, statement by statement, as lines of fixed width. Pure.

Every word of a document is cleaned and clipped before it stands in a line, so that none can begin a line of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

from advisor.core.policy import matches
from advisor.core.removal import Edit
from advisor.core.rewrite import Change
from handlers.blocks import kit, words

ENTRY = 160
"""How long an entry, a resource or a condition is drawn at most."""

_LINE = 96
"""How long a line of several entries gets before the next one begins."""


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of a statement that changes: `-` goes, `+` comes, a space stays. `inside` is the wildcard it stands for."""

    sign: str
    entry: str
    inside: str = ""


@dataclass(frozen=True, slots=True)
class Tally:
    """What changes in statements: entries that go, wildcards that get narrower, what stands in for them.

    `excepted` are entries that are added to a NotAction, so that they are no longer granted; `loose` are entries that
    come and lie inside nothing that goes (a plan has none).
    """

    gone: int = 0
    narrowed: int = 0
    narrower: int = 0
    excepted: int = 0
    loose: int = 0

    @property
    def out(self) -> int:
        """Everything that is no longer granted: entries that go, and new exceptions."""
        return self.gone + self.excepted

    @classmethod
    def of(cls, changes: Iterable[Change]) -> Tally:
        """Counted over statements."""
        found = [cls._of(change) for change in changes]
        return cls(
            sum(t.gone for t in found),
            sum(t.narrowed for t in found),
            sum(t.narrower for t in found),
            sum(t.excepted for t in found),
            sum(t.loose for t in found),
        )

    @classmethod
    def _of(cls, change: Change) -> Tally:
        lines = entries(change)
        added = [line for line in lines if line.sign == "+"]
        gone = [line for line in lines if line.sign == "-"]
        if change.element == "NotAction":
            whole = len(change.before) if not change.after else 0
            return cls(gone=whole, excepted=len(added), loose=0 if whole else len(gone))
        held = {line.inside for line in added if line.inside}
        narrowed = sum(line.entry in held for line in gone)
        inside = sum(bool(line.inside) for line in added)
        return cls(len(gone) - narrowed, narrowed, inside, 0, len(added) - inside)


def entries(change: Change) -> list[Line]:
    """The entries of a statement, before and after, in the document's order."""
    before, after = change.before, change.after
    gone = [e for e in before if e not in after]
    found: list[Line] = []
    for tag, i, j, k, m in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            found += [Line(" ", e) for e in before[i:j]]
            continue
        found += [Line("-", e) for e in before[i:j]]
        found += [Line("+", e, next((g for g in gone if _within(g, e)), "")) for e in after[k:m]]
    return found


def _within(wide: str, narrow: str) -> bool:
    """Whether everything that a pattern covers is covered by another one.

    A character that no name has stands for what a wildcard may be: nothing at all, and more than all `?` can take.
    """
    strange, many = "\x00", "\x00" * (len(wide) + 1)
    one = narrow.replace("?", strange)
    return "*" in wide and matches(wide, one.replace("*", "")) and matches(wide, one.replace("*", many))


def lines(edit: Edit, *, tight: bool = False) -> list[tuple[str, bool]]:
    """Each statement of a document as text, and whether it changes. `tight` puts entries of one service on one line."""
    raw = _statements(edit.before)
    drawn = {c.index: (_changed(c, raw.get(c.index, {}), tight=tight), True) for c in edit.changes}
    for index, sid, effect in edit.untouched:
        drawn[index] = (f"  {_title(index, sid)}: {kit.clip(effect, 10)}, untouched", False)
    return [drawn[index] for index in sorted(drawn)]


def outline(edit: Edit, change: Change) -> str:
    """A changed statement that has no room, as one line with its counts."""
    stays = sum(line.sign == " " for line in entries(change))
    head = _head(change, _statements(edit.before).get(change.index, {}))
    out = Tally.of([change]).out
    goes = f"{words.some(out, 'action')} {'goes' if out == 1 else 'go'}"
    return f"  {head}\n  ({goes}, {stays:,} {'stays' if stays == 1 else 'stay'}: too long to show here)"


def _statements(text: str | None) -> dict[int, Mapping[str, object]]:
    try:
        raw = json.loads((text or "{}").removeprefix("\ufeff")).get("Statement", [])
    except (ValueError, AttributeError, RecursionError):
        return {}
    found = raw if isinstance(raw, list) else [raw]
    return {n: s for n, s in enumerate(found) if isinstance(s, dict)}


def _title(index: int, sid: str) -> str:
    return f"Statement {index + 1}" + (f' "{kit.clip(sid, kit.NAME)}"' if sid else "")


def _head(change: Change, raw: Mapping[str, object]) -> str:
    """Statement 1 "Sid": Allow, Resource *"""
    effect = kit.clip(change.effect, 10) + (" all but" if change.element == "NotAction" else "")
    found = f"{_title(change.index, change.sid)}: {effect}"
    for element in ("Resource", "NotResource"):
        if element in raw:
            found += f", {element} {_values(raw[element])}"
    if "Condition" in raw:
        found += f", Condition {kit.clip(json.dumps(raw['Condition'], ensure_ascii=False), ENTRY)}"
    return found


def _values(value: object) -> str:
    """Up to three resources, and how many more."""
    found = [kit.clip(str(v), ENTRY) for v in (value if isinstance(value, list) else [value])]
    more = f" and {len(found) - 3:,} more" if len(found) > 3 else ""
    return ", ".join(found[:3]) + more


def _changed(change: Change, raw: Mapping[str, object], *, tight: bool) -> str:
    sign, last = (" ", []) if change.after else ("-", ["  (the whole statement goes: nothing is left in it)"])
    rows = _rows(entries(change), tight=tight, whole=not change.after)
    wide = max((len(names) for _, names, note in rows if note), default=0)
    excepted = change.element == "NotAction" and bool(change.after)
    body = []
    for mark, names, inside in rows:
        note = "no longer allowed" if excepted and mark == "+" else f"inside {inside}" if inside else ""
        body.append(f"{mark}   {names:<{wide}}   {note}".rstrip() if note else f"{mark}   {names}")
    return "\n".join([f"{sign} {_head(change, raw)}", *body, *last])


def _rows(found: list[Line], *, tight: bool, whole: bool) -> list[tuple[str, str, str]]:
    """Sign, entries and the wildcard that they lie in; several on a line where it has to be tight."""
    if not tight:
        return [(x.sign, kit.clip(x.entry, ENTRY), kit.clip(x.inside, ENTRY)) for x in found]
    rows: list[tuple[str, str, str]] = []
    for (sign, inside, *_), same in groupby(found, key=lambda x: _together(x, whole=whole)):
        line = ""
        for name in (kit.clip(x.entry, ENTRY) for x in same):
            if line and len(line) + len(name) > _LINE:
                rows.append((sign, line, kit.clip(inside, ENTRY)))
                line = ""
            line += f", {name}" if line else name
        rows.append((sign, line, kit.clip(inside, ENTRY)))
    return rows


def _together(line: Line, *, whole: bool) -> tuple[str, str, str, bool]:
    """What entries on one line have in common: all where the statement goes whole, else the service and its stars."""
    if whole:
        return (line.sign, "", "", False)
    return (
        line.sign,
        line.inside,
        line.entry.partition(":")[0].lower(),
        line.sign == "+" and "*" in line.entry,
    )
