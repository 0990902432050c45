"""AWS, behind a few verbs. The only package that imports boto3; its dictionaries die here.

Every list is read to its last page (IsTruncated and Marker, MaxItems=1000), every time is aware UTC, every error is
one of `advisor.core.errors`. Only `writer` writes to AWS, by a role of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from advisor.core.credentials import CredentialReport
from advisor.core.errors import AwsError, Expired, Invalid, ReportFailed, Throttled
from advisor.core.model import (
    Account,
    ActionRow,
    Entity,
    EntityUse,
    Grant,
    Granularity,
    Kind,
    PolicyKind,
    ServiceRow,
    Snapshot,
    aws_owned,
)
from advisor.core.removal import Standing, Step
from advisor.edges.aws import credentials, entities, standing
from advisor.edges.aws.analyzer import Analyzer
from advisor.edges.aws.denials import WAIT, Denials
from advisor.edges.aws.errors import call
from advisor.edges.aws.organizations import Organizations
from advisor.edges.aws.pacer import Board
from advisor.edges.aws.pages import Method, items, pages
from advisor.edges.aws.sessions import PATIENCE, Access, Identity, Session, Sessions
from advisor.edges.aws.trail import PACE, Trail
from advisor.edges.aws.writer import Writer

__all__ = ["PACE", "PATIENCE", "WAIT", "Aws", "Identity", "Raw", "Session"]

_NAMESPACES = 200
"""Namespaces a call of ListPoliciesGrantingServiceAccess takes (IAM API Reference)."""


@dataclass(frozen=True, slots=True)
class Raw:
    """A COMPLETED report as IAM gave it: when its job began and ended, and every service."""

    created_at: datetime
    completed_at: datetime
    services: tuple[ServiceRow, ...]


class Aws:
    """What the advisor asks of AWS."""

    def __init__(
        self,
        *,
        boot: str,
        named: tuple[Account, ...],
        organization: bool,
        read_role: str,
        clock: Callable[[], datetime],
        write_role: str = "",
        patience: float = PATIENCE,
        board: Board | None = None,
        pace: float = PACE,
    ) -> None:
        self._sessions = Sessions(
            boot=boot,
            named=named,
            organization=organization,
            read_role=read_role,
            clock=clock,
            patience=patience,
        )
        self._clock = clock
        self._patience = patience
        self._documents: entities.Documents = {}
        self._board = board  # where sweeps see that a person waits
        self.read_role = read_role
        self.writer = Writer(self._sessions, write_role)
        self.organizations = Organizations(self._sessions)
        self.analyzer = Analyzer(self._sessions)
        self.trail = Trail(self._sessions, pace)
        self.denials = Denials(self._sessions)

    def identity(self) -> Identity:
        """Who the bot is at AWS."""
        return self._sessions.identity()

    def accounts(self) -> tuple[Account, ...]:
        """The accounts that are audited."""
        return self._sessions.accounts()

    def account(self, word: str) -> Account:
        """The account of an alias or a number."""
        return self._sessions.account(word)

    def remembered(self, word: str) -> str:
        """The number of an account by its alias or number, from memory only."""
        return self._sessions.remembered(word)

    def access(self, account: str) -> Access:
        """How another process comes into an account. Raises AwsError where AWS does not say who the bot is."""
        me = self._sessions.identity()
        return Access(account, me.account, me.partition, self.read_role, self._patience)

    def session(self, account: str) -> Session:
        """The session of now in an account."""
        self._asked(account)
        return self._sessions.session(account)

    def forget(self, account: str) -> None:
        """Forget an account's session: AWS says that its credentials have ended."""
        self._sessions.forget(account)

    def _asked(self, account: str) -> None:
        """A person waits for this account: sweeps of it stand back for a moment."""
        if self._board:
            self._board.asked(account)

    def forget_ended(self, account: str, error: AwsError) -> None:
        """Forget an account's session if this error says that its credentials have ended."""
        if self._board and isinstance(error, Throttled):
            self._board.limited(account)
        if isinstance(error, Expired):
            self.forget(account)

    def generate(self, session: Session, arn: str, granularity: Granularity) -> str:
        """Start a report; its JobId can be read by this session only (GenerateServiceLastAccessedDetails)."""
        self._asked(session.account)
        answer = call(
            session.iam.generate_service_last_accessed_details,
            "iam:GenerateServiceLastAccessedDetails",
            session.account,
            Arn=arn,
            Granularity=granularity.value,
        )
        return str(answer["JobId"])

    def read(self, session: Session, job_id: str) -> Raw | None:
        """The whole report, or None while IN_PROGRESS (its result keys are missing then).

        Raises Missing where this session may not read the job, ReportFailed where it ended as FAILED.
        """
        self._asked(session.account)
        permission = "iam:GetServiceLastAccessedDetails"
        services: list[ServiceRow] = []
        head: dict[str, Any] = {}
        method = session.iam.get_service_last_accessed_details
        for page in pages(method, permission, session.account, JobId=job_id):
            status = page.get("JobStatus")
            if status == "IN_PROGRESS":
                return None
            if status != "COMPLETED":
                error = page.get("Error") or {}
                text = f"{error.get('Code', status)}: {error.get('Message', '')}"
                raise ReportFailed(permission, text, account=session.account)
            head = head or page
            services += [_service(row) for row in page.get("ServicesLastAccessed", [])]
        created = _utc(head["JobCreationDate"])
        return Raw(created, _utc(head.get("JobCompletionDate") or created), tuple(services))

    def users_of(self, session: Session, job_id: str, namespace: str) -> list[EntityUse] | None:
        """Who used one service, newest first; None while IN_PROGRESS (GetServiceLastAccessedDetailsWithEntities)."""
        self._asked(session.account)
        permission = "iam:GetServiceLastAccessedDetailsWithEntities"
        method = session.iam.get_service_last_accessed_details_with_entities
        found: list[EntityUse] = []
        for page in pages(method, permission, session.account, JobId=job_id, ServiceNamespace=namespace):
            if page.get("JobStatus") == "IN_PROGRESS":
                return None
            if page.get("JobStatus") != "COMPLETED":
                raise ReportFailed(permission, str(page.get("JobStatus")), account=session.account)
            found += [
                EntityUse(
                    arn=str(row["EntityInfo"]["Arn"]),
                    name=str(row["EntityInfo"]["Name"]),
                    kind=str(row["EntityInfo"]["Type"]),
                    last_at=_maybe_utc(row.get("LastAuthenticated")),
                )
                for row in page.get("EntityDetailsList", [])
            ]
        return found

    def grants(self, session: Session, arn: str, namespaces: list[str]) -> dict[str, tuple[Grant, ...]]:
        """Which policies allow each service now (ListPoliciesGrantingServiceAccess).

        One namespace that AWS does not know fails a whole call: such a batch is halved until that one stands alone,
        and is then missing from the answer.
        """
        self._asked(session.account)
        found: dict[str, tuple[Grant, ...]] = {}
        batches = [namespaces[n : n + _NAMESPACES] for n in range(0, len(namespaces), _NAMESPACES)]
        while batches:
            batch = batches.pop(0)
            try:
                found |= self._grants(session, arn, batch)
            except Invalid:
                if len(batch) > 1:
                    middle = len(batch) // 2
                    batches += [batch[:middle], batch[middle:]]
        return found

    def _grants(self, session: Session, arn: str, namespaces: list[str]) -> dict[str, tuple[Grant, ...]]:
        permission = "iam:ListPoliciesGrantingServiceAccess"
        method = session.iam.list_policies_granting_service_access
        found: dict[str, list[Grant]] = {}
        for page in pages(
            method, permission, session.account, sized=False, Arn=arn, ServiceNamespaces=namespaces
        ):
            for row in page.get("PoliciesGrantingServiceAccess", []):
                held = found.setdefault(str(row["ServiceNamespace"]), [])
                held += [_grant(p, arn) for p in row.get("Policies", [])]
        return {
            service: tuple(sorted(dict.fromkeys(grants), key=lambda g: (g.kind, g.policy, g.group)))
            for service, grants in found.items()
        }

    def find(self, session: Session, kind: Kind, name: str) -> list[Entity]:
        """Entities of this name in one account: none, one, or (for policies) two."""
        return entities.find(session, kind, name)

    def identify(self, session: Session, entity: Entity) -> Entity:
        """The entity that bears this ARN now. Raises Missing; a namesake has another unique id."""
        return replace(entities.identify(session, entity), id=entity.id)

    def snapshot(self, session: Session, entity: Entity) -> Snapshot:
        """What IAM says of an entity now: policies with their raw texts, groups, members, holders, tags."""
        self._asked(session.account)
        return entities.snapshot(session, entity, self._documents, self._clock())

    def standing(
        self,
        session: Session,
        entity: Entity,
        arns: frozenset[str] | None = None,
        held: frozenset[str] = frozenset(),
    ) -> Standing:
        """What a change rests on, read now: see `advisor.core.removal.Standing`.

        `arns` are the managed policies that are read, attached or not, `held` those of them whose holders are too;
        None means every attached one, and what comes through groups. Raises Missing where the entity is gone.
        """
        self._asked(session.account)
        return standing.read(session, entity, self._documents, arns, held)

    def look(self, session: Session, entity: Entity, step: Step) -> Standing:
        """Only what one write touches, read now."""
        self._asked(session.account)
        return standing.look(session, entity, self._documents, step)

    def listing(self, session: Session) -> Iterator[Entity]:
        """Every role, user, group, customer managed policy and attached AWS managed policy of an account."""
        return entities.listing(session)

    def credential_report(
        self, session: Session, deadline: datetime, pause: Callable[[float], object]
    ) -> CredentialReport:
        """Keys, passwords and MFA of an account's users; waits with `pause` until `deadline`, then raises Busy."""
        return credentials.read(session, deadline=deadline, clock=self._clock, pause=pause)

    def holders(self, session: Session, policy_arn: str) -> tuple[str, ...]:
        """Who has a managed policy: "role/NAME", "user/NAME", "group/NAME"."""
        return tuple(entities.holders(session, policy_arn, "PermissionsPolicy"))

    def probe_call(self, session: Session, method: Method, permission: str, **parameters: object) -> None:
        """One call made only to see whether it is allowed."""
        call(method, permission, session.account, **parameters)

    def probe(self, session: Session) -> None:
        """The cheapest call that tells whether an account can be read."""
        next(iter(items(session.iam.list_roles, "iam:ListRoles", session.account, "Roles")), None)


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC)


