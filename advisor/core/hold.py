"""A hold: one Deny of just what a plan takes away, that stands for some quiet days before anything is rewritten. Pure.

It is laid by one write and lifted by one. It denies by name what the entity would no longer have, and no more: a service
that goes whole as `service:*`, single actions each by itself, so that nothing which stays is caught by a wildcard.

Source: IAM User Guide, "Policy evaluation logic": an explicit Deny wins over every Allow, that of a resource's own policy
included, which a removal would leave alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from advisor.core.arn import partition_of
from advisor.core.model import Kind
from advisor.core.removal import (
    ATTACHMENTS,
    INLINE_SIZE,
    MANAGED_SIZE,
    TAG,
    TOGETHER,
    Entry,
    Hold,
    Managed,
    Operation,
    Plan,
    Standing,
    Step,
    StepState,
    Treatment,
)
from advisor.core.rewrite import size

HOLD = "hold"
"""The key that stands among what was ticked where the change is to be held first."""

INLINE, MANAGED = "iam-audit-hold-", "IAMAudit-hold-"
"""What the policy is called, with the ticket's number behind it: a managed one as all that the bot makes."""

GRANTING = frozenset(
    "acm-pca apigateway backup codeartifact codebuild dynamodb ecr ecr-public elasticfilesystem es events glacier glue iot kafka "
    "kinesis kms lambda lex logs mediastore s3 s3-outposts s3express schemas secretsmanager serverlessrepo ses signer sns "
    "sqs ssm-contacts ssm-incidents sts vpc-lattice".split()
)
"""Services whose resources have policies of their own, which can grant without the entity's policies.

Source: IAM User Guide, "AWS services that work with IAM", column "Resource-based policies"; `sts` for trust policies.
"""


def ticket_of(policy: str) -> int | None:
    """The ticket that a policy is the hold of, by its name; None for any other policy."""
    found = re.fullmatch(rf"(?:{INLINE}|{MANAGED})([0-9]{{1,18}})", policy)
    return int(found[1]) if found else None


def also_stops(denied: Iterable[str]) -> tuple[str, ...]:
    """Of what is denied, the services whose resources may grant it by themselves: a removal would leave that alone."""
    return tuple(sorted({d.partition(":")[0] for d in denied} & GRANTING))


def text(denied: Iterable[str]) -> str:
    """The document."""
    statement = {"Sid": "IAMAuditHold", "Effect": "Deny", "Action": list(denied), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))


def denies(services: Iterable[str], actions: Iterable[str]) -> tuple[str, ...]:
    """What is denied, in order: services that go whole, then single actions."""
    return (*(f"{s}:*" for s in sorted(services)), *sorted(actions))


def lay(plan: Plan, standing: Standing, ticket: int, days: int) -> Hold | None:
    """The hold of a plan, against what stands now; None where it denies nothing or fits nowhere.

    Inline where there is room; else a managed policy of its own, made and attached, if one more may be attached and
    leaves room for those that the plan attaches afterwards.
    """
    if plan.quarantine:
        return Hold(plan.edits[0].policy, days, ("*",), plan.steps)
    denied = denies(plan.services, plan.actions)
    document = text(denied)
    if not denied or standing.entity.kind is Kind.POLICY:
        return None
    taken = sum(size(t) for _, t in standing.inline)
    if taken + size(document) <= INLINE_SIZE[standing.entity.kind]:
        called = f"{INLINE}{ticket}"
        return Hold(called, days, denied, (Step(Operation.PUT, called, after=document),))
    attaches = sum(e.treatment in {Treatment.COPY, Treatment.REPLACE, Treatment.SWAP} for e in plan.edits)
    if size(document) > MANAGED_SIZE or len(standing.attached) + 1 + attaches > ATTACHMENTS:
        return None
    entity, called = standing.entity, f"{MANAGED}{ticket}"
    arn = f"arn:{partition_of(entity.arn)}:iam::{entity.account}:policy/{called}"
    made = Step(
        Operation.CREATE_POLICY,
        called,
        arn,
        after=document,
        description=f"Denies what ticket {ticket} of IAM Audit is about to take from {entity.name}."[:1000],
        tags=((TAG, str(ticket)),),
    )
    return Hold(called, days, denied, (made, Step(Operation.ATTACH, called, arn)))


