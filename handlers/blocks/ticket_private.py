"""Answers to one person about a ticket: what did not happen, why, and what to do next. Pure."""

from __future__ import annotations

import json
from typing import Any

from advisor.core.model import Account, Entity, Failure
from advisor.core.removal import Keep, Kept, Left, Press, TicketState, Verb
from advisor.core.replay import DAYS
from handlers.blocks import answers, kit, words
from handlers.blocks import ticket_state as status
from handlers.blocks import ticket_words as told
from handlers.blocks.kit import Message, Part
from handlers.blocks.ticket_view import TicketView, approver_parts

S = TicketState

_DO = {
    Verb.APPROVE: "approve ticket {id}",
    Verb.REJECT: "reject ticket {id}",
    Verb.CANCEL: "cancel ticket {id}",
    Verb.KEEP: "keep anything of {name}",
    Verb.RETRY: "retry ticket {id}",
    Verb.ROLLBACK: "roll ticket {id} back",
    Verb.GIVE_BACK: "give anything of ticket {id} back",
    Verb.NOT_NEEDED: "say what {name} needs",
    Verb.FINISH: "finish the hold of ticket {id}",
    Verb.EVIDENCE: "take the evidence of ticket {id}",
}
_LOGGED = f"Your try is in the log. {answers.ONLY_YOU}"
_FORBIDDEN = {"guest", "foreign", "deactivated", "bot", "auditor"}


def answer(view: TicketView, press: Press) -> Message:
    """Why a press did nothing, by the word of its outcome."""
    word = press.outcome
    if word in _FORBIDDEN:
        return answers.refused(word)
    if word == "not_approver":
        return _not_approver(view, press)
    if word == "late":
        return _late(view)
    if word.startswith("blocked:"):
        return _blocked(view, word.partition(":")[2])
    title, parts, icon, note = _said(view, press)
    lead = kit.rich(kit.section(kit.emoji(icon), kit.text(f" {title}", bold=True)))
    return Message(
        f"{title} {_spoken(parts)}".strip(), [lead, kit.rich(kit.section(*parts)), kit.small(note)]
    )


def _spoken(parts: list[Part]) -> str:
    """Our own words of a line; mentions beside each other are one word."""
    out = ""
    for part in parts:
        told_ = part.to_dict()
        out += str(told_.get("text") or told_.get("fallback") or "the approvers")
    return out.replace("the approvers, " * 3, "").replace("the approvers, the approvers", "the approvers")


def _may_not(view: TicketView, press: Press) -> str:
    return (
        f"You may not {_DO[press.verb].format(id=view.ticket.id, name='this entity')}. Nothing was changed."
    )


def _said(view: TicketView, press: Press) -> tuple[str, list[Part], str, str]:
    number = view.ticket.id
    others = view.needed - len(view.approvals)
    match press.outcome:
        case "own":
            people = f"{others} other {'person' if others == 1 else 'people'}"
            lead = f"You opened ticket {number}, so {people} of "
            parts = [kit.text(lead), *approver_parts(view), kit.text(" must approve it. You may cancel it.")]
            word = "reject" if press.verb is Verb.REJECT else "approve"
            return f"You may not {word} your own ticket. Nothing was changed.", parts, "no_entry", _LOGGED
        case "twice":
            lead = f"It stands at {status.count(view)}. The other approval must come from somebody else of "
            parts = [kit.text(lead), *approver_parts(view), kit.text(". Nothing new was counted.")]
            return f"You have approved ticket {number} already.", parts, "no_entry", answers.ONLY_YOU
        case "not_requester":
            who: list[Part] = [kit.person(u) for u in view.ticket.requesters[:3]]
            parts = [
                kit.text("Only its requester "),
                *who,
                kit.text(" or an admin may. An approver may reject it."),
            ]
            return _may_not(view, press), parts, "no_entry", _LOGGED
        case "not_owner":
            told_: list[Part] = [kit.text(f"Only the owner of {view.name} or one of ")]
            return (
                _may_not(view, press),
                [*told_, *approver_parts(view), kit.text(" may.")],
                "no_entry",
                _LOGGED,
            )
        case word:
            title, rest = _PLAIN.get(word, _PLAIN["unknown"])
            return title.format(id=number), [kit.text(rest)], "warning", answers.ONLY_YOU


