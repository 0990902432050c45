"""IAM Access Analyzer's policy checks and IAM's policy simulator, which moto has not.

Judged by `tests.brute` and by the sandbox's own gate (`callers.decide`): neither shares a line with the product.
Source: IAM Access Analyzer API Reference; IAM API Reference, SimulateCustomPolicy. Left out: resource types, variables.
"""

from __future__ import annotations

import html
import json
import uuid
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from moto.iam.exceptions import MalformedPolicyDocument
from moto.iam.policy_validation import IAMPolicyDocumentValidator

from tests import brute
from tests.sandbox import advisor, callers

OPERATIONS = frozenset({"ValidatePolicy", "CheckNoNewAccess", "CheckAccessNotGranted"})
_PATHS = {
    "/policy/validation": "ValidatePolicy",
    "/policy/check-no-new-access": "CheckNoNewAccess",
    "/policy/check-access-not-granted": "CheckAccessNotGranted",
}
Answer = tuple[int, list[tuple[str, str]], bytes]


def read(environ: dict[str, Any], body: bytes) -> tuple[str, dict[str, str]]:
    """The operation of a path, and its members (of the address and of the body) as texts."""
    found = json.loads(body or b"{}") | dict(parse_qsl(environ.get("QUERY_STRING", "")))
    return _PATHS[environ["PATH_INFO"]], {
        k: v if isinstance(v, str) else json.dumps(v) for k, v in found.items()
    }


def answer(operation: str, params: dict[str, str], size: int, faults: dict[str, str]) -> Answer:
    """One of the three checks. `faults` is what an operation says instead of the truth."""
    if operation == "ValidatePolicy":
        return _json(_validated(params, size, faults.get(operation, "")))
    if operation in faults:
        reasons = [{"description": faults[operation], "statementIndex": 0}]
        return _json({"result": "FAIL", "message": "The check did not pass.", "reasons": reasons})
    if operation == "CheckNoNewAccess":
        failed = _new(params["existingPolicyDocument"], params["newPolicyDocument"])
    else:
        actions = [a for access in json.loads(params["access"]) for a in access["actions"]]
        if len(actions) > 100:
            return _error("ValidationException", "access: at most 100 actions")
        failed = _granted(params["policyDocument"], actions)
    reasons = [{"description": f"{a} is allowed", "statementIndex": 0} for a in failed[:3]]
    return _json({"result": "FAIL" if failed else "PASS", "message": "", "reasons": reasons})


def _services(*texts: str) -> tuple[str, ...]:
    """The services that documents name; none: all of them."""
    named = {
        e.lower().partition(":")[0]
        for text in texts
        for s in brute.statements(text)
        for element in ("Action", "NotAction")
        for e in brute.entries(s, element)
    }
    known = brute.universe()
    plain = all(n in known for n in named) and '"NotAction"' not in "".join(texts)
    return tuple(sorted(named)) if plain else ()


def _new(existing: str, new: str) -> list[str]:
    only = _services(existing, new)
    extra = brute.written_out(existing) | brute.written_out(new)
    old, then = brute.allowed(existing, extra, only), brute.allowed(new, extra, only)
    found = sorted(a for c in then for a in then[c] - old.get(c, set()))
    denies = [[s for s in brute.statements(t) if s["Effect"] == "Deny"] for t in (existing, new)]
    return found if all(d in denies[1] for d in denies[0]) else [*found, "something that was denied"]


def _granted(text: str, actions: Iterable[str]) -> list[str]:
    extra = brute.written_out(text)
    allowed = set().union(*brute.allowed(text, extra, _services(text)).values())
    return sorted(a for a in actions if a.lower() in allowed)


def _validated(params: dict[str, str], size: int, fault: str) -> dict[str, Any]:
    text = params["policyDocument"]
    found: list[dict[str, Any]] = []
    try:
        IAMPolicyDocumentValidator(text).validate()
    except MalformedPolicyDocument as error:
        found.append(_finding("ERROR", "SYNTAX_ERROR", str(error.message)))
    known = brute.universe()
    for entry in sorted(brute.written_out(text)):
        service = entry.lower().partition(":")[0]
        if entry.lower() not in known.get(service, frozenset()):
            found.append(_finding("ERROR", "INVALID_ACTION", f"The action {entry} does not exist."))
    if '"*"' in text:
        found.append(_finding("SUGGESTION", "REDUNDANT", "a star"))
    if fault and fault in text:
        found.append(_finding("ERROR", "BY_THE_TEST", f"not valid: {fault}"))
    begin = int(params.get("nextToken") or 0)
    end = begin + min(size, int(params.get("maxResults") or 100))
    more = {"nextToken": str(end)} if end < len(found) else {}
    return {"findings": found[begin:end], **more}


