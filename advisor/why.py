"""`why`: what allows one entity one call, when that was last used, and what people decided about it.

Policies are read from the store; where they are not there, or are older than a cached report may be, from AWS.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from advisor import audits, history, readings
from advisor.core import why as core
from advisor.core.arn import Arn, parse
from advisor.core.errors import AwsError, Missing, Unanswered
from advisor.core.model import Account, Entity, Failure, Granularity, Kind, PolicyKind, Snapshot
from advisor.core.removal import Ticket, TicketState
from advisor.core.why import KeepLine, TicketLine, Why
from advisor.desk import Desk

_NEVER_ASKED = frozenset({TicketState.DRAFT, TicketState.VOID})


def answer(desk: Desk, words: dict[str, str]) -> str:
    """Of the entity `words["name"]` (with `kind`, `account`, `fresh`) and `words["action"]`, as JSON."""
    typed = words["action"]
    action = core.known(typed, desk.catalogue)
    if not action:
        near = core.nearest(typed, desk.catalogue)
        raise Unanswered(Failure("no_action", message="\n".join([typed, *near])))
    entity = _entity(desk, words)
    snapshot, stale = _snapshot(desk, entity, fresh=bool(words.get("fresh")))
    entity = snapshot.entity
    newest = desk.store.reports.newest
    concerned = [(entity, ""), *_behind(desk, snapshot)]
    return core.dump(
        Why(
            entity_id=entity.id,
            action=action,
            read_at=snapshot.read_at,
            lines=core.speaking(snapshot.policies, action),
            used=core.last_use(
                action,
                newest(entity.id, Granularity.ACTION),
                newest(entity.id, Granularity.SERVICE),
            ),
            tickets=tuple(_tickets(desk, concerned, action)),
            keeps=tuple(_keeps(desk, concerned, action)),
            stale=stale,
        )
    )


# -- who -----------------------------------------------------------------------------------------------------------


def _entity(desk: Desk, words: dict[str, str]) -> Entity:
    """The one entity of this name: as the store knows it, else as AWS does."""
    name, word = words["name"], words.get("account", "")
    parsed = parse(name) if name.startswith("arn:") else None
    if not word and isinstance(parsed, Arn) and parsed.account != "aws":
        word = parsed.account
    accounts = [history.account_named(desk, word)] if word else list(readings.accounts(desk))
    kind = None if parsed else Kind(words["kind"])
    ids = [a.id for a in accounts]
    found = desk.store.entities.named(kind, name, ids) or _search(desk, accounts, words)
    if not found:
        raise Unanswered(Failure("not_found", message=name))
    if len(found) > 1:
        lines = [_line(e, next(a for a in accounts if a.id == e.account), words) for e in found]
        raise Unanswered(Failure("ambiguous", message="\n".join([name, *lines])))
    return found[0]


def _search(desk: Desk, accounts: list[Account], words: dict[str, str]) -> list[Entity]:
    """Ask AWS. Raises AwsError where nobody of that name is known and an account gave no answer."""
    name = words["name"]
    parsed = parse(name) if name.startswith("arn:") else None
    kind, plain, arn = Kind(words.get("kind") or "role"), name, ""
    if isinstance(parsed, Arn):
        kind, plain, arn = parsed.kind, parsed.name, str(parsed)
    found: list[Entity] = []
    failed: AwsError | None = None
    for account in accounts:
        try:
            found += audits.find(desk, account, kind, plain, arn)
        except AwsError as error:
            failed = error
    if failed and not found:
        raise failed
    return [desk.store.entities.see(e, desk.clock()) for e in found]


def _line(entity: Entity, account: Account, words: dict[str, str]) -> str:
    return f"/iam-audit why {entity.arn} {words['action']} account={account.alias or account.id}"


def _snapshot(desk: Desk, entity: Entity, *, fresh: bool) -> tuple[Snapshot, str]:
    """Its policies, and why they are not of now where they are old and AWS gave no answer."""
    stored = desk.store.entities.newest_snapshot(entity.id)
    now, cache = desk.clock(), timedelta(hours=desk.config.iam_audit_cache_hours)
    young = stored is not None and now - stored.read_at <= cache
    if stored and young and not fresh and not desk.store.tickets.changed_since(entity.id, stored.read_at):
        return stored, ""
    try:
        session = desk.aws.session(entity.account)
        # A namesake that was made since is another entity: it has its own row, and nothing that was decided before.
        known = desk.store.entities.see(desk.aws.identify(session, entity), now)
        read = desk.aws.snapshot(session, known)
    except Missing as error:
        desk.store.entities.gone(entity.id, now)
        raise Unanswered(Failure("not_found", message=entity.name, account=entity.account)) from error
    except AwsError as error:
        if stored is None:
            raise
        desk.aws.forget_ended(entity.account, error)
        return stored, f"{error.call}: {error.message}"[:200]
    desk.store.entities.save_snapshot(read)
    return read, ""


def _behind(desk: Desk, snapshot: Snapshot) -> list[tuple[Entity, str]]:
    """The groups and customer managed policies through which it has something, where the store knows them."""
    account = [snapshot.entity.account]
    found: list[tuple[Entity, str]] = []
    for group in snapshot.groups:
        found += [(e, f"group {e.name}") for e in desk.store.entities.named(Kind.GROUP, group, account)]
    arns = {p.arn for p in snapshot.policies if p.kind is PolicyKind.CUSTOMER} - {snapshot.entity.arn}
    for arn in sorted(arns):
        found += [(e, f"policy {e.name}") for e in desk.store.entities.named(None, arn, account)]
    return found


# -- what people decided -------------------------------------------------------------------------------------------


def _tickets(desk: Desk, concerned: Iterable[tuple[Entity, str]], action: str) -> list[TicketLine]:
    """Tickets that take the action, or its whole service, from one of these; the newest first."""
    found = [
        line
        for entity, of in concerned
        for ticket in desk.store.tickets.listed(entity_id=entity.id)
        if ticket.state not in _NEVER_ASKED and (line := _ticket(desk, ticket, action, of))
    ]
    return sorted(found, key=lambda t: t.ticket, reverse=True)


def _ticket(desk: Desk, ticket: Ticket, action: str, of: str) -> TicketLine | None:
    plan, service = ticket.plan, action.partition(":")[0]
    if plan is None:
        return None
    cut = [e.policy for e in plan.edits if _cuts(e.cut.services, e.cut.actions, action)]
    whole = service in plan.services or any(service in e.cut.services for e in plan.edits)
    if not (plan.quarantine or cut or _cuts(plan.services, plan.actions, action)):
        return None
    return TicketLine(
        ticket=ticket.id,
        state=ticket.state.value,
        at=ticket.changed_at,
        requesters=ticket.requesters,
        approvers=tuple(a.user for a in desk.store.tickets.approvals(ticket.id)),
        reason=ticket.reason,
        whole=whole,
        policies=tuple(cut),
        given_back=_given(ticket, action, cut),
        quarantine=plan.quarantine,
        of=of,
        by=ticket.by,
        words=ticket.words,
    )


def _cuts(services: Iterable[str], actions: Iterable[str], action: str) -> bool:
    folded = action.casefold()
    return folded.partition(":")[0] in services or any(a.casefold() == folded for a in actions)


def _given(ticket: Ticket, action: str, cut: list[str]) -> bool:
    """Whether it came back since: by itself, with its service, or with its whole policy."""
    given = {g.casefold() for g in ticket.given}
    alone = {action.casefold(), action.partition(":")[0].casefold()}
    return bool(alone & given) or (bool(cut) and set(cut) <= set(ticket.given))


def _keeps(desk: Desk, concerned: Iterable[tuple[Entity, str]], action: str) -> list[KeepLine]:
    service, now = action.partition(":")[0], desk.clock()
    return [
        KeepLine(k.id, k.user, k.until, k.reason, not k.service, of)
        for entity, of in concerned
        for k in desk.store.keeps.standing(now, entity.id)
        if k.service in {"", service}
    ]