_PLAIN = {
    "begun": (
        "Ticket {id} cannot be cancelled any more.",
        "Something may be written in AWS already, so it is retried or rolled back, never just closed.",
    ),
    "advice": (
        "Ticket {id} is advice: nothing was written.",
        "This installation never writes to AWS, so there is nothing to approve, retry or roll back.",
    ),
    "settled": (
        "That was settled already. Nothing was changed.",
        "Somebody gave it back, or said that it is not needed. The ticket’s thread has who.",
    ),
    "asked": (
        "The approvers have been asked for it already.",
        "The ticket’s thread has the question, with a button for them. Nothing was changed.",
    ),
    "running": ("Ticket {id} is at work already.", "Nothing was started twice. Its card shows the step."),
    "until": (
        "Nothing is kept: the day is over already.",
        "Press “Keep, because…” again and choose a later day.",
    ),
    "unknown": (
        "It could not be checked who you are.",
        "Slack did not answer. Nothing was changed. Try again in a minute.",
    ),
}


def _not_approver(view: TicketView, press: Press) -> Message:
    title = _may_not(view, press)
    tail = f" may. You may look at the diff and, if {view.name} is yours, press “Keep, because…”."
    line = kit.section(kit.text("Only "), *approver_parts(view), kit.text(tail))
    head = kit.section(kit.emoji("no_entry"), kit.text(f" {title}", bold=True))
    doing = _DO[press.verb].format(id=view.ticket.id, name="this entity")
    text = f"You may not {doing}: you are not an approver. Nothing was changed."
    return Message(text, [kit.rich(head), kit.rich(line), kit.small(_LOGGED)])


_WAS = {
    S.OPEN: "is not where it was",
    S.APPROVED: "was approved",
    S.APPLYING: "is being applied",
    S.HELD: "is held",
    S.APPLIED: "is applied",
    S.ROLLING_BACK: "is being rolled back",
    S.ROLLED_BACK: "was rolled back",
    S.REJECTED: "was rejected",
    S.CANCELLED: "was cancelled",
    S.EXPIRED: "has expired",
    S.SUPERSEDED: "was replaced",
    S.DRIFTED: "has stopped, because something moved",
    S.NEEDS_HUMAN: "needs a person",
}
_DID = {S.REJECTED: "rejected", S.CANCELLED: "cancelled", S.APPROVED: "approved", S.SUPERSEDED: "replaced"}


def _late(view: TicketView) -> Message:
    """Who was faster, and that this press did nothing."""
    ticket = view.ticket
    was = _WAS.get(ticket.state, "is closed")
    title = f"Too late: ticket {ticket.id} {was}"
    end = "Your click was not counted and changed nothing. The card shows it now."
    parts: list[Part] = [kit.date(ticket.changed_at, time=True), kit.text(f". {end}")]
    if ticket.by and ticket.state in _DID:
        parts = [kit.person(ticket.by), kit.text(f" {_DID[ticket.state]} it, "), *parts]
    else:
        parts = [kit.text("Since "), *parts]
    head = kit.section(kit.emoji("warning"), kit.text(f" {title}", bold=True))
    text = f"{title} at {kit.minute(ticket.changed_at)}. {end}"
    return Message(text, [kit.rich(head), kit.rich(kit.section(*parts)), kit.small(answers.ONLY_YOU)])


def _blocked(view: TicketView, newer: str) -> Message:
    other = newer if newer.isdigit() else "another"
    title = f"Ticket {view.ticket.id} cannot be rolled back now. Nothing was changed."
    line = f"Ticket {other} changed one of the same policies later. Roll ticket {other} back first, then this one."
    return _plain(title, line)


def _plain(title: str, line: str, *more: Any, note: str = answers.ONLY_YOU, icon: str = "warning") -> Message:
    head = kit.section(kit.emoji(icon), kit.text(f" {title}", bold=True))
    return Message(
        f"{title} {line}", [kit.rich(head), kit.rich(kit.section(kit.text(line)), *more), kit.small(note)]
    )


# -- no ticket -----------------------------------------------------------------------------------------------------


_OURS = "nothing new is allowed, nothing that stays is lost"


