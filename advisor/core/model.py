"""The values that everything else speaks of. Frozen, with AWS's own words; no behaviour beyond reading them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

TRACKED_DAYS = 400
"""Days that Access Advisor looks back at most.

Source: IAM API reference, GenerateServiceLastAccessedDetails ("at least the last 400 days, or less if your
Region began supporting this feature within the last 400 days").
"""


class Kind(StrEnum):
    """What an audited thing is."""

    ROLE = "role"
    USER = "user"
    GROUP = "group"
    POLICY = "policy"


class Granularity(StrEnum):
    """How deep a report goes; the values are IAM's own (parameter Granularity)."""

    SERVICE = "SERVICE_LEVEL"
    ACTION = "ACTION_LEVEL"


class Usage(StrEnum):
    """What a report says of one service or action. Never a 0 or None with four meanings."""

    USED = "used"  # attempted within the window
    STALE = "stale"  # attempted, but before the window
    NEVER = "no_attempt"  # tracked, no attempt in the tracking period
    UNTRACKED = "not_tracked"  # granted, but Access Advisor cannot tell: never a candidate


class Verdict(StrEnum):
    """What could happen to a permission."""

    REMOVE = "remove"
    KEEP = "keep"
    ASK = "ask"


class Why(StrEnum):
    """The reason of a verdict; `Finding.detail` carries its number or name."""

    USED = "used"
    STALE = "stale"
    UNTRACKED = "not_tracked"
    YOUNG = "too_young"
    PROTECTED = "protected"
    UNUSED = "no_attempt"
    SHARED = "shared_policy"
    GROUP = "through_group"
    AWS_MANAGED = "aws_managed"
    ADMIN = "allow_all"
    NOT_ACTION = "not_action"
    UNATTACHED = "attached_to_nobody"
    GRANT_UNKNOWN = "grant_unknown"
    PASS_ROLE = "pass_role"  # IAM's word, no password
    KEPT = "kept"  # by a person, until a day
    DENIED = "denied"  # allowed, and a Deny stands above it
    CALLED = "called"  # CloudTrail has a call that the plan would have taken away


def aws_owned(arn: str) -> bool:
    """Whether AWS owns the policy of this ARN: it has `aws` where the account stands (IAM User Guide, IAM ARNs)."""
    return arn.split(":")[4:5] == ["aws"]


@dataclass(frozen=True, slots=True)
class Account:
    """An AWS account that the bot reads. `alias` is untrusted: an organisation's account can bear any name."""

    id: str
    alias: str = ""
    own: bool = False

    def matches(self, word: str) -> bool:
        """Whether somebody who typed `account=word` means this one."""
        return word == self.id or (bool(self.alias) and word.casefold() == self.alias.casefold())


@dataclass(frozen=True, slots=True)
class Entity:
    """A user, group, role or managed policy, as looked at from `account`.

    `unique_id` (AROA…, AIDA…, AGPA…, ANPA…) tells a re-created namesake from the one that was audited.
    Source: IAM User Guide, IAM identifiers. `id` is our row; 0 before it is stored.
    """

    account: str
    kind: Kind
    name: str
    arn: str
    unique_id: str
    path: str = "/"
    created_at: datetime | None = None
    id: int = 0

    @property
    def aws_managed(self) -> bool:
        """Whether this is a policy that AWS owns."""
        return self.kind is Kind.POLICY and aws_owned(self.arn)


class PolicyKind(StrEnum):
    """Where a policy lives."""

    INLINE = "inline"
    CUSTOMER = "customer"
    AWS = "aws"


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that an entity has, with the raw text that IAM returned.

    `attachments` counts users, groups and roles that have it (AttachmentCount; 0 for inline ones).
    `group` names the group through which a user has it.
    """

    name: str
    kind: PolicyKind
    text: str
    arn: str = ""
    version: str = ""
    attachments: int = 0
    group: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What IAM said of an entity at one time: its policies, groups, members, tags and boundary."""

    entity: Entity
    read_at: datetime
    policies: tuple[Policy, ...] = ()
    groups: tuple[str, ...] = ()
    members: tuple[
        str, ...
    ] = ()  # of a group: its users; of a policy: the users that have it through a group
    holders: tuple[str, ...] = ()  # of a policy: "role/NAME", "user/NAME", "group/NAME"
    boundary_of: int = 0  # of a policy: how many have it as their permissions boundary
    tags: tuple[tuple[str, str], ...] = ()
    description: str = ""

    @property
    def reach(self) -> int:
        """How many it concerns: members of a group; users and roles that have a policy, also through groups."""
        if self.entity.kind is Kind.GROUP:
            return len(self.members)
        users = {h.partition("/")[2] for h in self.holders if h.startswith("user/")} | set(self.members)
        return len(users) + sum(h.startswith("role/") for h in self.holders)

    def tag(self, key: str) -> str:
        """The value of one tag, or an empty string."""
        return next((value for name, value in self.tags if name == key), "")


@dataclass(frozen=True, slots=True)
class ActionRow:
    """One tracked action of a service (TrackedActionLastAccessed)."""

    name: str
    last_at: datetime | None = None
    last_by: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """One policy that allows a service (ListPoliciesGrantingServiceAccess, as of when the report was read)."""

    policy: str
    kind: PolicyKind
    arn: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """One service of a report (ServiceLastAccessed). `actions` is None where the report has no action list.

    `grants` is None where nobody asked or AWS cannot answer (a policy), empty where AWS named no policy.
    """

    namespace: str
    name: str = ""
    last_at: datetime | None = None
    last_by: str = ""
    region: str = ""
    entities: int = 0
    actions: tuple[ActionRow, ...] | None = None
    grants: tuple[Grant, ...] | None = None
    id: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """What Access Advisor said of one entity at one time."""

    entity_id: int
    granularity: Granularity
    created_at: datetime  # JobCreationDate: the data is as of then
    completed_at: datetime  # JobCompletionDate
    services: tuple[ServiceRow, ...] = ()
    id: int = 0


@dataclass(frozen=True, slots=True)
class EntityUse:
    """One row of GetServiceLastAccessedDetailsWithEntities: an entity, and when it last tried the service."""

    arn: str
    name: str
    kind: str  # USER, ROLE or GROUP, as AWS writes it
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One service or action with its usage, what grants it, and what could happen to it."""

    service: str
    usage: Usage
    verdict: Verdict
    why: Why
    action: str = ""
    detail: str = ""
    last_at: datetime | None = None
    days: int | None = None  # whole days between the last attempt and the report
    last_by: str = ""
    region: str = ""
    entities: int = 0
    policies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """A report read with a window: findings of every service (and, apart, action), and what the whole means."""

    findings: tuple[Finding, ...]  # services that the report lists, then the untracked ones
    actions: tuple[Finding, ...] = ()
    young_until: datetime | None = None
    protected: str = ""  # why nothing here is ever changed, or empty
    admin_policy: str = ""  # the policy that allows everything, or empty
    unattached: bool = False

    def of(self, usage: Usage) -> tuple[Finding, ...]:
        """The services with this usage."""
        return tuple(f for f in self.findings if f.usage is usage)

    def that(self, verdict: Verdict) -> tuple[Finding, ...]:
        """The services of the report with this verdict (untracked ones are no rows of the report)."""
        return tuple(f for f in self.findings if f.verdict is verdict and f.usage is not Usage.UNTRACKED)

    @property
    def granted(self) -> int:
        """How many services the report lists: the denominator of every number on a card."""
        return sum(f.usage is not Usage.UNTRACKED for f in self.findings)


class RequestState(StrEnum):
    """States of an audit (public), and CLOSED for a request that was answered privately without one."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CLOSED = "closed"


class JobState(StrEnum):
    """States of a report being made at AWS."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asked for: the words of the command or the fields of the form, understood."""

    kind: Kind | None  # None: an ARN says it
    name: str  # a name, or an ARN
    account: str = ""
    granularity: Granularity = Granularity.SERVICE
    days: int = 90
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no result, as data: `code` is a word of ours, the rest is AWS's."""

    code: str
    call: str = ""  # e.g. iam:GenerateServiceLastAccessedDetails
    role: str = ""  # who was refused
    account: str = ""
    message: str = ""  # AWS's own, untrusted
    request_id: str = ""
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """One asking: who, where, the words; committed before it is acknowledged."""

    id: int
    user: str
    channel: str
    asked: Asked
    state: RequestState
    created_at: datetime
    entity_id: int | None = None
    job_id: int | None = None
    report_id: int | None = None
    card_id: int | None = None  # the outbox row of its card
    revision: int = 0
    tries: int = 0
    served_from_store: bool = False
    not_asked: tuple[str, ...] = ()  # accounts that could not be searched, with the reason
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One report being made at AWS, joined by every request for that entity and granularity."""

    id: int
    entity_id: int
    account: str
    granularity: Granularity
    state: JobState
    created_at: datetime
    deadline_at: datetime
    next_at: datetime
    session: str = ""
    aws_job_id: str = ""
    starts: int = 0
    tries: int = 0
    polls: int = 0
    snapshot_id: int | None = None
    report_id: int | None = None
    failure: Failure | None = None


class FollowupKind(StrEnum):
    """What a button of an audit card asks for; the answer goes to the thread."""

    BREAKDOWN = "breakdown"
    ACTIONS = "actions"
    POLICIES = "policies"
    HISTORY = "history"
    PICTURE = "picture"
    EXPORT = "export"
    REFRESH = "refresh"
    RETRY = "retry"


@dataclass(frozen=True, slots=True)
class Followup:
    """A pressed button whose answer takes work. `service` is the namespace of a breakdown."""

    id: int
    request_id: int
    kind: FollowupKind
    user: str
    state: JobState
    created_at: datetime
    deadline_at: datetime
    report_id: int | None = None
    service: str = ""
    job_id: int | None = None
    tries: int = 0
    result: str = ""  # JSON of what was found, where it is not in a report
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """A row of the outbox: something to say in Slack, by id, rendered late."""

    id: int
    kind: str  # post | update | ephemeral | upload | home
    surface: str  # what is drawn, e.g. audit.card
    row_id: int  # of what
    channel: str
    user: str
    created_at: datetime
    parent_id: int | None = None
    state: str = "due"  # due | sending | sent | failed | dropped
    attempts: int = 0
    rung: int = 0
    ts: str = ""
    sent_to: str = ""  # the channel that it stands in
    sending_at: datetime | None = None
    detail: dict[str, str] = field(default_factory=dict)
