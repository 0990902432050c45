"""Carrying a ticket out, and back: look, journal, write, read back twice. Nothing is said before it is true.

Every step is in the journal before AWS is called. What AWS answered is settled by looking: IAM is eventually
consistent, so two agreeing reads say "done", and a minute of patience goes before "it did not happen".
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

from advisor import holds, jobs, lastlook, replays, watches
from advisor.core.back import given_in_all, narrowed, rest, way_back, whole
from advisor.core.errors import AwsError, Invalid, Missing, Transient, Unreachable
from advisor.core.hold import standing_hold
from advisor.core.lifecycle import Event
from advisor.core.model import Entity, Failure, Granularity, JobState, Report
from advisor.core.numbers import permissions
from advisor.core.removal import (
    Entry,
    Moved,
    Operation,
    Plan,
    Standing,
    StepState,
    Ticket,
    TicketState,
)
from advisor.core.standing import Found, found, may_be_there, moved, remaining
from advisor.desk import Desk
from advisor.tickets import redraw, reply, tell

log = logging.getLogger(__name__)

PATIENCE = timedelta(seconds=60)
"""How long a write may take to be seen by every reader.

Source: IAM User Guide, "Changes that I make are not always immediately visible"; seconds as a rule, a minute rarely.
"""

GIVE_UP = timedelta(minutes=10)
"""How long AWS may be silent, or limit the rate, in the middle of a change before a person is asked."""

_WORKING = {TicketState.APPROVED, TicketState.APPLYING, TicketState.HELD, TicketState.ROLLING_BACK}


def advance(desk: Desk, ticket_id: int) -> None:
    """Take a ticket as far as it goes now."""
    while _one(desk, ticket_id):
        pass


def _one(desk: Desk, ticket_id: int) -> bool:
    """One move; True where the next can follow at once."""
    ticket = desk.store.tickets.get(ticket_id)
    entity = desk.store.entities.get(ticket.entity_id) if ticket else None
    if ticket is None or entity is None or ticket.plan is None or ticket.state not in _WORKING:
        return False
    if ticket.next_at is None or ticket.next_at > desk.clock():
        return False
    try:
        if ticket.state in {TicketState.APPROVED, TicketState.HELD}:
            return _check(desk, ticket, ticket.plan, entity)
        return _carry(desk, ticket, ticket.plan, entity)
    except Transient as error:
        desk.aws.forget_ended(entity.account, error)
        _later(desk, ticket, error)
    except Missing as error:
        _stop(desk, ticket, (Moved("gone", entity.name),), error.failure())
    except AwsError as error:
        _stop(desk, ticket, (), error.failure(ticket.tries + 1))
    return False


def _later(desk: Desk, ticket: Ticket, error: Transient) -> None:
    """AWS does not answer now: try again, within reason."""
    now, failure = desk.clock(), error.failure(ticket.tries + 1)
    if ticket.state is TicketState.HELD:
        _no_look(desk, ticket, failure)
        return
    if now - ticket.changed_at > GIVE_UP:
        _stop(desk, ticket, (), failure)
        return
    pause = jobs.patience(f"ticket {ticket.id}", min(ticket.tries, 5))
    log.info("ticket.again ticket=%d call=%s why=%s", ticket.id, error.call, error.code)
    desk.store.tickets.later(ticket.id, now + pause, failure)


# -- the last look -------------------------------------------------------------------------------------------------


def _check(desk: Desk, ticket: Ticket, plan: Plan, entity: Entity) -> bool:
    """A fresh report and everything read again; only if both agree with the plan is the journal written."""
    report = _fresh(desk, ticket, plan, entity)
    if report is None:
        return False
    held = ticket.state is TicketState.HELD
    entries = desk.store.steps.of(ticket.id)
    left = narrowed(plan, ticket.given, desk.catalogue) if held else plan
    before = desk.store.reports.get(ticket.report_id)
    tried = lastlook.used_since(left, before, report)
    if held:
        tried = holds.unheard(ticket, (*tried, *holds.attempts(desk, ticket, left, report, entries)))
    else:
        tried += replays.last_look(desk, ticket, plan, report)
    live = lastlook.live(desk, desk.aws.session(entity.account), entity, plan)
    what = moved(remaining(plan, entries), live)
    what += () if held else tried
    what += lastlook.guarded(desk, ticket, left, live)
    if what:
        _stop(desk, ticket, what, None)
        return False
    if held and tried:
        holds.ask(desk, ticket, tried)
        return False
    return _begin(desk, ticket, plan, entries)


def _fresh(desk: Desk, ticket: Ticket, plan: Plan, entity: Entity) -> Report | None:
    """The report that is made for this look; None while there is none, with what becomes of the ticket then."""
    store, now = desk.store, desk.clock()
    if ticket.job_id is None:
        deep = Granularity.ACTION if plan.takes_singly else Granularity.SERVICE
        with store.transaction():
            job, _ = store.jobs.join(entity.id, entity.account, deep, now, now + jobs.deadline(desk))
            store.tickets.set_job(ticket.id, job.id)
        return None
    job_now = store.jobs.get(ticket.job_id)
    if job_now is None or job_now.state not in {JobState.DONE, JobState.FAILED}:
        return None
    if now - job_now.created_at > jobs.deadline(desk) + GIVE_UP:  # only a standstill makes it so old
        store.tickets.set_job(ticket.id, None)
        return _fresh(desk, replace(ticket, job_id=None), plan, entity)
    if job_now.failure and job_now.failure.code in {"gone", "recreated"}:  # no retry brings it back
        _stop(desk, ticket, (Moved(job_now.failure.code, entity.name),), None)
        return None
    report = None if job_now.report_id is None else store.reports.get(job_now.report_id)
    if job_now.state is JobState.FAILED or report is None:
        _no_look(desk, ticket, job_now.failure or Failure("report_failed"))
        return None
    return report


def _begin(desk: Desk, ticket: Ticket, plan: Plan, entries: tuple[Entry, ...]) -> bool:
    """Everything agrees: the writes of this stage are put into the journal, unless they stand there."""
    store, now = desk.store, desk.clock()
    held = ticket.state is TicketState.HELD
    steps = plan.steps if plan.hold is None else plan.hold.lay
    if held:
        steps = rest(plan, entries, ticket.given, desk.catalogue)
        if not steps:  # a quarantine: it is held, and stays so
            return _finish(desk, ticket, plan, entries)
    with store.transaction():
        if store.tickets.move(ticket.id, ticket.state, Event.BEGAN, now, by=ticket.by, next_at=now) is None:
            return False
        run = [e for e in entries if e.run == ticket.run]
        for entry in run:
            if entry.state is StepState.NOT_DONE:  # refused before anything was written
                store.steps.again(entry.id)
        if not run or (held and (ticket.run == 1 or run[0].back)):
            store.tickets.set_run(ticket.id)
            store.steps.plan(ticket.id, ticket.run + 1, steps, back=False)
        store.log.add("bot", "ticket.begin", f"ticket {ticket.id}", now, fingerprint=plan.fingerprint)
        redraw(desk, ticket)
    return True


def _no_look(desk: Desk, ticket: Ticket, failure: Failure) -> None:
    """A read that fails is not drift: the ticket stays approved, says why, and offers a retry. A hold waits an hour."""
    with desk.store.transaction():
        held = ticket.state is TicketState.HELD
        if held:
            desk.store.tickets.set_job(ticket.id, None)
        desk.store.tickets.later(ticket.id, desk.clock() + holds.AGAIN if held else None, failure)
        redraw(desk, ticket)
        if not held:
            reply(desk, ticket, "ticket.event", ticket.id, what="not_begun")


# -- step by step --------------------------------------------------------------------------------------------------


def _carry(desk: Desk, ticket: Ticket, plan: Plan, entity: Entity) -> bool:
    store, now = desk.store, desk.clock()
    first = store.tickets.at_work(entity.account)[0]
    if first != ticket.id:  # one change at a time in an account: what it rests on must not move under it
        store.tickets.wait(ticket.id, now + timedelta(seconds=2))
        return False
    entries = store.steps.of(ticket.id)
    run = [e for e in entries if e.run == ticket.run]
    back = ticket.state is TicketState.ROLLING_BACK
    untouched = not back and not any(may_be_there(e) for e in run)
    # After a standstill the last look is an old one.
    if untouched and now - ticket.changed_at > 2 * GIVE_UP:
        with store.transaction():
            store.tickets.set_job(ticket.id, None)
            event = Event.HELD if ticket.run > 1 else Event.NOTHING_WRITTEN
            store.tickets.move(ticket.id, ticket.state, event, now, by=ticket.by, next_at=now)
        return True
    if not run:
        return _plan_back(desk, ticket, plan, entity)
    entry = next((e for e in run if e.state is not StepState.DONE), None)
    if entry is not None and entry.state is StepState.BEGUN:
        return _settle(desk, ticket, plan, entity, entry)
    live = lastlook.live(desk, desk.aws.session(entity.account), entity, plan)
    expected = remaining(plan, entries)
    what = _not_as_left(expected, live, entry) if back else moved(expected, live)
    if entry and entry.tries and found(live, entry.step, _known(expected, entry))[0] is Found.AFTER:
        return _settle(desk, ticket, plan, entity, entry)  # somebody, or an earlier try, did it
    if what:
        return _wait_or_stop(desk, ticket, entries, what)
    if entry is None:
        return _finish(desk, ticket, plan, entries)
    return _write(desk, ticket, entity, entry)


def _not_as_left(expected: Standing, live: Standing, entry: Entry | None) -> tuple[Moved, ...]:
    """On the way back only the document at hand is compared: what else was changed since is none of ours."""
    if live.entity.unique_id != expected.entity.unique_id:
        return (Moved("recreated", live.entity.name),)
    if entry is None or found(live, entry.step, _known(expected, entry))[0] is not Found.OTHER:
        return ()
    return (Moved("version" if entry.step.arn else "inline", entry.step.name, "edited"),)


def _known(expected: Standing, entry: Entry) -> frozenset[str]:
    """The versions that a policy had before a step."""
    policy = expected.policy(entry.step.arn)
    return frozenset(v.id for v in policy.versions) if policy else frozenset()


def _wait_or_stop(desk: Desk, ticket: Ticket, entries: tuple[Entry, ...], what: tuple[Moved, ...]) -> bool:
    """A reading that lags behind our own last write looks like drift: patience first."""
    now = desk.clock()
    last = max((t for e in entries for t in (e.begun_at, e.settled_at) if t), default=None)
    if last and now - last < PATIENCE:
        desk.store.tickets.wait(ticket.id, now + _pause(now - last))
    else:
        _stop(desk, ticket, what, None)
    return False


def _pause(waited: timedelta) -> timedelta:
    """Half a second at first, five at most."""
    return timedelta(seconds=min(5.0, max(0.5, waited.total_seconds() / 4)))


def _write(desk: Desk, ticket: Ticket, entity: Entity, entry: Entry) -> bool:
    store = desk.store
    name = f"iam-audit-t{ticket.id}-r{entry.run}-s{entry.place}"
    try:  # a session for this step: nothing is written yet
        permit = desk.aws.writer.permit(entity, entry.step, name)
    except Transient:
        raise
    except AwsError as error:
        _refused(desk, ticket, entry, error)
        return False
    store.steps.begin(entry.id, desk.clock())
    try:
        request_id = desk.aws.writer.write(permit)
    except Unreachable as error:  # nobody knows: settled by looking
        log.warning("step.unknown ticket=%d place=%d call=%s", ticket.id, entry.place, error.call)
        return True
    except Missing:  # what was to go is gone, or never was: the look tells
        return True
    except Transient as error:  # Throttled, Busy, Expired: AWS says that it did nothing
        store.steps.again(entry.id, error.failure(entry.tries + 1))
        raise
    except AwsError as error:
        if isinstance(error, Invalid) and "EntityAlreadyExists" in error.message:
            return True
        _refused(desk, ticket, entry, error)
        return False
    with store.transaction():
        store.steps.answered(entry.id, request_id)
        store.log.add(
            "bot",
            f"iam.{entry.step.operation}",
            f"ticket {ticket.id}",
            desk.clock(),
            policy=entry.step.arn or entry.step.name,
            entity=entity.arn,
            aws_request=request_id,
        )
    return True


def _refused(desk: Desk, ticket: Ticket, entry: Entry, error: AwsError) -> None:
    """AWS said no, so it did nothing: the first write leaves the ticket approved, a later one needs a person."""
    failure = error.failure(entry.tries + 1)
    with desk.store.transaction():
        desk.store.steps.settle(entry.id, StepState.NOT_DONE, desk.clock(), failure=failure)
        _stop(desk, ticket, (), failure)


def _settle(desk: Desk, ticket: Ticket, plan: Plan, entity: Entity, entry: Entry) -> bool:
    """What became of a write: two agreeing reads, or a minute of patience."""
    store = desk.store
    session = desk.aws.session(entity.account)
    others = [e for e in store.steps.of(ticket.id) if e.id != entry.id]
    known = _known(remaining(plan, others), entry)
    seen, made = found(desk.aws.look(session, entity, entry.step), entry.step, known)
    again, _ = found(desk.aws.look(session, entity, entry.step), entry.step, known)
    now = desk.clock()
    if seen is again is Found.AFTER:
        with store.transaction():
            store.steps.settle(entry.id, StepState.DONE, now, made=made)
            store.tickets.wait(ticket.id, now)
            redraw(desk, ticket)
        return True
    begun = entry.begun_at or now
    if now - begun < PATIENCE:
        store.tickets.wait(ticket.id, now + _pause(now - begun))
        return False
    if again is Found.BEFORE and entry.tries == 0:  # it is known not to be there, so it may be made again
        store.steps.again(entry.id)
        store.tickets.wait(ticket.id, now)
        return True
    unseen = Failure("unseen", call=entry.step.operation.value, account=entity.account, tries=entry.tries + 1)
    kind = "version" if entry.step.arn else "inline"
    what = (Moved(kind, entry.step.name, "edited"),) if again is Found.OTHER else ()
    with store.transaction():
        store.steps.settle(entry.id, StepState.NOT_DONE, now, failure=unseen)
        _stop(desk, ticket, what, unseen)
    return False


# -- ends ----------------------------------------------------------------------------------------------------------


def _stop(desk: Desk, ticket: Ticket, what: tuple[Moved, ...], failure: Failure | None) -> None:
    """Nothing more is written. Before a first write the ticket is drifted or still approved, after one it needs a person."""
    store, now = desk.store, desk.clock()
    with store.transaction():
        fresh = store.tickets.get(ticket.id) or ticket
        entries = store.steps.of(ticket.id)
        if fresh.state in {TicketState.APPROVED, TicketState.HELD} and failure and not _gone(what):
            _no_look(desk, ticket, failure)
            return
        event = _stopping(fresh, entries, what, failure)
        if (
            store.tickets.move(
                ticket.id,
                fresh.state,
                event,
                now,
                by=ticket.by,
                words=ticket.words,
                failure=failure,
                moved=what,
                next_at=now if event is Event.LOOSENED else None,
            )
            is None
        ):
            return
        if event is Event.NOTHING_WRITTEN:
            store.tickets.set_job(ticket.id, None)
        if event is Event.LOOSENED:
            store.tickets.set_run(ticket.id)
        store.log.add(
            "bot",
            f"ticket.{event}",
            f"ticket {ticket.id}",
            now,
            moved="; ".join(f"{m.what} {m.name} {m.detail}".strip() for m in what)[:1000],
            failure=f"{failure.code} {failure.call}" if failure else "",
        )
        reply(desk, ticket, "ticket.event", ticket.id, what=event.value)
        redraw(desk, ticket)
    log.warning("ticket.stopped ticket=%d event=%s", ticket.id, event)


def _stopping(
    ticket: Ticket, entries: tuple[Entry, ...], what: tuple[Moved, ...], failure: Failure | None
) -> Event:
    """What a stop comes to. A hold that stands while nothing is rewritten yet is lifted; with its entity it is gone."""
    written = [e for e in entries if e.back or may_be_there(e)]
    begun = any(e.run == ticket.run for e in written)
    if ticket.state is TicketState.ROLLING_BACK or (
        written and begun and ticket.state is not TicketState.HELD
    ):
        return Event.STUCK
    if written and what:
        return Event.MOVED if _gone(what) else Event.LOOSENED
    if written:
        return Event.STUCK
    return Event.NOTHING_WRITTEN if failure and not what else Event.MOVED


def _gone(what: tuple[Moved, ...]) -> bool:
    return any(m.what in {"gone", "recreated"} for m in what)


def _finish(desk: Desk, ticket: Ticket, plan: Plan, entries: tuple[Entry, ...]) -> bool:
    """Everything of this run is read back: say so."""
    store, now = desk.store, desk.clock()
    event = _finishing(ticket, plan, entries)
    with store.transaction():
        if event in {Event.GIVEN, Event.NARROWED}:
            store.tickets.give(ticket.id, sorted({*ticket.given, *ticket.wanted}))
        if event is Event.FINISHED and ticket.given:
            store.tickets.give(ticket.id, sorted(given_in_all(plan, ticket.given)))
        if event in {Event.HELD, Event.NARROWED}:
            holds.rests(desk, ticket, plan, entries, event)
        elif (
            store.tickets.move(
                ticket.id,
                ticket.state,
                event,
                now,
                by=ticket.by,
                words=ticket.words,
                moved=ticket.moved if event is Event.LIFTED else (),
            )
            is None
        ):
            return False
        if event in {Event.HELD, Event.FINISHED}:
            watches.begin(desk, ticket, plan, held=event is Event.HELD)
        _log(desk, ticket, plan, event)
        reply(desk, ticket, "ticket.event", ticket.id, what=event.value)
        if ticket.owner:
            tell(desk, ticket, "ticket.owner", ticket.owner, what=event.value)
        redraw(desk, ticket)
    log.info("ticket.%s ticket=%d", event, ticket.id)
    return False


def _log(desk: Desk, ticket: Ticket, plan: Plan, event: Event) -> None:
    """The end of a run, with how many permissions it moved: the numbers of digests and Home are sums of these rows."""
    store, subject = desk.store, f"ticket {ticket.id}"
    before = given_in_all(plan, ticket.given) if plan.hold else frozenset(ticket.given)
    count = permissions(plan, ticket.given if event in {Event.HELD, Event.NARROWED} else before)
    if event in {Event.GIVEN, Event.NARROWED}:
        count -= permissions(plan, {*ticket.given, *ticket.wanted})
    removed = any(row.verb == "ticket.finished" for row in store.log.about(subject))
    store.log.add(
        "bot",
        f"ticket.{event}",
        subject,
        desk.clock(),
        entity=plan.basis.entity.arn,
        permissions=str(count),
        of_removed="yes" if removed else "",
    )


def _finishing(ticket: Ticket, plan: Plan, entries: tuple[Entry, ...]) -> Event:
    """What the end of a run comes to."""
    if ticket.state is not TicketState.ROLLING_BACK:
        laid = plan.hold is not None and ticket.run == 1 and ticket.state is TicketState.APPLYING
        return Event.HELD if laid else Event.FINISHED
    if whole(plan, entries):
        return Event.LIFTED if ticket.moved else Event.BACK
    held = standing_hold(plan, remaining(plan, entries)) is not None
    return Event.NARROWED if held else Event.GIVEN


def _plan_back(desk: Desk, ticket: Ticket, plan: Plan, entity: Entity) -> bool:
    """The writes of a way back, from what the journal knows; what it does not know is settled by looking first."""
    store, now = desk.store, desk.clock()
    session = desk.aws.session(entity.account)
    entries = store.steps.of(ticket.id)
    loose = [e for e in entries if e.state in {StepState.BEGUN, StepState.NOT_DONE}]
    live = lastlook.live(desk, session, entity, plan)
    if live.entity.unique_id != entity.unique_id:
        _stop(desk, ticket, (Moved("recreated", entity.name),), None)
        return False
    for entry in loose:  # every run that stopped may have left one
        expected = remaining(plan, [e for e in store.steps.of(ticket.id) if e.id != entry.id])
        seen, made = found(live, entry.step, _known(expected, entry))
        if seen is Found.AFTER:
            store.steps.settle(entry.id, StepState.DONE, now, made=made)
    entries = store.steps.of(ticket.id)
    wanted = {*ticket.wanted, *ticket.given} if ticket.wanted else ()
    steps = way_back(plan, entries, desk.catalogue, wanted)
    if not steps:
        return _finish(desk, ticket, plan, entries)
    edited = [s for s in steps if s.operation is Operation.DELETE_POLICY and found(live, s)[0] is Found.OTHER]
    if edited:  # before the first write: it would be detached, with what somebody added to it
        _stop(desk, ticket, tuple(Moved("version", s.name, "edited") for s in edited), None)
        return False
    with store.transaction():
        store.steps.plan(ticket.id, ticket.run, steps, back=True)
        redraw(desk, ticket)
    return True