def _finding(kind: str, code: str, details: str) -> dict[str, Any]:
    return {
        "findingType": kind, "issueCode": code, "findingDetails": details, "learnMoreLink": "https://docs.aws.amazon.com/x",
        "locations": [],
    }  # fmt: skip


# -- the simulator ---------------------------------------------------------------------------------------------------


def simulate(operation: str, params: dict[str, str], backend: Any, size: int) -> Answer:
    """Each action on `*`: what the documents say, within a boundary; conditions are met by nothing."""
    actions, texts = _members(params, "ActionNames"), _members(params, "PolicyInputList")
    boundaries = _members(params, "PermissionsBoundaryPolicyInputList")
    if operation == "SimulatePrincipalPolicy":
        kind, _, name = params["PolicySourceArn"].rpartition(":")[2].partition("/")
        name = name.rpartition("/")[2]
        held = {t.name: t for t in getattr(backend, f"{kind}s").values()}
        if name not in held:
            return _iam_error("NoSuchEntity", f"{name} cannot be found")
        texts += advisor.texts_of(backend, kind, held[name])
        arn = getattr(held[name], "permissions_boundary_arn", None) or getattr(
            held[name], "permissions_boundary", None
        )
        if arn:
            boundaries.append(advisor._default_text(backend.managed_policies[arn]))
    begin = int(params.get("Marker") or 0)
    end = begin + min(size, int(params.get("MaxItems") or 100))
    rows = "".join(_row(a, texts, boundaries) for a in actions[begin:end])
    more = (
        f"<IsTruncated>true</IsTruncated><Marker>{end}</Marker>"
        if end < len(actions)
        else "<IsTruncated>false</IsTruncated>"
    )
    body = (
        f'<{operation}Response xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><{operation}Result>{more}'
        f"<EvaluationResults>{rows}</EvaluationResults></{operation}Result>"
        f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata></{operation}Response>"
    )
    return 200, [("Content-Type", "text/xml"), ("Content-Length", str(len(body.encode())))], body.encode()


def _row(action: str, texts: list[str], boundaries: list[str]) -> str:
    said = callers.decide(texts, action, "*", {})
    bounded = bool(boundaries) and callers.decide(boundaries, action, "*", {}) != "Allow"
    decision = (
        "explicitDeny" if said == "Deny" else "allowed" if said == "Allow" and not bounded else "implicitDeny"
    )
    detail = (
        f"<PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>{str(not bounded).lower()}"
        "</AllowedByPermissionsBoundary></PermissionsBoundaryDecisionDetail>"
        if boundaries
        else ""
    )
    return (
        f"<member><EvalActionName>{html.escape(action)}</EvalActionName><EvalResourceName>*</EvalResourceName>"
        f"<EvalDecision>{decision}</EvalDecision>{detail}<ResourceSpecificResults><member><EvalResourceName>*</EvalResourceName>"
        f"<EvalResourceDecision>{decision}</EvalResourceDecision></member></ResourceSpecificResults></member>"
    )


def _members(params: dict[str, str], name: str) -> list[str]:
    found: list[str] = []
    while (value := params.get(f"{name}.member.{len(found) + 1}")) is not None:
        found.append(value)
    return found


# -- answers ---------------------------------------------------------------------------------------------------------


def _json(found: dict[str, Any]) -> Answer:
    body = json.dumps(found).encode()
    headers = [
        ("x-amzn-RequestId", str(uuid.uuid4())),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
    ]
    return 200, headers, body


def _error(code: str, message: str) -> Answer:
    body = json.dumps({"__type": code, "message": message}).encode()
    headers = [
        ("x-amzn-RequestId", str(uuid.uuid4())),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
    ]
    return 400, headers, body


def _iam_error(code: str, message: str) -> Answer:
    from tests.sandbox import wire

    return wire.error(404, code, message)
