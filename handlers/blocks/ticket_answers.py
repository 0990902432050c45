"""What a ticket says beside its card: lines of its thread, messages to one person, lists. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from advisor.core.model import Account, Entity
from advisor.core.removal import Keep, Press, TicketState, Verb
from handlers.blocks import answers, kit, words
from handlers.blocks import ticket_hold as hold
from handlers.blocks import ticket_state as status
from handlers.blocks import ticket_steps as steps
from handlers.blocks import ticket_words as told
from handlers.blocks.kit import Message, Part
from handlers.blocks.ticket_view import TicketView, approver_parts

S = TicketState

ROWS = 50
"""Rows of a list at most; the rest is counted in words."""


# -- the thread ----------------------------------------------------------------------------------------------------


def said(view: TicketView, press: Press) -> Message:
    """One line per decision: who did what, and what follows."""
    number = view.ticket.id
    match press.verb:
        case Verb.APPROVE:
            return _approved(view, press)
        case Verb.REJECT:
            head, rest = "no_entry", f"rejected ticket {number}. {view.name} {view.where} is unchanged."
        case Verb.CANCEL:
            head, rest = "no_entry", f"cancelled ticket {number}. {view.name} {view.where} is unchanged."
        case Verb.KEEP:
            return _kept(view, press)
        case Verb.RETRY:
            rest = "asked for a retry. Everything is read again first; if anything moved, nothing is written."
            head = "hourglass_flowing_sand"
        case Verb.ROLLBACK:
            what = told.names(press.services, 200) if press.services else told.whose(view)
            head, rest = (
                "leftwards_arrow_with_hook",
                f"asked for a roll back: {what}, to {view.name} {view.where}.",
            )
        case Verb.GIVE_BACK:
            what = "everything" if view.plan.quarantine else told.names(press.services, 200)
            head, rest = (
                "leftwards_arrow_with_hook",
                f"gives back what was denied: {what}, to {view.name} {view.where}. It is kept for 90 days.",
            )
        case Verb.NOT_NEEDED:
            head, rest = "heavy_minus_sign", "says that what was denied is not needed. Nothing is changed."
        case Verb.FINISH:
            head = "hourglass_flowing_sand"
            rest = f"ended the hold of ticket {number}. Everything is read again first; if anything moved, nothing is rewritten."
        case Verb.EVIDENCE:
            head, rest = (
                "mag",
                f"asked for the evidence of ticket {number}. One file follows; nothing is changed.",
            )
    return _line(head, "", press.user, f" {rest}", press.words)


def evidence(view: TicketView, name: str, sha256: str) -> Message:
    """What stands below the evidence: how to check that the file is the one that the bot made."""
    text = f"{name}, for an auditor. Its SHA-256 is in the log. To check it: python bot.py verify {name}"
    lead = kit.section(
        kit.text(f"{name}", bold=True), kit.text(" · what it rests on, who decided, each write.")
    )
    check = kit.preformatted(f"SHA-256 {sha256}\npython bot.py verify {name}")
    note = f"The SHA-256 is in the log too. Whoever can read this thread can read the file of ticket {view.ticket.id}."
    return Message(text, [kit.rich(lead, check), kit.small(note)])


def _line(icon: str, word: str, user: str, rest: str, reason: str = "", speaker: str = "Somebody") -> Message:
    """Emoji, word, person, the rest; their reason as a quote. `text` cannot name a person, so it names a part."""
    lead: list[Part] = [kit.emoji(icon), kit.text(f" {word}", bold=True)] if word else [kit.emoji(icon)]
    body: list[Any] = [kit.section(*lead, kit.text(" "), kit.person(user), kit.text(rest))]
    if reason:
        body.append(_quoted(reason))
    return Message(f"{speaker}{rest}", [kit.rich(*body)])


def _quoted(reason: str) -> Any:
    said_ = kit.quote(reason)
    said_.elements.insert(0, kit.text("Reason: ", bold=True))
    return said_


def _approved(view: TicketView, press: Press) -> Message:
    places = [n for n, a in enumerate(view.approvals, 1) if a.user == press.user]
    nth = places[0] if places else len(view.approvals)
    if nth < view.needed:
        end = f"Nothing is written before approval {view.needed}."
    else:
        end = "Everything is read again now; if anything moved, nothing is written."
    lead = kit.text(f" Approved, {nth} of {view.needed}", bold=True)
    parts: list[Part] = [kit.emoji("white_check_mark"), lead, kit.text(", by "), kit.person(press.user)]
    text = (
        f"Ticket {view.ticket.id} was approved, {nth} of {view.needed}: {told.asks(view)} {view.where}. {end}"
    )
    return Message(text, [kit.rich(kit.section(*parts, kit.text(f". {end}")))])


def _kept(view: TicketView, press: Press) -> Message:
    until = press.until or view.now
    what = told.names(press.services, 200) if press.services else "everything"
    taken = {*view.plan.services, *(a.partition(":")[0] for a in view.plan.actions)}
    touched = not press.services or bool(taken & set(press.services)) or view.plan.quarantine
    by_this = view.ticket.by == press.user and view.ticket.changed_at >= press.created_at
    if view.ticket.state is S.SUPERSEDED and not by_this:
        end = "It changes nothing in this ticket."
    elif view.ticket.state is S.SUPERSEDED and view.ticket.other_id:
        end = f"Ticket {view.ticket.other_id} asks for the rest, and needs new approvals."
    elif view.ticket.state is S.SUPERSEDED and view.ticket.failure:
        end = "A ticket for the rest could not be opened."
    elif view.ticket.state is S.SUPERSEDED:
        end = f"Nothing is left of ticket {view.ticket.id}, so it is closed."
    elif view.ticket.state is S.APPROVED and touched:
        end = "The last look finds this, and nothing is written."
    elif view.ticket.state in {S.APPLIED, S.NEEDS_HUMAN, S.APPLYING} and touched:
        end = "What is removed already stays removed: Roll back gives it back."
    else:
        end = "It changes nothing in this ticket."
    parts: list[Part] = [
        kit.emoji("lock"),
        kit.text(" Kept", bold=True),
        kit.text(f": {what} for {view.name}, by "),
        kit.person(press.user),
        kit.text(", until "),
        kit.date(until),
        kit.text(f". {end}"),
    ]
    more = [_quoted(press.words)] if press.words else []
    text = f"Kept until {kit.day(until)}: {what} for {view.name} {view.where}. {end}"
    return Message(text, [kit.rich(kit.section(*parts), *more)])


def event(view: TicketView, what: str) -> Message:
    """One line for what no person pressed; whoever has to act is mentioned."""
    icon, word, rest = _event(view, what)
    parts: list[Part] = [kit.emoji(icon), kit.text(f" {word}", bold=True), kit.text(f" · {rest} ")]
    if what in {"stuck", "not_begun", "nothing_written", "attempted"}:
        parts += approver_parts(view)
    elif what in {"finished", "moved", "expired", "held", "lifted"}:
        parts += [kit.person(u) for u in view.ticket.requesters[:3]]
    body: list[Any] = [kit.section(*parts)]
    if what in {"moved", "loosened", "attempted"} and view.ticket.moved:
        body.append(kit.bullets([kit.section(*steps.moved(view, m)) for m in view.ticket.moved[:20]]))
    if (
        what in {"stuck", "not_begun", "nothing_written"}
        and view.ticket.failure
        and view.ticket.failure.message
    ):
        body += [kit.section(kit.text("AWS’s own words:")), kit.quote(view.ticket.failure.message)]
    return Message(f"Ticket {view.ticket.id}, {word.lower()}: {rest}", [kit.rich(*body)])


def _event(view: TicketView, what: str) -> tuple[str, str, str]:
    here, failure = f"{view.name} {view.where}", view.ticket.failure
    why = f"{steps.failed(failure)}. " if failure else ""
    if what in hold.EVENTS:
        return hold.event(view, what)
    match what:
        case "expired" if view.ticket.advice:
            return (
                "heavy_minus_sign",
                "Expired",
                f"no audit saw it carried out. {here} was not changed by it.",
            )
        case "expired":
            return "heavy_minus_sign", "Expired", f"{status.count(view)} approvals. {here} is unchanged."
        case "not_begun" | "nothing_written":
            return (
                "warning",
                "Approved, not begun",
                f"{why}Nothing was written to {here}. An approver can press Retry.",
            )
        case "moved":
            return (
                "warning",
                "Moved",
                f"nothing was written to {here}: it is not as it was when the plan was made.",
            )
        case "stuck":
            now = steps.right_now(view, back=status.is_back(view))
            return "rotating_light", "Needs a person", f"{why}Right now {now} The card has the ways out."
        case "finished":
            return (
                "white_check_mark",
                "Applied",
                f"{told.did(view, view.where)}, read back and equal to the plan.",
            )
        case "back":
            return (
                "leftwards_arrow_with_hook",
                "Rolled back",
                f"{here} has {status.its(view)} back, each document equal to the saved one.",
            )
        case _:
            given = told.names(view.ticket.given, 200) or "a part"
            return (
                "leftwards_arrow_with_hook",
                "Partly back",
                f"{here} has back: {given}. The rest stays removed.",
            )


# -- the owner -----------------------------------------------------------------------------------------------------


def owner(view: TicketView, what: str) -> Message:
    """A direct message to whom the entity names as its owner."""
    here = f"{words.kind_of(view.entity).lower()} {view.name} in {words.account_name(view.account)}"
    number = view.ticket.id
    you = f"The {here} names you as its owner. "
    if what == "opened":
        lead = f"{you}Ticket {number} would {told.asks(view)}."
        blocks: list[Any] = [
            kit.rich(kit.section(kit.emoji("raised_hand"), kit.text(f" {lead}", bold=True)), *_planned(view))
        ]
        if view.ticket.reason:
            blocks.append(kit.rich(_quoted(view.ticket.reason)))
        tail = (
            "Nobody can approve it: this installation never writes."
            if view.ticket.advice
            else "Nothing is written before it is approved."
        )
        blocks += [
            kit.actions(
                kit.button("Keep, because…", "ticket.keep", number),
                kit.button("Show the diff", "ticket.diff", number),
            ),
            kit.small(
                f"Keep what is needed, with a reason and a day: the ticket then goes on without it. {tail}"
            ),
        ]
        text = f"Ticket {number} would {told.asks(view)} {view.where}, and names you as its owner. Keep what is needed: a button is here."
        return Message(text, blocks)
    icon, word, rest = _event(view, what)
    line = kit.section(
        kit.emoji(icon), kit.text(f" {word}", bold=True), kit.text(f" · ticket {number}: {rest}")
    )
    note = (
        ""
        if what == "back"
        else " If something is missing, an approver can roll it back from the ticket’s card."
    )
    return Message(f"{word}, ticket {number}: {rest}", [kit.rich(line), kit.small(f"{you.strip()}{note}")])


def _planned(view: TicketView) -> list[Any]:
    lines = [line for e in view.plan.edits[:10] if (line := told.edit(view, e))]
    if view.plan.services:
        lines.append(f"Go: {told.names(view.plan.services, 600)}")
    if view.plan.actions:
        lines.append(f"Go, single actions: {told.names(view.plan.actions, 600)}")
    return [kit.bullets([kit.section(kit.text(line)) for line in lines])]


# -- lists ---------------------------------------------------------------------------------------------------------

_STATE = {
    S.OPEN: "Waiting",
    S.ROLLING_BACK: "Rolling back",
    S.ROLLED_BACK: "Rolled back",
    S.NEEDS_HUMAN: "Needs a person",
}


def state_word(view: TicketView) -> str:
    """Waiting, Approved, Needs a person: a state in a list."""
    if view.ticket.advice and view.ticket.state is S.OPEN:
        return "Advice"
    if status.not_begun(view):
        return "Not begun"
    return _STATE.get(view.ticket.state, view.ticket.state.value.capitalize())


def tickets(rows: Sequence[TicketView], title: str = "not finished") -> Message:
    """Tickets, a row each. `title` is what they are: not finished, of DBAdminRole."""
    shown = kit.clip(title, 120)
    if not rows:
        line = f"There is no ticket that is {shown}."
        note = f"A ticket is opened from a result: /iam-audit role NAME, then its button. {answers.ONLY_YOU}"
        return Message(line, [kit.rich(kit.section(kit.text(line, bold=True))), kit.small(note)])
    heads = ["Ticket", "State", "Entity", "Takes", "Approvals", "Until (UTC)"]
    cells = [
        [
            kit.cell(str(v.ticket.id)),
            kit.cell(state_word(v)),
            kit.cell(f"{v.name}, {words.account_word(v.account)}", 110),
            kit.cell(told.whose(v)),
            kit.cell("" if v.ticket.advice else status.count(v)),
            kit.cell(_stamp(v.ticket.expires_at) if v.ticket.state is S.OPEN else ""),
        ]
        for v in rows[:ROWS]
    ]
    table, more = _table(heads, cells, len(rows))
    one = len(rows) == 1
    lead = f"{words.some(len(rows), 'ticket')} {'is' if one else 'are'} {shown}"
    listed = ", ".join(f"{v.ticket.id} {state_word(v).lower()}" for v in rows[:8])
    rest = f" and {len(rows) - 8} more" if len(rows) > 8 else ""
    note = f"/iam-audit ticket {rows[0].ticket.id} shows one, also a finished one.{more} {answers.ONLY_YOU}"
    return Message(
        f"{lead}: {listed}{rest}.", [kit.rich(kit.section(kit.text(lead, bold=True))), table, kit.small(note)]
    )


def _table(heads: Sequence[str], cells: Sequence[Sequence[Any]], total: int) -> tuple[Any, str]:
    kept = kit.within([[c for c in row if "text" in c] for row in cells], 8_500)
    rows = cells[: len(kept)]
    settings = [kit.RIGHT, *([kit.WIDE] * (len(heads) - 2)), kit.WRAPPED]
    more = f" {total - len(rows):,} more are not shown." if total > len(rows) else ""
    return kit.table(heads, rows, settings), more


def _stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def keeps(rows: Sequence[tuple[Keep, Entity, Account]]) -> Message:
    """Keeps that stand: what stays, whose word it is, until when, why."""
    if not rows:
        line = "No keep stands."
        note = f"A keep is made on a ticket’s card: Keep, because… {answers.ONLY_YOU}"
        return Message(line, [kit.rich(kit.section(kit.text(line, bold=True))), kit.small(note)])
    heads = ["Keep", "Service", "Entity", "By", "Until (UTC)", "Because"]
    cells = [
        [
            kit.cell(str(k.id)),
            kit.cell(k.service or "everything"),
            kit.cell(f"{kit.clip(e.name, kit.NAME)}, {words.account_word(a)}", 110),
            {
                "type": "rich_text",
                "elements": [
                    {"type": "rich_text_section", "elements": [{"type": "user", "user_id": k.user}]}
                ],
            },
            kit.cell(k.until.date().isoformat()),
            kit.cell(k.reason, 120),
        ]
        for k, e, a in rows[:ROWS]
    ]
    table, more = _table(heads, cells, len(rows))
    lead = f"{words.some(len(rows), 'keep')} {'stands' if len(rows) == 1 else 'stand'}"
    listed = ", ".join(
        f"{kit.clip(k.service or 'everything', 40)} for {kit.clip(e.name, kit.NAME)} until {kit.day(k.until)}"
        for k, e, _ in rows[:3]
    )
    rest = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
    note = (
        f"Its owner or an approver ends it with /iam-audit keep end {rows[0][0].id}.{more} {answers.ONLY_YOU}"
    )
    return Message(
        f"{lead}: {listed}{rest}.", [kit.rich(kit.section(kit.text(lead, bold=True))), table, kit.small(note)]
    )
