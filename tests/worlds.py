"""Small values that the tests of the core, the store and the drawing are made of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from advisor.core.model import (
    ActionRow,
    Entity,
    Grant,
    Granularity,
    Kind,
    Policy,
    PolicyKind,
    Report,
    ServiceRow,
    Snapshot,
)

NOW = datetime(2026, 11, 24, 9, 12, tzinfo=UTC)
ACCOUNT = "111111111111"


@dataclass(frozen=True)
class SmallCatalogue:
    """A list of services and actions short enough to see whole."""

    table: Mapping[str, Sequence[str]] = field(
        default_factory=lambda: {
            "s3": ("GetObject", "PutObject", "ListBucket", "CreateBucket", "DeleteBucket"),
            "ec2": ("RunInstances", "DescribeInstances"),
            "iam": ("PassRole", "GetRole", "CreateRole"),
            "sqs": ("SendMessage",),
            "kms": ("Decrypt",),
            "lambda": ("InvokeFunction", "CreateFunction"),
        }
    )

    def services(self) -> frozenset[str]:
        return frozenset(self.table)

    def actions(self, service: str) -> Mapping[str, frozenset[str]]:
        return {name: frozenset({"Write"}) for name in self.table.get(service, ())}


def ago(**parts: float) -> datetime:
    """So long before the report."""
    return NOW - timedelta(**parts)


def allow(*actions: str, **more: object) -> dict[str, object]:
    """A statement that allows; the resource is `*` unless said otherwise."""
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*", **more}


def deny(*actions: str, **more: object) -> dict[str, object]:
    """A statement that denies."""
    return {**allow(*actions), "Effect": "Deny", **more}


def document(*statements: Mapping[str, object]) -> str:
    """The text of a policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def policy(
    name: str, *actions: str, kind: PolicyKind = PolicyKind.INLINE, attachments: int = 0, group: str = ""
) -> Policy:
    """A policy that allows these actions on everything."""
    arn = (
        ""
        if kind is PolicyKind.INLINE
        else f"arn:aws:iam::{'aws' if kind is PolicyKind.AWS else ACCOUNT}:policy/{name}"
    )
    return Policy(name, kind, document(allow(*actions)), arn, "v1", attachments, group)


def entity(kind: Kind = Kind.ROLE, name: str = "DBAdminRole", **more: object) -> Entity:
    """An entity of two years' standing."""
    values = {
        "account": ACCOUNT,
        "arn": f"arn:aws:iam::{ACCOUNT}:{kind}/{name}",
        "unique_id": f"AROA{name.upper()[:12]}",
        "created_at": ago(days=730),
        **more,
    }
    return Entity(kind=kind, name=name, **values)  # type: ignore[arg-type]


def snapshot(*policies: Policy, of: Entity | None = None, **more: object) -> Snapshot:
    """What IAM said of an entity when the report was made."""
    return Snapshot(of or entity(), NOW, policies, **more)  # type: ignore[arg-type]


def service(
    namespace: str,
    last_at: datetime | None = None,
    *,
    by: Sequence[Policy] | None = (),
    actions: Sequence[ActionRow] | None = None,
    entities: int = 0,
) -> ServiceRow:
    """A row of a report. `by` are the policies that grant it, None where nobody asked."""
    grants = None if by is None else tuple(Grant(p.name, p.kind, p.arn, p.group) for p in by)
    return ServiceRow(
        namespace,
        name=namespace.upper(),
        last_at=last_at,
        region="eu-west-1" if last_at else "",
        entities=entities,
        actions=None if actions is None else tuple(actions),
        grants=grants,
    )


def report(
    *services: ServiceRow, granularity: Granularity = Granularity.SERVICE, at: datetime = NOW, **more: int
) -> Report:
    """A report of just now."""
    return Report(
        more.get("entity_id", 1), granularity, at, at + timedelta(seconds=4), services, more.get("id", 0)
    )
