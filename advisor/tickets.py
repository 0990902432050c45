"""Tickets: opened from a form, planned against live IAM, told of, closed by time.

What people decide stands in `decisions`, carrying out in `changes`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from advisor import homes, jobs, proofs, readings, replays
from advisor.core.errors import AwsError, Missing, Transient
from advisor.core.hold import HOLD, denies, fits
from advisor.core.lifecycle import Event
from advisor.core.model import Entity, Failure, Kind, PolicyKind, Snapshot
from advisor.core.offer import offer, preview
from advisor.core.plan import Nothing, make
from advisor.core.proof import Proof
from advisor.core.removal import Offer, Operation, Plan, Standing, Ticket, TicketState, Treatment
from advisor.core.replay import Replay
from advisor.core.standing import Found, found
from advisor.desk import Desk
from advisor.readings import Reading

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Form:
    """What the form of a new ticket is filled from."""

    reading: Reading
    offered: Offer
    sizes: dict[str, tuple[int, int]]  # of each document that ticks cut: now, and as it is ticked
    open: Ticket | None = None  # the one that opening another closes
    hold_days: int = 0  # quiet days that are proposed; 0 where nothing can be held
    hold_fits: bool = True  # whether a hold of what is ticked has a place

    @property
    def proposed(self) -> list[str]:
        """What is ticked as the form opens."""
        ticked = [c.key for c in self.offered.candidates if c.ticked]
        return [*ticked, *([HOLD] if ticked and self.hold_days and self.hold_fits else [])]


def form(desk: Desk, report_id: int, days: int) -> Form | None:
    """From the store alone, so that it stands at once; None where the report is not kept any more."""
    reading = readings.read(desk, report_id, days)
    if reading is None:
        return None
    offered = offer(reading.report, reading.snapshot, reading.summary, desk.catalogue)
    waiting = desk.store.tickets.of_entity(reading.report.entity_id, TicketState.OPEN)
    sizes = preview(offered, reading.snapshot, desk.catalogue)
    days = _hold_days(desk, reading.snapshot.entity)
    return Form(
        reading, offered, sizes, waiting[-1] if waiting else None, days, not days or _fits(offered, reading)
    )


def _hold_days(desk: Desk, entity: Entity) -> int:
    """A policy has no place for a hold: it would deny everybody who has it what others grant them."""
    may = desk.aws.writer.may_write and entity.kind is not Kind.POLICY
    return desk.config.iam_audit_hold_days if may else 0


def _fits(offered: Offer, reading: Reading) -> bool:
    """Whether a hold of what is ticked has a place, as far as the last audit knows."""
    snapshot = reading.snapshot
    ticked = [c for c in offered.candidates if c.ticked]
    denied = denies({s for c in ticked for s in c.services}, {a for c in ticked for a in c.actions})
    own = [p for p in snapshot.policies if not p.group]
    inline = [p.text for p in own if p.kind is PolicyKind.INLINE]
    return fits(denied, snapshot.entity.kind, inline, len(own) - len(inline))


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
        if standing.entity.unique_id != entity.unique_id:
            void(desk, ticket, Failure("recreated", account=entity.account))
            return
        held = desk.store.tickets.of_entity(entity.id, TicketState.HELD)
        if (
            held
        ):  # what its hold denies is going already, and two plans on the same documents cannot both be right
            void(desk, ticket, Failure("held", message=str(held[0].id)))
            return
        _plan(desk, ticket, standing)
    except Missing as error:
        void(desk, ticket, replace(error.failure(), code="gone"))
    except Transient as error:
        _plan_later(desk, ticket, entity, error)
    except AwsError as error:
        void(desk, ticket, error.failure(ticket.tries + 1))


def _plan_later(desk: Desk, ticket: Ticket, entity: Entity, error: Transient) -> None:
    desk.aws.forget_ended(entity.account, error)
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
    weighed = replays.weigh(
        desk, ticket, standing, filled.reading, partial(_made, desk, ticket, standing, filled)
    )
    made = weighed.made
    if isinstance(made, Plan):
        proof = proofs.prove(desk, made, standing)
        if proof and proof.disputed:
            _disputed(desk, ticket, proof)
        else:
            _open(desk, ticket, made, proof, weighed.replay)
        return
    if weighed.replay and weighed.replay.turned:
        void(desk, ticket, Failure("called", message=replays.reasons(weighed.replay)))
        return
    if made.no_hold:
        void(desk, ticket, Failure("no_hold"))
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


def _disputed(desk: Desk, ticket: Ticket, proof: Proof) -> None:
    """Our evaluator says yes and AWS says no: no ticket, both answers are told, and the case is kept."""
    told = [f"{a.source}{f' of {a.policy}' if a.policy else ''} {a.said}" for a in proof.disputed]
    log.error("plan.disputed ticket=%d by=%s", ticket.id, ", ".join(a.source for a in proof.disputed))
    desk.store.log.add(
        "bot",
        "ticket.plan_refuted",
        f"ticket {ticket.id}",
        desk.clock(),
        faults="; ".join(told)[:2000],
        ours=proofs.OWN,
    )
    void(desk, ticket, Failure("disputed", message="\n".join(told)[:1000]))


def _made(
    desk: Desk, ticket: Ticket, standing: Standing, filled: Form, called: Mapping[str, str]
) -> Plan | Nothing:
    """The plan of what was ticked, but for what CloudTrail has calls of."""
    report, snapshot = filled.reading.report, filled.reading.snapshot
    known = desk.store.entities.aws_policies() if standing.managed else ()
    offered = filled.offered
    if called:
        summary = readings.judge(desk, report, snapshot, ticket.days, called)
        offered = offer(report, snapshot, summary, desk.catalogue)
    days = desk.config.iam_audit_hold_days if desk.aws.writer.may_write else 0
    made = make(offered, ticket.keys, standing, report, desk.catalogue, ticket.id, known, days)
    older = _older(desk, standing.entity, made) if isinstance(made, Plan) else frozenset()
    if older:
        known = tuple(p for p in known if p.arn not in older)
        made = make(offered, ticket.keys, standing, report, desk.catalogue, ticket.id, known, days)
    return made


def _older(desk: Desk, entity: Entity, made: Plan) -> frozenset[str]:
    """Narrower policies of AWS in a plan whose text AWS has changed since they were met."""
    swapped = {e.steps[0].arn: e.after for e in made.edits if e.treatment is Treatment.SWAP}
    if not swapped:
        return frozenset()
    live = desk.aws.standing(desk.aws.session(entity.account), entity, frozenset(swapped))
    now = {m.arn: m.default.text for m in live.managed}
    return frozenset(arn for arn, text in swapped.items() if now.get(arn) != text)


def _told(made: Nothing) -> str:
    return json.dumps([[x.what, x.policy, x.why.value] for x in made.left[:20]], ensure_ascii=False)


def _open(desk: Desk, ticket: Ticket, made: Plan, proof: Proof | None, replay: Replay | None) -> None:
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
        if proof:
            store.proofs.save(ticket.id, proof)
            reply(desk, ticket, "ticket.proof", ticket.id)
        if replay:
            store.trail.save(ticket.id, replay)
            if not replay.not_asked:
                reply(desk, ticket, "ticket.replay", ticket.id)
        homes.ticket_changed(desk, ticket)
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
        store.outbox.add(
            "ephemeral",
            "ticket.void",
            ticket.id,
            channel=store.outbox.place(request.card_id if request else None) or ticket.channel,
            user=ticket.requesters[0],
            now=now,
        )
    log.info("ticket.void ticket=%d code=%s", ticket.id, failure.code)


# -- saying --------------------------------------------------------------------------------------------------------


def redraw(desk: Desk, ticket: Ticket) -> None:
    """Say that a ticket's card has changed; the homes of those whom it concerns change with it."""
    fresh = desk.store.tickets.get(ticket.id) or ticket
    homes.ticket_changed(desk, fresh)
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


# -- time ----------------------------------------------------------------------------------------------------------


def expire_one(desk: Desk, ticket: Ticket) -> None:
    """Close an open ticket whose time is over."""
    with desk.store.transaction():
        if desk.store.tickets.move(ticket.id, ticket.state, Event.EXPIRED, desk.clock()):
            desk.store.log.add("bot", "ticket.expire", f"ticket {ticket.id}", desk.clock())
            reply(desk, ticket, "ticket.event", ticket.id, what="expired")
            redraw(desk, ticket)


def expire(desk: Desk) -> None:
    """Close every open ticket whose time is over."""
    for ticket in desk.store.tickets.overdue(desk.clock()):
        expire_one(desk, ticket)


def notice_done_by_hand(desk: Desk) -> None:
    """Close advice that somebody carried out: a newer audit found the documents as the plan has them."""
    for ticket, report_id in desk.store.tickets.unseen_advice():
        snapshot = readings.snapshot_of(desk, report_id)
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
