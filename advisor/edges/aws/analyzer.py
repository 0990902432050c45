"""IAM Access Analyzer's checks of policy documents, and IAM's policy simulator. Reads only; the checks are charged.

Source: IAM Access Analyzer API Reference; IAM API Reference, SimulatePrincipalPolicy, SimulateCustomPolicy.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from advisor.core.errors import Throttled, Unreachable
from advisor.core.proof import Decision
from advisor.edges.aws.errors import call
from advisor.edges.aws.pacer import START, Bucket
from advisor.edges.aws.pages import pages
from advisor.edges.aws.sessions import Session, Sessions

_IDENTITY = "IDENTITY_POLICY"
_PAGE = 100
"""Results a page of a simulation (its own default; MaxItems)."""


@dataclass(frozen=True, slots=True)
class Said:
    """PASS or FAIL of a check, AWS's words for it, and the request's id."""

    passed: bool
    words: str
    request_id: str


class Analyzer:
    """Asks about documents in one account at a time, with the read role's rights."""

    def __init__(self, sessions: Sessions, sleep: Callable[[float], object] = time.sleep) -> None:
        self._sessions = sessions
        self._sleep = sleep
        self._buckets: dict[tuple[str, str], Bucket] = {}

    def client(self, account: str) -> Any:
        """A client of an account, in the Region that the bot is set to: documents belong to no Region."""
        if account == self._sessions.identity().account:
            return self._sessions.client("accessanalyzer")
        keys = self._sessions.keys(account)
        return self._sessions.client(
            "accessanalyzer",
            aws_access_key_id=keys.id,
            aws_secret_access_key=keys.secret,
            aws_session_token=keys.token,
        )

    def errors(self, client: Any, account: str, text: str) -> list[tuple[str, str]]:
        """Findings of ValidatePolicy that say that a document is wrong: (issue code, details); every page."""
        found: list[tuple[str, str]] = []
        more: dict[str, str] = {}
        while True:
            page = self._ask(
                client.validate_policy,
                "access-analyzer:ValidatePolicy",
                account,
                policyDocument=text,
                policyType=_IDENTITY,
                maxResults=_PAGE,
                **more,
            )
            found += [
                (str(f.get("issueCode", "")), str(f.get("findingDetails", "")))
                for f in page.get("findings", [])
                if f.get("findingType") == "ERROR"
            ]
            token = str(page.get("nextToken") or "")
            if not token:
                return found
            if token == more.get("nextToken"):
                raise Unreachable(
                    "access-analyzer:ValidatePolicy", "a page without a way on", account=account
                )
            more = {"nextToken": token}

    def no_new_access(self, client: Any, account: str, before: str, after: str) -> Said:
        """Whether a new document allows nothing that the existing one does not."""
        answer = self._ask(
            client.check_no_new_access,
            "access-analyzer:CheckNoNewAccess",
            account,
            newPolicyDocument=after,
            existingPolicyDocument=before,
            policyType=_IDENTITY,
        )
        return _said(answer)

    def not_granted(self, client: Any, account: str, text: str, actions: Sequence[str]) -> Said:
        """Whether a document grants none of at most 100 actions."""
        answer = self._ask(
            client.check_access_not_granted,
            "access-analyzer:CheckAccessNotGranted",
            account,
            policyDocument=text,
            access=[{"actions": list(actions)}],
            policyType=_IDENTITY,
        )
        return _said(answer)

    def simulate_principal(self, session: Session, arn: str, actions: Sequence[str]) -> dict[str, Decision]:
        """What a user, group or role may do now, its groups, its boundary and readable SCPs included."""
        return self._simulate(
            session,
            session.iam.simulate_principal_policy,
            "iam:SimulatePrincipalPolicy",
            PolicySourceArn=arn,
            ActionNames=list(actions),
        )

    def simulate_custom(
        self, session: Session, texts: Sequence[str], actions: Sequence[str], boundary: str = ""
    ) -> dict[str, Decision]:
        """What these documents together allow, within a boundary where there is one."""
        within = {"PermissionsBoundaryPolicyInputList": [boundary]} if boundary else {}
        return self._simulate(
            session,
            session.iam.simulate_custom_policy,
            "iam:SimulateCustomPolicy",
            PolicyInputList=list(texts),
            ActionNames=list(actions),
            **within,
        )

    def _simulate(
        self, session: Session, method: Any, permission: str, **parameters: Any
    ) -> dict[str, Decision]:
        """Every page. An action is allowed where it is on one of the resources that it was asked for."""
        found: dict[str, Decision] = {}
        read = pages(
            method, permission, session.account, sized=False, ask=self._ask, MaxItems=_PAGE, **parameters
        )
        for page in read:
            for row in page.get("EvaluationResults", []):
                found[str(row["EvalActionName"])] = _decision(row)
        return found

    def _ask(self, method: Any, permission: str, account: str, **parameters: Any) -> dict[str, Any]:
        """One call, at the pace that the account takes."""
        bucket = self._buckets.setdefault((account, permission), Bucket(START))
        while wait := bucket.wait(time.monotonic()):
            self._sleep(wait)
        bucket.take()
        sent = time.monotonic()
        try:
            answer = call(method, permission, account, **parameters)
        except Throttled:
            bucket.throttled(sent, time.monotonic())
            raise
        bucket.answered()
        return answer


def _said(answer: dict[str, Any]) -> Said:
    reasons = [str(r.get("description", "")) for r in answer.get("reasons", [])]
    words = "; ".join(w for w in (str(answer.get("message", "")), *reasons) if w)
    request = str(answer.get("ResponseMetadata", {}).get("RequestId", ""))
    return Said(answer.get("result") == "PASS", words, request)


def _decision(row: dict[str, Any]) -> Decision:
    """Of an action: the results by resource where AWS gives them, else the one of the action."""
    parts = row.get("ResourceSpecificResults") or []
    said = [str(p.get("EvalResourceDecision", "")) for p in parts] or [str(row.get("EvalDecision", ""))]
    bounded = [p for p in (row, *parts) if p.get("PermissionsBoundaryDecisionDetail")]
    boundary = any(
        not p["PermissionsBoundaryDecisionDetail"].get("AllowedByPermissionsBoundary", True) for p in bounded
    )
    organization = row.get("OrganizationsDecisionDetail") or {}
    return Decision(
        allowed="allowed" in said,
        by_boundary=boundary,
        by_organization=not organization.get("AllowedByOrganizations", True),
    )
