"""The values of a removal: what stands in AWS, what could go, the plan, the ticket, its journal. Frozen; no behaviour.

Words: docs/tickets.md. Operations are IAM's own calls (IAM API Reference).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from advisor.core.escalation import Escalation
from advisor.core.model import Entity, Failure, Finding, Kind, aws_owned
from advisor.core.rewrite import Change, Cut

VERSIONS = 5
"""Versions that a managed policy has at most, the default one included.

Source: IAM User Guide, "Versioning IAM policies".
"""

ATTACHMENTS = 10
"""Managed policies that a user, group or role may have (a quota that an account can have raised; we stay below it).

Source: IAM User Guide, "IAM and AWS STS quotas".
"""

INLINE_SIZE = {Kind.USER: 2048, Kind.GROUP: 5120, Kind.ROLE: 10240}
"""Characters without white space over all inline policies of one entity.

Source: IAM User Guide, "IAM and AWS STS quotas, character limits".
"""

MANAGED_SIZE = 6144
"""Characters without white space of one managed policy (the same page)."""

TAG = "iam-audit:ticket"
"""The tag of every managed policy that a ticket makes; its value is the ticket's number."""

DENY_ALL = "AWSDenyAll"
"""AWS's own policy that denies everything: a quarantine is its attachment.

Source: AWS Managed Policy Reference Guide, AWSDenyAll.
"""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a managed policy, with its raw text."""

    id: str
    text: str
    default: bool = False


@dataclass(frozen=True, slots=True)
class Managed:
    """A managed policy as it stands. Of AWS's own only the default version is read, and no holders."""

    arn: str
    name: str
    versions: tuple[Version, ...]
    path: str = "/"
    description: str = ""
    holders: tuple[str, ...] = ()  # "role/NAME", "user/NAME", "group/NAME"
    boundary_of: int = 0
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def aws(self) -> bool:
        """Whether AWS owns it."""
        return aws_owned(self.arn)

    @property
    def default(self) -> Version:
        """The version in force; the first where IAM named none."""
        return next((v for v in self.versions if v.default), self.versions[0])

    def version(self, version_id: str) -> Version | None:
        """One version, or None where it is gone."""
        return next((v for v in self.versions if v.id == version_id), None)


@dataclass(frozen=True, slots=True)
class Standing:
    """What IAM says now of an entity, as far as a change rests on it. Of a policy: the policy in `managed`."""

    entity: Entity
    inline: tuple[tuple[str, str], ...] = ()  # name, raw text; by name
    attached: tuple[str, ...] = ()  # ARNs, sorted
    groups: tuple[str, ...] = ()
    boundary: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    managed: tuple[Managed, ...] = ()
    trust: str = ""  # a role's trust policy, raw
    elsewhere: tuple[tuple[str, str], ...] = ()  # through groups: "group/policy", raw text

    def text(self, name: str) -> str | None:
        """An inline document, or None."""
        return next((text for n, text in self.inline if n == name), None)

    def policy(self, arn: str) -> Managed | None:
        """A managed policy that was read, or None."""
        return next((m for m in self.managed if m.arn == arn), None)


class Treatment(StrEnum):
    """What a plan does with one policy."""

    EDIT = "edit"  # an inline document gets shorter
    DELETE = "delete"  # nothing is left of an inline document
    VERSION = "version"  # a customer managed policy gets a new default version
    DETACH = "detach"  # a managed policy goes from this entity
    COPY = "copy"  # a shared policy is replaced, for this entity, by a copy of what stays
    REPLACE = "replace"  # an AWS managed policy is replaced by a customer managed one of what stays
    SWAP = "swap"  # an AWS managed policy is replaced by a narrower AWS managed one
    QUARANTINE = "quarantine"  # AWSDenyAll is attached, nothing else is touched


TOGETHER = frozenset(Treatment) - {Treatment.EDIT, Treatment.DELETE, Treatment.VERSION}
"""Treatments that go back whole or not at all; a document that is only shorter can get single services back."""


class Operation(StrEnum):
    """One write to IAM; a role's, user's or group's call is chosen by the entity."""

    PUT = "put_inline"
    DELETE = "delete_inline"
    CREATE_VERSION = "create_version"
    SET_DEFAULT = "set_default_version"
    DELETE_VERSION = "delete_version"
    CREATE_POLICY = "create_policy"
    DELETE_POLICY = "delete_policy"
    ATTACH = "attach"
    DETACH = "detach"


