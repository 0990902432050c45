"""What a change rests on, as IAM tells it now: every inline document, attachments, and managed policies with versions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from advisor.core.errors import Missing
from advisor.core.model import Entity, Kind, aws_owned
from advisor.core.removal import Managed, Operation, Standing, Step, Version
from advisor.edges.aws.entities import Documents, entity_of, get, get_policy, holders, keep, tags_of, text_of
from advisor.edges.aws.errors import call
from advisor.edges.aws.pages import items
from advisor.edges.aws.sessions import Session


def read(
    session: Session,
    entity: Entity,
    documents: Documents,
    arns: frozenset[str] | None,
    held: frozenset[str],
) -> Standing:
    """One reading. Inline documents are always read; texts of versions never change, so they are kept."""
    reader = _Reader(session, documents, held if arns is not None else None)
    if entity.kind is Kind.POLICY:
        row = get_policy(session, entity.arn)
        now = entity_of(session.account, entity.kind, row, entity.id)
        return Standing(now, tags=tags_of(row), managed=(reader.managed(row),))
    row = get(session, entity.kind, entity.name)
    attached = tuple(sorted(reader.attached(entity.kind, entity.name)))
    groups = reader.groups(entity.name) if entity.kind is Kind.USER else ()
    return Standing(
        entity=entity_of(session.account, entity.kind, row, entity.id),
        inline=tuple(sorted(reader.inline(entity.kind, entity.name))),
        attached=attached,
        groups=groups,
        boundary=str((row.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn", "")),
        tags=tags_of(row),
        managed=tuple(reader.each(attached if arns is None else sorted(arns))),
        trust=text_of(str(row.get("AssumeRolePolicyDocument", ""))),
        elsewhere=tuple(reader.of_groups(groups)) if arns is None else (),
    )


def look(session: Session, entity: Entity, documents: Documents, step: Step) -> Standing:
    """Only what one write touches: enough to see whether it has taken place."""
    reader = _Reader(session, documents, frozenset())
    match step.operation:
        case Operation.PUT | Operation.DELETE:
            text = reader.document(entity.kind, entity.name, step.name)
            return Standing(entity, inline=() if text is None else ((step.name, text),))
        case Operation.ATTACH | Operation.DETACH:
            return Standing(entity, attached=tuple(sorted(reader.attached(entity.kind, entity.name))))
        case _:
            return Standing(entity, managed=tuple(reader.each([step.arn])))


class _Reader:
    """Reads one account. `held` are the policies whose holders are asked for; None means all but AWS's."""

    def __init__(self, session: Session, documents: Documents, held: frozenset[str] | None) -> None:
        self._session = session
        self._documents = documents
        self._held = held

    def inline(self, kind: Kind, owner: str) -> Iterator[tuple[str, str]]:
        """Name and raw text of every inline policy."""
        iam, account, noun = self._session.iam, self._session.account, kind.value.title()
        whose = {f"{noun}Name": owner}
        lister = getattr(iam, f"list_{kind}_policies")
        for name in items(lister, f"iam:List{noun}Policies", account, "PolicyNames", **whose):
            text = self.document(kind, owner, str(name))
            if text is not None:  # None: it went between the two calls
                yield str(name), text

    def document(self, kind: Kind, owner: str, name: str) -> str | None:
        """The raw text of one inline policy, or None where there is none of that name."""
        noun = kind.value.title()
        getter, permission = getattr(self._session.iam, f"get_{kind}_policy"), f"iam:Get{noun}Policy"
        whose = {f"{noun}Name": owner, "PolicyName": name}
        try:
            return text_of(call(getter, permission, self._session.account, **whose)["PolicyDocument"])
        except Missing:
            return None

    def attached(self, kind: Kind, owner: str) -> Iterator[str]:
        """ARNs of the managed policies that an entity has."""
        iam, account, noun = self._session.iam, self._session.account, kind.value.title()
        lister, permission = getattr(iam, f"list_attached_{kind}_policies"), f"iam:ListAttached{noun}Policies"
        for row in items(lister, permission, account, "AttachedPolicies", **{f"{noun}Name": owner}):
            yield str(row["PolicyArn"])

    def groups(self, user: str) -> tuple[str, ...]:
        """The groups of a user."""
        iam, account = self._session.iam, self._session.account
        rows = items(iam.list_groups_for_user, "iam:ListGroupsForUser", account, "Groups", UserName=user)
        return tuple(sorted(str(g["GroupName"]) for g in rows))

    def of_groups(self, groups: Iterable[str]) -> Iterator[tuple[str, str]]:
        """What groups grant: "group/policy" and the raw text."""
        for group in groups:
            for name, text in self.inline(Kind.GROUP, group):
                yield f"{group}/{name}", text
            for arn in self.attached(Kind.GROUP, group):
                for policy in self.each([arn]):
                    yield f"{group}/{policy.name}", policy.default.text

    def each(self, arns: Iterable[str]) -> Iterator[Managed]:
        """Managed policies by their ARNs; one that is not there (any more) is left out."""
        for arn in arns:
            try:
                yield self.managed(get_policy(self._session, arn))
            except Missing:
                continue

    def managed(self, row: dict[str, Any]) -> Managed:
        """One managed policy. AWS's own have more holders and versions than anybody needs."""
        arn = str(row["Arn"])
        default = str(row["DefaultVersionId"])
        theirs = aws_owned(arn)
        ids = [default] if theirs else self._versions(arn)
        asked = not theirs and (self._held is None or arn in self._held)
        return Managed(
            arn=arn,
            name=str(row["PolicyName"]),
            versions=tuple(Version(i, self._text(row, i), i == default) for i in ids),
            path=str(row.get("Path", "/")),
            description=str(row.get("Description", "")),
            holders=self._holders(arn) if asked else (),
            boundary_of=int(row.get("PermissionsBoundaryUsageCount") or 0) if asked else 0,
            tags=tags_of(row),
        )

    def _holders(self, arn: str) -> tuple[str, ...]:
        return tuple(holders(self._session, arn, "PermissionsPolicy"))

    def _versions(self, arn: str) -> list[str]:
        rows = items(
            self._session.iam.list_policy_versions,
            "iam:ListPolicyVersions",
            self._session.account,
            "Versions",
            PolicyArn=arn,
        )
        return sorted((str(v["VersionId"]) for v in rows), key=lambda v: int(v.lstrip("v") or 0))

    def _text(self, row: dict[str, Any], version: str) -> str:
        key = (str(row["PolicyId"]), version)
        if key not in self._documents:
            answer = call(
                self._session.iam.get_policy_version,
                "iam:GetPolicyVersion",
                self._session.account,
                PolicyArn=str(row["Arn"]),
                VersionId=version,
            )
            keep(self._documents, key, text_of(answer["PolicyVersion"]["Document"]))
        return self._documents[key]
