"""Where moto's IAM is not IAM, mended: what nobody may change, quotas, conflicts, counts, texts on the wire, pages.

Sources: IAM User Guide, "IAM and AWS STS quotas"; the errors that the IAM API Reference names for each operation;
botocore's model for names and characters.
"""

from __future__ import annotations

import html
import json
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from moto.core.responses import ActionResult, EmptyResult
from moto.core.serialize import never_return, url_encode
from moto.iam.exceptions import (
    DeleteConflictException,
    EntityAlreadyExists,
    LimitExceededException,
    MalformedPolicyDocument,
)
from moto.iam.models import AWSManagedPolicy, ManagedPolicy, iam_backends
from moto.iam.policy_validation import BaseIAMPolicyValidator
from moto.iam.responses import IamResponse
from werkzeug.exceptions import HTTPException

from tests.sandbox import credential_report
from tests.sandbox.advisor import UnmodifiableEntity, ValidationError, page

Operation = Callable[[IamResponse], ActionResult]
Check = Callable[[IamResponse, Any], None]

INLINE_SIZE = {"role": 10_240, "user": 2_048, "group": 5_120}
"""Characters of all inline policies of one entity together, white space left out."""

MANAGED_SIZE = 6_144
ATTACHED = 10


class Foreign(HTTPException):
    """AccessDenied. IAM's model has no such error (it is one of the common ones): moto would answer 400 and warn."""

    code = 403

    def __init__(self, message: str) -> None:
        super().__init__()
        self.description = (
            '<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type>'
            f"<Code>AccessDenied</Code><Message>{html.escape(message)}</Message></Error>"
            f"<RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
        )

    def get_headers(self, *_: object) -> list[tuple[str, str]]:
        return [("Content-Type", "text/xml")]


def install(aws: Any) -> None:
    """Mend moto's IAM for this sandbox."""
    for name in _UNMODIFIABLE | _CHECKS.keys():
        _guard(aws, name, ((_protected,) if name in _UNMODIFIABLE else ()) + _CHECKS.get(name, ()))
    for name, key in _LISTS.items():
        _pages(aws, name, key)
    _holders(aws)
    credential_report.install(aws, _mend)
    _mend("create_policy_version", _dated)
    _mend("set_default_policy_version", _flagged)
    ManagedPolicy.attachment_count = property(_attachments, _ignored)  # type: ignore[assignment]
    ManagedPolicy.permissions_boundary_usage_count = property(_boundaries)  # type: ignore[attr-defined]
    BaseIAMPolicyValidator._validate_version = _any_version  # type: ignore[method-assign, assignment]
    texts = IamResponse.RESPONSE_KEY_PATH_TO_TRANSFORMER
    texts["ListRolesResponse.Roles.Role.AssumeRolePolicyDocument"] = _percent
    texts["GetPolicyVersionResponse.PolicyVersion.Document"] = _percent  # moto sends it as it is
    for path, change in list(texts.items()):
        if change is url_encode:  # which leaves "/" as it is
            texts[path] = _percent
    for path in (
        "CreatePolicyVersionResponse.PolicyVersion",
        "ListPolicyVersionsResponse.Versions.PolicyVersion",
    ):
        texts[f"{path}.Document"] = never_return  # API Reference, PolicyVersion


def _any_version(_document: BaseIAMPolicyValidator) -> None:
    """2008-10-17 and none at all are good for IAM; another one is a fault of syntax, which moto sees."""


def _percent(value: Any) -> Any:
    """IAM's documents on the wire: every reserved character percent-encoded (RFC 3986)."""
    return quote(value, safe="") if isinstance(value, str) else value


# -- what is refused ---------------------------------------------------------------------------------------------


def _kind(response: IamResponse) -> str:
    return next(k for k in INLINE_SIZE if response._get_param(f"{k.title()}Name"))


def _holder(response: IamResponse, backend: Any, kind: str) -> Any:
    """moto's object, or None: then the operation itself says NoSuchEntity."""
    name = response._get_param(f"{kind.title()}Name")
    return next((h for h in getattr(backend, f"{kind}s").values() if h.name == name), None)


def _protected(response: IamResponse, backend: Any) -> None:
    """Service-linked roles, and those of IAM Identity Center, are AWS's own to change."""
    role = _holder(response, backend, "role")
    if role and (
        role.path.startswith(("/aws-service-role/", "/aws-reserved/"))
        or role.name.startswith("AWSReservedSSO_")
    ):
        said = f"Cannot perform the operation on the protected role '{role.name}'"
        raise UnmodifiableEntity(f"{said} - this role is only modifiable by AWS")


def _foreign(response: IamResponse, backend: Any) -> None:
    """AWS's policies. These operations know no UnmodifiableEntity (botocore's model): the account is the reason."""
    owner = str(response._get_param("PolicyArn")).split(":")[4:5]
    if owner and owner != [backend.account_id]:
        raise Foreign("Policy is outside your own account.")


def _named(response: IamResponse, _backend: Any) -> None:
    name = str(response._get_param("PolicyName"))
    if not re.fullmatch(r"[\w+=,.@-]{1,128}", name, re.ASCII):
        raise ValidationError(f"1 validation error detected: Value '{name}' at 'policyName' is not valid")


