"""IAM Access Advisor as AWS answers it, over the policies that are really attached.

Sources: IAM API Reference (the four operations); recorded answers of live accounts for what it leaves out: keys that
are missing while IN_PROGRESS, 0 for "nobody", NoSuchEntity for another session, InvalidInput for one bad namespace.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.iam.exceptions import NoSuchEntity
from moto.iam.responses import IamResponse

from tests.sandbox import iam_rules


class InvalidInput(ServiceException):
    code = "InvalidInput"


class ValidationError(ServiceException):
    code = "ValidationError"


class AccessDenied(ServiceException):
    code = "AccessDenied"


class UnmodifiableEntity(ServiceException):
    code = "UnmodifiableEntity"


@dataclass(slots=True)
class Job:
    """A report: frozen when it was asked for."""

    key: str
    arn: str
    level: str
    created: datetime
    rows: list[dict[str, Any]]
    entities: dict[str, list[dict[str, Any]]]
    polls_left: int
    odd: bool = True  # it ends as the knob says
    fails: bool = False


def texts(holder: Any) -> list[str]:
    """The documents of a role, user or group itself."""
    managed = [_default_text(p) for p in holder.managed_policies.values()]
    return [*holder.policies.values(), *managed]


def _default_text(policy: Any) -> str:
    return str(next(v.document for v in policy.versions if v.version_id == policy.default_version_id))


def find(backend: Any, arn: str) -> tuple[str, Any]:
    """The kind and moto's object of an ARN; a wrong path resolves by name."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[2] != "iam" or parts[1] not in {"aws", "aws-cn", "aws-us-gov"}:
        raise ValidationError("Invalid ARN")
    if parts[5] == "root":
        raise InvalidInput("Invalid ARN: root")
    if parts[4] not in {backend.account_id, "aws"}:
        raise AccessDenied(f"Access denied for {arn}")
    kind, name = parts[5].split("/")[0], parts[5].rpartition("/")[2]
    pools = {
        "role": backend.roles,
        "user": backend.users,
        "group": backend.groups,
        "policy": backend.managed_policies,
    }
    if kind not in pools:
        raise ValidationError("Invalid ARN")
    for thing in pools[kind].values():
        if thing.name == name and (kind != "policy" or thing.arn == arn):
            return kind, thing
    raise NoSuchEntity(f"ARN {arn} does not exist.")


def _groups_of(backend: Any, user: Any) -> list[Any]:
    return [g for g in backend.groups.values() if user in g.users]


def texts_of(backend: Any, kind: str, thing: Any) -> list[str]:
    if kind == "policy":
        return [_default_text(thing)]
    own = texts(thing)
    if kind == "user":
        own += [t for g in _groups_of(backend, thing) for t in texts(g)]
    return own


def _reach(backend: Any, kind: str, thing: Any) -> list[tuple[str, Any]]:
    """Whose use counts."""
    if kind in {"role", "user"}:
        return [(kind, thing)]
    if kind == "group":
        return [("user", u) for u in thing.users]
    held: list[tuple[str, Any]] = [
        ("role", r) for r in backend.roles.values() if thing.arn in r.managed_policies
    ]
    users = [u for u in backend.users.values() if thing.arn in u.managed_policies]
    users += [
        u
        for g in backend.groups.values()
        if thing.arn in g.managed_policies
        for u in g.users
        if u not in users
    ]
    return held + [("user", u) for u in users]


def _latest(uses: Iterable[Any]) -> Any:
    return max(uses, key=lambda u: u.at, default=None)