def void(entity_name: str, account: Account | None, failure: Failure) -> Message:
    """Why a form came to no ticket, and what would help."""
    name = kit.clip(entity_name, kit.NAME)
    where = f" in {words.account_word(account)}" if account else ""
    title = f"No ticket was opened for {name}{where}. Nothing was changed."
    if failure.code == "nothing":
        kept = _left(failure.message)
        line = (
            "Nothing of what was ticked can be taken away:"
            if kept
            else "Nothing of what was ticked can be taken away as AWS stands now."
        )
        return _plain(title, line, *([kit.bullets([kit.section(kit.text(x)) for x in kept])] if kept else []))
    if failure.code == "called":
        line = f"CloudTrail’s event history of {DAYS} days has calls of what was ticked, and nothing else is left to take:"
        return _plain(title, line, kit.bullets([kit.section(kit.text(x)) for x in _called(failure.message)]))
    reasons = {
        "refuted": (
            "The plan did not stand the check of the bot’s second reading of the policies, so it was thrown away.",
            "This is a fault of the bot’s; the case is in its log for the operator.",
        ),
        "disputed": (
            f"The bot’s own check says: {_OURS}. AWS says otherwise: {kit.clip(failure.message, 300)}",
            "The case is in the log for the operator. Tick less, or audit anew and open the ticket again.",
        ),
        "held": (
            f"Ticket {kit.clip(failure.message, 12)} holds {name}: what it denies is going already.",
            "Finish that ticket, or roll it back, then open this one.",
        ),
        "no_hold": (
            "A hold of this has no room: AWS limits how long the policies are, and how many there are.",
            "Open the ticket again and choose to change it without a hold, or tick less.",
        ),
        "gone": (f"{name} does not exist any more.", "If it is there again, audit it anew."),
        "recreated": (
            f"{name} was deleted and created again: this is another {name}.",
            "Audit the new one. Nothing known of the old one counts.",
        ),
        "thinned": (
            "The result is older than what is kept.",
            "Press Refresh on its card, then open the ticket again.",
        ),
    }
    why = words.because(failure, name, account)
    line, helps = reasons.get(
        failure.code, (f"{why[:1].upper()}{why[1:]}.", f"What helps: {_without_retry(failure)}")
    )
    more = [kit.preformatted(kit.clip(failure.call, kit.NAME))] if failure.call else []
    return _plain(title, f"{line} {helps}", *more)


def _called(message: str) -> list[str]:
    """The calls that a failure keeps, newest first."""
    try:
        return [kit.clip(str(x), 160) for x in json.loads(message)] or ["a call"]
    except ValueError:
        return ["a call"]


def _without_retry(failure: Failure) -> str:
    if failure.code == "refused":
        return "an AWS administrator allows the bot this call, then open the ticket again."
    return "open the ticket again in a few minutes."


def _left(message: str) -> list[str]:
    """What stays and why, a line per reason; nothing where the words cannot be read."""
    try:
        found = [Left(str(what), str(policy), Kept(why)) for what, policy, why in json.loads(message)]
    except (ValueError, TypeError):
        return []
    return [line for one in _by_reason(found) if (line := told.left(one, 300))]


def _by_reason(found: list[Left]) -> list[list[Left]]:
    groups: dict[tuple[str, str], list[Left]] = {}
    for one in found:
        groups.setdefault((one.why, one.policy), []).append(one)
    return list(groups.values())


# -- keeps and old cards -------------------------------------------------------------------------------------------


def keep_ended(keep: Keep, entity: Entity, account: Account) -> Message:
    """A keep was ended before its day."""
    what = f"{kit.clip(keep.service or 'everything', kit.NAME)} for {kit.clip(entity.name, kit.NAME)}"
    title = f"Keep {keep.id} is ended: {what} in {words.account_word(account)}."
    line = "The next audit judges it like everything else. Nothing was changed in AWS."
    return _plain(title, line, icon="white_check_mark")


def no_such(what: str, number: int) -> Message:
    """There is no ticket or keep of that number (any more)."""
    title = f"There is no {what} {number}. Nothing was changed."
    return _plain(title, f"/iam-audit {what}s lists those that are there.")


def keep_refused(number: int) -> Message:
    """Only the owner or an approver may end a keep."""
    title = f"You may not end keep {number}. Nothing was changed."
    return _plain(title, "Only the entity’s owner or an approver may.", icon="no_entry", note=_LOGGED)


def old_button(old_id: int, new_id: int) -> Message:
    """A button of a ticket that another one has replaced."""
    title = f"This card is old: ticket {new_id} has replaced ticket {old_id}"
    return _plain(f"{title}.", f"Nothing was changed. /iam-audit ticket {new_id} shows the new one.")
