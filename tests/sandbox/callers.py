"""Who calls, and what IAM would say to it: the caller's own policies, a session policy, a role's trust.

Source: IAM User Guide, "Policy evaluation logic", "IAM JSON policy elements" and "Troubleshoot access denied error
messages". Left out: permissions boundaries of callers, condition keys but iam:PolicyARN, policy variables.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from moto.iam.exceptions import MalformedPolicyDocument
from moto.iam.policy_validation import IAMPolicyDocumentValidator

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Caller:
    """An identity behind an access key."""

    account: str
    arn: str  # the user or the role
    name: str = ""  # what IAM calls it in a sentence: the session of a role
    session_policy: str = ""

    def __str__(self) -> str:
        return self.name or self.arn


def assumed(params: dict[str, str]) -> Caller:
    """The session that AssumeRole with these parameters begins."""
    arn = params["RoleArn"]
    account, role = arn.split(":")[4], arn.rpartition("/")[2]
    name = f"arn:aws:sts::{account}:assumed-role/{role}/{params.get('RoleSessionName', '')}"
    return Caller(account, arn, name, params.get("Policy", ""))


def session_fault(params: dict[str, str]) -> tuple[str, str] | None:
    """What STS says to a session policy that it cannot take."""
    if any(k.startswith("PolicyArns") for k in params):
        return "ValidationError", "The sandbox does not know managed session policies"
    text = params.get("Policy")
    if text is None:
        return None
    if len(text) > 2_048:
        return "ValidationError", "'policy' failed to satisfy constraint: Member must have length <= 2048"
    try:
        IAMPolicyDocumentValidator(text).validate()
    except MalformedPolicyDocument as fault:
        return "MalformedPolicyDocument", str(fault.message)
    return None


def refusal(caller: Caller, texts: Iterable[str], action: str, params: dict[str, str], backend: Any) -> str:
    """IAM's sentence where this call is not allowed, or nothing."""
    resource, spoken = resource_of(action, params, backend)
    who = f"User: {caller} is not authorized to perform: {action} on resource: {spoken}"
    asked = [("identity-based", texts)]
    if caller.session_policy:
        asked.append(("session", [caller.session_policy]))
    said = {kind: decide(documents, action, resource, params) for kind, documents in asked}
    for kind, answer in said.items():
        if answer == "Deny":
            article = "an" if kind[0] == "i" else "a"
            return f"{who} with an explicit deny in {article} {kind} policy"
    for kind, answer in said.items():
        if not answer:
            return f"{who} because no {kind} policy allows the {action} action"
    return ""


def trusted(caller: Caller, trust: str) -> bool:
    """Whether a role's trust policy lets this caller in; ":root" means everybody in that account."""
    meant = {"*", caller.arn, str(caller), caller.account, f"arn:aws:iam::{caller.account}:root"}
    effects = set()
    for statement in _list(json.loads(trust)["Statement"]):
        principal = statement.get("Principal", {})
        named = _list(principal.get("AWS")) if isinstance(principal, dict) else _list(principal)
        if meant & set(named) and _covers(statement, "Action", "sts:AssumeRole"):
            effects.add(statement["Effect"])
    return effects == {"Allow"}


def decide(texts: Iterable[str], action: str, resource: str, params: dict[str, str]) -> str:
    """Deny wins; Allow where a statement says so; else nothing."""
    hits = {
        s["Effect"]
        for text in texts
        for s in _list(json.loads(text)["Statement"])
        if _covers(s, "Action", action)
        and _covers(s, "Resource", resource)
        and _holds(s.get("Condition"), _keys(action, params), unknown=s["Effect"] == "Deny")
    }
    return "Deny" if "Deny" in hits else "Allow" if "Allow" in hits else ""


def _covers(statement: Json, key: str, value: str) -> bool:
    if f"Not{key}" in statement:
        return not any(_like(str(p), value, key) for p in _list(statement[f"Not{key}"]))
    return any(_like(str(p), value, key) for p in _list(statement.get(key)))


def _like(pattern: str, value: str, key: str = "") -> bool:
    rule = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern)
    return re.fullmatch(rule, value, re.IGNORECASE | re.DOTALL if key == "Action" else re.DOTALL) is not None


def _like_arn(pattern: str, value: str) -> bool:
    """Each of the six parts for itself, so that no wildcard reaches over a colon."""
    parts, values = pattern.split(":", 5), value.split(":", 5)
    return len(parts) == len(values) and all(map(_like, parts, values))


_OPERATORS = {
    "StringEquals": lambda pattern, value: bool(pattern == value),
    "StringLike": _like,
    "ArnEquals": _like_arn,  # behaves like ArnLike (IAM User Guide, condition operators)
    "ArnLike": _like_arn,
}


def _keys(action: str, params: dict[str, str]) -> dict[str, str]:
    """The condition keys of a call, lower case. iam:PolicyARN belongs to attaching and detaching alone."""
    if re.fullmatch(r"iam:(Attach|Detach)(Role|User|Group)Policy", action):
        return {"iam:policyarn": params.get("PolicyArn", "")}
    return {}


def _holds(condition: Json | None, keys: dict[str, str], *, unknown: bool) -> bool:
    """All tests hold. What is not understood makes an Allow fail and a Deny hold: it never helps a caller."""
    answers: list[bool] = []
    for operator, tests in (condition or {}).items():
        plain = operator.removesuffix("IfExists")
        negated = "Not" in plain
        test = _OPERATORS.get(plain.replace("Not", ""))
        for key, values in tests.items():
            if test is None or key.lower() != "iam:policyarn":
                answers.append(unknown)
            elif key.lower() not in keys:  # a key that is missing fails, but for "Not…" and "…IfExists"
                answers.append(negated or operator != plain)
            else:
                found = any(test(str(v), keys[key.lower()]) for v in _list(values))
                answers.append(found != negated)
    return all(answers)


def resource_of(action: str, params: dict[str, str], backend: Any) -> tuple[str, str]:
    """The ARN that a policy is asked about, and how IAM's sentence names it."""
    ours = f"arn:aws:iam::{backend.account_id}"
    if action == "sts:AssumeRole":
        return params["RoleArn"], params["RoleArn"]
    if action == "iam:CreatePolicy":
        made = f"{ours}:policy{params.get('Path', '/')}{params.get('PolicyName', '')}"
        return made, f"policy {params.get('PolicyName', '')}"
    for kind in ("role", "group", "user"):  # a member is put into a group: the group is the resource
        name = params.get(f"{kind.title()}Name")
        if name:
            known = next((t.arn for t in getattr(backend, f"{kind}s").values() if t.name == name), None)
            path = params.get("Path", "/") if action.startswith("iam:Create") else "/"
            return known or f"{ours}:{kind}{path}{name}", f"{kind} {name}"
    arn = params.get("PolicyArn") or params.get("Arn")
    if arn:
        return arn, f"policy {arn}" if ":policy/" in arn else arn
    listed = re.fullmatch(r"iam:List(Role|User|Group|Policie)s", action)
    if listed:
        path = f"{ours}:{listed[1].lower().replace('policie', 'policy')}/"
        return path, path
    return "*", "*"


def _list(value: Any) -> list[Any]:
    return [] if value is None else list(value) if isinstance(value, list) else [value]
