"""What App Home shows to one person, gathered from the store, and whom a change concerns. Knows nothing of Slack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from advisor import readings
from advisor.core.home import DAYS, SHOWN, AuditLine, Counts, Few, HomeView, Reader
from advisor.core.model import Request, Usage, Verdict
from advisor.core.removal import Keep, Ticket
from advisor.desk import Desk


def gather(desk: Desk, reader: Reader, member: Callable[[str], bool]) -> HomeView:
    """Everything that this person's home is drawn from; `member` says whether they are in a channel."""
    config, homes, now = desk.config, desk.store.homes, desk.clock()
    key, own = config.iam_audit_owner_tag, config.iam_audit_self_approval

    def theirs(user: str, channel: str) -> bool:
        return user == reader.user or member(channel)

    schedules = [s for s in homes.schedules() if theirs(s.user, s.channel)]
    sweeps = [s for s in homes.sweeps() if theirs(s.user, s.channel)]
    return HomeView(
        reader=reader,
        now=now,
        needed=config.iam_audit_approvals,
        self_approval=own,
        may_write=desk.aws.writer.may_write,
        owner_key=key,
        known=readings.accounts(desk),
        waiting=homes.waiting(reader.user, own=own) if reader.approver else Few(),
        tickets=homes.tickets(reader.user),
        audits=tuple(_counted(desk, line) for line in homes.audits(reader.user)),
        owned=homes.owned(key, reader.tags),
        schedules=Few(tuple(schedules[:SHOWN]), len(schedules)),
        sweeps=Few(tuple(sweeps[:SHOWN]), len(sweeps)),
        keeps=homes.keeps(reader.user, key, reader.tags, now),
        accounts=homes.accounts(),
        numbers=desk.store.counted.numbers(now - timedelta(days=DAYS)),
    )


def _counted(desk: Desk, line: AuditLine) -> AuditLine:
    """With the numbers of its card: as stored with the report, unless there are none, or it asked for another window."""
    if line.report_id is None or (line.counts and line.asked.days == desk.config.iam_audit_window_days):
        return line
    reading = readings.read(desk, line.report_id, line.asked.days)
    if reading is None:
        return replace(line, counts=None)
    found = reading.summary
    counts = Counts(found.granted, len(found.of(Usage.USED)), len(found.that(Verdict.REMOVE)))
    return replace(line, counts=counts)


# -- whom a change concerns ----------------------------------------------------------------------------------------


def ticket_changed(desk: Desk, ticket: Ticket) -> None:
    """Whoever asked for it, everybody who may decide on it, and its entity's owner see it in their homes."""
    users = (*ticket.requesters, *([ticket.owner] if ticket.owner else ()))
    _changed(desk, users, ticket.entity_id, approvers=True)


def audit_changed(desk: Desk, request: Request) -> None:
    """Whoever asked for it sees it in their home, and so does the owner of what was audited."""
    _changed(desk, (request.user,), request.entity_id or 0)


def keep_changed(desk: Desk, keep: Keep) -> None:
    """Whoever made it and the owner of its entity see it in their homes."""
    _changed(desk, (keep.user,), keep.entity_id)


def schedule_changed(desk: Desk, user: str) -> None:
    """Whoever made a digest or a sweep that comes again sees it at once; the others of its channel when they look."""
    _changed(desk, (user,))


def accounts_changed(desk: Desk) -> None:
    """A sweep began or ended, which every home shows. Many homes are spread over minutes, within Slack's rate."""
    desk.store.homes.changed(desk.clock(), everybody=True)


def _changed(desk: Desk, users: tuple[str, ...], entity_id: int = 0, *, approvers: bool = False) -> None:
    desk.store.homes.changed(
        desk.clock(),
        users=users,
        approvers=approvers,
        entity_id=entity_id,
        owner_key=desk.config.iam_audit_owner_tag,
    )
