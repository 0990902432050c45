"""What people decide about a ticket. Every verb was authorised a moment ago, by whoever calls `act`.

A state moves by compare-and-set, so of two clicks one wins, and the other is told who won.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from advisor import homes, tickets, watches
from advisor.core.hold import HOLD, still_denied
from advisor.core.lifecycle import Event, Person, outcome
from advisor.core.removal import Operation, Press, StepState, Ticket, TicketState, Verb
from advisor.core.standing import may_be_there
from advisor.core.watch import Hit, reason
from advisor.desk import Desk

KEPT_FOR = timedelta(days=90)
"""How long what was given back stays, and how long a keep is unless said."""


def act(desk: Desk, press_id: int, person: Person) -> None:
    """Do what was pressed, if this person may and the ticket is still where it can be done; else say why not."""
    press = desk.store.presses.get(press_id)
    ticket = desk.store.tickets.get(press.ticket_id) if press else None
    if press is None or ticket is None or press.state != "queued":
        return
    word = allowed(desk, press.verb, ticket, press.user, person)
    if word:
        refuse(desk, press, ticket, word)
        return
    with desk.store.transaction():
        for user in person.lapsed if press.verb is Verb.APPROVE else ():
            desk.store.tickets.withdraw(ticket.id, user)
            desk.store.log.add(
                "bot", "ticket.approval_lapsed", f"ticket {ticket.id}", desk.clock(), user=user
            )
        asks = press.verb is Verb.GIVE_BACK and not person.approver
        word = (_ask_back if asks else _VERBS[press.verb])(desk, ticket, press)
        if word:
            refuse(desk, press, ticket, word)
        else:
            desk.store.presses.settle(press.id, "asked_for" if asks else "done")  # asking gives nothing back


def allowed(desk: Desk, verb: Verb, ticket: Ticket, user: str, person: Person) -> str:
    """Why this person may not do this to a ticket now, as a word, or an empty string; `person` is who Slack says they are."""
    person = replace(
        person,
        requester=user in ticket.requesters,
        owner=bool(ticket.owner) and user == ticket.owner,
        has_approved=any(a.user == user for a in desk.store.tickets.approvals(ticket.id)),
    )
    return outcome(verb, person, ticket.state, self_approval=desk.config.iam_audit_self_approval)


def refuse(desk: Desk, press: Press, ticket: Ticket, word: str) -> None:
    """Tell the person, and only them; the try is in the log."""
    store, now = desk.store, desk.clock()
    with store.transaction():
        if not store.presses.settle(press.id, word):
            return
        store.log.add(press.user, f"ticket.{press.verb}.refused", f"ticket {ticket.id}", now, why=word)
        store.outbox.add(
            "ephemeral", "ticket.answer", press.id, channel=press.channel, user=press.user, now=now
        )


def _note(desk: Desk, ticket: Ticket, press: Press, **detail: str) -> None:
    """A decision is in the log, in the thread and on the card."""
    desk.store.log.add(press.user, f"ticket.{press.verb}", f"ticket {ticket.id}", desk.clock(), **detail)
    tickets.reply(desk, ticket, "ticket.said", press.id)
    tickets.redraw(desk, ticket)


def _approve(desk: Desk, ticket: Ticket, press: Press) -> str:
    store, now = desk.store, desk.clock()
    if ticket.advice or ticket.plan is None:
        return "advice"
    if now >= ticket.expires_at:
        tickets.expire_one(desk, ticket)
        return "late"
    if not store.tickets.approve(ticket.id, press.user, ticket.plan.fingerprint, now):
        return "late"
    if len(store.tickets.approvals(ticket.id)) >= desk.config.iam_audit_approvals:
        store.tickets.move(ticket.id, ticket.state, Event.APPROVED, now, by=press.user, next_at=now)
    _note(desk, ticket, press, fingerprint=ticket.plan.fingerprint)
    return ""


def _reject(desk: Desk, ticket: Ticket, press: Press) -> str:
    event, now = Event.REJECTED, desk.clock()
    if not desk.store.tickets.move(ticket.id, ticket.state, event, now, by=press.user, words=press.words):
        return "late"
    _note(desk, ticket, press, reason=press.words)
    return ""


def _cancel(desk: Desk, ticket: Ticket, press: Press) -> str:
    store, now = desk.store, desk.clock()
    if any(may_be_there(e) for e in store.steps.of(ticket.id)):
        return "begun"  # something may be written: it is retried or rolled back, never just closed
    if not store.tickets.move(ticket.id, ticket.state, Event.CANCELLED, now, by=press.user):
        return "late"
    _note(desk, ticket, press)
    return ""


def _retry(desk: Desk, ticket: Ticket, press: Press) -> str:
    store, now = desk.store, desk.clock()
    if ticket.state is TicketState.APPROVED:
        if ticket.next_at is not None:
            return "running"
        store.tickets.set_job(ticket.id, None)
        store.tickets.move(ticket.id, ticket.state, Event.RETRIED, now, by=press.user, next_at=now)
    else:
        run = store.steps.of(ticket.id, ticket.run)
        back = not run or any(
            e.back for e in run
        )  # a change has its run from its beginning, a way back may not
        for entry in run:
            if entry.state is StepState.NOT_DONE:
                store.steps.again(entry.id)
        event = Event.RETRIED if back else Event.BEGAN
        store.tickets.move(ticket.id, ticket.state, event, now, by=press.user, next_at=now)
    _note(desk, ticket, press)
    return ""


def later_change(desk: Desk, ticket: Ticket) -> Ticket | None:
    """The newest later ticket that changed one of the same documents and stands: it goes back first."""
    steps = ticket.plan.steps if ticket.plan else ()
    for step in steps:
        of_entity = None if step.operation in _SHARED else ticket.entity_id
        newer = desk.store.tickets.touching(step.arn or step.name, of_entity, ticket.id)
        if newer:
            return newer[0]
    return None


_SHARED = {Operation.CREATE_VERSION, Operation.DELETE_VERSION, Operation.SET_DEFAULT}


def _roll_back(desk: Desk, ticket: Ticket, press: Press) -> str:
    store, now = desk.store, desk.clock()
    newer = later_change(desk, ticket)
    if newer:
        return f"blocked:{newer.id}"
    if ticket.advice and not store.steps.of(ticket.id):
        return "advice"
    if press.services and ticket.state is TicketState.NEEDS_HUMAN:
        return "late"  # the form was opened before it got stuck: what is left would read as applied
    store.tickets.set_run(ticket.id, _asked_back(ticket, press.services))
    store.tickets.move(
        ticket.id, ticket.state, Event.BACK_ASKED, now, by=press.user, words=press.words, next_at=now
    )
    _note(desk, ticket, press, reason=press.words, services=", ".join(press.services))
    return ""


def _give_back(desk: Desk, ticket: Ticket, press: Press) -> str:
    """Just what was denied goes back, and stays: a partial way back of one thing, and a keep with the call as its reason."""
    store, now = desk.store, desk.clock()
    hits = _denied(desk, ticket, press)
    if not hits:
        return "settled"
    newer = later_change(desk, ticket)
    if newer:
        return f"blocked:{newer.id}"
    keys = watches.things(desk, ticket, hits)
    if not keys:
        return "settled"
    store.tickets.set_run(ticket.id, _asked_back(ticket, keys))
    event = Event.BACK_ASKED
    if store.tickets.move(ticket.id, ticket.state, event, now, by=press.user, next_at=now) is None:
        return "late"
    store.watches.close([h.id for h in hits], "given", press.user, now)
    until = now + KEPT_FOR
    for service in sorted({a.partition(":")[0] for h in hits for a in h.actions}):
        newest = next(h for h in hits if any(a.partition(":")[0] == service for a in h.actions))
        longer = [k for k in store.keeps.standing(until, ticket.entity_id) if k.service in {"", service}]
        if not longer:
            store.keeps.add(ticket.entity_id, service, press.user, until, reason(newest, ticket.id), now)
    calls = sorted({a for h in hits for a in h.actions})
    _note(desk, ticket, press, services=", ".join(press.services), denied=", ".join(calls))
    return ""


def _ask_back(desk: Desk, ticket: Ticket, press: Press) -> str:
    """Whoever is no approver asks those who are, once: the button stands in the thread, and their press decides."""
    hits = _denied(desk, ticket, press)
    if not hits:
        return "settled"
    if not desk.store.watches.asked([h.id for h in hits], press.user):
        return "asked"
    services = ", ".join(press.services)
    desk.store.log.add(
        press.user, "ticket.giveback.asked", f"ticket {ticket.id}", desk.clock(), services=services
    )
    tickets.reply(desk, ticket, "ticket.asked_back", press.id)
    desk.store.outbox.add(
        "ephemeral",
        "ticket.asked_back",
        press.id,
        channel=press.channel,
        user=press.user,
        now=desk.clock(),
    )
    return ""


def _denied(desk: Desk, ticket: Ticket, press: Press) -> list[Hit]:
    """The open hits that this press would give back, the newest first."""
    hits = (
        watches.open_hits(desk, ticket.id) if press.services else ()
    )  # of nothing, a way back is everything
    return [h for h in hits if h.things == press.services]


def _not_needed(desk: Desk, ticket: Ticket, press: Press) -> str:
    """What was told of may stay denied: it is not told again."""
    told = [h for h in watches.open_hits(desk, ticket.id) if h.said_at]
    if not told:
        return "settled"
    desk.store.watches.close([h.id for h in told], "not_needed", press.user, desk.clock(), press.words)
    calls = sorted({a for h in told for a in h.actions})
    _note(desk, ticket, press, reason=press.words, denied=", ".join(calls))
    return ""


def _asked_back(ticket: Ticket, keys: Sequence[str]) -> Sequence[str]:
    """What is to go back; everything (no keys) where a hold would deny nothing more."""
    if ticket.state is not TicketState.HELD or ticket.plan is None or not keys:
        return keys
    return keys if still_denied(ticket.plan, {*ticket.given, *keys}) else ()


def _end_hold(desk: Desk, ticket: Ticket, press: Press) -> str:
    """The quiet days end now, or, where somebody tried what is held, it goes on all the same."""
    store, now = desk.store, desk.clock()
    if ticket.by and ticket.next_at is not None and ticket.next_at <= now:
        return "running"
    store.tickets.set_job(ticket.id, None)
    event = Event.FINISH_ASKED
    store.tickets.move(ticket.id, ticket.state, event, now, by=press.user, moved=ticket.moved, next_at=now)
    _note(desk, ticket, press)
    return ""


def _keep(desk: Desk, ticket: Ticket, press: Press) -> str:
    store, now = desk.store, desk.clock()
    if press.until is None or press.until <= now:
        return "until"
    for service in press.services or ("",):
        store.keeps.add(ticket.entity_id, service, press.user, press.until, press.words, now)
    _note(
        desk,
        ticket,
        press,
        services=", ".join(press.services),
        until=press.until.isoformat(),
        reason=press.words,
    )
    made = ticket.plan
    everything = not press.services or (made is not None and made.quarantine)
    if ticket.state is TicketState.OPEN and (everything or (made and made.affected & set(press.services))):
        _without(desk, ticket, press, now)
    return ""


def keep_entity(
    desk: Desk, entity_id: int, services: Sequence[str], user: str, until: datetime, reason: str
) -> None:
    """A keep that no open ticket stands against: of these services, or, where there are none, of everything."""
    store, now = desk.store, desk.clock()
    with store.transaction():
        for service in services or ("",):
            store.keeps.add(entity_id, service, user, until, reason, now)
        named = ", ".join(services)
        store.log.add(
            user, "keep", f"entity {entity_id}", now, services=named, until=until.isoformat(), reason=reason
        )


def _without(desk: Desk, ticket: Ticket, press: Press, now: datetime) -> None:
    """Close a ticket whose plan takes what is kept now; a new one asks for the rest, without approvals."""
    store = desk.store
    filled = tickets.form(desk, ticket.report_id, ticket.days)
    left = {c.key for c in filled.offered.candidates} if filled else set()
    keys = [k for k in ticket.keys if k in left]
    other = None
    if keys:
        keys += [HOLD] if HOLD in ticket.keys else []
        other = store.tickets.draft(
            entity_id=ticket.entity_id,
            request_id=ticket.request_id,
            report_id=ticket.report_id,
            requesters=[press.user],
            channel=ticket.channel,
            reason=ticket.reason,
            keys=keys,
            days=ticket.days,
            owner=ticket.owner,
            now=now,
            expires_at=now + timedelta(days=desk.config.iam_audit_ticket_days),
        )
    store.tickets.move(ticket.id, ticket.state, Event.SUPERSEDED, now, by=press.user, other_id=other)
    tickets.redraw(desk, ticket)


def _evidence(desk: Desk, ticket: Ticket, press: Press) -> str:
    """The file for an auditor, in the thread: made when it is sent, from what stands then."""
    desk.store.log.add(press.user, "ticket.evidence", f"ticket {ticket.id}", desk.clock())
    tickets.reply(desk, ticket, "ticket.said", press.id)
    desk.store.outbox.add(
        "upload",
        "ticket.evidence_file",
        ticket.id,
        channel=ticket.channel,
        user=press.user,
        now=desk.clock(),
        parent_id=ticket.card_id,
    )
    return ""


_VERBS = {
    Verb.APPROVE: _approve,
    Verb.REJECT: _reject,
    Verb.CANCEL: _cancel,
    Verb.KEEP: _keep,
    Verb.RETRY: _retry,
    Verb.ROLLBACK: _roll_back,
    Verb.GIVE_BACK: _give_back,
    Verb.NOT_NEEDED: _not_needed,
    Verb.FINISH: _end_hold,
    Verb.EVIDENCE: _evidence,
}


def end_keep(desk: Desk, keep_id: int, user: str, person: Person) -> str:
    """End a keep before its day; a word where that may not or cannot be."""
    keep = desk.store.keeps.get(keep_id)
    if keep is None or keep.ended_at or keep.until <= desk.clock():
        return "no_keep"
    if not (person.owner or person.approver):
        desk.store.log.add(user, "keep.end.refused", f"keep {keep_id}", desk.clock())
        return "not_owner"
    with desk.store.transaction():
        if not desk.store.keeps.end(keep_id, user, desk.clock()):
            return "no_keep"
        desk.store.log.add(user, "keep.end", f"keep {keep_id}", desk.clock())
        homes.keep_changed(desk, keep)
    return ""
