"""What a sweep found beyond single services: the reply in its thread, and the words that its files share. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from advisor.core import scp
from advisor.core.credentials import Flaw, Held, Weakness
from advisor.core.findings import AccountFindings, Idle, IdleEntity
from advisor.core.model import TRACKED_DAYS, Account, Failure, Kind
from advisor.core.scp import NEVER_DENIED, Spared
from handlers.blocks import kit, words
from handlers.blocks.kit import Message

IDLE = {
    Idle.NO_ATTEMPT: f"no attempt seen in up to {TRACKED_DAYS} days",
    Idle.BEFORE_WINDOW: "no attempt within the window",
    Idle.GRANTS_NOTHING: "no policy grants it anything, and no attempt was seen",
    Idle.NO_MEMBERS: "no members",
    Idle.NOT_ATTACHED: "attached to nobody, and nobody’s boundary",
    Idle.EMPTY_GROUPS: "attached only to groups without members",
}
"""Why an entity is named."""

FLAW = {
    Flaw.NO_USE: "no use seen since AWS began to track it, and older than the window",
    Flaw.BEFORE_WINDOW: "last used before the window",
    Flaw.OLD: "in use, and older than a key should become",
    Flaw.ROOT_KEY: "the root user should have no access key",
    Flaw.NO_MFA: "a password without a second factor",
}
"""Why a key or a password is named."""

SPARED = {
    Spared.BOT: "the bot needs it",
    Spared.ACCOUNT: "signing in, the account, bills and support need it",
    Spared.GLOBAL: "a global service, which AWS’s own policies for Regions leave alone",
    Spared.YOUNG: "granted to a role or user that is too young to judge",
    Spared.UNTOLD: "cannot be told for everybody who is granted it",
}
"""Why a service that nobody tried is not denied."""

COPY = "the same inline policy, by its meaning"
NOBODY = f"no attempt by anybody in the account in up to {TRACKED_DAYS} days"

_NOTHING = ("Nothing: ", "no entity, key, password, policy or service of the kinds that it looks for")

_LINE = 300
"""Characters of names on one line at most."""

_ACCOUNTS = 6
"""Accounts that have a line of their own."""


def thread(findings_by_account: Sequence[AccountFindings]) -> Message:
    """The reply under a sweep's card: counts, the first names, what cannot be told, and where each comes from."""
    found = sorted(findings_by_account, key=lambda f: (-_weight(f), f.account))
    lines = [line for line in (*_idle(found), *_credentials(found), *_copies(found)) if line[0]]
    services = _services(found)
    blocks: list[Any] = [
        kit.rich(
            kit.section(kit.text("What else the sweep found", bold=True), kit.text(f" · {_where(found)}")),
            kit.bullets([kit.labelled(head, rest) for head, rest in (*lines, *services) or [_NOTHING]]),
        )
    ]
    if len(found) > 1 and lines:
        blocks.append(_by_account(found))
    told = _untold(found)
    blocks.append(
        kit.rich(
            kit.section(kit.text("What cannot be told", bold=True)),
            kit.bullets([kit.section(kit.text(line)) for line in told]),
        )
    )
    blocks += [kit.small(line) for line in _small(found, denied=bool(services))]
    said = [head.rstrip(": ") for head, _ in (*lines, *services)]
    text = "; ".join(said[:6]) or "nothing of what it looked for"
    return Message(f"What else the sweep of {_where(found)} found: {text}. It changes nothing.", blocks)


def _where(found: Sequence[AccountFindings]) -> str:
    if len(found) == 1:
        return words.account_name(_account(found[0]))
    return words.some(len(found), "account")


def _account(found: AccountFindings) -> Account:
    return Account(found.account, found.alias)


def _word(found: AccountFindings) -> str:
    return kit.clip(words.account_word(_account(found)), 40)


def _weight(found: AccountFindings) -> int:
    return len(found.idle) + len(found.weaknesses) + len(found.copies) + len(found.unneeded.services)


def names(items: Iterable[str]) -> str:
    """The first eight, fewer where they are long, and how many more there are."""
    every = [kit.clip(item, 100) for item in items]
    shown: list[str] = []
    for item in every[: words.NAMES_OF_MANY]:
        if shown and sum(map(len, shown)) + len(item) > _LINE:
            break
        shown.append(item)
    left = len(every) - len(shown)
    return ", ".join(shown) + (f" and {left:,} more in the CSV" if left else "")


Line = tuple[str, str]
"""A label with its number, and the names."""


def _named(found: Sequence[AccountFindings], account: AccountFindings, name: str) -> str:
    """A name; with the account where there are several."""
    return f"{kit.clip(name, kit.NAME)} ({_word(account)})" if len(found) > 1 else kit.clip(name, kit.NAME)


# -- roles, users, groups, policies ----------------------------------------------------------------------------------


