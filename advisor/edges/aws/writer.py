"""The only writer to AWS. One call a step, by a role of its own, in a session that may do just that call on just that ARN.

No retry of any kind: a repeat of a write whose answer was lost can make two versions of one policy, so the answer is
settled by looking (`advisor.tickets`). Operations: IAM API Reference.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from advisor.core.errors import AwsError, Invalid
from advisor.core.model import Entity
from advisor.core.removal import Operation, Step
from advisor.edges.aws.errors import call
from advisor.edges.aws.sessions import Sessions

_SECONDS = 900
"""The shortest session that STS gives (STS API Reference, AssumeRole, DurationSeconds)."""


@dataclass(frozen=True, slots=True)
class Permit:
    """A session for one step: its client, the call, and what it is called with."""

    method: Any
    permission: str
    account: str
    parameters: dict[str, Any]


class Writer:
    """Writes one step at a time."""

    def __init__(self, sessions: Sessions, role: str) -> None:
        self._sessions = sessions
        self.role = role

    @property
    def may_write(self) -> bool:
        """Whether the operator gave a write role; without one nothing is ever written."""
        return bool(self.role)

    def role_arn(self, account: str) -> str:
        """The write role in an account."""
        return f"arn:{self._sessions.identity().partition}:iam::{account}:role/{self.role}"

    def permit(self, entity: Entity, step: Step, name: str) -> Permit:
        """A session that may do this one step; nothing is written yet. Raises what AssumeRole raises."""
        if not self.role:
            raise Invalid("sts:AssumeRole", "no write role is set", account=entity.account)
        permission, resource, parameters, condition = _call_of(entity, step)
        actions = [permission] + (["iam:TagPolicy"] if parameters.get("Tags") else [])
        statement: dict[str, Any] = {"Effect": "Allow", "Action": actions, "Resource": resource}
        if condition:
            statement["Condition"] = {"ArnEquals": {"iam:PolicyARN": condition}}
        keys = self._enter(entity.account, name, statement)
        client = self._sessions.client(
            "iam",
            once=True,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )
        method = getattr(client, _snake(permission.removeprefix("iam:")))
        return Permit(method, permission, entity.account, parameters)

    def try_entering(self, account: str) -> None:
        """Whether the write role can be assumed, in a session that may do nothing. Raises what AssumeRole raises."""
        self._enter(account, "iam-audit-check", {"Effect": "Deny", "Action": "*", "Resource": "*"})

    def _enter(self, account: str, name: str, statement: dict[str, Any]) -> dict[str, Any]:
        """Credentials of the write role in an account, for what the statement allows and no more."""
        role = self.role_arn(account)
        try:
            answer = call(
                self._sessions.client("sts").assume_role,
                "sts:AssumeRole",
                account,
                RoleArn=role,
                RoleSessionName=name,
                DurationSeconds=_SECONDS,
                Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
            )
        except AwsError as error:
            error.role = role
            raise
        keys: dict[str, Any] = answer["Credentials"]
        return keys

    def write(self, permit: Permit) -> str:
        """Make the one call; AWS's request id. Unreachable means that nobody knows whether it took place."""
        answer = call(permit.method, permit.permission, permit.account, **permit.parameters)
        return str(answer.get("ResponseMetadata", {}).get("RequestId", ""))


def _call_of(entity: Entity, step: Step) -> tuple[str, str, dict[str, Any], str]:
    """The permission that a step needs, on which ARN, its parameters, and the policy that it may attach or detach."""
    noun = entity.kind.value.title()
    whose = {f"{noun}Name": entity.name}
    match step.operation:
        case Operation.PUT:
            document = {"PolicyName": step.name, "PolicyDocument": step.after}
            return f"iam:Put{noun}Policy", entity.arn, {**whose, **document}, ""
        case Operation.DELETE:
            return f"iam:Delete{noun}Policy", entity.arn, {**whose, "PolicyName": step.name}, ""
        case Operation.ATTACH:
            return f"iam:Attach{noun}Policy", entity.arn, {**whose, "PolicyArn": step.arn}, step.arn
        case Operation.DETACH:
            return f"iam:Detach{noun}Policy", entity.arn, {**whose, "PolicyArn": step.arn}, step.arn
        case Operation.CREATE_POLICY:
            parameters = {"PolicyName": step.name, "Path": step.path, "PolicyDocument": step.after}
            parameters |= {"Description": step.description} if step.description else {}
            tags = {"Tags": [{"Key": k, "Value": v} for k, v in step.tags]} if step.tags else {}
            return "iam:CreatePolicy", step.arn, {**parameters, **tags}, ""
        case Operation.DELETE_POLICY:
            return "iam:DeletePolicy", step.arn, {"PolicyArn": step.arn}, ""
        case Operation.CREATE_VERSION:
            version: dict[str, Any] = {"PolicyDocument": step.after, "SetAsDefault": step.default}
            return "iam:CreatePolicyVersion", step.arn, {"PolicyArn": step.arn, **version}, ""
        case Operation.SET_DEFAULT:
            which = {"PolicyArn": step.arn, "VersionId": step.version}
            return "iam:SetDefaultPolicyVersion", step.arn, which, ""
        case Operation.DELETE_VERSION:
            which = {"PolicyArn": step.arn, "VersionId": step.version}
            return "iam:DeletePolicyVersion", step.arn, which, ""


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
