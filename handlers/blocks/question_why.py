"""The answer to `why`: what grants or denies one call, when it was last used, who decided what. Pure."""

from __future__ import annotations

from typing import Any

from advisor.core.model import TRACKED_DAYS, Kind
from advisor.core.removal import TicketState
from advisor.core.why import KeepLine, LastUse, Line, Says, Seen, TicketLine, Why, load
from handlers.blocks import kit, words
from handlers.blocks.kit import Message, Part
from handlers.blocks.question import EXPORT, QuestionView, whose

COLUMNS = (
    "effect",
    "policy",
    "policy_kind",
    "policy_arn",
    "through_group",
    "statement",
    "sid",
    "matches",
    "not_action",
    "resources",
    "conditional",
)
_SHOWN = 4
_KINDS = {"inline": "inline policy", "customer": "customer managed policy", "aws": "AWS managed policy"}
S = TicketState
_OPEN = {S.OPEN, S.APPROVED, S.APPLYING, S.HELD, S.ROLLING_BACK, S.NEEDS_HUMAN}
_STATES = {
    S.OPEN: "would take {what} away and waits for approval",
    S.APPROVED: "takes {what} away: approved, not begun",
    S.APPLYING: "is taking {what} away now",
    S.HELD: "denies {what} for now: it is held before it is taken away",
    S.APPLIED: "took {what} away",
    S.ROLLING_BACK: "is giving {what} back now",
    S.ROLLED_BACK: "took {what} away and gave it back",
    S.NEEDS_HUMAN: "is about {what} and needs a person",
    S.REJECTED: "was to take {what} away and was rejected",
    S.CANCELLED: "was to take {what} away and was cancelled",
    S.EXPIRED: "was to take {what} away and expired",
    S.SUPERSEDED: "was to take {what} away and was replaced by another ticket",
    S.DRIFTED: "was to take {what} away; something moved first, and nothing was written",
}


def _name(view: QuestionView) -> str:
    return kit.clip(view.entity.name, kit.NAME) if view.entity else view.of


def headline(view: QuestionView) -> str:
    """The answer as a sentence."""
    found = load(view.question.result)
    to = "by" if view.entity and view.entity.kind is Kind.POLICY else "to"
    whom = f"{to} {_name(view)}"
    match found.says:
        case Says.ALLOWED:
            return f"{found.action} is granted {whom}"
        case Says.PARTLY:
            return f"{found.action} is granted {whom}, and denied in some cases"
        case Says.DENIED:
            return f"{found.action} is denied {whom}, whatever grants it"
        case _:
            return f"{found.action} is not granted {whom}"


def card(view: QuestionView) -> Message:
    """What grants and denies it, the last use, what people decided, what is open."""
    found = load(view.question.result)
    blocks: list[Any] = [
        kit.header(kit.clip(headline(view), 150)),
        kit.rich(*_statements(found)),
        kit.rich(kit.section(kit.text("Last use: ", bold=True), kit.text(used(view, found)))),
        kit.rich(*_decided(found)),
        kit.actions(kit.button("Export CSV", EXPORT, view.question.id)),
        kit.context(*whose(view), kit.plain(_where(view), 200), kit.fixed(_read(found))),
        kit.small(_NOT_SEEN),
    ]
    by = "; ".join(line(x) for x in found.lines[:2])
    said = f"{headline(view)}{f': {by}' if by else ''}. Last use: {used(view, found)}"
    return Message(kit.clip(said, kit.SPOKEN), blocks)


_NOT_SEEN = (
    "Policies of the entity and of its groups are looked at. A permissions boundary, SCPs, resource policies and session "
    "policies can also deny or allow it. Attempts that were denied count as use."
)


def _where(view: QuestionView) -> str:
    if view.entity is None:
        return ""
    return f"{words.kind_of(view.entity)} in {words.account_name(view.account(view.entity.account))}"


def _read(found: Why) -> str:
    """When the policies were read."""
    when = f"Policies as of {kit.token(found.read_at)}"
    return f"{when}; AWS gave no answer now" if found.stale else when


