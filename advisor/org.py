"""`org`: which services that service control policies allow nobody uses, by AWS's own report on an organisation."""

from __future__ import annotations

import logging
import re
from datetime import timedelta

from advisor.core.errors import Invalid, Missing, NotYet, Throttled, Unanswered
from advisor.core.model import Failure
from advisor.core.organization import Allowed, Organization, dump
from advisor.desk import Desk

log = logging.getLogger(__name__)

RESTARTS = 3
"""Times a report is begun again because IAM does not know the job that it gave."""

_POLL = timedelta(seconds=2)
_BUSY = timedelta(seconds=10)
_READ = "iam:GetOrganizationsAccessReport"


def answer(desk: Desk, words: dict[str, str]) -> str:
    """Begin or read the report on `words["target"]`: a root, an OU, an account's number or alias, or nothing.

    The notes `job`, `path` and `management` are what an earlier try left. Raises NotYet while AWS is at work.
    """
    if not words.get("job"):
        return _begin(desk, words)
    try:
        report = desk.aws.organizations.read(words["job"])
    except Missing:
        return _once_more(desk, words)
    if report is None:
        raise NotYet(_POLL, _notes(words), Failure("stuck", call=_READ))
    answered = Allowed(words["path"], words["management"], desk.config.iam_audit_window_days, report)
    return dump(answered)


def _notes(words: dict[str, str], **more: str) -> dict[str, str]:
    kept = {k: words[k] for k in ("job", "path", "management", "starts", "waits") if k in words}
    return kept | more


def _begin(desk: Desk, words: dict[str, str]) -> str:
    if not words.get("path"):
        organization = _organization(desk)
        path = _path(desk, organization, words.get("target", ""))
        words = words | {"path": path, "management": organization.management}
    try:
        job = desk.aws.organizations.generate(words["path"])
    except Throttled as error:
        if "ReportGenerationLimitExceeded" not in error.message:
            raise
        late = Failure("org_busy", call=error.call, request_id=error.request_id)
        raise NotYet(_BUSY, _notes(words, waits="turn"), late) from error
    starts = str(int(words.get("starts", "0")) + 1)
    log.info("org.started path=%s starts=%s", words["path"], starts)
    raise NotYet(_POLL, _notes(words, job=job, starts=starts, waits=""), Failure("stuck", call=_READ))


def _once_more(desk: Desk, words: dict[str, str]) -> str:
    if int(words.get("starts", "1")) > RESTARTS:
        raise Unanswered(Failure("lost", call=_READ, tries=RESTARTS + 1))
    return _begin(desk, words)


def _organization(desk: Desk) -> Organization:
    """The organisation, where the bot stands in its management account."""
    found = desk.aws.organizations.describe()
    own = desk.aws.identity().account
    if found is None:
        raise Unanswered(Failure("no_organization", call="organizations:DescribeOrganization", account=own))
    if found.management != own:
        raise Unanswered(Failure("not_management", account=own, message=found.management))
    return found


def _path(desk: Desk, organization: Organization, target: str) -> str:
    """The EntityPath that somebody's word means."""
    root, limited = desk.aws.organizations.root()
    if not limited:
        raise Unanswered(Failure("no_scps", message=root))
    if not target or target == root:
        return f"{organization.id}/{root}"
    place = target
    if not re.fullmatch(r"ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}|[0-9]{12}", target):
        try:
            place = desk.aws.account(target).id
        except Invalid as error:
            raise Unanswered(Failure("not_found", message=target)) from error
    try:
        return desk.aws.organizations.path(organization.id, place)
    except Missing as error:
        raise Unanswered(Failure("not_found", call=error.call, message=target)) from error
