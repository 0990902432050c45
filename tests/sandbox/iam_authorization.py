"""GetAccountAuthorizationDetails as IAM answers it: filtered, in pages, texts percent-encoded, names of policies told.

Source: IAM API Reference. moto ignores MaxItems, never truncates and leaves out PolicyName. What IAM itself leaves out
is left out here too: descriptions of roles, tags of policies.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from moto.core.responses import ActionResult
from moto.iam.models import AWSManagedPolicy
from moto.iam.responses import IamResponse

from tests.sandbox.advisor import page

Json = dict[str, Any]
_LISTS = {
    "User": "UserDetailList",
    "Group": "GroupDetailList",
    "Role": "RoleDetailList",
    "LocalManagedPolicy": "Policies",
    "AWSManagedPolicy": "Policies",
}


def install(aws: Any) -> None:
    """Give moto's IAM the operation anew."""

    def details(self: IamResponse) -> ActionResult:
        backend = aws.backend(self.current_account)
        wanted = self._get_param("Filter", []) or list(_LISTS)
        every = [(kind, row) for kind, row in _rows(backend) if kind in wanted]
        rows, tail = page(aws, self, every, "details", usual=100)
        lists: dict[str, list[Json]] = {key: [] for key in _LISTS.values()}
        for kind, row in rows:
            lists[_LISTS[kind]].append(row)
        return ActionResult({**lists, **tail})

    IamResponse.get_account_authorization_details = details  # type: ignore[method-assign]


def _rows(backend: Any) -> Iterator[tuple[str, Json]]:
    for user in backend.users.values():
        groups = [g.name for g in backend.groups.values() if user in g.users]
        yield "User", {**_holder("User", user), "GroupList": groups, **_more(user)}
    for group in backend.groups.values():
        yield "Group", _holder("Group", group)
    for role in backend.roles.values():
        trust = quote(str(role.assume_role_policy_document), safe="")
        yield "Role", {**_holder("Role", role), "AssumeRolePolicyDocument": trust, **_more(role)}
    for policy in backend.managed_policies.values():
        theirs = isinstance(policy, AWSManagedPolicy)
        if not theirs or policy.attachment_count:
            yield "AWSManagedPolicy" if theirs else "LocalManagedPolicy", _policy(policy)


def _more(holder: Any) -> Json:
    boundary = getattr(holder, "permissions_boundary_arn", None)
    found: Json = {"Tags": list(holder.tags or [])}
    if boundary:
        kind = {"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": boundary}
        found["PermissionsBoundary"] = kind
    return found


def _holder(noun: str, holder: Any) -> Json:
    inline = [
        {"PolicyName": name, "PolicyDocument": quote(str(text), safe="")}
        for name, text in holder.policies.items()
    ]
    managed = [{"PolicyName": p.name, "PolicyArn": p.arn} for p in holder.managed_policies.values()]
    return {
        "Path": holder.path,
        f"{noun}Name": holder.name,
        f"{noun}Id": holder.id,
        "Arn": holder.arn,
        "CreateDate": holder.create_date,
        f"{noun}PolicyList": inline,
        "AttachedManagedPolicies": managed,
    }


def _policy(policy: Any) -> Json:
    versions = [
        {
            "Document": quote(str(v.document), safe=""),
            "VersionId": v.version_id,
            "IsDefaultVersion": v.version_id == policy.default_version_id,
            "CreateDate": v.create_date,
        }
        for v in policy.versions
    ]
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": policy.default_version_id,
        "AttachmentCount": policy.attachment_count,
        "PermissionsBoundaryUsageCount": policy.permissions_boundary_usage_count,
        "IsAttachable": True,
        "CreateDate": policy.create_date,
        "UpdateDate": policy.update_date,
        "PolicyVersionList": versions,
    }