def _well_formed(response: IamResponse, _backend: Any) -> None:
    """What moto's own reading of a document lets through. It refuses the rest itself."""
    text = str(response._get_param("PolicyDocument"))
    if len(text) > 131_072 or not re.fullmatch("[\t\n\r\x20-\xff]+", text):
        raise ValidationError("The specified value for policyDocument is invalid.")
    try:
        statements = json.loads(text)["Statement"]
    except (ValueError, KeyError, TypeError):
        return
    for statement in statements if isinstance(statements, list) else [statements]:
        if not isinstance(statement, dict):
            return
        if not re.fullmatch("[0-9A-Za-z]*", str(statement.get("Sid", ""))):
            raise MalformedPolicyDocument(
                "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression "
                "[0-9A-Za-z]*"
            )
        if {"Principal", "NotPrincipal"} & statement.keys():
            raise MalformedPolicyDocument("Policy document should not specify a principal.")
        if statement.get("Effect") not in {"Allow", "Deny"}:
            raise MalformedPolicyDocument("Syntax errors in policy.")


def _inline_fits(response: IamResponse, backend: Any) -> None:
    kind = _kind(response)
    holder = _holder(response, backend, kind)
    if holder is None:
        return
    after = {**holder.policies, response._get_param("PolicyName"): response._get_param("PolicyDocument")}
    if sum(map(_size, after.values())) > INLINE_SIZE[kind]:
        said = f"Maximum policy size of {INLINE_SIZE[kind]} bytes exceeded for {kind} {holder.name}"
        raise LimitExceededException(said)


def _managed_fits(response: IamResponse, _backend: Any) -> None:
    if _size(str(response._get_param("PolicyDocument"))) > MANAGED_SIZE:
        raise LimitExceededException(f"Cannot exceed quota for PolicySize: {MANAGED_SIZE}")


def _new_name(response: IamResponse, backend: Any) -> None:
    """Names are one account's, whatever the path, and upper case makes no other name."""
    name = str(response._get_param("PolicyName"))
    ours = (p.name.lower() for p in backend.managed_policies.values() if not isinstance(p, AWSManagedPolicy))
    if name.lower() in ours:
        said = f"A policy called {name} already exists. Duplicate names are not allowed."
        raise EntityAlreadyExists(said)


def _is_attached(response: IamResponse, backend: Any) -> bool:
    """To attach it once more is no error and changes nothing."""
    holder = _holder(response, backend, _kind(response))
    return holder is not None and response._get_param("PolicyArn") in holder.managed_policies


def _has_room(response: IamResponse, backend: Any) -> None:
    kind = _kind(response)
    holder = _holder(response, backend, kind)
    if holder and not _is_attached(response, backend) and len(holder.managed_policies) >= ATTACHED:
        raise LimitExceededException(f"Cannot exceed quota for PoliciesPer{kind.title()}: {ATTACHED}")


def _unused(response: IamResponse, backend: Any) -> None:
    policy = backend.managed_policies.get(str(response._get_param("PolicyArn")))
    if policy is None:
        return
    if policy.attachment_count or policy.permissions_boundary_usage_count:
        raise DeleteConflictException("Cannot delete a policy attached to entities.")
    if len(policy.versions) > 1:
        raise DeleteConflictException(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
            "The default version is deleted with the policy."
        )


def _size(text: str) -> int:
    return len("".join(text.split()))


_INLINE = (_named, _well_formed, _inline_fits)
_CHECKS: dict[str, tuple[Check, ...]] = {
    "put_role_policy": _INLINE,
    "put_user_policy": _INLINE,
    "put_group_policy": _INLINE,
    "attach_role_policy": (_has_room,),
    "attach_user_policy": (_has_room,),
    "attach_group_policy": (_has_room,),
    "create_policy": (_named, _well_formed, _managed_fits, _new_name),
    "create_policy_version": (_foreign, _well_formed, _managed_fits),
    "set_default_policy_version": (_foreign,),
    "delete_policy_version": (_foreign,),
    "delete_policy": (_foreign, _unused),
    "tag_policy": (_foreign,),
    "untag_policy": (_foreign,),
}
"""What is asked before an operation, in this order."""

_UNMODIFIABLE = frozenset(
    "put_role_policy delete_role_policy attach_role_policy detach_role_policy put_role_permissions_boundary "
    "delete_role_permissions_boundary update_assume_role_policy update_role update_role_description delete_role".split()
)
"""The operations whose errors have UnmodifiableEntity in botocore's model."""


def _guard(aws: Any, name: str, checks: tuple[Check, ...]) -> None:
    def make(original: Operation) -> Operation:
        def guarded(self: IamResponse) -> ActionResult:
            backend = aws.backend(self.current_account)
            for check in checks:
                check(self, backend)
            attached = name.startswith("attach_") and _is_attached(self, backend)
            return EmptyResult() if attached else original(self)

        return guarded

    _mend(name, make)


# -- counts, dates and flags -------------------------------------------------------------------------------------