# -- statements ----------------------------------------------------------------------------------------------------


def _statements(found: Why) -> list[Any]:
    parts: list[Any] = []
    for label, lines in (("Denied by", found.denies), ("Granted by", found.allows)):
        if not lines:
            continue
        shown = [kit.section(*_line(x)) for x in lines[:_SHOWN]]
        more = len(lines) - _SHOWN
        if more > 0:
            shown.append(kit.section(kit.text(f"and {words.some(more, 'more statement')} in the CSV")))
        parts += [kit.section(kit.text(label, bold=True)), kit.bullets(shown)]
    return parts or [kit.section(kit.text("No statement of its policies speaks of it."))]


def _line(x: Line) -> list[Part]:
    kind = _KINDS.get(x.kind, x.kind)
    parts: list[Part] = [kit.code(x.policy), kit.text(f", {kind}")]
    if x.group:
        parts += [kit.text(" through group "), kit.code(x.group)]
    parts.append(kit.text(f", {_place(x)}: {'all but ' if x.inverted else ''}"))
    return [*parts, kit.code(x.pattern), kit.text(f"{' (NotAction)' if x.inverted else ''} {_limits(x)}")]


def line(x: Line) -> str:
    """The same in plain words."""
    through = f" through group {kit.clip(x.group, kit.NAME)}" if x.group else ""
    entries = kit.clip(x.pattern, kit.NAME)
    which = f"all but {entries} (NotAction)" if x.inverted else entries
    verb = "granted" if x.allow else "denied"
    return f"{verb} by {kit.clip(x.policy, kit.NAME)}{through}, {_place(x)}: {which} {_limits(x)}"


def _place(x: Line) -> str:
    sid = f" “{kit.clip(x.sid, kit.NAME)}”" if x.sid else ""
    return f"statement {x.place}{sid}"


def _limits(x: Line) -> str:
    """On which resources, and whether conditions hold."""
    if "*" in x.resources:
        where = "on any resource"
    elif len(x.resources) == 1:
        where = f"on {kit.clip(x.resources[0], kit.TAG)}"
    elif x.resources:
        where = f"on {words.some(len(x.resources), 'resource')}"
    else:
        where = "on all but some resources (NotResource)"
    return f"{where}, under conditions" if x.conditional else where


# -- use -----------------------------------------------------------------------------------------------------------


def used(view: QuestionView, found: Why) -> str:
    """When it was last used, and on which report that rests."""
    last, service = found.used, found.action.partition(":")[0]
    of = f"report of {kit.minute(last.report_at)}" if last.report_at else ""
    match last.seen:
        case Seen.ACTION:
            return f"attempted {_attempt(last)} (action {of})"
        case Seen.NO_ATTEMPT:
            return f"no attempt seen in up to {TRACKED_DAYS} days (action {of})"
        case Seen.NOT_TRACKED:
            whole = (
                f"{service} as a whole was attempted {kit.day(last.service_at)}" if last.service_at else ""
            )
            rest = whole or f"no attempt on {service} was seen"
            return f"cannot be told: not tracked, or not granted at the time of the action {of}; {rest}"
        case Seen.SERVICE:
            return (
                f"{service} was attempted {_attempt(last)}, whichever action (service {of}). {_deeper(view)}"
            )
        case Seen.SERVICE_NEVER:
            return f"no attempt on {service} seen in up to {TRACKED_DAYS} days ({of})"
        case Seen.NOT_LISTED:
            return f"cannot be told: the {of} does not list {service}"
        case _:
            return f"no report is stored. {_deeper(view)}"


def _attempt(last: LastUse) -> str:
    day = kit.day(last.at) if last.at else ""
    by = f" by {kit.clip(last.by.rpartition(':')[2], kit.NAME)}" if last.by else ""
    return f"{day}{by}{f' in {kit.clip(last.region, 32)}' if last.region else ''}"