def _maybe_utc(at: datetime | None) -> datetime | None:
    return None if at is None else _utc(at)


def _service(row: dict[str, Any]) -> ServiceRow:
    actions = row.get("TrackedActionsLastAccessed")
    return ServiceRow(
        namespace=str(row["ServiceNamespace"]),
        name=str(row.get("ServiceName", "")),
        last_at=_maybe_utc(row.get("LastAuthenticated")),
        last_by=str(row.get("LastAuthenticatedEntity", "")),
        region=str(row.get("LastAuthenticatedRegion", "")),
        entities=int(row.get("TotalAuthenticatedEntities") or 0),
        actions=None
        if actions is None
        else tuple(
            ActionRow(
                str(a["ActionName"]),
                _maybe_utc(a.get("LastAccessedTime")),
                str(a.get("LastAccessedEntity", "")),
                str(a.get("LastAccessedRegion", "")),
            )
            for a in actions
        ),
    )


def _grant(policy: dict[str, Any], asked: str) -> Grant:
    arn = str(policy.get("PolicyArn", ""))
    if policy.get("PolicyType") == "INLINE":
        kind = PolicyKind.INLINE
    else:
        kind = PolicyKind.AWS if aws_owned(arn) else PolicyKind.CUSTOMER
    # A group's own policies name it too; only a user has them "through" it.
    through = policy.get("EntityType") == "GROUP" and ":group/" not in asked
    group = str(policy.get("EntityName", "")) if through else ""
    return Grant(str(policy["PolicyName"]), kind, arn, group)
