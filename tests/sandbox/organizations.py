"""An organisation as AWS answers it: SCPs as they are attached, and IAM's access reports on it, which moto lacks.

Sources: IAM API Reference (GenerateOrganizationsAccessReport, GetOrganizationsAccessReport); IAM User Guide, viewing
last accessed information for AWS Organizations; recorded answers: one report at a time, the same job for the same
question within a minute, and a job that fails where the caller may not read the organisation.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.iam.exceptions import NoSuchEntity
from moto.iam.responses import IamResponse
from moto.organizations.exceptions import OrganizationsClientError
from moto.organizations.models import OrganizationsBackend, organizations_backends

from tests.sandbox import advisor, callers, iam_manners, iam_rules

READ_BY_IAM = (
    "DescribeAccount DescribeOrganization DescribeOrganizationalUnit DescribePolicy ListChildren ListParents "
    "ListPoliciesForTarget ListRoots ListTargetsForPolicy"
).split()
SAME = timedelta(seconds=60)
_PATH = re.compile(r"o-[0-9a-z]{10,32}/r-[0-9a-z]{4,32}[0-9a-z\-/]*")


class LimitExceeded(ServiceException):
    code = "ReportGenerationLimitExceededException"


class ChildNotFound(OrganizationsClientError):
    def __init__(self) -> None:
        super().__init__("ChildNotFoundException", "You specified a child that doesn't exist.")


@dataclass(slots=True)
class OrgJob:
    """A report on a place in an organisation: frozen when it was asked for."""

    account: str
    path: str
    created: datetime
    rows: list[dict[str, Any]]
    polls_left: int
    error: tuple[str, str] | None


def found(aws: Any, management: str, members: dict[str, str], *, scps: bool = True) -> dict[str, str]:
    """Make an organisation of these accounts, each in an OU of the given name ("" is the root); ids by name."""
    client = aws.client("organizations", management)
    client.create_organization(FeatureSet="ALL")
    backend = _backend(management)
    root = backend.list_roots()["Roots"][0]["Id"]
    ids = {"o": backend.describe_organization()["Organization"]["Id"], "root": root}
    if scps:
        client.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
    for account, unit in members.items():
        if unit and unit not in ids:
            made = client.create_organizational_unit(ParentId=root, Name=unit)
            ids[unit] = made["OrganizationalUnit"]["Id"]
        client.create_account(AccountName=unit or account, Email=f"{account}@example.com")
        member = backend.accounts[-1]
        organizations_backends.master_accounts[account] = organizations_backends.master_accounts.pop(
            member.id
        )
        member.id, member.parent_id = account, ids.get(unit, root)
    return ids


def none() -> None:
    """No organisation anywhere, as before `found`."""
    for account in list(organizations_backends.values()):  # its own reset empties every service of moto
        account.reset()
    organizations_backends.master_accounts.clear()


def limit(aws: Any, management: str, target: str, *actions: str) -> None:
    """Deny actions below a root, OU or account."""
    client = aws.client("organizations", management)
    statement = {"Effect": "Deny", "Action": list(actions), "Resource": "*"}
    policy = client.create_policy(
        Name=f"deny-{target}",
        Description="",
        Type="SERVICE_CONTROL_POLICY",
        Content=advisor.document(statement),
    )
    client.attach_policy(PolicyId=policy["Policy"]["PolicySummary"]["Id"], TargetId=target)


def _backend(account: str) -> Any:
    return organizations_backends[account]["aws"]


def _above(backend: Any, target: str) -> list[Any]:
    """The thing itself and everything above it."""
    things = {t.id: t for t in [*backend.ou, *backend.accounts]}
    chain = [things[target]]
    while chain[-1].id != backend.org.root_id:
        chain.append(things[chain[-1].parent_id])
    return chain


def _allowed(backend: Any, target: str) -> list[str]:
    """Services that the SCPs on every level allow."""
    left: set[tuple[str, str]] | None = None
    for thing in _above(backend, target):
        texts = [p.content for p in thing.attached_policies if p.type == "SERVICE_CONTROL_POLICY"]
        here = set(iam_rules.allowed(texts))
        left = here if left is None else left & here
    return sorted({service for service, _ in left or ()} - iam_rules.UNTRACKED_SERVICES)


def _rows(aws: Any, backend: Any, path: str) -> list[dict[str, Any]]:
    target, master = path.rpartition("/")[2], backend.org.master_account_id
    if target == master:
        services, accounts = sorted(iam_rules.services() - iam_rules.UNTRACKED_SERVICES), [master]
    else:
        services = _allowed(backend, target)
        accounts = [
            a.id
            for a in backend.accounts
            if a.id != master and target in {t.id for t in _above(backend, a.id)}
        ]
    uses: dict[str, list[Any]] = {}
    for use in aws.uses:
        if use.account in accounts:
            uses.setdefault(use.service, []).append(use)
    return [_row(backend, service, uses.get(service, [])) for service in services]


def _row(backend: Any, service: str, uses: Iterable[Any]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "ServiceName": iam_rules.service_name(service),
        "ServiceNamespace": service,
        "TotalAuthenticatedEntities": len({u.account for u in uses}),
    }
    last = max(uses, key=lambda u: u.at, default=None)
    if last:
        ids = [t.id for t in reversed(_above(backend, last.account))]
        path = "/".join([backend.org.id, *ids])
        row |= {"LastAuthenticatedTime": last.at, "EntityPath": path, "Region": last.region}
    return row


def _counts(rows: list[dict[str, Any]]) -> dict[str, int]:
    unused = sum("LastAuthenticatedTime" not in r for r in rows)
    return {"NumberOfServicesAccessible": len(rows), "NumberOfServicesNotAccessed": unused}


def install(aws: Any) -> None:
    """Give moto's IAM the two operations, for this sandbox, and mend its Organizations."""

    def generate(self: IamResponse) -> ActionResult:
        account, path = self.current_account, str(self._get_param("EntityPath"))
        backend = _backend(account)
        if backend.org is None or backend.org.master_account_id != account:
            raise iam_manners.Foreign("Only the management account may ask for this.")
        if not _PATH.fullmatch(path):
            raise advisor.ValidationError("Invalid EntityPath")
        now = aws.clock()
        mine = {i: j for i, j in aws.jobs.items() if isinstance(j, OrgJob) and j.account == account}
        for job_id, job in mine.items():
            if job.path == path and now - job.created < SAME:
                return ActionResult({"JobId": job_id})
        if any(j.polls_left > 0 and now - j.created < SAME for j in mine.values()):
            raise LimitExceeded("A report is being generated already.")
        error = _refused(aws, self.get_access_key()) or _fault(aws, path)
        rows = [] if error else _rows(aws, backend, path)
        job_id = str(uuid.uuid4())
        aws.jobs[job_id] = OrgJob(account, path, now, rows, aws.knobs.job_polls, error)
        return ActionResult({"JobId": job_id})

    def get(self: IamResponse) -> ActionResult:
        job = aws.jobs.get(str(self._get_param("JobId")))
        if not isinstance(job, OrgJob) or job.account != self.current_account:
            raise NoSuchEntity("The report does not exist.")
        head = {"JobCreationDate": job.created, "IsTruncated": False}
        if job.polls_left > 0 or aws.knobs.job_result == "stick":
            job.polls_left = max(0, job.polls_left - 1)
            return ActionResult({"JobStatus": "IN_PROGRESS", **head})
        if job.error:
            details = {"Code": job.error[0], "Message": job.error[1]}
            return ActionResult({"JobStatus": "FAILED", "ErrorDetails": details, **head})
        rows, tail = advisor.page(aws, self, job.rows, "o")
        counts = _counts(job.rows)
        return ActionResult(
            {
                "JobStatus": "COMPLETED",
                "JobCompletionDate": aws.clock(),
                **head,
                **counts,
                "AccessDetails": rows,
                **tail,
            }
        )

    IamResponse.generate_organizations_access_report = generate  # type: ignore[attr-defined]
    IamResponse.get_organizations_access_report = get  # type: ignore[attr-defined]
    OrganizationsBackend.list_parents = _list_parents  # type: ignore[method-assign]


def _list_parents(self: Any, **kwargs: Any) -> dict[str, Any]:
    """moto says AccountNotFoundException, or an error without a name for an OU (Organizations API, ListParents)."""
    child = next((t for t in [*self.accounts, *self.ou] if t.id == kwargs["ChildId"]), None)
    if child is None:
        raise ChildNotFound
    return {"Parents": [{"Id": u.id, "Type": u.type} for u in self.ou if u.id == child.parent_id]}


def _refused(aws: Any, key: str) -> tuple[str, str] | None:
    """IAM reads the organisation in the caller's name."""
    caller = aws._callers.get(key)
    texts = aws._policies(caller) if caller else []
    missing = [a for a in READ_BY_IAM if callers.decide(texts, f"organizations:{a}", "*", {}) != "Allow"]
    if not missing:
        return None
    return "ORGANIZATIONS_REPORT_ACCESS_DENIED", f"The caller may not call organizations:{missing[0]}"


def _fault(aws: Any, path: str) -> tuple[str, str] | None:
    if aws.knobs.job_result == "fail":
        return "INTERNAL", "An internal <error> *happened*"
    known = path.split("/")[-1]
    return None if known else ("INVALID_PATH", "The path ends in a slash")