def _idle(found: Sequence[AccountFindings]) -> list[Line]:
    days = found[0].window_days if found else 0
    heads = {
        Kind.ROLE: f"with no attempt in {words.some(days, 'day')}",
        Kind.USER: f"with no attempt in {words.some(days, 'day')}"
        + (", no sign-in and no use of a key" if all(f.credentials_at for f in found) else ""),
        Kind.GROUP: "without members",
        Kind.POLICY: "attached to nobody, and nobody’s boundary",
    }
    nouns = {
        Kind.ROLE: ("role", ""),
        Kind.USER: ("user", ""),
        Kind.GROUP: ("group", ""),
        Kind.POLICY: ("customer managed policy", "customer managed policies"),
    }
    return [_idle_line(found, kind, nouns[kind], head) for kind, head in heads.items()]


def _idle_line(found: Sequence[AccountFindings], kind: Kind, noun: tuple[str, str], head: str) -> Line:
    those: list[tuple[AccountFindings, IdleEntity]] = [
        (f, e) for f in found for e in f.idle if e.kind is kind
    ]
    if not those:
        return ("", "")
    why = Counter(e.why for _, e in those)
    apart = [
        f"{why[reason]:,} {said}"
        for reason, said in (
            (Idle.NO_ATTEMPT, f"with none seen in up to {TRACKED_DAYS} days"),
            (Idle.GRANTS_NOTHING, "without any policy"),
            (Idle.EMPTY_GROUPS, "only to groups without members"),
        )
        if why[reason]
    ]
    label = f"{len(those):,} of {words.some(sum(f.of(kind) for f in found), *noun)} {head}" + (
        f" ({', '.join(apart)})" if apart else ""
    )
    return (f"{label}: ", names(_named(found, f, e.name) for f, e in those))


# -- keys, passwords, MFA --------------------------------------------------------------------------------------------


def _credentials(found: Sequence[AccountFindings]) -> list[Line]:
    every = [(f, w) for f in found for w in f.weaknesses]
    root = [(f, w) for f, w in every if w.flaw is Flaw.ROOT_KEY]
    keys = [(f, w) for f, w in every if w.held is Held.KEY and w.flaw is not Flaw.ROOT_KEY]
    passwords = [(f, w) for f, w in every if w.held is Held.PASSWORD]
    signing = sum(f.passwords for f in found)
    factors = [(f, w) for f, w in every if w.held is Held.NO_MFA]
    return [
        _held_line(
            found, root, words.some(len(root), "access key of a root user", "access keys of root users")
        ),
        _held_line(found, keys, _part(keys, sum(f.active_keys for f in found), "active access key")),
        _held_line(found, passwords, _part(passwords, signing, "console password")),
        _held_line(found, factors, _part(factors, signing, "console password") + " without MFA"),
    ]


def _part(those: Sequence[object], whole: int, noun: str) -> str:
    """3 of 14 active access keys"""
    return f"{len(those):,} of {words.some(whole, noun)}"


def _held_line(
    found: Sequence[AccountFindings], those: list[tuple[AccountFindings, Weakness]], label: str
) -> Line:
    if not those:
        return ("", "")
    flaws = Counter(w.flaw for _, w in those)
    first = found[0]
    apart = [
        f"{flaws[flaw]:,} {said}"
        for flaw, said in (
            (Flaw.NO_USE, "without a use seen"),
            (Flaw.BEFORE_WINDOW, f"last used more than {words.some(first.window_days, 'day')} before"),
            (Flaw.OLD, f"older than {words.some(first.key_days, 'day')}"),
        )
        if flaws[flaw]
    ]
    label += f", {', '.join(apart)}" if apart else ""
    return (f"{label}: ", names(_named(found, f, holder(w)) for f, w in those))


def holder(weakness: Weakness) -> str:
    """eve; eve key 2; root user"""
    who = "root user" if weakness.user.startswith("<") else weakness.user
    return f"{who} key {weakness.key}" if weakness.key else who


# -- copies and services ---------------------------------------------------------------------------------------------


def _copies(found: Sequence[AccountFindings]) -> list[Line]:
    every = [(f, c) for f in found for c in f.copies]
    if not every:
        return []
    said = [
        _named(found, f, f"{c.holders[0][1]} in {words.some(len({arn for arn, _ in c.holders}), 'role')}")
        for f, c in every
    ]
    what = "inline policy that several roles have, the same by its meaning"
    return [(f"{words.some(len(every), what, what.replace('policy', 'policies', 1))}: ", names(said))]


def _services(found: Sequence[AccountFindings]) -> list[Line]:
    some = [f for f in found if f.unneeded.services]
    lines = []
    for f in some[:_ACCOUNTS]:
        count = len(f.unneeded.services)
        where = words.account_name(_account(f))
        label = f"{count:,} of {words.some(f.unneeded.granted, 'granted service')} that nobody in {where} tried in up to {TRACKED_DAYS} days"
        documents = len(scp.documents(f.unneeded.services))
        tail = f". As {words.some(documents, 'service control policy', 'service control policies')} in the files, never applied"
        lines.append((f"{label}: ", names(f.unneeded.services) + tail))
    if len(some) > _ACCOUNTS:
        more = words.some(len(some) - _ACCOUNTS, "more account")
        lines.append((f"{more} with services that nobody tried: ", names(_word(f) for f in some[_ACCOUNTS:])))
    return lines