def _having(backend: Any, kind: str, arn: str) -> list[Any]:
    return [h for h in getattr(backend, f"{kind}s").values() if arn in h.managed_policies]


def _bounded(backend: Any, kind: str, arn: str) -> list[Any]:
    """Whose permissions boundary it is."""
    holders = getattr(backend, f"{kind}s").values()
    return [h for h in holders if getattr(h, "permissions_boundary_arn", None) == arn]


def _attachments(policy: Any) -> int:
    backend = iam_backends[policy.account_id]["aws"]
    return sum(len(_having(backend, kind, policy.arn)) for kind in INLINE_SIZE)


def _boundaries(policy: Any) -> int:
    backend = iam_backends[policy.account_id]["aws"]
    return sum(len(_bounded(backend, kind, policy.arn)) for kind in INLINE_SIZE)


def _ignored(_policy: Any, _count: int) -> None:
    """moto's own counting, which counts twice what is attached twice."""


def _dated(original: Operation) -> Operation:
    """UpdateDate is the time of the newest version."""

    def made(self: IamResponse) -> ActionResult:
        answer = original(self)
        policy = self.backend.get_policy(self._get_param("PolicyArn"))
        policy.update_date = datetime.now(UTC).replace(tzinfo=None)  # moto's times are naive UTC
        return answer

    return made


def _flagged(original: Operation) -> Operation:
    """moto leaves no version as the default one where it was the default before."""

    def chosen(self: IamResponse) -> ActionResult:
        answer = original(self)
        policy = self.backend.get_policy(self._get_param("PolicyArn"))
        for version in policy.versions:
            version.is_default = version.version_id == policy.default_version_id
        return answer

    return chosen


def _mend(name: str, make: Callable[[Operation], Any]) -> None:
    """Wrap an operation; each wrapper is put on once a sandbox, over moto's own: a process has many sandboxes."""
    current = getattr(IamResponse, name)
    layers: dict[str, Any] = dict(getattr(current, "layers", {"moto": current}))
    layers[f"{make.__module__}.{make.__qualname__}"] = make
    made = layers["moto"]
    for layer in [v for k, v in layers.items() if k != "moto"]:
        made = layer(made)
    made.layers = layers
    setattr(IamResponse, name, made)


# -- pages -------------------------------------------------------------------------------------------------------

_LISTS = {
    "list_roles": "Roles",
    "list_users": "Users",
    "list_groups": "Groups",
    "list_policies": "Policies",
    "list_role_policies": "PolicyNames",
    "list_user_policies": "PolicyNames",
    "list_group_policies": "PolicyNames",
    "list_attached_role_policies": "AttachedPolicies",
    "list_attached_user_policies": "AttachedPolicies",
    "list_attached_group_policies": "AttachedPolicies",
    "list_groups_for_user": "Groups",
    "list_policy_versions": "Versions",
    "list_policy_tags": "Tags",
    "list_role_tags": "Tags",
    "get_group": "Users",
}
"""Lists whose pages moto forgets, and the key of their rows."""


def _pages(aws: Any, name: str, key: str) -> None:
    def make(original: Operation) -> Operation:
        def listed(self: IamResponse) -> ActionResult:
            aws.backend(self.current_account)
            asked = {k: self.params.pop(k) for k in ("Marker", "MaxItems") if k in self.params}
            self.params["MaxItems"] = 100_000
            result: dict[str, Any] = {**original(self).result}  # type: ignore[dict-item]
            self.params.pop("MaxItems", None)
            self.params.update(asked)
            rows, tail = page(aws, self, list(result.get(key) or []), name, usual=100)
            rest = {k: v for k, v in result.items() if k not in {"Marker", "IsTruncated"}}
            return ActionResult({**rest, key: rows, **tail})

        return listed

    _mend(name, make)


def _holders(aws: Any) -> None:
    """ListEntitiesForPolicy: pages over all three lists, and boundaries apart from attachments."""
    keys = {"group": "PolicyGroups", "user": "PolicyUsers", "role": "PolicyRoles"}

    def make(_original: Operation) -> Operation:
        def listed(self: IamResponse) -> ActionResult:
            backend = aws.backend(self.current_account)
            arn, usage = str(self._get_param("PolicyArn")), self._get_param("PolicyUsageFilter")
            backend.get_policy(arn)  # NoSuchEntity where there is none
            only = str(self._get_param("EntityFilter") or "").lower()
            path = str(self._get_param("PathPrefix") or "/")
            found: list[tuple[str, dict[str, str]]] = []
            for kind in [k for k in keys if only in {"", k}]:
                held = _having(backend, kind, arn) if usage != "PermissionsBoundary" else []
                held += _bounded(backend, kind, arn) if usage != "PermissionsPolicy" else []
                named = {h.name: h.id for h in held if h.path.startswith(path)}
                noun = kind.title()
                found += [(keys[kind], {f"{noun}Name": n, f"{noun}Id": i}) for n, i in named.items()]
            rows, tail = page(aws, self, found, "list_entities_for_policy", usual=100)
            return ActionResult({v: [r for k, r in rows if k == v] for v in keys.values()} | tail)

        return listed

    _mend("list_entities_for_policy", make)
