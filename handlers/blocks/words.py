"""The sentences that several surfaces share: accounts, reasons, failures, numbers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from advisor.core.model import Account, Entity, Failure, Finding, Granularity, Kind, Usage, Verdict, Why
from advisor.core.numbers import Numbers
from handlers.blocks.kit import NAME, clip

DAYS = {
    "mon": "Monday",
    "tue": "Tuesday",
    "wed": "Wednesday",
    "thu": "Thursday",
    "fri": "Friday",
    "sat": "Saturday",
    "sun": "Sunday",
}

NAMES_IN_FULL = 20
NAMES_OF_MANY = 8

KIND = {Kind.ROLE: "Role", Kind.USER: "User", Kind.GROUP: "Group", Kind.POLICY: "Policy"}

USE = {Usage.USED: "Used", Usage.STALE: "Stale", Usage.NEVER: "No attempt", Usage.UNTRACKED: "Cannot tell"}


def some(count: int, one: str, many: str = "") -> str:
    """1 day, 3 days, 1,204 days"""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def numbers(found: Numbers) -> str:
    """45 removed, 12 held now, 3 given back, 0 rolled back: 67 of 1,000 removed came back"""
    said = f"{found.removed:,} removed, {found.held:,} held now, {found.given:,} given back, {found.rolled:,} rolled back"
    rate = found.back_of_a_thousand
    return said if rate is None else f"{said}: {rate:,} came back per 1,000 removed"


def is_channel(conversation: str) -> bool:
    """Whether an id names a channel, public or private; everything else is a direct message or a person."""
    return conversation[:1] in {"C", "G"}


def place_of(conversation: str, user: str) -> str:
    """A channel by its id; any direct message means the person."""
    return conversation if is_channel(conversation) else user


def kind_of(entity: Entity) -> str:
    """Role, User, Group, Customer managed policy, AWS managed policy."""
    if entity.kind is not Kind.POLICY:
        return KIND[entity.kind]
    return "AWS managed policy" if entity.aws_managed else "Customer managed policy"


def account_name(account: Account) -> str:
    """prod (111111111111); never an account without its number."""
    return f"{clip(account.alias, 40)} ({account.id})" if account.alias else f"account {account.id}"


def account_word(account: Account) -> str:
    """prod, or the number where there is no alias."""
    return account.alias or account.id


def listed(names: Sequence[str], tail: str = "in the thread") -> str:
    """All names up to 20, else the first 8 and how many more."""
    names = [clip(n, NAME) for n in names]
    if len(names) <= NAMES_IN_FULL and sum(map(len, names)) <= 400:
        return ", ".join(names)
    return f"{', '.join(names[:NAMES_OF_MANY])} and {len(names) - NAMES_OF_MANY:,} more {tail}"


def why(finding: Finding) -> str:
    """The reason of a verdict in a few words, as it stands in brackets after a service."""
    detail = clip(finding.detail, NAME)
    match finding.why:
        case Why.SHARED:
            return f"policy shared with {some(int(detail), 'other')}"
        case Why.GROUP:
            return f"granted through group {detail}"
        case Why.PROTECTED:
            return "protected"
        case Why.YOUNG:
            return f"too young until {detail}"
        case Why.AWS_MANAGED:
            return f"in {detail}, which also grants something that stays"
        case Why.PASS_ROLE if detail:
            return f"includes {detail}, which is never tracked"
        case Why.KEPT:
            return f"kept until {detail}" if detail else "kept by a person"
        case Why.CALLED:
            return f"CloudTrail has {detail}" if detail else "CloudTrail has a call"
        case Why.ADMIN:
            return f"“Allow * on *” in {detail}"
        case _:
            return _WHY[finding.why]


_WHY = {
    Why.USED: "used",
    Why.STALE: "stale",
    Why.UNTRACKED: "not tracked",
    Why.UNUSED: "no attempt seen",
    Why.DENIED: "a Deny stands above it",
    Why.NOT_ACTION: "granted by NotAction",
    Why.UNATTACHED: "the policy is attached to nobody",
    Why.GRANT_UNKNOWN: "what grants it is not known",
    Why.PASS_ROLE: "passing is never tracked",
}


def fate(finding: Finding) -> str:
    """What happens to a row: Could go; Stays: …; A person decides: …"""
    if finding.verdict is Verdict.REMOVE:
        return "Could go"
    return f"{'Stays' if finding.verdict is Verdict.KEEP else 'A person decides'}: {why(finding)}"


def grouped(findings: Iterable[Finding]) -> str:
    """dynamodb, s3 (used) · kms (too young until 2027-02-10)"""
    by_reason: dict[str, list[str]] = {}
    for finding in findings:
        by_reason.setdefault(why(finding), []).append(finding.service)
    parts = [f"{listed(sorted(names))} ({reason})" for reason, names in by_reason.items()]
    shown: list[str] = []
    size = 0
    for part in parts:
        size += len(part)
        if shown and size > 360:  # a parent card stays within one screen
            break
        shown.append(part)
    left = len(parts) - len(shown)
    return " · ".join(shown) + (f" · and {some(left, 'more reason')} in the thread" if left else "")


def because(failure: Failure, entity_name: str, account: Account | None) -> str:
    """Why there is no result, after the word Failed."""
    where = account_word(account) if account else failure.account
    match failure.code:
        case "refused" if failure.call == "sts:AssumeRole":
            return f"the bot may not enter {where}"
        case "refused" if "no AWS credentials" in failure.message:
            return "the bot has no AWS credentials"
        case "refused":  # without an account: it was asked who it is
            return f"the bot may not read in {where}" if where else "AWS refuses the bot's own credentials"
        case "throttled":
            return f"AWS refused the report {some(failure.tries, 'time')}: rate exceeded"
        case "unreachable" | "expired":
            return f"AWS gave no answer to {failure.call}, {some(failure.tries, 'try', 'tries')}"
        case "stuck":
            return "AWS did not finish the report in time"
        case "lost":
            return "AWS says four times that it does not know the report it began"
        case "gone":
            return f"{entity_name} does not exist any more in {where}"
        case "recreated":
            return f"{entity_name} was deleted and created again meanwhile: this is another {entity_name}"
        case "report_failed":
            return "AWS ended the report as failed"
        case _:
            return _BECAUSE.get(failure.code, "AWS did not take the question")


_BECAUSE = {
    "not_found": "there is nothing of that name",
    "ambiguous": "the name is in several places",
    "thinned": "the result is older than what is kept",
    "no_result": "this card has no result yet",
    "forbidden": "the person who asked may not",
}


def helps(failure: Failure) -> str:
    """What helps, and whether a retry alone can."""
    match failure.code:
        case "refused" if "no AWS credentials" in failure.message:
            return "the operator gives the bot AWS credentials, then Retry. A retry alone will fail again."
        case "refused":
            return "an AWS administrator allows this, then Retry. A retry alone will fail again."
        case "throttled":
            return "retry in a few minutes. Other tools in this account share the same limit."
        case "recreated":
            return "Retry audits the new one. It has another id, so nothing known of the old one counts."
        case "gone":
            return "nothing, if it was meant to go. If it is there again, Retry finds it."
        case "thinned" | "no_result":
            return "press Refresh for a new result."
        case "not_found" | "ambiguous":
            return "ask again with another name or account."
        case _:
            return "Retry. If it fails again, AWS’s own status page may know more."


def level(granularity: Granularity) -> str:
    """service, action"""
    return "action" if granularity is Granularity.ACTION else "service"