@dataclass(frozen=True, slots=True)
class Step:
    """One write, with what stands before and after it: the document's raw text, or None where there is none.

    `version` is the default version before a new one, the one that becomes default, or the one that is deleted.
    """

    operation: Operation
    name: str  # of the policy
    arn: str = ""  # of a managed policy
    before: str | None = None
    after: str | None = None
    version: str = ""
    default: bool = True  # whether a new version comes into force
    path: str = "/"
    description: str = ""
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """One thing that a person may tick: services (whole) or single actions, by one treatment of one policy."""

    key: str
    treatment: Treatment
    policy: str  # its name
    services: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()  # service:Action
    arn: str = ""
    ticked: bool = False
    asks: Finding | None = None  # why a person has to decide
    untracked: bool = False  # actions of which the report cannot tell


@dataclass(frozen=True, slots=True)
class Offer:
    """What the form of a new ticket shows."""

    candidates: tuple[Candidate, ...]
    stays: tuple[Finding, ...]
    findings: tuple[Finding, ...] = ()  # every service, whether it is offered or not
    quarantine: bool = False
    nothing: str = ""  # why nothing can go, as a word


class Kept(StrEnum):
    """Why something that was chosen stays after all."""

    NOT_ACTION = "not_action"
    UNREADABLE = "unreadable"
    UNKNOWN = "unknown"
    SIZE = "size"
    ATTACHMENTS = "attachments"
    BOUNDARY = "boundary"
    SHARED = "shared"
    GROUP = "group"
    AWS_MANAGED = "aws_managed"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Left:
    """A grant that remains: a service (or action) still allowed by a policy, and why."""

    what: str
    policy: str
    why: Kept


@dataclass(frozen=True, slots=True)
class Edit:
    """What happens to one policy, with the writes that do it."""

    treatment: Treatment
    policy: str
    steps: tuple[Step, ...]
    arn: str = ""
    out: tuple[str, ...] = ()  # services that this policy no longer grants
    stay: tuple[str, ...] = ()  # services that it still grants
    cut: Cut = field(default_factory=Cut)  # what was to go from this policy
    actions: tuple[str, ...] = ()  # single actions that go, of services that this policy still grants
    changes: tuple[Change, ...] = ()
    untouched: tuple[tuple[int, str, str], ...] = ()  # statements that stay as they are: index, Sid, Effect
    before: str | None = None
    after: str | None = None
    instead: str = ""  # the name of what is attached in its place
    holders: tuple[str, ...] = ()  # everybody who has the policy whose text changes
    aws: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """One Deny of just what a plan takes away, for some quiet days, before anything is rewritten.

    `lay` are its writes; a quarantine is a hold of the whole, so that its own write is the hold's.
    """

    name: str  # of the policy
    days: int
    denied: tuple[str, ...]  # service:*, or service:Action
    lay: tuple[Step, ...]

    @property
    def arn(self) -> str:
        """Of the managed policy, where no inline one fits; empty for an inline one."""
        return self.lay[0].arn


