"""Why an entity may (or may not) make one call: which statements speak of it, when it was last used, who decided. Pure.

Documents alone are judged: a permissions boundary, SCPs, resource policies and session policies are not looked at.
Source for the order of decisions: IAM User Guide, "Policy evaluation logic" (an explicit Deny wins).
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from advisor.core.model import Policy, Report
from advisor.core.policy import Catalogue, Statement, matches, statements

_NEAR = 3
"""So many right actions are named beside a wrong one."""


class Says(StrEnum):
    """What the documents say of one call, all statements together."""

    ALLOWED = "allowed"
    DENIED = "denied"  # on every resource, unconditionally
    PARTLY = "partly_denied"  # allowed, and a Deny holds for some resources or conditions
    NOT_GRANTED = "not_granted"


class Seen(StrEnum):
    """What the stored reports say of its use."""

    ACTION = "action"  # an action report names it, and when it was attempted
    NO_ATTEMPT = "no_attempt"  # an action report tracks it, without an attempt
    NOT_TRACKED = "not_tracked"  # an action report has the service and does not track this action
    SERVICE = "service"  # only service reports: when the service was attempted, whichever action
    SERVICE_NEVER = "service_never"  # a report has the service, without an attempt
    NOT_LISTED = "not_listed"  # the report does not list the service: it says nothing
    NO_REPORT = "no_report"  # none is stored


@dataclass(frozen=True, slots=True)
class Line:
    """One statement that speaks of the call. `place` counts from 1; `pattern` is the entry that matches."""

    policy: str
    kind: str
    arn: str
    group: str
    place: int
    sid: str
    allow: bool
    pattern: str
    inverted: bool  # NotAction: everything but its entries
    resources: tuple[str, ...]
    conditional: bool

    @property
    def blanket(self) -> bool:
        """Whether it speaks of any resource, unconditionally."""
        return "*" in self.resources and not self.conditional


@dataclass(frozen=True, slots=True)
class LastUse:
    """When it was last attempted, and on which report that rests."""

    seen: Seen
    at: datetime | None = None
    by: str = ""
    region: str = ""
    report_at: datetime | None = None
    service_at: datetime | None = None  # of the whole service, where the action itself is not told of


@dataclass(frozen=True, slots=True)
class TicketLine:
    """A ticket about the call: what it takes (took), who asked, who approved, and where it stands."""

    ticket: int
    state: str
    at: datetime
    requesters: tuple[str, ...]
    approvers: tuple[str, ...]
    reason: str
    whole: bool  # the service went, not only this action
    policies: tuple[str, ...]
    given_back: bool = False
    quarantine: bool = False
    of: str = ""  # whose ticket, where it is not the entity's own: "group developers"
    by: str = ""  # who brought it into its state, and their words
    words: str = ""


@dataclass(frozen=True, slots=True)
class KeepLine:
    """A keep that covers the call."""

    keep: int
    user: str
    until: datetime
    reason: str
    whole: bool  # of the whole entity
    of: str = ""


@dataclass(frozen=True, slots=True)
class Why:
    """The answer to `why`."""

    entity_id: int
    action: str
    read_at: datetime
    lines: tuple[Line, ...]
    used: LastUse
    tickets: tuple[TicketLine, ...] = ()
    keeps: tuple[KeepLine, ...] = ()
    stale: str = ""  # why the documents were not read now, where they are old

    @property
    def allows(self) -> tuple[Line, ...]:
        """The statements that allow it."""
        return tuple(x for x in self.lines if x.allow)

    @property
    def denies(self) -> tuple[Line, ...]:
        """The statements that deny it."""
        return tuple(x for x in self.lines if not x.allow)

    @property
    def says(self) -> Says:
        """All statements together."""
        if any(x.blanket for x in self.denies):
            return Says.DENIED
        if not self.allows:
            return Says.NOT_GRANTED
        return Says.PARTLY if self.denies else Says.ALLOWED


def speaking(policies: Iterable[Policy], action: str) -> tuple[Line, ...]:
    """Every statement that speaks of `service:Action`, Deny first. A document that cannot be read says nothing."""
    found: list[Line] = []
    for policy in policies:
        try:
            read, sids = statements(policy.text), _sids(policy.text)
        except (ValueError, RecursionError):
            continue
        found += [
            _line(policy, place, sid, statement, action)
            for place, (statement, sid) in enumerate(zip(read, sids, strict=True), 1)
            if statement.names(action) and (statement.actions or statement.not_actions)
        ]
    return tuple(sorted(found, key=lambda x: x.allow))


def _line(policy: Policy, place: int, sid: str, statement: Statement, action: str) -> Line:
    inverted = bool(statement.not_actions)
    entries = statement.not_actions if inverted else tuple(p for p in statement.actions if matches(p, action))
    return Line(
        policy=policy.name,
        kind=policy.kind.value,
        arn=policy.arn,
        group=policy.group,
        place=place,
        sid=sid,
        allow=statement.allow,
        pattern=", ".join(entries) if inverted else min(entries, key=lambda p: ("*" in p or "?" in p, p)),
        inverted=inverted,
        resources=statement.resources,
        conditional=statement.conditional,
    )


def _sids(text: str) -> tuple[str, ...]:
    """The Sid of each statement, in the order of `statements`."""
    found = json.loads(text.lstrip("\ufeff")).get("Statement")
    rows = found if isinstance(found, list) else [found]
    return tuple(str(s.get("Sid") or "") for s in rows if isinstance(s, dict))


def last_use(action: str, deep: Report | None, shallow: Report | None) -> LastUse:
    """What the newest action report and the newest service report say of one action."""
    service, _, name = action.partition(":")
    report = deep or shallow
    if report is None:
        return LastUse(Seen.NO_REPORT)
    rows = {s.namespace: s for r in (shallow, deep) if r for s in r.services}
    newest = max((r for r in (deep, shallow) if r), key=lambda r: r.created_at)
    listed = next((s for s in newest.services if s.namespace == service), rows.get(service))
    if listed is None:
        return LastUse(Seen.NOT_LISTED, report_at=newest.created_at)
    row = next((s for s in deep.services if s.namespace == service), None) if deep else None
    if deep and row is not None:
        tracked = next((a for a in row.actions or () if a.name.casefold() == name.casefold()), None)
        if tracked is None:
            return LastUse(Seen.NOT_TRACKED, report_at=deep.created_at, service_at=listed.last_at)
        if tracked.last_at is None:
            return LastUse(Seen.NO_ATTEMPT, report_at=deep.created_at, service_at=listed.last_at)
        return LastUse(
            Seen.ACTION, tracked.last_at, tracked.last_by, tracked.region, deep.created_at, listed.last_at
        )
    if listed.last_at is None:
        return LastUse(Seen.SERVICE_NEVER, report_at=newest.created_at)
    return LastUse(
        Seen.SERVICE, listed.last_at, listed.last_by, listed.region, newest.created_at, listed.last_at
    )


# -- the action ----------------------------------------------------------------------------------------------------


def known(typed: str, catalogue: Catalogue) -> str:
    """The action as AWS writes it (`s3:GetObject`), or empty where the catalogue has none of that name."""
    service, _, name = typed.partition(":")
    names = {n.casefold(): n for n in catalogue.actions(service.lower())}
    found = names.get(name.casefold(), "")
    return f"{service.lower()}:{found}" if found else ""


def nearest(typed: str, catalogue: Catalogue) -> tuple[str, ...]:
    """Right actions like one that is not known; nothing where none is near."""
    service, colon, name = typed.lower().partition(":")
    if not colon:
        service, name = "", service
    services: Sequence[str] = [service] if service in catalogue.services() else []
    if service and not services:
        services = difflib.get_close_matches(service, sorted(catalogue.services()), n=_NEAR, cutoff=0.6)
    if not service:  # only the action's name: whoever has one of it
        exact = sorted(
            f"{s}:{n}" for s in catalogue.services() for n in catalogue.actions(s) if n.lower() == name
        )
        return tuple(exact[:_NEAR])
    found: list[str] = []
    for one in services:
        names = {n.lower(): n for n in catalogue.actions(one)}
        near = [name] if name in names else difflib.get_close_matches(name, names, n=_NEAR, cutoff=0.6)
        found += [f"{one}:{names[n]}" for n in near]
    return tuple(found[:_NEAR])


# -- as JSON -------------------------------------------------------------------------------------------------------


def dump(why: Why) -> str:
    """An answer as JSON."""
    return json.dumps(asdict(why), default=lambda at: at.isoformat(), ensure_ascii=False)


def load(text: str) -> Why:
    """What `dump` wrote."""
    found = json.loads(text)
    used = found["used"]
    times = {k: _at(used[k]) for k in ("at", "report_at", "service_at")}
    return Why(
        entity_id=found["entity_id"],
        action=found["action"],
        read_at=datetime.fromisoformat(found["read_at"]),
        lines=tuple(Line(**{**x, "resources": tuple(x["resources"])}) for x in found["lines"]),
        used=LastUse(**{**used, **times, "seen": Seen(used["seen"])}),
        tickets=tuple(_ticket(t) for t in found["tickets"]),
        keeps=tuple(KeepLine(**{**k, "until": datetime.fromisoformat(k["until"])}) for k in found["keeps"]),
        stale=found["stale"],
    )


def _ticket(found: dict[str, Any]) -> TicketLine:
    lists = {k: tuple(found[k]) for k in ("requesters", "approvers", "policies")}
    return TicketLine(**{**found, **lists, "at": datetime.fromisoformat(found["at"])})


def _at(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)
