"""Roles, users, groups and managed policies as IAM tells of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from advisor.core.errors import Missing
from advisor.core.model import Entity, Kind, Policy, PolicyKind, Snapshot, aws_owned
from advisor.edges.aws.errors import call
from advisor.edges.aws.pages import items, pages
from advisor.edges.aws.sessions import Session

Documents = dict[tuple[str, str], str]
"""Texts of managed policies by (unique id, version): a version never changes its text."""

_DOCUMENTS_KEPT = 512


def entity_of(account: str, kind: Kind, row: dict[str, Any], entity_id: int = 0) -> Entity:
    """An entity by IAM's own description of it."""
    noun = kind.value.title()
    return Entity(
        id=entity_id,
        account=account,
        kind=kind,
        name=str(row[f"{noun}Name"]),
        arn=str(row["Arn"]),
        unique_id=str(row[f"{noun}Id"]),
        path=str(row.get("Path", "/")),
        created_at=row["CreateDate"].astimezone(UTC) if row.get("CreateDate") else None,
    )


def get(session: Session, kind: Kind, name: str) -> dict[str, Any]:
    """The description of a role, user or group by its name."""
    noun = kind.value.title()
    method = getattr(session.iam, f"get_{kind}")
    answer = call(method, f"iam:Get{noun}", session.account, **{f"{noun}Name": name})
    return dict(answer[noun])


def get_policy(session: Session, arn: str) -> dict[str, Any]:
    """The description of a managed policy by its ARN."""
    return dict(call(session.iam.get_policy, "iam:GetPolicy", session.account, PolicyArn=arn)["Policy"])


def find(session: Session, kind: Kind, name: str) -> list[Entity]:
    """By name; a policy's path is not known, so its list is read, AWS's own included."""
    if kind is not Kind.POLICY:
        try:
            return [entity_of(session.account, kind, get(session, kind, name))]
        except Missing:
            return []
    rows = items(session.iam.list_policies, "iam:ListPolicies", session.account, "Policies", Scope="All")
    return [entity_of(session.account, kind, r) for r in rows if r["PolicyName"] == name]


def identify(session: Session, entity: Entity) -> Entity:
    """Who bears this ARN (or, with a wrong path, this name) now."""
    if entity.kind is Kind.POLICY:
        return entity_of(session.account, entity.kind, get_policy(session, entity.arn))
    return entity_of(session.account, entity.kind, get(session, entity.kind, entity.name))


def listing(session: Session) -> Iterator[Entity]:
    """Every entity of an account; of AWS's policies only those that are attached."""
    iam, account = session.iam, session.account
    for row in items(iam.list_roles, "iam:ListRoles", account, "Roles"):
        yield entity_of(account, Kind.ROLE, row)
    for row in items(iam.list_users, "iam:ListUsers", account, "Users"):
        yield entity_of(account, Kind.USER, row)
    for row in items(iam.list_groups, "iam:ListGroups", account, "Groups"):
        yield entity_of(account, Kind.GROUP, row)
    for scope in ({"Scope": "Local"}, {"Scope": "AWS", "OnlyAttached": True}):
        for row in items(iam.list_policies, "iam:ListPolicies", account, "Policies", **scope):
            yield entity_of(account, Kind.POLICY, row)


def holders(session: Session, policy_arn: str, usage: str) -> list[str]:
    """Who has a managed policy (`usage` PermissionsPolicy), or as their boundary (PermissionsBoundary)."""
    found: list[str] = []
    for page in pages(
        session.iam.list_entities_for_policy,
        "iam:ListEntitiesForPolicy",
        session.account,
        PolicyArn=policy_arn,
        PolicyUsageFilter=usage,
    ):
        found += [f"role/{r['RoleName']}" for r in page.get("PolicyRoles", [])]
        found += [f"user/{u['UserName']}" for u in page.get("PolicyUsers", [])]
        found += [f"group/{g['GroupName']}" for g in page.get("PolicyGroups", [])]
    return sorted(found)


def snapshot(session: Session, entity: Entity, documents: Documents, now: datetime) -> Snapshot:
    """Everything about an entity that a card or a plan rests on."""
    reader = _Reader(session, documents)
    if entity.kind is Kind.POLICY:
        return reader.of_policy(entity, now)
    return reader.of_principal(entity, now)


def managed(session: Session, arn: str, documents: Documents) -> Policy:
    """One managed policy with the text of its default version."""
    return _Reader(session, documents).managed(get_policy(session, arn), "")