def _by_account(found: Sequence[AccountFindings]) -> Any:
    lines = []
    for f in [f for f in found if _weight(f)][:_ACCOUNTS]:
        kinds = Counter(e.kind for e in f.idle)
        counts = [
            (kinds[Kind.ROLE], "role", ""),
            (kinds[Kind.USER], "user", ""),
            (kinds[Kind.GROUP], "group", ""),
            (kinds[Kind.POLICY], "policy", "policies"),
            (len(f.weaknesses), "key or password", "keys and passwords"),
            (len(f.copies), "repeated policy", "repeated policies"),
            (len(f.unneeded.services), "service that nobody tried", "services that nobody tried"),
        ]
        said = ", ".join(words.some(n, one, many) for n, one, many in counts if n)
        lines.append(kit.labelled(f"{words.account_name(_account(f))}: ", said))
    left = sum(bool(_weight(f)) for f in found) - len(lines)
    if left:
        lines.append(kit.section(kit.text(f"{words.some(left, 'more account')} in the CSV")))
    return kit.rich(kit.section(kit.text("By account", bold=True)), kit.bullets(lines))


# -- what cannot be told ---------------------------------------------------------------------------------------------


def _untold(found: Sequence[AccountFindings]) -> list[str]:
    lines = []
    blind = [f for f in found if f.unneeded.unread]
    if unread := sum(f.left_out.unread for f in found):
        lines.append(
            f"{words.some(unread, 'entity', 'entities')} could not be read: about them nothing is known"
        )
    if blind:
        where = names(_word(f) for f in blind)
        lines.append(f"So whether anybody tried a service cannot be told, and none is proposed, in: {where}")
    for said, those in _unread_credentials(found).items():
        lines.append(f"Keys, passwords and MFA in {names(_word(f) for f in those)}: {said}")
    if untold := sum(f.credentials_untold for f in found):
        lines.append(
            f"Of {words.some(untold, 'key or password', 'keys or passwords')} AWS does not tell the use"
        )
    if untold := sum(f.left_out.untold for f in found):
        lines.append(
            f"{words.some(untold, 'entity', 'entities')} of unknown age, or with no service that Access Advisor tells of"
        )
    if unseen := sum(bool(e.untold) for f in found for e in f.idle):
        lines.append(
            f"{unseen:,} of the roles and users above also {'has' if unseen == 1 else 'have'} services that are not "
            "tracked, and may live by them: the CSV names them"
        )
    return [
        *lines,
        "A role that is used only by policies on resources shows no attempt; of the root user there is no report",
        "Since when a group is empty, or a policy attached to nobody, IAM does not say",
    ]


def _unread_credentials(found: Sequence[AccountFindings]) -> dict[str, list[AccountFindings]]:
    """Accounts without a credential report, by what is said of that."""
    reasons: dict[str, list[AccountFindings]] = {}
    for f in found:
        if f.credentials_at is None:
            reasons.setdefault(_because(f.failure), []).append(f)
    return reasons


def _because(failure: Failure | None) -> str:
    if failure is None:
        return "they were not read"
    match failure.code:
        case "refused":
            return f"AWS refused to let the bot read them ({kit.clip(failure.call, kit.NAME)})"
        case "busy" | "missing":
            return "AWS had not made the report in time"
        case "throttled":
            return "AWS limits the rate of calls there"
        case _:
            return "AWS gave no answer"


def _small(found: Sequence[AccountFindings], *, denied: bool) -> list[str]:
    """Where it comes from, what was left out, and what a service control policy here never denies."""
    made = [f.credentials_at for f in found if f.credentials_at]
    of = f" of {kit.minute(min(made))}" + (" or later" if len(made) > 1 else "") if made else ""
    source = (
        f"IAM’s credential report{of}, made at most once in four hours; Access Advisor knows nothing of them"
    )
    lines = [
        f"Roles, users, services: IAM Access Advisor. Groups, policies, documents: IAM’s own lists. Keys, passwords, MFA: {source}."
    ]
    out = [
        f"{n:,} {said}"
        for n, said in (
            (sum(f.left_out.protected for f in found), "protected or service-linked"),
            (sum(f.left_out.young for f in found), "too young to judge"),
            (sum(f.left_out.kept for f in found), "kept by a person"),
        )
        if n
    ]
    if out:
        lines.append(f"Seemingly idle and left out: {', '.join(out)}.")
    if denied:
        bot = ", ".join(sorted(s for s, why in NEVER_DENIED.items() if why is Spared.BOT))
        lines.append(
            f"Never in a proposed service control policy: what the bot needs ({bot}), signing in, the account and its bills, "
            "global services, what a young role or user is granted, and what cannot be told for all. Such a policy does not "
            "bind the management account or service-linked roles."
        )
    return lines
