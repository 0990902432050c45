"""The answer to `history`, of an entity or of an account: the card, the table, the words of its picture. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from advisor.core.trend import AccountPast, Carried, Did, EntityPast, Point, Turn, load
from handlers.blocks import kit, thread, trend, words
from handlers.blocks.kit import Json, Message
from handlers.blocks.question import EXPORT, QuestionView, whose

CHANGES = {
    "newly_used": "Newly used",
    "now_stale": "Now stale",
    "newly_granted": "Newly granted",
    "no_longer_granted": "No longer granted",
    "no_longer_seen": "No longer seen (out of tracking)",
}
DID = {
    Did.APPLIED: "carried out",
    Did.BY_HAND: "carried out by hand",
    Did.ROLLED_BACK: "rolled back",
    Did.PARTLY_BACK: "partly rolled back",
}
COLUMNS = ("at_utc", "entities", "granted", "used", "stale", "no_attempt", "could_go", "what_changed")
_SHOWN = 6


def name(view: QuestionView) -> str:
    """Whose history: an entity's name, or an account with its number."""
    past = load(view.question.result)
    if isinstance(past, AccountPast):
        return words.account_name(view.account(past.account))
    return kit.clip(view.entity.name, kit.NAME) if view.entity else view.of


def _day(value: date | datetime) -> str:
    return kit.day(value) if isinstance(value, datetime) else _of_date(value)


def _of_date(value: date) -> str:
    return f"{value.day} {value:%b} {value.year}"


def headline(view: QuestionView) -> str:
    """The answer as a sentence: now, and then."""
    past = load(view.question.result)
    first, last = past.points[0], past.points[-1]
    over = f" over {words.some(last.entities, 'entity', 'entities')}" if isinstance(past, AccountPast) else ""
    now = f"{last.used:,} of {last.granted:,} services used{over}"
    if first.day == last.day:
        return f"{name(view)}: {now} on {_of_date(last.day)}, and nothing earlier to compare with"
    return f"{name(view)}: {now}; {first.used:,} of {first.granted:,} on {_of_date(first.day)}"


def card(view: QuestionView) -> Message:
    """Now and then, what changed last, what was carried out."""
    past = load(view.question.result)
    lines = _events(past)
    more = len(lines) - _SHOWN
    shown = [kit.labelled(f"{_day(at)}: ", what) for at, what in lines[:_SHOWN]]
    if more > 0:
        shown.append(kit.section(kit.text(f"and {words.some(more, 'earlier change')} in the thread")))
    if not shown:
        shown = [kit.section(kit.text(_quiet(past)))]
    blocks: list[Any] = [
        kit.header(kit.clip(headline(view), 150)),
        kit.rich(_numbers(past), kit.bullets(shown)),
        kit.small(_note(past)),
        kit.actions(kit.button("Export CSV", EXPORT, view.question.id)),
        kit.context(*whose(view), kit.plain(_where(view, past), 200)),
    ]
    said = f" Last: {_day(lines[0][0])}, {_first_small(lines[0][1])}." if lines else ""
    return Message(f"{headline(view)}.{said}", blocks)


def _numbers(past: EntityPast | AccountPast) -> Any:
    """Granted, used and what could go: now, and on the first day."""
    first, last = past.points[0], past.points[-1]
    parts = []
    for n, (label, now, then) in enumerate(
        (
            ("Granted", last.granted, first.granted),
            ("Used", last.used, first.used),
            ("Could go", last.could_go, first.could_go),
        )
    ):
        before = f" ({_number(then)} then)" if first.day != last.day and then is not None else ""
        parts += [kit.text(" · ")] if n else []
        parts += [kit.text(f"{label} ", bold=True), kit.text(f"{_number(now)}{before}")]
    return kit.section(*parts)


