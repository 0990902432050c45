"""The answer to `org`: the card, the full list and the rows of its file. Pure."""

from __future__ import annotations

from typing import Any

from advisor.core.model import Usage
from advisor.core.organization import Allowed, AllowedService, Place, load
from handlers.blocks import kit, thread, words
from handlers.blocks.kit import Message, Part
from handlers.blocks.question import EXPORT, QuestionView, whose

COLUMNS = (
    "entity_path",
    "service_namespace",
    "service_name",
    "usage",
    "last_attempt_utc",
    "last_account",
    "accounts",
    "region",
)
_TRACKED = "in up to 400 days of tracking"


def _what(view: QuestionView, found: Allowed) -> str:
    """The place that was asked about, never without its id."""
    if found.place is Place.ACCOUNT:
        return words.account_name(view.account(found.target))
    return found.path if found.place is Place.ROOT else found.target


def headline(view: QuestionView, found: Allowed) -> str:
    """The answer as a sentence."""
    unused = len(found.of(Usage.STALE)) + len(found.of(Usage.NEVER))
    count = f"{unused:,} of {words.some(len(found.report.services), 'service')}"
    what = _what(view, found)
    if found.of_management:
        return f"{what}: {count} were not used in {found.days} days; no SCP limits it"
    by = "" if found.place is Place.ACCOUNT else " by any account"
    return f"{what}: {count} that SCPs allow were not used{by} in {found.days} days"


def card(view: QuestionView) -> Message:
    """Used, stale, no attempt; the names to look at first; what AWS cannot see here."""
    found = load(view.question.result)
    head = headline(view, found)
    lines = [line for line in (_used(found), _stale(view, found), _never(found)) if line]
    parts: list[Part] = []
    for n, line in enumerate(lines):
        parts += [kit.text("\n"), *line] if n else line
    if not parts:
        parts = [kit.text("The report lists no service: the SCPs allow none.")]
    blocks: list[Any] = [
        kit.header(kit.clip(head, 150)),
        kit.rich(kit.section(*parts)),
        kit.small(_unseen(found)),
        kit.actions(kit.button("Export CSV", EXPORT, view.question.id)),
        kit.context(
            kit.fixed(f"Report of {kit.token(found.report.created_at)}"),
            *whose(view),
            kit.plain(found.path, 200),
        ),
    ]
    counts = f"{len(found.of(Usage.STALE)):,} stale, {len(found.of(Usage.NEVER)):,} with no attempt seen"
    first = ", ".join(s.namespace for s in found.of(Usage.NEVER)[: words.NAMES_OF_MANY])
    text = f"{head}: {counts}" + (f". No attempt: {first}." if first else ".")
    return Message(text, blocks)


def _start(icon: str, count: str) -> list[Part]:
    return [kit.emoji(icon), kit.text(f" {count}", bold=True), kit.text("  ")]


def _used(found: Allowed) -> list[Part]:
    used = found.of(Usage.USED)
    if not used:
        return []
    names = words.listed([s.namespace for s in used[: words.NAMES_OF_MANY]])
    more = f" and {len(used) - words.NAMES_OF_MANY:,} more" if len(used) > words.NAMES_OF_MANY else ""
    return [*_start("large_green_circle", f"{len(used):,} used"), kit.text(f"{names}{more}")]


def _stale(view: QuestionView, found: Allowed) -> list[Part]:
    stale = found.of(Usage.STALE)
    if not stale:
        return []
    last = stale[0]
    parts = [*_start("large_yellow_circle", f"{len(stale):,} stale"), kit.text("latest: ")]
    parts.append(kit.code(last.namespace))
    if last.last_at:
        parts += [kit.text(" "), kit.date(last.last_at)]
    by = f" by {words.account_name(view.account(last.account))}" if last.account.isdigit() else ""
    return [*parts, kit.text(f"{by}: used, but before the window")]


def _never(found: Allowed) -> list[Part]:
    never = found.of(Usage.NEVER)
    if not never:
        return []
    names = ", ".join(kit.clip(s.namespace, kit.NAME) for s in never[: words.NAMES_OF_MANY])
    left = len(never) - words.NAMES_OF_MANY
    where = "thread" if len(found.report.services) <= thread.ROWS else "CSV"
    more = f" and {left:,} more in the {where}" if left > 0 else ""
    start = _start("white_circle", f"{len(never):,} no attempt seen")
    return [*start, kit.text(f"{_TRACKED}: {names}{more}")]


def _unseen(found: Allowed) -> str:
    """What this report cannot tell."""
    out = "" if found.place is Place.ACCOUNT else " The management account is not in it: no SCP limits it."
    if found.of_management:
        out = " It tells of the management account alone, which no SCP limits."
    return (
        "Services, not actions; what SCPs allow, not what IAM policies grant. Attempts count, denied ones too."
        f"{out} Advice only: nothing is written."
    )


def table(view: QuestionView, rung: int) -> Message:
    """Every service, as many as a table holds."""
    found = load(view.question.result)
    rows = _ordered(found)
    cells = [
        [
            kit.cell(s.namespace),
            kit.cell(words.USE[found.usage(s)]),
            kit.cell(s.last_at.date().isoformat() if s.last_at else ""),
            kit.cell(words.account_name(view.account(s.account)) if s.account.isdigit() else s.account),
            kit.number(s.accounts),
        ]
        for s in rows[: thread.ROWS]
    ]
    heads = ["Service", "Use", "Last attempt (UTC)", "Last account", "Accounts"]
    settings = [kit.WIDE, kit.WIDE, kit.WIDE, kit.WIDE, kit.RIGHT]
    title = f"Services allowed in {_what(view, found)}"
    drawn, count = thread.rungs(title, heads, cells, settings, rung)
    left = len(rows) - count
    more = f"{left:,} more services are in the CSV, not here. " if left else ""
    note = f"{more}“Accounts” counts those that tried it {_TRACKED}. Report of {kit.minute(found.report.created_at)}."
    text = f"{title}: {words.some(len(rows), 'service')}, the latest attempt first."
    return Message(text, [*drawn, kit.small(note)])


def _ordered(found: Allowed) -> list[AllowedService]:
    """The latest attempt first, then those without one."""
    return [*found.of(Usage.USED), *found.of(Usage.STALE), *found.of(Usage.NEVER)]


def rows(view: QuestionView) -> list[dict[str, str]]:
    """One row a service."""
    found = load(view.question.result)
    return [
        dict(
            zip(
                COLUMNS,
                (
                    found.path,
                    s.namespace,
                    s.name,
                    found.usage(s).value,
                    s.last_at.isoformat() if s.last_at else "",
                    s.account,
                    str(s.accounts),
                    s.region,
                ),
                strict=True,
            )
        )
        for s in _ordered(found)
    ]