def _deeper(view: QuestionView) -> str:
    kind = view.entity.kind.value if view.entity else view.asked.get("kind") or "role"
    return f"/iam-audit {kind} {_name(view)} actions tells of single actions, where AWS tracks them."


# -- people --------------------------------------------------------------------------------------------------------


def _decided(found: Why) -> list[Any]:
    """What is open first, then what was decided, then what is kept."""
    open_ = [t for t in found.tickets if S(t.state) in _OPEN]
    ended = [t for t in found.tickets if S(t.state) not in _OPEN]
    parts: list[Any] = []
    for label, lines in (
        ("Open", [_ticket(t) for t in open_]),
        ("Kept by people", [_keep(k) for k in found.keeps]),
        ("Decided before", [_ticket(t) for t in ended]),
    ):
        if not lines:
            continue
        shown = [kit.section(*x) for x in lines[:_SHOWN]]
        more = len(lines) - _SHOWN
        if more > 0:
            shown.append(kit.section(kit.text(f"and {more:,} more")))
        parts += [kit.section(kit.text(label, bold=True)), kit.bullets(shown)]
    return parts or [kit.section(kit.text("Nobody decided anything about it: no ticket and no keep."))]


def _ticket(t: TicketLine) -> list[Part]:
    state = S(t.state)
    what = "everything" if t.quarantine else "the whole service" if t.whole else "it"
    told = _STATES[state].format(what=what) if not t.quarantine else _quarantined(state)
    back = ", and gave it back since" if t.given_back and state in {S.APPLIED, S.HELD} else ""
    policies = f" from {words.listed(t.policies)}" if t.policies and not t.quarantine else ""
    parts: list[Part] = [
        kit.text(f"Ticket {t.ticket}", bold=True),
        kit.text(f"{_of(t.of)} {told}{policies}{back}, "),
        kit.date(t.at),
        kit.text("; asked by "),
        *_people(t.requesters),
    ]
    if t.approvers:
        parts += [kit.text(", approved by "), *_people(t.approvers)]
    parts.append(kit.text(f". Reason: {kit.clip(t.reason, kit.TAG)}"))
    if t.words and state in {S.REJECTED, S.CANCELLED, S.ROLLED_BACK, S.SUPERSEDED}:
        parts += [kit.text(" · Then "), *_people((t.by,)), kit.text(f": {kit.clip(t.words, kit.TAG)}")]
    return parts


def _quarantined(state: TicketState) -> str:
    return _STATES[state].replace("take {what} away", "deny everything").format(what="everything")


def _keep(k: KeepLine) -> list[Part]:
    what = "the whole entity" if k.whole else "the service"
    return [
        kit.text(f"Keep {k.keep}", bold=True),
        kit.text(f"{_of(k.of)}: {what} until "),
        kit.date(k.until),
        kit.text(", by "),
        *_people((k.user,)),
        kit.text(f". Reason: {kit.clip(k.reason, kit.TAG)}"),
    ]


def _of(of: str) -> str:
    return f" of the {kit.clip(of, kit.NAME)}" if of else ""


def _people(users: tuple[str, ...]) -> list[Part]:
    """Mentions of ids; "bot" and the like stay words."""
    parts: list[Part] = []
    for n, user in enumerate(users[:4]):
        parts += [kit.text(", ")] if n else []
        parts.append(kit.person(user) if user[:1] in {"U", "W"} and user.isalnum() else kit.text(user or "–"))
    return parts


# -- the files -----------------------------------------------------------------------------------------------------


def rows(view: QuestionView) -> list[dict[str, str]]:
    """One row a statement."""
    return [
        dict(
            zip(
                COLUMNS,
                (
                    "Allow" if x.allow else "Deny",
                    x.policy,
                    x.kind,
                    x.arn,
                    x.group,
                    str(x.place),
                    x.sid,
                    x.pattern,
                    str(x.inverted).lower(),
                    " ".join(x.resources),
                    str(x.conditional).lower(),
                ),
                strict=True,
            )
        )
        for x in load(view.question.result).lines
    ]