class _Reader:
    def __init__(self, session: Session, documents: Documents) -> None:
        self._session = session
        self._documents = documents

    def of_policy(self, entity: Entity, now: datetime) -> Snapshot:
        row = get_policy(self._session, entity.arn)
        held = tuple(holders(self._session, entity.arn, "PermissionsPolicy"))
        boundary_of = len(holders(self._session, entity.arn, "PermissionsBoundary"))
        return Snapshot(
            entity=entity,
            read_at=now,
            policies=(self.managed(row, ""),),
            members=self._reached(held),
            holders=held,
            boundary_of=max(boundary_of, int(row.get("PermissionsBoundaryUsageCount") or 0)),
            tags=tags_of(row),
            description=str(row.get("Description", "")),
        )

    def _reached(self, held: tuple[str, ...]) -> tuple[str, ...]:
        """The users that a policy reaches through the groups that have it."""
        iam, account = self._session.iam, self._session.account
        groups = [h.partition("/")[2] for h in held if h.startswith("group/")]
        users = {
            str(u["UserName"])
            for group in groups
            for u in items(iam.get_group, "iam:GetGroup", account, "Users", GroupName=group)
        }
        return tuple(sorted(users))

    def of_principal(self, entity: Entity, now: datetime) -> Snapshot:
        row = get(self._session, entity.kind, entity.name)
        groups: tuple[str, ...] = ()
        members: tuple[str, ...] = ()
        policies = [
            *self._inline(entity.kind, entity.name, ""),
            *self._attached(entity.kind, entity.name, ""),
        ]
        iam, account = self._session.iam, self._session.account
        if entity.kind is Kind.USER:
            found = items(
                iam.list_groups_for_user, "iam:ListGroupsForUser", account, "Groups", UserName=entity.name
            )
            groups = tuple(str(g["GroupName"]) for g in found)
            for group in groups:
                policies += [
                    *self._inline(Kind.GROUP, group, group),
                    *self._attached(Kind.GROUP, group, group),
                ]
        if entity.kind is Kind.GROUP:
            users = items(iam.get_group, "iam:GetGroup", account, "Users", GroupName=entity.name)
            members = tuple(str(u["UserName"]) for u in users)
        return Snapshot(
            entity=entity,
            read_at=now,
            policies=tuple(policies),
            groups=groups,
            members=members,
            tags=tags_of(row),
            description=str(row.get("Description", "")),
        )

    def _inline(self, kind: Kind, owner: str, group: str) -> Iterator[Policy]:
        iam, account, noun = self._session.iam, self._session.account, kind.value.title()
        lister = getattr(iam, f"list_{kind}_policies")
        getter = getattr(iam, f"get_{kind}_policy")
        whose = {f"{noun}Name": owner}
        for name in items(lister, f"iam:List{noun}Policies", account, "PolicyNames", **whose):
            answer = call(getter, f"iam:Get{noun}Policy", account, **whose, PolicyName=name)
            yield Policy(str(name), PolicyKind.INLINE, text_of(answer["PolicyDocument"]), group=group)

    def _attached(self, kind: Kind, owner: str, group: str) -> Iterator[Policy]:
        iam, account, noun = self._session.iam, self._session.account, kind.value.title()
        lister = getattr(iam, f"list_attached_{kind}_policies")
        rows = items(
            lister, f"iam:ListAttached{noun}Policies", account, "AttachedPolicies", **{f"{noun}Name": owner}
        )
        for row in rows:
            yield self.managed(get_policy(self._session, str(row["PolicyArn"])), group)

    def managed(self, row: dict[str, Any], group: str) -> Policy:
        """A managed policy by its description."""
        arn, version = str(row["Arn"]), str(row["DefaultVersionId"])
        key = (str(row["PolicyId"]), version)
        text = self._documents.get(key)
        if text is None:
            answer = call(
                self._session.iam.get_policy_version,
                "iam:GetPolicyVersion",
                self._session.account,
                PolicyArn=arn,
                VersionId=version,
            )
            text = text_of(answer["PolicyVersion"]["Document"])
            keep(self._documents, key, text)
        return Policy(
            name=str(row["PolicyName"]),
            kind=PolicyKind.AWS if aws_owned(arn) else PolicyKind.CUSTOMER,
            text=text,
            arn=arn,
            version=version,
            attachments=int(row.get("AttachmentCount") or 0),
            group=group,
        )


def keep(documents: Documents, key: tuple[str, str], text: str) -> None:
    """Remember a text, within a bound."""
    if len(documents) >= _DOCUMENTS_KEPT:
        documents.clear()
    documents[key] = text


def text_of(document: str) -> str:
    """The very text that was stored; `unquote`, not `unquote_plus`, since "+" is data."""
    return unquote(document)


def tags_of(row: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """The tags in a description."""
    return tuple((str(t["Key"]), str(t["Value"])) for t in row.get("Tags", []))