def fits(denied: Collection[str], kind: Kind, inline: Iterable[str], attached: int) -> bool:
    """Whether a hold of so much has a place: what a form says before anything is planned."""
    document = size(text(denied))
    if kind is Kind.POLICY:
        return False
    inside = sum(size(t) for t in inline) + document <= INLINE_SIZE[kind]
    return inside or (document <= MANAGED_SIZE and attached < ATTACHMENTS)


# -- while it stands -------------------------------------------------------------------------------------------------


def standing_hold(plan: Plan, now: Standing) -> str | None:
    """The text of the hold as it stands; empty for a quarantine's, None where none does."""
    if plan.hold is None:
        return None
    if plan.quarantine:
        return "" if plan.hold.arn in now.attached else None
    if not plan.hold.arn:
        return now.text(plan.hold.name)
    policy = now.policy(plan.hold.arn)
    return policy.default.text if policy and plan.hold.arn in now.attached else None


def lift(plan: Plan, now: Standing) -> tuple[Step, ...]:
    """The writes that take the hold away, the one that matters first; none where none is there."""
    if plan.hold is None:
        return ()
    called, arn = plan.hold.name, plan.hold.arn
    if not arn:
        held = now.text(called)
        return () if held is None else (Step(Operation.DELETE, called, before=held),)
    steps = [Step(Operation.DETACH, called, arn)] if arn in now.attached else []
    policy = now.policy(arn)
    if policy and not plan.quarantine:
        steps += _unmade(policy)
    return tuple(steps)


def _unmade(policy: Managed) -> list[Step]:
    """A managed policy of ours goes with all its versions."""
    older = [
        Step(Operation.DELETE_VERSION, policy.name, policy.arn, v.text, None, v.id)
        for v in policy.versions
        if not v.default
    ]
    return [*older, Step(Operation.DELETE_POLICY, policy.name, policy.arn, policy.default.text)]


def narrow(plan: Plan, now: Standing, given: Collection[str]) -> tuple[Step, ...]:
    """The writes after which the hold no longer denies what was given back; none where it does not now."""
    held = standing_hold(plan, now)
    if plan.hold is None or not held:
        return ()
    left = still_denied(plan, given)
    called, arn, after = plan.hold.name, plan.hold.arn, text(left)
    if held == after:
        return ()
    if not left:
        return lift(plan, now)
    if not arn:
        return (Step(Operation.PUT, called, before=held, after=after),)
    policy = now.policy(arn)
    old = policy.default.id if policy else ""
    return (
        Step(Operation.CREATE_VERSION, called, arn, held, after, old),
        Step(Operation.DELETE_VERSION, called, arn, held, None, old),
    )


def still_denied(plan: Plan, given: Collection[str]) -> tuple[str, ...]:
    """What the hold denies, less what was given back: by service, by action, or by the policy that granted it."""
    back = set(given) | {
        s for e in plan.edits if e.policy in given and e.treatment in TOGETHER for s in e.out
    }
    denied = plan.hold.denied if plan.hold else ()
    return tuple(d for d in denied if d not in back and d.partition(":")[0] not in back)


# -- time ------------------------------------------------------------------------------------------------------------


def held_since(plan: Plan, entries: Iterable[Entry]) -> datetime | None:
    """When the hold was read back, by the journal; None where it never was."""
    first = [e for e in entries if e.run == 1 and not e.back]
    times = [e.settled_at for e in first if e.state is StepState.DONE and e.settled_at]
    return max(times) if plan.hold and len(times) == len(plan.hold.lay) else None


def held_until(plan: Plan, entries: Iterable[Entry]) -> datetime | None:
    """When its quiet days are over."""
    since = held_since(plan, entries)
    return since + timedelta(days=plan.hold.days) if since and plan.hold else None
