"""A whole account in a few calls: every role, user, group and customer managed policy as `entities.snapshot` has them.

GetAccountAuthorizationDetails leaves out two things. Descriptions of roles come from ListRoles, a page a thousand.
Tags and descriptions of customer managed policies come from GetPolicy, a call each: a tag may protect a policy.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from advisor.core.errors import AwsError, Missing, Transient
from advisor.core.model import Entity, Failure, Kind, Policy, PolicyKind, Snapshot, aws_owned
from advisor.edges import parcels
from advisor.edges.aws import entities
from advisor.edges.aws.batch import sessions_of
from advisor.edges.aws.entities import Documents, entity_of, tags_of, text_of
from advisor.edges.aws.errors import call
from advisor.edges.aws.pages import Method, items, pages
from advisor.edges.aws.sessions import Access, Session

PATIENT = 600.0
"""Seconds for which one call is made again while AWS limits the rate or does not answer."""

_OWN = ["User", "Role", "Group", "LocalManagedPolicy"]
_FILTERS = [*_OWN, "AWSManagedPolicy"]
_LISTS = {Kind.ROLE: "RoleDetailList", Kind.USER: "UserDetailList", Kind.GROUP: "GroupDetailList"}
_HANDS = 4

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AccountListing:
    """An account as it was at `read_at`, or why it could not be read.

    The snapshots come packed, so that a listing of 20,000 roles is some megabytes where it arrives.
    """

    account: str
    read_at: datetime
    count: int = 0
    packed: parcels.Parcels = field(default=(), repr=False)
    failure: Failure | None = None

    def snapshots(self) -> Iterator[Snapshot]:
        """Every snapshot, a few unpacked at a time."""
        yield from parcels.unpack(self.packed)


def list_account(access: Access) -> AccountListing:
    """Read a whole account. Raises no AwsError: whatever AWS does is in the result. For any process to run."""
    now = datetime.now(UTC)
    try:
        session = sessions_of(access).session(access.account)
        details = _read(session)
        _complete(session, details)
        packed = parcels.pack(snapshots(details, now))
    except AwsError as error:
        return AccountListing(access.account, now, failure=error.failure())
    return AccountListing(access.account, now, details.count, packed)


@dataclass(frozen=True, slots=True)
class Roll:
    """Who was listed in an account: unique ids by ARN."""

    access: Access
    listed: dict[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Absent:
    """Of a roll: ARNs that nobody has any more, and who has an ARN of another now; or why nobody can tell."""

    gone: tuple[str, ...] = ()
    namesakes: tuple[Entity, ...] = ()
    failure: Failure | None = None


def call_roll(roll: Roll) -> Absent:
    """Read who is in an account once more. Raises no AwsError, as `list_account`; for any process to run."""
    left, namesakes = dict(roll.listed), []
    try:
        session = sessions_of(roll.access).session(roll.access.account)
        for page in _pages(session, _OWN):
            for entity in _entities(session.account, page):
                listed = left.pop(entity.arn, entity.unique_id)
                if listed != entity.unique_id:
                    namesakes.append(entity)
    except AwsError as error:
        return Absent(failure=error.failure())
    return Absent(tuple(left), tuple(namesakes))


@dataclass(slots=True)
class Details:
    """What GetAccountAuthorizationDetails says, row by row; policies by their ARNs."""

    account: str
    rows: dict[Kind, list[Json]]
    policies: dict[str, Json]
    managed: dict[str, Policy]

    @property
    def count(self) -> int:
        """How many entities it has."""
        return sum(map(len, self.rows.values()))


def patiently(method: Method, permission: str, account: str, **parameters: object) -> Json:
    """`call`, made again for some minutes where AWS limits the rate or does not answer."""
    until, pause = time.monotonic() + PATIENT, 1.0
    while True:
        try:
            return call(method, permission, account, **parameters)
        except Transient as error:
            if time.monotonic() + pause > until or error.code == "expired":
                raise
        time.sleep(pause)
        pause = min(30.0, 2 * pause)


def _read(session: Session) -> Details:
    rows: dict[Kind, list[Json]] = {kind: [] for kind in Kind}
    policies: dict[str, Json] = {}
    for page in _pages(session, _FILTERS):
        for kind, key in _LISTS.items():
            rows[kind] += page.get(key, [])
        for row in page.get("Policies", []):
            policies[str(row["Arn"])] = row
    rows[Kind.POLICY] = [row for arn, row in policies.items() if not aws_owned(arn)]
    managed = {arn: _managed(row) for arn, row in policies.items()}
    return Details(session.account, rows, policies, managed)


def _pages(session: Session, what: list[str]) -> Iterator[Json]:
    yield from pages(
        session.iam.get_account_authorization_details,
        "iam:GetAccountAuthorizationDetails",
        session.account,
        ask=patiently,
        Filter=what,
    )


def _entities(account: str, page: Json) -> Iterator[Entity]:
    for kind, key in {**_LISTS, Kind.POLICY: "Policies"}.items():
        yield from (entity_of(account, kind, row) for row in page.get(key, []))


def _complete(session: Session, details: Details) -> None:
    """Add what the one call leaves out."""
    listed = items(session.iam.list_roles, "iam:ListRoles", session.account, "Roles", ask=patiently)
    described = {str(row["RoleId"]): str(row.get("Description", "")) for row in listed}
    for row in details.rows[Kind.ROLE]:
        row["Description"] = described.get(str(row["RoleId"]), "")

    def ask(row: Json) -> Json | None:
        try:
            answer = patiently(
                session.iam.get_policy, "iam:GetPolicy", session.account, PolicyArn=str(row["Arn"])
            )
        except Missing:  # it went meanwhile
            return None
        told = answer["Policy"]
        return {**row, "Tags": told.get("Tags", []), "Description": told.get("Description", "")}

    with ThreadPoolExecutor(_HANDS) as hands:
        details.rows[Kind.POLICY] = [row for row in hands.map(ask, details.rows[Kind.POLICY]) if row]
    documents: Documents = {}
    for arn in sorted(_attached_anywhere(details) - details.managed.keys()):  # attached, and not told of
        with suppress(Missing):  # it went while the account was read
            details.managed[arn] = entities.managed(session, arn, documents)


def _attached_anywhere(details: Details) -> set[str]:
    return {arn for kind in _LISTS for row in details.rows[kind] for arn in _attached(row)}


def _attached(row: Json) -> list[str]:
    return [str(p["PolicyArn"]) for p in row.get("AttachedManagedPolicies", [])]


def _managed(row: Json) -> Policy:
    default = str(row["DefaultVersionId"])
    arn = str(row["Arn"])
    versions = row.get("PolicyVersionList", [])
    return Policy(
        name=str(row["PolicyName"]),
        kind=PolicyKind.AWS if aws_owned(arn) else PolicyKind.CUSTOMER,
        text=text_of(next(str(v["Document"]) for v in versions if v["VersionId"] == default)),
        arn=arn,
        version=default,
        attachments=int(row.get("AttachmentCount") or 0),
    )


def snapshots(details: Details, now: datetime) -> Iterator[Snapshot]:
    """Each entity as `entities.snapshot` gives it."""
    account = _Account(details, now)
    for kind in _LISTS:
        yield from (account.principal(kind, row) for row in details.rows[kind])
    yield from (account.policy(row) for row in details.rows[Kind.POLICY])


class _Account:
    """Who has what, looked up by name."""

    def __init__(self, details: Details, now: datetime) -> None:
        self._details = details
        self._now = now
        rows = details.rows
        self._groups = {str(row["GroupName"]): row for row in rows[Kind.GROUP]}
        self._members: dict[str, list[str]] = {}
        for user in rows[Kind.USER]:
            for group in user.get("GroupList", []):
                self._members.setdefault(str(group), []).append(str(user["UserName"]))
        self._holders: dict[str, list[str]] = {}
        self._bounded: dict[str, int] = {}
        for kind in _LISTS:
            for row in rows[kind]:
                for arn in _attached(row):
                    self._holders.setdefault(arn, []).append(f"{kind}/{row[f'{kind.value.title()}Name']}")
                boundary = (row.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn")
                if boundary:
                    self._bounded[str(boundary)] = self._bounded.get(str(boundary), 0) + 1

    def principal(self, kind: Kind, row: Json) -> Snapshot:
        """A role, user or group."""
        entity = entity_of(self._details.account, kind, row)
        groups = tuple(str(g) for g in row.get("GroupList", []))
        policies = [*self._policies(kind, row, "")]
        for group in groups:
            policies += self._policies(Kind.GROUP, self._groups.get(group, {}), group)
        return Snapshot(
            entity=entity,
            read_at=self._now,
            policies=tuple(policies),
            groups=groups,
            members=tuple(self._members.get(entity.name, ())) if kind is Kind.GROUP else (),
            tags=tags_of(row),
            description=str(row.get("Description", "")),
        )

    def _policies(self, kind: Kind, row: Json, group: str) -> Iterator[Policy]:
        for own in row.get(f"{kind.value.title()}PolicyList", []):
            text = text_of(str(own["PolicyDocument"]))
            yield Policy(str(own["PolicyName"]), PolicyKind.INLINE, text, group=group)
        for arn in _attached(row):
            known = self._details.managed.get(arn)
            if known:
                yield replace(known, group=group) if group else known

    def policy(self, row: Json) -> Snapshot:
        """A customer managed policy."""
        entity: Entity = entity_of(self._details.account, Kind.POLICY, row)
        held = tuple(sorted(self._holders.get(entity.arn, ())))
        reached = {
            u for h in held if h.startswith("group/") for u in self._members.get(h.partition("/")[2], ())
        }
        counted = int(row.get("PermissionsBoundaryUsageCount") or 0)
        return Snapshot(
            entity=entity,
            read_at=self._now,
            policies=(self._details.managed[entity.arn],),
            members=tuple(sorted(reached)),
            holders=held,
            boundary_of=max(self._bounded.get(entity.arn, 0), counted),
            tags=tags_of(row),
            description=str(row.get("Description", "")),
        )
