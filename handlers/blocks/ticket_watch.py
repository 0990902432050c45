"""What a watch says: what was denied since a ticket, on what that rests, and a button that gives just that back. Pure.

Names of sessions and of calls are anybody's words: they go in rich or plain text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from advisor.core.removal import TicketState
from advisor.core.watch import Cause, Hit
from handlers.blocks import kit, words
from handlers.blocks.kit import Json, Message
from handlers.blocks.ticket_buttons import dialog
from handlers.blocks.ticket_form import form, words_field
from handlers.blocks.ticket_view import TicketView, approver_parts
from handlers.blocks.words import some

S = TicketState

BUTTONS = 4
"""Things that have a button of their own; the rest is counted."""

LINES = 8
"""Denied calls that a message tells one by one."""


def things(hits: Iterable[Hit]) -> dict[tuple[str, ...], Hit]:
    """What could go back, each with its newest hit."""
    found: dict[tuple[str, ...], Hit] = {}
    for hit in sorted(hits, key=lambda h: (h.last, h.id), reverse=True):
        if hit.things:
            found.setdefault(hit.things, hit)
    return found


def said_of(found: Sequence[str], limit: int = kit.NAME) -> str:
    """redshift; ec2:RunInstances and s3"""
    return kit.clip(" and ".join(found), limit)


def named(view: TicketView, what: Sequence[str], limit: int = kit.NAME) -> str:
    """What goes back, in words: of a quarantine, everything."""
    return "everything" if view.plan.quarantine else said_of(what, limit)


# -- the message ---------------------------------------------------------------------------------------------------


def denied(view: TicketView, hits: Sequence[Hit]) -> Message:
    """What was denied, to the owner and in the thread: which call, when, by whom, what denied it; and the way back."""
    shown = sorted(hits, key=lambda h: (h.said_at is not None, -h.last.timestamp()))
    newest = shown[0]
    verb = _since(view)
    many = len(hits) > 1
    head = f"{view.name} was denied {said_of(newest.actions)}{f' and {len(hits) - 1:,} more' if many else ''} since {verb}"
    lines = [line for hit in shown[:LINES] for line in _hit(hit)]
    if len(hits) > LINES:
        lines.append(kit.section(kit.text(f"And {some(len(hits) - LINES, 'more call')} of this kind")))
    rests = dict.fromkeys(_rests(view, h) for h in shown)
    body = kit.bullets(
        [
            *(kit.labelled("Why it is said here: ", r) for r in list(rests)[:3]),
            kit.labelled("It may not matter: ", "scanners try everything, and a denied try is only a try"),
            kit.labelled("Source: ", f"CloudTrail management events {view.where}"),
        ]
    )
    rest = f", and {some(len(hits) - 1, 'more call')}" if many else ""
    text = (
        f"{view.name} {view.where} was denied {said_of(newest.actions)} {some(newest.count, 'time')} since {verb}, "
        f"last {kit.minute(newest.last)}{rest}. Give back is offered."
    )
    return Message(
        text,
        [
            kit.rich(kit.section(kit.emoji("warning"), kit.text(f" {head}", bold=True)), kit.bullets(lines)),
            kit.rich(body),
            *_buttons(view, hits),
            kit.rich(_for(view)),
        ],
    )


def _since(view: TicketView) -> str:
    number = view.ticket.id
    if view.plan.quarantine:
        return f"ticket {number} quarantined it"
    return f"ticket {number} {'holds' if view.ticket.state is S.HELD else 'took'} it"


def _hit(hit: Hit) -> list[Any]:
    who = hit.principal.rpartition("/")[2]
    session = f" (session {', '.join(kit.clip(s, kit.NAME) for s in hit.sessions)})" if hit.sessions else ""
    parts: list[Any] = [
        kit.text(said_of(hit.actions, 160), bold=True),
        kit.text(f", {some(hit.count, 'time')}, first "),
        kit.date(hit.first, time=True),
        kit.text(", last "),
        kit.date(hit.last, time=True),
        kit.text(
            f", by {kit.clip(who, kit.NAME)}{session}{f' in {kit.clip(hit.region, 32)}' if hit.region else ''}"
        ),
    ]
    return [kit.section(*parts)]


def _rests(view: TicketView, hit: Hit) -> str:
    """Whether our hold is what denied it, and on what that rests."""
    ours = "the quarantine" if view.plan.quarantine else "the hold"
    match hit.cause:
        case Cause.HOLD if hit.policy:
            return f"{ours} of this ticket denied it: AWS names its policy, {kit.clip(hit.policy, 120)}"
        case Cause.HOLD:
            return (
                f"{ours} of this ticket denied it, as far as can be told: AWS says “explicit deny in an identity-based "
                f"policy” of this principal, and {ours} denies this call"
            )
        case Cause.CHANGE:
            return "AWS says that no identity-based policy allows it, and those that the ticket changed did"
        case Cause.UNSAID:
            return "the ticket took it; AWS does not say what denied it"


def _buttons(view: TicketView, hits: Sequence[Hit]) -> list[Any]:
    """A row for each thing: Slack takes an action id once a block."""
    number = view.ticket.id
    offered = list(things(hits).items()) if view.ticket.state in {S.HELD, S.APPLIED} else []
    rows = [kit.actions(give_back(view, what, hit)) for what, hit in offered[:BUTTONS]]
    row: list[Any] = []
    if len(offered) > BUTTONS:
        row.append(kit.button(f"{len(offered) - BUTTONS} more: Roll back…", "ticket.rollback", number))
    row.append(kit.button("Not needed…", "ticket.notneeded", number))
    row.append(kit.button("Show the diff", "ticket.diff", number))
    return [*rows, kit.actions(*row)]


def give_back(view: TicketView, what: Sequence[str], hit: Hit) -> Any:
    """Asks in a dialog that says what is written, and from when."""
    name = named(view, what, 60)
    where = f"{view.name} in {kit.clip(words.account_word(view.account), 24)}"
    if view.plan.quarantine:
        does = f"{where} gets everything back: the quarantine ends, its policies are as they were."
    elif view.ticket.state is S.HELD:
        does = f"The hold on {where} no longer denies {name}. The rest is held on."
    else:
        does = f"{where} gets {name} back, as it was on {kit.day(view.ticket.created_at)}. The rest stays removed."
    text = f"{does} If you may approve, this writes to AWS at once. If not, the approvers are asked."
    asks = dialog(f"Give back {named(view, what, 40)}?", text, "Give back", "Not now", writes=True)
    label = kit.clip(f"Give back {named(view, what)}", 30)
    return kit.button(label, "ticket.giveback", f"{view.ticket.id}:{hit.id}", style="danger", confirm=asks)


def _for(view: TicketView) -> Any:
    asked: list[Any] = []
    for n, user in enumerate(view.ticket.requesters[:3]):
        asked += [kit.text(", ")] if n else []
        asked.append(kit.person(user))
    people: list[Any] = []
    for n, one in enumerate(view.approvals[:4]):
        people += [kit.text(", ")] if n else []
        people.append(kit.person(one.user))
    tail = "One approver can give back; the owner and who asked can ask for it. Said once per call."
    return kit.section(
        kit.text("For "),
        *asked,
        kit.text(" who asked"),
        *([kit.text(" and "), *people, kit.text(" who approved")] if people else []),
        kit.text(f". {tail}"),
    )


# -- what follows --------------------------------------------------------------------------------------------------


def asked(view: TicketView, user: str, what: Sequence[str], hit: Hit) -> Message:
    """Somebody who may not decide wants it back: the approvers are asked, with the button."""
    name = named(view, what)
    lead = kit.section(
        kit.emoji("raised_hand"),
        kit.text(" "),
        kit.person(user),
        kit.text(f" asks for {name} back, for {view.name} {view.where}. ", bold=True),
        kit.text("Who may decide: "),
        *approver_parts(view),
    )
    row = [give_back(view, what, hit)] if view.ticket.state in {S.HELD, S.APPLIED} else []
    text = f"{name} is asked back for {view.name} {view.where}, by somebody who may not decide. One approver can give it back."
    note = f"{said_of(hit.actions)} was denied {some(hit.count, 'time')}. Nothing is written before an approver presses."
    return Message(
        text,
        [
            kit.rich(lead),
            kit.actions(*row, kit.button("Not needed…", "ticket.notneeded", view.ticket.id)),
            kit.small(note),
        ],
    )


def asked_for(view: TicketView, what: Sequence[str]) -> Message:
    """To whoever asked."""
    text = f"The approvers were asked to give {named(view, what)} back. Nothing was changed yet."
    lead = kit.section(kit.emoji("raised_hand"), kit.text(f" {text}", bold=True))
    who = kit.section(kit.text("Who may decide: "), *approver_parts(view))
    return Message(text, [kit.rich(lead, who), kit.small("Only you see this.")])


def ended(view: TicketView) -> Message:
    """The days are over: what was seen, and, as loudly, what could not be."""
    number, watch = view.ticket.id, view.watch
    days = max(1, round((watch.until - watch.since).total_seconds() / 86_400)) if watch else 0
    count = len(view.hits)
    deaf = bool(watch and watch.seen.not_asked)
    if count:
        what = f"{some(count, 'denied call')} {'was' if count == 1 else 'were'} seen"
    else:
        what = "event history was not asked" if deaf else "no denied call seen"
    icon = "warning" if deaf or (watch and watch.seen.gaps) else "white_check_mark"
    rest = f": the watch on ticket {number} has ended. Roll back stays available."
    lead = kit.section(kit.emoji(icon), kit.text(f" {some(days, 'day')}, {what}", bold=True), kit.text(rest))
    note = f"{_seen(view)} {_not_seen(view)}"
    return Message(
        f"{some(days, 'day')} after ticket {number}: {what}. {note} Roll back stays available.",
        [kit.rich(lead), kit.small(note)],
    )


def _seen(view: TicketView) -> str:
    seen = view.watch.seen if view.watch else None
    if seen and seen.not_asked:
        return f"Not asked: {seen.not_asked} is not allowed."
    regions = f", {words.listed(list(seen.regions))}" if seen and seen.regions else ""
    return f"Seen: CloudTrail management events {view.where}{regions}."


def _not_seen(view: TicketView) -> str:
    seen = view.watch.seen if view.watch else None
    parts = ["data events (reading objects, items, messages)"]
    if seen:
        parts += [
            f"{some(g.looks, 'question')} of {g.region} ({_GAP.get(g.why, 'no answer')})" for g in seen.gaps
        ]
        parts += [] if seen.all_regions else ["Regions where Access Advisor did not see it"]
    return f"Not seen: {', '.join(parts)}."


_GAP = {
    "time": "the time for it was over",
    "refused": "not allowed there",
    "throttled": "AWS limits the rate",
}


def line(view: TicketView, room: int = 300) -> str:
    """On the card: Watching until 8 Dec 2026; denied: redshift:DescribeClusters 6 times. Empty without a watch."""
    watch = view.watch
    if watch is None:
        return ""
    open_ = [h for h in view.hits if h.closed_at is None]
    if not open_:
        return "" if watch.ended_at else f"Watching for denied calls until {kit.day(watch.until)}"
    shown = 3 if room > 200 else 1 if room > 60 else 0
    if not shown:
        return f"Denied since: {some(len(open_), 'call')}"
    listed = [f"{said_of(h.actions, 40)} {some(h.count, 'time')}" for h in open_[:shown]]
    more = f" and {len(open_) - shown:,} more" if len(open_) > shown else ""
    return f"Denied since: {', '.join(listed)}{more}"


def not_needed(view: TicketView) -> Json:
    """The form: why what was denied may stay denied."""
    open_ = [h for h in view.hits if h.closed_at is None and h.said_at]
    named = ", ".join(said_of(h.actions) for h in open_[:8]) or "nothing that is open"
    more = f" and {len(open_) - 8:,} more" if len(open_) > 8 else ""
    lead = kit.section(
        kit.text(f"Stays denied: {named}{more}. ", bold=True),
        kit.text("Nothing is changed in AWS. These calls are not said again on this ticket; others are."),
    )
    reason = words_field(
        "ticket.notneeded",
        "Why not",
        "What made these calls, and why it can do without",
        "Shown in the thread as your words.",
    )
    return form(
        "ticket.notneeded",
        str(view.ticket.id),
        [kit.rich(lead).to_dict(), reason],
        submit="Not needed",
        close="Back",
    )