def _report(
    aws: Any, backend: Any, arn: str, level: str
) -> tuple[list[dict[str, Any]], dict[str, list[dict[str, Any]]]]:
    kind, thing = find(backend, arn)
    granted: dict[str, set[str]] = {}
    for service, action in iam_rules.allowed(texts_of(backend, kind, thing)):
        granted.setdefault(service, set()).add(action)
    reach = _reach(backend, kind, thing)
    by_arn = {t.arn for _, t in reach}
    through = f"{kind}:{thing.name}"
    uses = [
        u
        for u in aws.uses
        if u.account == backend.account_id
        and u.arn in by_arn
        and (not u.via or u.via == through or kind in {"role", "user"})
    ]
    rows, entities = [], {}
    for service in sorted(granted):
        if service in iam_rules.UNTRACKED_SERVICES:
            continue
        mine = [u for u in uses if u.service == service]
        rows.append(_row(service, mine, granted[service], level))
        entities[service] = _entities(reach, mine)
    return rows, entities


def _row(service: str, uses: list[Any], granted: set[str], level: str) -> dict[str, Any]:
    last = _latest(uses)
    row: dict[str, Any] = {
        "ServiceName": iam_rules.service_name(service),
        "ServiceNamespace": service,
        "TotalAuthenticatedEntities": len({u.arn for u in uses}),
    }
    if last:
        row |= {
            "LastAuthenticated": last.at,
            "LastAuthenticatedEntity": last.arn,
            "LastAuthenticatedRegion": last.region,
        }
    known = sorted(a for a in granted if iam_rules.tracked(service, a))
    if level == "ACTION_LEVEL" and known:
        row["TrackedActionsLastAccessed"] = [_action(a, [u for u in uses if u.action == a]) for a in known]
    return row


def _action(name: str, uses: list[Any]) -> dict[str, Any]:
    last = _latest(uses)
    row: dict[str, Any] = {"ActionName": name}
    if last:
        row |= {
            "LastAccessedTime": last.at,
            "LastAccessedEntity": last.arn,
            "LastAccessedRegion": last.region,
        }
    return row


def _entities(reach: list[tuple[str, Any]], uses: list[Any]) -> list[dict[str, Any]]:
    rows = []
    for kind, thing in reach:
        last = _latest(u for u in uses if u.arn == thing.arn)
        info = {
            "Arn": thing.arn,
            "Name": thing.name,
            "Type": kind.upper(),
            "Id": thing.id,
            "Path": thing.path,
        }
        rows.append({"EntityInfo": info, **({"LastAuthenticated": last.at} if last else {})})
    return sorted(
        rows,
        key=lambda r: (
            -(r["LastAuthenticated"].timestamp() if "LastAuthenticated" in r else 0),
            r["EntityInfo"]["Name"],
        ),
    )


def page(
    aws: Any, response: IamResponse, rows: list[Any], kind: str, usual: int = 200
) -> tuple[list[Any], dict[str, Any]]:
    """One page, and what says that more follow. A marker is good for the operation that gave it."""
    size = min(int(response._get_param("MaxItems") or usual), aws.knobs.page_size)
    marker = str(response._get_param("Marker") or "")
    if marker and not marker.startswith(f"{kind}-"):
        raise InvalidInput("Invalid Marker")
    start = int(marker.partition("-")[2] or 0) if marker else 0
    end = start + size
    more = end < len(rows)
    return rows[start:end], {"IsTruncated": more, **({"Marker": f"{kind}-{end}"} if more else {})}


newest: Any = None
"""The sandbox whose operations moto has now: moto's classes are the process's, not ours."""


