"""What CloudTrail's event history says of a ticket's plan: one line on the card, the rest in the thread and a file. Pure.

Never "nothing found" where nobody was asked, and never "unused": what no event can tell stands beside what was seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from advisor.core.replay import DAYS, Because, Fate, Gap, Judged, Replay
from handlers.blocks import kit, words
from handlers.blocks.kit import Message
from handlers.blocks.ticket_view import TicketView
from handlers.files import File, as_csv

LEAD = "CloudTrail: "

ROWS = 15
"""Kinds of call of one sort that a reply names; all of them are in the file."""

_BECAUSE = {
    Because.ELSEWHERE: "not allowed by the policies that the plan reads, so by something else",
    Because.NARROWER: "still allowed, but for fewer resources or under fewer conditions",
    Because.UNREADABLE: "a policy cannot be read",
}

_GAP = {
    "time": "the time for it was over",
    "refused": "not allowed there",
    "throttled": "AWS limits the rate",
    "expired": "the bot’s credentials ended",
    "busy": "AWS was at work",
}


# -- the card --------------------------------------------------------------------------------------------------------


def line(view: TicketView, room: int) -> str:
    """412 kinds of call in 90 days: none would be lost; 9 unknown; S3 object reads are not visible here.

    Empty where the witness was not to be asked. What has no room is in the thread.
    """
    replay = view.replay
    if replay is None:
        return ""
    if replay.not_asked:
        return f"not asked: {replay.not_asked} is not allowed"
    parts = [
        f"{_kinds(replay)}: {_lost(replay)}"
        if replay.kinds or replay.turned
        else f"no call seen in {DAYS} days"
    ]
    if replay.of(Fate.UNKNOWN):
        parts.append(f"{replay.of(Fate.UNKNOWN):,} unknown")
    if replay.missing:
        parts.append(f"{words.some(replay.missing, 'question')} of {replay.looks:,} without a whole answer")
    if replay.unseen and room > 60:
        parts.append(_unseen(replay.unseen, 2 if room > 200 else 1))
    return "; ".join(parts)


def _kinds(replay: Replay) -> str:
    return f"{words.some(replay.kinds + len(replay.turned), 'kind')} of call in {DAYS} days"


def _lost(replay: Replay) -> str:
    lost = replay.of(Fate.LOST)
    if lost:
        return f"{lost:,} would be lost"
    if replay.turned:
        return f"none would be lost, because what {len(replay.turned):,} of them {'needs' if len(replay.turned) == 1 else 'need'} stays"
    return "none would be lost"


def _unseen(found: Sequence[str], limit: int) -> str:
    shown = [kit.clip(u, 60) for u in found[:limit]]
    more = f" and {len(found) - limit} more" if len(found) > limit else ""
    one = len(found) == 1 and ":" in found[0]
    return f"{', '.join(shown)}{more} {'is' if one else 'are'} not visible here"


# -- the thread ------------------------------------------------------------------------------------------------------


def thread(view: TicketView, *, again: bool = False) -> Message | None:
    """What was called, what is unknown and why, what was not covered, and what no event can tell.

    `again`: as it was asked before the first write.
    """
    replay = view.replay
    if replay is None or replay.not_asked:
        return None
    said = line(view, 0)
    lead = "CloudTrail before the first write: " if again else LEAD
    body: list[Any] = [kit.section(kit.text(lead, bold=True), kit.text(said))]
    body += _listed("Would have been lost, so it stays", replay.turned)
    body += _listed("Would be lost", _of(replay, Fate.LOST))
    for because in Because:
        found = [j for j in _of(replay, Fate.UNKNOWN) if j.because is because]
        body += _listed(f"Unknown, because {_BECAUSE[because]}", found)
    rest = [
        _counted(replay, Fate.ALLOWED, "would still be allowed"),
        _counted(replay, Fate.DENIED, "denied already"),
    ]
    rest += [_gap(g) for g in replay.gaps]
    if not replay.all_regions:
        rest.append("Which Regions the account has enabled is not known: ec2:DescribeRegions is not allowed")
    if replay.regions:
        rest.append(f"Asked: {words.some(replay.looks, 'question')} in {_names(replay.regions)}")
    if replay.unseen:
        rest.append(f"Not visible here: {_names(replay.unseen)}")
    lines = [kit.section(kit.text(r)) for r in rest if r]
    body += [kit.bullets(lines)] if lines else []
    note = (
        f"Event history has {DAYS} days of management events, some minutes late. What it does not have is not unused. "
        "Every kind of call is in the file with the diff."
    )
    return Message(f"Ticket {view.ticket.id}, {lead}{said}.", [kit.rich(*body), kit.small(note)])


def _of(replay: Replay, fate: Fate) -> list[Judged]:
    return [j for j in replay.judged if j.fate is fate]


def _listed(head: str, found: Sequence[Judged]) -> list[Any]:
    """A heading and its kinds of call, newest first."""
    if not found:
        return []
    newest = sorted(found, key=lambda j: j.at, reverse=True)
    lines = [kit.section(kit.text(_call(j)), kit.date(j.at, time=True)) for j in newest[:ROWS]]
    if len(found) > ROWS:
        lines.append(kit.section(kit.text(f"and {len(found) - ROWS:,} more in the file")))
    return [kit.section(kit.text(head, bold=True)), kit.bullets(lines)]


def _call(one: Judged) -> str:
    """rds:DescribeDBInstances by role DBAdminRole, session nightly, 6 times, last"""
    what = kit.clip(" and ".join(one.actions), 100)
    event = f" (event {kit.clip(one.event, kit.NAME)})" if one.event else ""
    session = f", session {kit.clip(one.session, kit.NAME)}" if one.session else ""
    return f"{what}{event} by {_who(one.principal)}{session}, {words.some(one.count, 'time')}, last "


def _who(arn: str) -> str:
    return kit.clip(arn.rpartition(":")[2].replace("/", " ", 1), kit.NAME + 6)


def _counted(replay: Replay, fate: Fate, rest: str) -> str:
    count = replay.of(fate)
    return f"{words.some(count, 'kind')} of call {rest}" if count else ""


def _gap(gap: Gap) -> str:
    why = _GAP.get(gap.why, "AWS gave no answer")
    return f"{kit.clip(gap.region, 30)}: {words.some(gap.looks, 'question')} without a whole answer, {why}"


def _names(found: Iterable[str]) -> str:
    listed = list(found)
    shown = ", ".join(kit.clip(f, 60) for f in listed[:ROWS])
    return shown + (f" and {len(listed) - ROWS} more" if len(listed) > ROWS else "")


# -- the file --------------------------------------------------------------------------------------------------------

COLUMNS = ("class", "because", "actions", "event", "principal", "session", "last_region", "last_utc", "times")


def files(view: TicketView) -> list[File]:
    """Every kind of call with its class; none where the witness was not asked."""
    replay = view.replay
    if replay is None or replay.not_asked:
        return []
    turned = set(replay.turned)
    table = [_row(j, "stays") for j in replay.turned]
    table += [_row(j, j.fate.value) for j in replay.judged if j not in turned]
    name, title = f"ticket-{view.ticket.id}-cloudtrail.csv", f"Ticket {view.ticket.id}, calls of {DAYS} days"
    return [File(name, title, as_csv(table, COLUMNS))]


def _row(one: Judged, word: str) -> dict[str, str]:
    values = (
        word,
        _BECAUSE[one.because] if one.because else "",
        " ".join(one.actions),
        one.event,
        one.principal,
        one.session,
        one.region,
        one.at.isoformat(),
        str(one.count),
    )
    return dict(zip(COLUMNS, (kit.clean(v) for v in values), strict=True))