def _number(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _quiet(past: EntityPast | AccountPast) -> str:
    """Nothing to list, and what that means."""
    if isinstance(past, AccountPast):
        return "No ticket was carried out here."
    if any(not t.stored for t in past.turns):
        return "Older reports are shown as counts only. No ticket was carried out."
    if len(past.turns) == 1:
        return "The next audit adds a report to compare with. No ticket was carried out."
    return "No service was newly used or granted from report to report, and no ticket was carried out."


def _first_small(text: str) -> str:
    return text[:1].lower() + text[1:]


def _where(view: QuestionView, past: EntityPast | AccountPast) -> str:
    if isinstance(past, AccountPast) or view.entity is None:
        return words.some(len(past.points), "day") + " with reports"
    account = words.account_name(view.account(view.entity.account))
    return f"{words.kind_of(view.entity)} in {account}"


def _note(past: EntityPast | AccountPast) -> str:
    if isinstance(past, AccountPast):
        return (
            "Each day sums the last stored report of every entity known by then. Sums rise with a first sweep, "
            "because more entities are known."
        )
    thinned = sum(not t.stored for t in past.turns)
    kept = f" Of {words.some(thinned, 'older report')} only the counts are shown." if thinned else ""
    return (
        f"Each report uses the {past.days}-day window of its own day. “No attempt” can also mean that an old attempt "
        f"fell out of AWS’s tracking.{kept}"
    )


def _events(past: EntityPast | AccountPast) -> list[tuple[datetime, str]]:
    """What changed and what was carried out, newest first."""
    found = [(c.at, _carried(past, c)) for c in past.carried]
    if isinstance(past, EntityPast):
        found += [(t.at, _changed(t)) for t in past.turns if t.changes]
    return sorted(found, key=lambda e: e[0], reverse=True)


def _carried(past: EntityPast | AccountPast, carried: Carried) -> str:
    whose_ = (
        f" on the {carried.kind} {kit.clip(carried.name, kit.NAME)}" if isinstance(past, AccountPast) else ""
    )
    return f"Ticket {carried.ticket} was {DID[carried.did]}{whose_}"


def _changed(turn: Turn) -> str:
    return "; ".join(f"{CHANGES[what]}: {words.listed(names)}" for what, names in turn.changes)


def table(view: QuestionView, rung: int) -> Message:
    """One row a report, or a day: the newest first."""
    past = load(view.question.result)
    if isinstance(past, AccountPast):
        heads, cells = _days(past)
    else:
        heads, cells = _reports(past)
    settings = [kit.WIDE, *[kit.RIGHT] * (len(heads) - 2), kit.WRAPPED]
    drawn, count = thread.rungs(f"History of {name(view)}", heads, cells[: thread.ROWS], settings, rung)
    left = len(cells) - count
    more = (
        f"{words.some(left, 'older row')} {'is' if left == 1 else 'are'} in the CSV, not here. "
        if left
        else ""
    )
    text = f"History of {name(view)}: {words.some(len(cells), 'row')}, the newest first."
    return Message(text, [*drawn, kit.small(f"{more}Counts are services.")])


def _days(past: AccountPast) -> tuple[list[str], list[list[Json]]]:
    heads = ["Day (UTC)", "Entities", "Granted", "Used", "Could go", "Carried out that day"]
    by_day: dict[date, list[str]] = {}
    for one in past.carried:
        by_day.setdefault(one.at.date(), []).append(f"ticket {one.ticket} {DID[one.did]}")
    cells = []
    for p in reversed(past.points):
        numbers = [kit.number(n) for n in (p.entities, p.granted, p.used)]
        cells.append(
            [kit.cell(p.day.isoformat()), *numbers, _maybe(p.could_go), _cell(by_day.get(p.day, []))]
        )
    return heads, cells


def _reports(past: EntityPast) -> tuple[list[str], list[list[Json]]]:
    heads = ["Report (UTC)", "Granted", "Used", "Stale", "No attempt", "Could go", "What changed"]
    cells = []
    for t in reversed(past.turns):
        numbers = [kit.number(n) for n in (t.granted, t.used, t.stale, t.never)]
        changed = [_changed(t)] if t.changes else []
        cells.append([kit.cell(f"{t.at:%Y-%m-%d %H:%M}"), *numbers, _maybe(t.could_go), _cell(changed)])
    return heads, cells


def _cell(parts: Sequence[str]) -> Json:
    return kit.cell("; ".join(parts), 200)


def _maybe(value: int | None) -> Json:
    return kit.cell("") if value is None else kit.number(value)


# -- the picture and the files ---------------------------------------------------------------------------------------


def points(view: QuestionView) -> tuple[Point, ...]:
    """What the picture is drawn from; empty where one day is no line."""
    found = load(view.question.result).points
    return found if len(found) > 1 else ()


def picture_title(view: QuestionView) -> str:
    """What stands above the picture."""
    return f"{name(view)}: services granted and used"


def marks(view: QuestionView) -> tuple[tuple[date, str], ...]:
    """Days on which tickets were carried out, as the picture marks them."""
    found = load(view.question.result).carried
    return tuple((c.at.date(), f"ticket {c.ticket} {DID[c.did]}") for c in found)


def chart(view: QuestionView, rung: int) -> Message | None:
    """The picture’s numbers, where Slack takes no picture."""
    found = points(view)
    return trend.chart(picture_title(view), found, rung) if found else None


def rows(view: QuestionView) -> list[dict[str, str]]:
    """One row a report, or a day, oldest first."""
    past = load(view.question.result)
    if isinstance(past, AccountPast):
        table_: list[tuple[object, ...]] = [
            (p.day.isoformat(), p.entities, p.granted, p.used, "", "", p.could_go, "") for p in past.points
        ]
    else:
        table_ = [
            (t.at.isoformat(), 1, t.granted, t.used, t.stale, t.never, t.could_go, _all(t))
            for t in past.turns
        ]
    return [{c: "" if v is None else str(v) for c, v in zip(COLUMNS, row, strict=True)} for row in table_]


def _all(turn: Turn) -> str:
    return "; ".join(f"{what}: {' '.join(names)}" for what, names in turn.changes)
