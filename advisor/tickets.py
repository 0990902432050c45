"""Tickets: opened from a form, planned against live IAM, decided by people. Carrying out stands in `changes`.

Every verb was authorised a moment ago, by whoever calls `act`; a state moves by compare-and-set, so of two clicks one
wins, and the other is told who won.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from advisor import jobs, readings
from advisor.core.errors import AwsError, Expired, Missing, Transient
from advisor.core.lifecycle import Event, Person, outcome
from advisor.core.model import Entity, Failure, Snapshot
from advisor.core.offer import offer
from advisor.core.plan import Nothing, make
from advisor.core.removal import Offer, Operation, Plan, Press, Standing, StepState, Ticket, TicketState, Verb
from advisor.core.standing import Found, found, may_be_there
from advisor.desk import Desk
from advisor.readings import Reading

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Form:
    """What the form of a new ticket is filled from."""

    reading: Reading
    offered: Offer
    open: Ticket | None = None  # the one that opening another closes


def form(desk: Desk, report_id: int, days: int) -> Form | None:
    """From the store alone, so that it stands at once; None where the report is not kept any more."""
    reading = readings.read(desk, report_id, days)
    if reading is None:
        return None
    offered = offer(reading.report, reading.snapshot, reading.summary, desk.catalogue)
    waiting = desk.store.tickets.of_entity(reading.report.entity_id, TicketState.OPEN)
    return Form(reading, offered, waiting[-1] if waiting else None)


def draft(
    desk: Desk,
    *,
    request_id: int,
    report_id: int,
    user: str,
    channel: str,
    reason: str,
    keys: Sequence[str],
) -> int:
    """Commit what a form asked for. A worker plans it against live IAM and opens it, or says why not."""
    request = desk.store.requests.get(request_id)
    report = desk.store.reports.get(report_id)
    if request is None or report is None:
        raise LookupError(f"request {request_id} or its report is not there")
    now = desk.clock()
    return desk.store.tickets.draft(
        entity_id=report.entity_id,
        request_id=request_id,
        report_id=report_id,
        requesters=[user],
        channel=desk.config.iam_audit_ticket_channel or channel,
        reason=reason,
        keys=keys,
        days=request.asked.days,
        owner="",
        now=now,
        expires_at=now + timedelta(days=desk.config.iam_audit_ticket_days),
    )


# -- planning ------------------------------------------------------------------------------------------------------


def plan(desk: Desk, ticket_id: int, owner: str = "") -> None:
    """Read AWS, make the exact plan, and open the ticket; or end the draft saying what stays and why.

    `owner` is the Slack id of the entity's owner, where one is known: they are told.
    """
    desk.store.tickets.set_owner(ticket_id, owner)
    ticket = desk.store.tickets.get(ticket_id)
    entity = desk.store.entities.get(ticket.entity_id) if ticket else None
    if ticket is None or entity is None or ticket.state is not TicketState.DRAFT:
        return
    try:
        standing = desk.aws.standing(desk.aws.session(entity.account), entity)
    except Missing as error:
        void(desk, ticket, replace(error.failure(), code="gone"))
        return
    except Transient as error:
        _plan_later(desk, ticket, entity, error)
        return
    except AwsError as error:
        void(desk, ticket, error.failure(ticket.tries + 1))
        return
    if standing.entity.unique_id != entity.unique_id:
        void(desk, ticket, Failure("recreated", account=entity.account))
        return
    _plan(desk, ticket, standing)


def _plan_later(desk: Desk, ticket: Ticket, entity: Entity, error: Transient) -> None:
    if isinstance(error, Expired):
        desk.aws.forget(entity.account)
    if ticket.tries + 1 >= jobs.TRIES:
        void(desk, ticket, error.failure(ticket.tries + 1))
        return
    pause = jobs.patience(f"ticket {ticket.id}", ticket.tries)
    desk.store.tickets.later(ticket.id, desk.clock() + pause)


def _plan(desk: Desk, ticket: Ticket, standing: Standing) -> None:
    filled = form(desk, ticket.report_id, ticket.days)
    if filled is None:
        void(desk, ticket, Failure("thinned"))
        return
    known = desk.store.entities.aws_policies() if standing.managed else ()
    report = filled.reading.report
    made = make(filled.offered, ticket.keys, standing, report, desk.catalogue, ticket.id, known)
    if isinstance(made, Plan):
        _open(desk, ticket, made)
        return
    if made.wrong:  # a fault of ours: no ticket, and the case is kept
        log.error("plan.wrong ticket=%d faults=%s", ticket.id, "; ".join(made.wrong))
        desk.store.log.add(
            "bot",
            "ticket.plan_refuted",
            f"ticket {ticket.id}",
            desk.clock(),
            faults="; ".join(made.wrong)[:2000],
        )
        void(desk, ticket, Failure("refuted", message="; ".join(made.wrong)[:300]))
        return
    void(desk, ticket, Failure("nothing", message=_told(made)))


def _told(made: Nothing) -> str:
    return json.dumps([[x.what, x.policy, x.why.value] for x in made.left[:20]], ensure_ascii=False)


def _open(desk: Desk, ticket: Ticket, made: Plan) -> None:
    store, now = desk.store, desk.clock()
    with store.transaction():
        for older in store.tickets.of_entity(ticket.entity_id, TicketState.OPEN):
            store.tickets.move(
                older.id, older.state, Event.SUPERSEDED, now, by=ticket.requesters[0], other_id=ticket.id
            )
            redraw(desk, older)
        advice = not desk.aws.writer.may_write
        store.tickets.planned(ticket.id, made, advice=advice)
        if store.tickets.move(ticket.id, TicketState.DRAFT, Event.PLANNED, now) is None:
            return
        card = store.outbox.add(
            "post", "ticket.card", ticket.id, channel=ticket.channel, user=ticket.requesters[0], now=now
        )
        store.tickets.set_card(ticket.id, card)
        store.log.add(
            ticket.requesters[0],
            "ticket.open",
            f"ticket {ticket.id}",
            now,
            entity=made.basis.entity.arn,
            fingerprint=made.fingerprint,
            reason=ticket.reason,
        )
        if advice:
            show_diff(desk, ticket)
        if ticket.owner:
            tell(desk, ticket, "ticket.owner", ticket.owner, what="opened")
    log.info("ticket.open ticket=%d steps=%d advice=%s", ticket.id, len(made.steps), advice)


def void(desk: Desk, ticket: Ticket, failure: Failure) -> None:
    """End a draft without a ticket, and tell the person why."""
    store, now = desk.store, desk.clock()
    with store.transaction():
        if store.tickets.move(ticket.id, TicketState.DRAFT, Event.NO_PLAN, now, failure=failure) is None:
            return
        for older in store.tickets.orphan(ticket.id, failure):
            redraw(desk, older)
        request = store.requests.get(ticket.request_id)
        card = store.outbox.get(request.card_id) if request and request.card_id else None
        store.outbox.add(
            "ephemeral",
            "ticket.void",
            ticket.id,
            channel=card.sent_to if card and card.sent_to else ticket.channel,
            user=ticket.requesters[0],
            now=now,
        )
    log.info("ticket.void ticket=%d code=%s", ticket.id, failure.code)


# -- saying --------------------------------------------------------------------------------------------------------


def redraw(desk: Desk, ticket: Ticket) -> None:
    """Say that a ticket's card has changed."""
    fresh = desk.store.tickets.get(ticket.id) or ticket
    if fresh.card_id is not None:
        desk.store.outbox.redraw(fresh.card_id, desk.clock())


