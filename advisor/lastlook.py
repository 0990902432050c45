"""The last look before a first write: what stands, what was used since the plan was made, what is protected by now."""

from __future__ import annotations

from advisor import readings
from advisor.core.model import Entity, Report, Snapshot, aws_owned
from advisor.core.removal import Moved, Plan, Standing, Ticket, Treatment
from advisor.core.report import protected
from advisor.desk import Desk
from advisor.edges.aws import Session


def live(desk: Desk, session: Session, entity: Entity, plan: Plan) -> Standing:
    """Everything that a plan rests on, read now: holders only of policies whose text changes."""
    laid = plan.hold.lay if plan.hold else ()
    made = {s.arn for s in (*plan.steps, *laid) if s.arn and not aws_owned(s.arn)}
    arns = frozenset({m.arn for m in plan.basis.managed} | made)
    held = frozenset(e.arn for e in plan.edits if e.treatment is Treatment.VERSION)
    return desk.aws.standing(session, entity, arns, held)


def used_since(plan: Plan, before: Report | None, report: Report) -> tuple[Moved, ...]:
    """What the plan takes away and somebody used since it was made."""
    old = {s.namespace: s for s in before.services} if before else {}
    told: list[Moved] = []
    whole_services = plan.takes | ({s.namespace for s in report.services} if plan.quarantine else set())
    single = plan.takes_singly
    for row in report.services:
        was = old.get(row.namespace)
        if row.namespace in whole_services and row.last_at and (was is None or row.last_at != was.last_at):
            told.append(Moved("used", row.namespace, at=row.last_at))
        known = {a.name: a.last_at for a in (was.actions or ())} if was else {}
        for action in row.actions or ():
            name = f"{row.namespace}:{action.name}"
            if name in single and action.last_at and known.get(action.name) != action.last_at:
                told.append(Moved("used", name, at=action.last_at))
    return tuple(told)


def guarded(desk: Desk, ticket: Ticket, plan: Plan, now: Standing) -> tuple[Moved, ...]:
    """What somebody has put under protection since: settings, tags, keeps."""
    boundary = max((m.boundary_of for m in now.managed if m.arn == now.entity.arn), default=0)
    holders = tuple(h for m in now.managed if m.arn == now.entity.arn for h in m.holders)
    shot = Snapshot(now.entity, desk.clock(), holders=holders, tags=now.tags, boundary_of=boundary)
    word = protected(shot, readings.rules(desk, ticket.days, now.entity.account))
    told = [Moved("protected", now.entity.name, word)] if word else []
    affected = plan.affected
    # What this ticket gave back is kept by it: its hold and its rewrite leave that out already.
    back = {g.partition(":")[0] for g in ticket.given}
    back |= {s for e in plan.edits if e.policy in ticket.given for s in e.out}
    told += [
        Moved("kept", k.service or now.entity.name, at=k.until)
        for k in desk.store.keeps.standing(desk.clock(), ticket.entity_id)
        if (not k.service or k.service in affected or plan.quarantine) and k.service not in back
    ]
    return tuple(told)
