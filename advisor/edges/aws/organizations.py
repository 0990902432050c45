"""AWS Organizations, asked by the bot's own credentials: where things stand in it, and its access reports.

Only the management account gets such a report, for an organisation whose root has service control policies turned on
(IAM API Reference, GenerateOrganizationsAccessReport).
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

from advisor.core.errors import Missing, Refused, ReportFailed
from advisor.core.organization import AccessReport, AllowedService, Organization
from advisor.edges.aws.errors import call
from advisor.edges.aws.pages import pages
from advisor.edges.aws.sessions import Sessions

LEVELS = 7
"""Steps up from an account to its root at most: organisational units nest five deep (Organizations quotas)."""

READ_BY_IAM = (
    "organizations:DescribeAccount",
    "organizations:DescribeOrganizationalUnit",
    "organizations:DescribePolicy",
    "organizations:ListChildren",
    "organizations:ListPoliciesForTarget",
    "organizations:ListTargetsForPolicy",
)
"""What IAM itself reads in the caller's name while it makes a report; without it the job ends as FAILED.

Source: IAM User Guide, "Viewing last accessed information for AWS Organizations", permissions required.
"""


class Organizations:
    """Reads an organisation, and asks for reports on it."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    @property
    def _own(self) -> str:
        return self._sessions.identity().account

    def describe(self) -> Organization | None:
        """The organisation of the own account; None where it is in none."""
        permission = "organizations:DescribeOrganization"
        client = self._sessions.client("organizations")
        try:
            found = call(client.describe_organization, permission, self._own)["Organization"]
        except Refused as error:
            if error.message.startswith("AWSOrganizationsNotInUse"):
                return None
            raise
        return Organization(str(found["Id"]), str(found["MasterAccountId"]))

    def root(self) -> tuple[str, bool]:
        """The root's id, and whether service control policies are turned on there."""
        client = self._sessions.client("organizations")
        token: dict[str, str] = {}
        while True:
            page = call(client.list_roots, "organizations:ListRoots", self._own, **token)
            for root in page.get("Roots", []):
                kinds = {str(p["Type"]): p["Status"] for p in root.get("PolicyTypes", [])}
                return str(root["Id"]), kinds.get("SERVICE_CONTROL_POLICY") == "ENABLED"
            if not page.get("NextToken"):  # a page may be empty before the last one
                raise Missing("organizations:ListRoots", "the organisation has no root", account=self._own)
            token = {"NextToken": str(page["NextToken"])}

    def path(self, organization: str, target: str) -> str:
        """The EntityPath of a root, organisational unit or account: o-…/r-…/ou-…, without a slash at its end.

        Raises Missing where there is no such thing in the organisation.
        """
        client, steps = self._sessions.client("organizations"), [target]
        while not steps[0].startswith("r-"):
            if len(steps) > LEVELS:
                raise Missing("organizations:ListParents", "no root above it", account=self._own)
            steps.insert(0, self._parent(client, steps[0]))
        return "/".join([organization, *steps])

    def _parent(self, client: Any, child: str) -> str:
        permission = "organizations:ListParents"
        token: dict[str, str] = {}
        while True:
            page = call(client.list_parents, permission, self._own, ChildId=child, **token)
            for parent in page.get("Parents", []):
                return str(parent["Id"])
            if not page.get("NextToken"):
                raise Missing(permission, f"nothing is above {child}", account=self._own)
            token = {"NextToken": str(page["NextToken"])}

    def generate(self, path: str) -> str:
        """Start a report. Raises Throttled while AWS makes another one: there is one at a time."""
        iam = self._sessions.session(self._own).iam
        method, permission = iam.generate_organizations_access_report, "iam:GenerateOrganizationsAccessReport"
        return str(call(method, permission, self._own, EntityPath=path)["JobId"])

    def read(self, job_id: str) -> AccessReport | None:
        """The whole report, or None while IN_PROGRESS.

        Raises Missing where IAM does not know the job (any more), Refused where it could not read the organisation in
        the caller's name, ReportFailed where it ended as FAILED for another reason.
        """
        permission = "iam:GetOrganizationsAccessReport"
        method = self._sessions.session(self._own).iam.get_organizations_access_report
        services: list[AllowedService] = []
        head: dict[str, Any] = {}
        for page in pages(method, permission, self._own, JobId=job_id):
            status = page.get("JobStatus")
            if status == "IN_PROGRESS":
                return None
            if status != "COMPLETED":
                raise self._failed(page.get("ErrorDetails") or {}, str(status))
            head = head or page
            services += [_service(row) for row in page.get("AccessDetails", [])]
        return AccessReport(head["JobCreationDate"].astimezone(UTC), tuple(services))

    def _failed(self, details: dict[str, Any], status: str) -> Refused | ReportFailed:
        code = str(details.get("Code") or status)
        text = f"{code}: {details.get('Message', '')}"
        if code == "ORGANIZATIONS_REPORT_ACCESS_DENIED":
            return Refused("\n".join(READ_BY_IAM), text, account=self._own)
        return ReportFailed("iam:GetOrganizationsAccessReport", text, account=self._own)


def _service(row: dict[str, Any]) -> AllowedService:
    last = row.get("LastAuthenticatedTime")
    return AllowedService(
        namespace=str(row["ServiceNamespace"]),
        name=str(row.get("ServiceName", "")),
        last_at=last.astimezone(UTC) if last else None,
        account=str(row.get("EntityPath", "")).rstrip("/").rpartition("/")[2],
        region=str(row.get("Region", "")),
        accounts=int(row.get("TotalAuthenticatedEntities") or 0),
    )