def reply(desk: Desk, ticket: Ticket, surface: str, row_id: int, kind: str = "post", **detail: str) -> None:
    """Say something in the thread of a ticket's card."""
    fresh = desk.store.tickets.get(ticket.id) or ticket
    desk.store.outbox.add(
        kind,
        surface,
        row_id,
        channel=fresh.channel,
        user=fresh.requesters[0],
        now=desk.clock(),
        parent_id=fresh.card_id,
        detail=detail,
    )


def show_diff(desk: Desk, ticket: Ticket) -> bool:
    """Post what a ticket writes, and its files, to its thread; False where that stands there already.

    What is carried out, or taken back, reads otherwise than what is planned, so each has a diff of its own.
    """
    fresh = desk.store.tickets.get(ticket.id) or ticket
    written = fresh.state in {TicketState.APPLIED, TicketState.ROLLED_BACK, TicketState.NEEDS_HUMAN}
    if desk.store.outbox.said("ticket.diff", ticket.id, fresh.changed_at if written else fresh.created_at):
        return False
    with desk.store.transaction():
        reply(desk, fresh, "ticket.diff", fresh.id)
        reply(desk, fresh, "ticket.files", fresh.id, kind="upload")
    return True


def tell(desk: Desk, ticket: Ticket, surface: str, user: str, **detail: str) -> None:
    """Say something to one person, by direct message."""
    desk.store.outbox.add(
        "post", surface, ticket.id, channel=user, user=user, now=desk.clock(), detail=detail
    )


# -- deciding ------------------------------------------------------------------------------------------------------


