"""What a stored report means by the settings of now: the one place where cards, forms and plans get their findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from advisor.core import risk
from advisor.core.errors import AwsError
from advisor.core.estate import Score
from advisor.core.model import Account, Report, Snapshot, Summary
from advisor.core.report import Rules, summarise
from advisor.desk import Desk


@dataclass(frozen=True, slots=True)
class Reading:
    """A report with the snapshot it rests on, judged."""

    report: Report
    snapshot: Snapshot
    summary: Summary


def accounts(desk: Desk) -> tuple[Account, ...]:
    """The accounts that are audited; the named ones where AWS does not say."""
    try:
        return desk.aws.accounts()
    except AwsError:
        return desk.config.named_accounts


def account(desk: Desk, account_id: str) -> Account:
    """An account with its alias, where one is known."""
    return next((a for a in accounts(desk) if a.id == account_id), Account(account_id))


def rules(desk: Desk, window_days: int, account_id: str) -> Rules:
    """The operator's settings, and who the bot is, in an account above all: AWS may not say now which there are."""
    config = desk.config
    own: set[str] = set()
    try:
        me = desk.aws.identity()
    except AwsError:
        me = None
    if me:
        own.add(role_of(me.arn))
        roles = (config.iam_audit_read_role, config.iam_audit_write_role)
        ids = {account_id, *(a.id for a in accounts(desk))}
        own |= {f"arn:{me.partition}:iam::{i}:role/{r}" for i in ids for r in roles if r}
    return Rules(window_days, config.iam_audit_min_age_days, config.iam_audit_protect, frozenset(own))


def role_of(arn: str) -> str:
    """The role of an assumed-role ARN; other principals as they are."""
    head, _, rest = arn.partition(":assumed-role/")
    return f"{head.replace(':sts:', ':iam:')}:role/{rest.partition('/')[0]}" if rest else arn


def snapshot_of(desk: Desk, report_id: int) -> Snapshot | None:
    """What IAM said of the entity when the report was made; None where it is not kept any more."""
    snapshot_id = desk.store.reports.snapshot_id(report_id)
    return desk.store.entities.snapshot(snapshot_id) if snapshot_id else None


def judge(
    desk: Desk, report: Report, snapshot: Snapshot, days: int, called: Mapping[str, str] | None = None
) -> Summary:
    """The findings of a report, with everything that people keep; `called` stays because CloudTrail has calls of it."""
    keeps = desk.store.keeps.standing(desk.clock(), report.entity_id)
    judged_by = rules(desk, days, snapshot.entity.account)
    return summarise(report, snapshot, judged_by, desk.catalogue, keeps, called)


def score(desk: Desk, report: Report, snapshot_id: int) -> Score | None:
    """What a report comes to, for lists and digests; None where its snapshot is not there."""
    snapshot = desk.store.entities.snapshot(snapshot_id)
    if snapshot is None:
        return None
    summary = judge(desk, report, snapshot, desk.config.iam_audit_window_days)
    return risk.score(report, summary, weighed(desk, summary, snapshot))


def weighed(desk: Desk, summary: Summary, snapshot: Snapshot) -> risk.Risk:
    """What the findings of a summary could do, heaviest first."""
    return risk.weigh(summary, snapshot, desk.catalogue)


def read(desk: Desk, report_id: int, days: int) -> Reading | None:
    """A stored report, judged; None where its rows are not kept any more."""
    report = desk.store.reports.get(report_id)
    snapshot = snapshot_of(desk, report_id) if report else None
    if report is None or snapshot is None:
        return None
    return Reading(report, snapshot, judge(desk, report, snapshot, days))
