"""The evidence of a ticket, gathered from the store; made into a file by whoever uploads it."""

from __future__ import annotations

from advisor import proofs
from advisor.core.evidence import Evidence
from advisor.core.model import Report
from advisor.core.removal import Ticket
from advisor.desk import Desk


def gather(desk: Desk, ticket: Ticket, user: str) -> Evidence | None:
    """Everything that is known of a ticket now; None where it has no plan."""
    store, plan = desk.store, ticket.plan
    entity = store.entities.get(ticket.entity_id)
    if plan is None or entity is None:
        return None
    key = desk.config.iam_audit_owner_tag
    job = store.jobs.get(ticket.job_id) if ticket.job_id else None
    with (
        store.transaction()
    ):  # of one moment: what the log has a row of is in the bundle, and the other way round
        approvals, entries = store.tickets.approvals(ticket.id), store.steps.of(ticket.id)
        history, links = store.trail.of_ticket(ticket.id), store.log.about(f"ticket {ticket.id}")
        hits, log_end = store.watches.hits(ticket.id), store.log.last()
    return Evidence(
        ticket=ticket,
        plan=plan,
        entity=entity,
        made_at=desk.clock(),
        made_by=user,
        needed=desk.config.iam_audit_approvals,
        owner_tag=(key, dict(plan.basis.tags).get(key, "")),
        report=_report(desk, ticket.report_id),
        looked=_report(desk, job.report_id) if job and job.report_id else None,
        approvals=approvals,
        entries=entries,
        links=links,
        log_end=log_end,
        witnesses=proofs.witnesses(store.proofs.of(ticket.id)),
        hits=hits,
        history=history,
    )


def _report(desk: Desk, report_id: int) -> Report | None:
    """Whole, or its times where its rows are not kept any more."""
    return desk.store.reports.get(report_id) or desk.store.reports.head(report_id)