def act(desk: Desk, press_id: int, person: Person) -> None:
    """Do what was pressed, if this person may and the ticket is still where it can be done; else say why not."""
    press = desk.store.presses.get(press_id)
    ticket = desk.store.tickets.get(press.ticket_id) if press else None
    if press is None or ticket is None or press.state != "queued":
        return
    person = replace(
        person,
        requester=press.user in ticket.requesters,
        owner=bool(ticket.owner) and press.user == ticket.owner,
        has_approved=any(a.user == press.user for a in desk.store.tickets.approvals(ticket.id)),
    )
    word = outcome(press.verb, person, ticket.state, self_approval=desk.config.iam_audit_self_approval)
    if word:
        refuse(desk, press, ticket, word)
        return
    with desk.store.transaction():
        for user in person.lapsed if press.verb is Verb.APPROVE else ():
            desk.store.tickets.withdraw(ticket.id, user)
            desk.store.log.add(
                "bot", "ticket.approval_lapsed", f"ticket {ticket.id}", desk.clock(), user=user
            )
        word = _VERBS[press.verb](desk, ticket, press)
        if word:
            refuse(desk, press, ticket, word)
        else:
            desk.store.presses.settle(press.id, "done")


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
    reply(desk, ticket, "ticket.said", press.id)
    redraw(desk, ticket)


def _approve(desk: Desk, ticket: Ticket, press: Press) -> str:
    store, now = desk.store, desk.clock()
    if ticket.advice or ticket.plan is None:
        return "advice"
    if now >= ticket.expires_at:
        _expire(desk, ticket)
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
    if press.services and ticket.state is not TicketState.APPLIED:
        return "late"  # the form was opened before it got stuck: what is left would read as applied
    store.tickets.set_run(ticket.id, press.services)
    store.tickets.move(
        ticket.id, ticket.state, Event.BACK_ASKED, now, by=press.user, words=press.words, next_at=now
    )
    _note(desk, ticket, press, reason=press.words, services=", ".join(press.services))
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
    takes = ticket.plan.takes | _partly(ticket.plan) if ticket.plan else set()
    everything = not press.services or (ticket.plan is not None and ticket.plan.quarantine)
    if ticket.state is TicketState.OPEN and (everything or takes & set(press.services)):
        _without(desk, ticket, press, now)
    return ""


def _partly(made: Plan) -> set[str]:
    """Services of which single actions go."""
    return {a.partition(":")[0] for a in made.takes_singly}


def _without(desk: Desk, ticket: Ticket, press: Press, now: datetime) -> None:
    """Close a ticket whose plan takes what is kept now; a new one asks for the rest, without approvals."""
    store = desk.store
    filled = form(desk, ticket.report_id, ticket.days)
    left = {c.key for c in filled.offered.candidates} if filled else set()
    keys = [k for k in ticket.keys if k in left]
    other = None
    if keys:
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
    redraw(desk, ticket)


_VERBS = {
    Verb.APPROVE: _approve,
    Verb.REJECT: _reject,
    Verb.CANCEL: _cancel,
    Verb.KEEP: _keep,
    Verb.RETRY: _retry,
    Verb.ROLLBACK: _roll_back,
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
    return ""


# -- time ----------------------------------------------------------------------------------------------------------


def _expire(desk: Desk, ticket: Ticket) -> None:
    with desk.store.transaction():
        if desk.store.tickets.move(ticket.id, ticket.state, Event.EXPIRED, desk.clock()):
            desk.store.log.add("bot", "ticket.expire", f"ticket {ticket.id}", desk.clock())
            reply(desk, ticket, "ticket.event", ticket.id, what="expired")
            redraw(desk, ticket)


def expire(desk: Desk) -> None:
    """Close every open ticket whose time is over."""
    for ticket in desk.store.tickets.overdue(desk.clock()):
        _expire(desk, ticket)


def notice_done_by_hand(desk: Desk) -> None:
    """Close advice that somebody carried out: a newer audit found the documents as the plan has them."""
    for ticket, report_id in desk.store.tickets.unseen_advice():
        snapshot_id = desk.store.reports.snapshot_id(report_id)
        snapshot = desk.store.entities.snapshot(snapshot_id) if snapshot_id else None
        with desk.store.transaction():
            desk.store.tickets.seen(ticket.id, report_id)
            if snapshot and ticket.plan and _as_planned(ticket.plan, snapshot):
                desk.store.tickets.move(ticket.id, ticket.state, Event.SEEN_DONE, desk.clock())
                desk.store.log.add("bot", "ticket.seen_done", f"ticket {ticket.id}", desk.clock())
                redraw(desk, ticket)


def _as_planned(made: Plan, snapshot: Snapshot) -> bool:
    """Whether what an audit read is what the plan would leave; white space does not count, names of new policies neither."""
    own = [p for p in snapshot.policies if not p.group]
    texts = {p.arn or p.name: _meaning(p.text) for p in own}
    for edit in made.edits:
        key = edit.arn or edit.policy
        goes = edit.after is None or edit.instead
        if edit.steps[0].operation is Operation.ATTACH:
            if found(_attached(snapshot), edit.steps[0])[0] is not Found.AFTER:
                return False
            continue
        as_is = key not in texts if goes else texts.get(key) == _meaning(edit.after or "")
        if not as_is:
            return False
    return True


def _attached(snapshot: Snapshot) -> Standing:
    return Standing(
        snapshot.entity, attached=tuple(p.arn for p in snapshot.policies if p.arn and not p.group)
    )


def _meaning(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