def install(aws: Any) -> None:
    """Give moto's IAM the operations it lacks, for this sandbox."""
    global newest  # noqa: PLW0603  # said above
    newest = aws

    def generate(self: IamResponse) -> ActionResult:
        arn, level = str(self._get_param("Arn")), str(self._get_param("Granularity") or "SERVICE_LEVEL")
        rows, entities = _report(aws, aws.backend(self.current_account), arn, level)
        job_id = str(uuid.uuid4())
        fails = aws.knobs.failing.get(arn, 0) > 0
        if fails:
            aws.knobs.failing[arn] -= 1
        aws.jobs[job_id] = Job(
            self.get_access_key(),
            arn,
            level,
            aws.clock(),
            rows,
            entities,
            aws.knobs.job_polls,
            odd=len(aws.jobs) % aws.knobs.job_every == 0,
            fails=fails,
        )
        return ActionResult({"JobId": job_id})

    def job_of(self: IamResponse) -> Job:
        job_id = str(self._get_param("JobId"))
        job = aws.jobs.get(job_id)
        if job is None or job.key != self.get_access_key():
            raise NoSuchEntity(f"Job {job_id} does not exist.")
        return job  # type: ignore[no-any-return]

    def state_of(job: Job) -> dict[str, Any] | None:
        head = {"JobCreationDate": job.created, "IsTruncated": False}
        result = aws.knobs.job_result if job.odd else "ok"
        if result == "stick":
            return {"JobStatus": "IN_PROGRESS", **head}
        if job.polls_left > 0:
            job.polls_left -= 1
            return {"JobStatus": "IN_PROGRESS", **head}
        if result == "fail" or job.fails:
            error = {"Code": "INTERNAL", "Message": "An internal <error> *happened*"}
            return {"JobStatus": "FAILED", "JobCompletionDate": job.created, "Error": error, **head}
        return None

    def get(self: IamResponse) -> ActionResult:
        job = job_of(self)
        waiting = state_of(job)
        if waiting:
            return ActionResult(waiting)
        rows, tail = page(aws, self, job.rows, "s")
        head = {"JobStatus": "COMPLETED", "JobType": job.level, "JobCreationDate": job.created}
        return ActionResult({**head, "JobCompletionDate": aws.clock(), "ServicesLastAccessed": rows, **tail})

    def with_entities(self: IamResponse) -> ActionResult:
        job = job_of(self)
        waiting = state_of(job)
        if waiting:
            return ActionResult(waiting)
        namespace = str(self._get_param("ServiceNamespace"))
        if namespace not in iam_rules.services():
            raise InvalidInput(f"Invalid service namespace: {namespace}")
        rows, tail = page(aws, self, job.entities.get(namespace, []), "e")
        head = {"JobStatus": "COMPLETED", "JobCreationDate": job.created, "JobCompletionDate": aws.clock()}
        return ActionResult({**head, "EntityDetailsList": rows, **tail})

    def granting(self: IamResponse) -> ActionResult:
        backend = aws.backend(self.current_account)
        kind, thing = find(backend, str(self._get_param("Arn")))
        if kind == "policy":
            raise InvalidInput("Policies are not supported")
        names = [str(n) for n in self._get_param("ServiceNamespaces", [])]
        if any(n not in iam_rules.services() or n in iam_rules.UNTRACKED_SERVICES for n in names):
            raise InvalidInput("Invalid service namespace")
        holders = [(kind.upper(), thing)]
        if kind == "user":
            holders += [("GROUP", g) for g in _groups_of(backend, thing)]
        answer = [{"ServiceNamespace": n, "Policies": _granting(holders, n)} for n in names]
        return ActionResult({"PoliciesGrantingServiceAccess": answer, "IsTruncated": False})

    IamResponse.generate_service_last_accessed_details = generate  # type: ignore[attr-defined]
    IamResponse.get_service_last_accessed_details = get  # type: ignore[attr-defined]
    IamResponse.get_service_last_accessed_details_with_entities = with_entities  # type: ignore[attr-defined]
    IamResponse.list_policies_granting_service_access = granting  # type: ignore[attr-defined]


def _granting(holders: list[tuple[str, Any]], namespace: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for kind, holder in holders:
        entity = {"EntityType": kind, "EntityName": holder.name}
        for name, text in holder.policies.items():
            if namespace in iam_rules.allowed_services(text):
                found.append({"PolicyName": name, "PolicyType": "INLINE", **entity})
        for policy in holder.managed_policies.values():
            if namespace in iam_rules.allowed_services(_default_text(policy)):
                row = {"PolicyName": policy.name, "PolicyType": "MANAGED", "PolicyArn": policy.arn}
                if (
                    row not in found
                ):  # EntityType and EntityName are null for managed policies (API reference)
                    found.append(row)
    return found


def document(*statements: dict[str, Any]) -> str:
    """A policy's text."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