@dataclass(frozen=True, slots=True)
class Plan:
    """The exact edits that a ticket asks for, after a hold where one was asked for. An approval is for its fingerprint."""

    edits: tuple[Edit, ...]
    basis: Standing
    fingerprint: str
    services: tuple[str, ...]  # that the entity no longer has afterwards
    actions: tuple[str, ...]  # single ones, of services that it keeps
    granted: int  # services of the report
    stays: tuple[Finding, ...] = ()
    left: tuple[Left, ...] = ()
    asked: tuple[Candidate, ...] = ()  # what a person ticked although the report alone does not say so
    closes: tuple[Escalation, ...] = ()  # known escalations that are open before and not after
    hold: Hold | None = None

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every write of the edits, in order."""
        return tuple(step for edit in self.edits for step in edit.steps)

    @property
    def takes(self) -> frozenset[str]:
        """Services that go whole from some policy, whether or not another one still grants them."""
        return frozenset(self.services).union(*(e.cut.services for e in self.edits))

    @property
    def takes_singly(self) -> frozenset[str]:
        """Single actions that go from some policy, likewise."""
        return frozenset(self.actions).union(*(e.cut.actions for e in self.edits))

    @property
    def affected(self) -> frozenset[str]:
        """Services that lose anything in some policy: the whole, or single actions."""
        return self.takes | {a.partition(":")[0] for a in self.takes_singly}

    @property
    def quarantine(self) -> bool:
        """Whether everything is denied instead of something being cut."""
        return any(e.treatment is Treatment.QUARANTINE for e in self.edits)


class TicketState(StrEnum):
    """States of a ticket. DRAFT and VOID are not shown: a form that is being planned, and one that came to nothing."""

    DRAFT = "draft"
    VOID = "void"
    OPEN = "open"
    APPROVED = "approved"
    APPLYING = "applying"
    HELD = "held"
    APPLIED = "applied"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    DRIFTED = "drifted"
    NEEDS_HUMAN = "needs_human"


@dataclass(frozen=True, slots=True)
class Moved:
    """One thing that is not as it was when the plan was made."""

    what: str  # recreated | gone | inline | attached | groups | boundary | version | holders | used | called | unheard | protected | kept
    name: str = ""
    detail: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """A plan that somebody asked for, with its state."""

    id: int
    entity_id: int
    request_id: int
    state: TicketState
    requesters: tuple[str, ...]
    channel: str
    reason: str
    keys: tuple[str, ...]  # what was ticked
    report_id: int
    days: int
    created_at: datetime
    changed_at: datetime
    expires_at: datetime
    plan: Plan | None = None
    advice: bool = False
    card_id: int | None = None
    revision: int = 0
    job_id: int | None = None  # the report that is made before the first write
    run: int = 0  # the journal's run that is under way or was the last
    tries: int = 0
    moved: tuple[Moved, ...] = ()
    failure: Failure | None = None
    by: str = ""  # who brought it into its state
    words: str = ""  # their reason
    other_id: int | None = None  # the ticket that replaced it
    given: tuple[str, ...] = ()  # services that were given back since
    wanted: tuple[str, ...] = ()  # what a roll back is to give back; empty: everything
    owner: str = ""  # the Slack id of the entity's owner, where one is known
    next_at: datetime | None = None

    @property
    def asks(self) -> bool:
        """Whether its hold waits for a person: somebody tried what is held."""
        return self.state is TicketState.HELD and self.next_at is None


class StepState(StrEnum):
    """What is known of one write."""

    PLANNED = "planned"
    BEGUN = "begun"  # journalled; AWS may have been called
    DONE = "done"  # read back twice
    NOT_DONE = "not_done"  # AWS refused it, or it was read back as not there


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the journal: one write of one run (the change, or a way back)."""

    id: int
    ticket_id: int
    run: int
    place: int
    back: bool
    step: Step
    state: StepState
    begun_at: datetime | None = None
    settled_at: datetime | None = None
    made: str = ""  # the version's id or the policy's ARN that the write made
    request_id: str = ""  # AWS's
    tries: int = 0
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's yes to one plan."""

    ticket_id: int
    user: str
    at: datetime
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Keep:
    """Somebody's word that a service (or, where empty, the whole entity) stays until a day."""

    id: int
    entity_id: int
    service: str
    user: str
    until: datetime
    reason: str
    created_at: datetime
    ended_at: datetime | None = None
    ended_by: str = ""


class Verb(StrEnum):
    """What a person does to a ticket."""

    APPROVE = "approve"
    REJECT = "reject"
    CANCEL = "cancel"
    KEEP = "keep"
    RETRY = "retry"
    ROLLBACK = "rollback"
    FINISH = "finish"  # a hold ends now, and what it denies is rewritten
    GIVE_BACK = (
        "giveback"  # one thing that was denied: an approver's press decides, an owner's or a requester's asks
    )
    NOT_NEEDED = "notneeded"  # what was denied may stay denied
    EVIDENCE = "evidence"  # changes nothing: the file for an auditor


@dataclass(frozen=True, slots=True)
class Press:
    """A pressed verb, committed before it was acknowledged; a worker decides it."""

    id: int
    ticket_id: int
    verb: Verb
    user: str
    channel: str
    created_at: datetime
    tries: int = 0
    words: str = ""
    services: tuple[str, ...] = ()
    until: datetime | None = None
    state: str = "queued"
    outcome: str = ""
