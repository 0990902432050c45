"""`history`: how the use and the grants of an entity or an account developed, from what is stored. Asks AWS nothing."""

from __future__ import annotations

from advisor import readings
from advisor.core.errors import Unanswered
from advisor.core.model import Account, Entity, Failure, Granularity, Kind, Report, Usage, Verdict
from advisor.core.report import difference, usage_of
from advisor.core.trend import AccountPast, EntityPast, Turn, dump
from advisor.desk import Desk

MOST = 40
"""Reports of an entity that are read whole and compared, the newest ones; of older ones the counts are shown."""

_JUDGED = 20
"""Reports whose "could go" is worked out where no score was stored with them."""

_NEWEST = 2**62


def answer(desk: Desk, words: dict[str, str]) -> str:
    """The past of `words["name"]` (with `kind`, `account`, `days`), or of the account `words["account"]`."""
    if words.get("name"):
        return dump(_entity(desk, words))
    account = account_named(desk, words.get("account", ""))
    points = desk.store.trends.of_accounts([account.id])
    if not points:
        raise Unanswered(Failure("no_scores", account=account.id, message=account.alias))
    return dump(AccountPast(account.id, points, desk.store.trends.carried_in(account.id)))


def account_named(desk: Desk, word: str) -> Account:
    """The account that somebody named; the bot’s own where nothing was said. Raises Unanswered where there is none."""
    accounts = readings.accounts(desk)
    if not word:
        found = next((a for a in accounts if a.own), None) or next(iter(accounts), None)
    else:
        found = next((a for a in accounts if a.matches(word)), None)
    if found is None:
        raise Unanswered(Failure("no_account", message=word))
    return found


def _entity(desk: Desk, words: dict[str, str]) -> EntityPast:
    entity = _known(desk, words)
    days = int(words.get("days") or desk.config.iam_audit_window_days)
    turns = _turns(desk, entity, days)
    if not turns:
        raise Unanswered(Failure("no_reports", account=entity.account, message=entity.name))
    return EntityPast(entity.id, days, turns, desk.store.trends.carried_on(entity.id))


def _known(desk: Desk, words: dict[str, str]) -> Entity:
    """The one entity of this name that the bot has seen."""
    name, word = words["name"], words.get("account", "")
    accounts = [account_named(desk, word)] if word else list(readings.accounts(desk))
    kind = None if name.startswith("arn:") else Kind(words["kind"])
    found = desk.store.entities.named(kind, name, [a.id for a in accounts])
    if not found:
        raise Unanswered(Failure("not_found", message=name))
    if len(found) > 1:
        lines = [_line(e, next(a for a in accounts if a.id == e.account)) for e in found]
        raise Unanswered(Failure("ambiguous", message="\n".join([name, *lines])))
    return found[0]


def _line(entity: Entity, account: Account) -> str:
    return f"/iam-audit history {entity.arn} account={account.alias or account.id}"


def _turns(desk: Desk, entity: Entity, days: int) -> tuple[Turn, ...]:
    """One for each report, oldest first; of those that are not read whole, what was counted then."""
    history = desk.store.reports.history
    found = [r for g in Granularity for r in history(entity.id, g, until=_NEWEST, limit=MOST)]
    whole = sorted(found, key=lambda r: r.created_at)[-MOST:]
    reports = {r.id for r in whole}
    scores = desk.store.trends.of_entity(entity.id)
    turns = [
        Turn(seen.at, seen.granted, seen.used, stale, seen.could_go, stored=False)
        for report_id, (seen, stale) in scores.items()
        if report_id not in reports and days == desk.config.iam_audit_window_days
    ]
    before: Report | None = None
    for place, report in enumerate(whole):
        known = scores.get(report.id) if days == desk.config.iam_audit_window_days else None
        could_go = known[0].could_go if known else _could_go(desk, report, days, len(whole) - place)
        turns.append(_turn(report, before, days, could_go))
        before = report
    return tuple(sorted(turns, key=lambda t: t.at))


def _could_go(desk: Desk, report: Report, days: int, from_the_end: int) -> int | None:
    if from_the_end > _JUDGED:
        return None
    reading = readings.read(desk, report.id, days)
    return len(reading.summary.that(Verdict.REMOVE)) if reading else None


def _turn(report: Report, before: Report | None, days: int, could_go: int | None) -> Turn:
    usage = [usage_of(s.last_at, report, days) for s in report.services]
    changes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    if before:
        found = difference(before, report, days)
        all_ = (
            ("newly_used", found.newly_used),
            ("now_stale", found.now_stale),
            ("newly_granted", found.newly_granted),
            ("no_longer_granted", found.no_longer_granted),
            ("no_longer_seen", found.no_longer_seen),
        )
        changes = tuple((what, names) for what, names in all_ if names)
    counts = (len(report.services), usage.count(Usage.USED), usage.count(Usage.STALE))
    return Turn(report.created_at, *counts, could_go, changes)
