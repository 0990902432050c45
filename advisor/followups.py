"""What the buttons of an audit card ask for. The answer goes to the thread, and works a year later too."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, replace
from datetime import timedelta

from advisor import jobs
from advisor.core.errors import AwsError, Missing, Throttled, Transient
from advisor.core.model import (
    Entity,
    Failure,
    Followup,
    FollowupKind,
    Grant,
    Granularity,
    JobState,
    PolicyKind,
    Request,
    Snapshot,
)
from advisor.desk import Desk

log = logging.getLogger(__name__)

LOCAL = "local"
"""The lane of follow-ups that need no AWS."""

_ASKS_AWS = {FollowupKind.BREAKDOWN, FollowupKind.ACTIONS, FollowupKind.POLICIES}


def lane(desk: Desk, followup: Followup) -> str:
    """The account that a follow-up asks, or the local lane."""
    if followup.kind not in _ASKS_AWS:
        return LOCAL
    request = desk.store.requests.get(followup.request_id)
    entity = desk.store.entities.get(request.entity_id) if request and request.entity_id else None
    return entity.account if entity else LOCAL


def run(desk: Desk, followup_id: int) -> None:
    """Answer one follow-up, or take it a step further."""
    followup = desk.store.followups.get(followup_id)
    if followup is None or followup.state is not JobState.QUEUED:
        return
    request = desk.store.requests.get(followup.request_id)
    entity = desk.store.entities.get(request.entity_id) if request and request.entity_id else None
    if request is None:
        return
    if followup.kind in {FollowupKind.REFRESH, FollowupKind.RETRY}:
        _reopen(desk, followup, request)
        return
    if entity is None:
        _fail(desk, followup, request, Failure("no_result"))
        return
    try:
        _STORY[followup.kind](desk, followup, request, entity)
    except Transient as error:
        desk.aws.forget_ended(entity.account, error)
        _again(desk, followup, request, error)
    except Missing as error:
        _fail(desk, followup, request, replace(error.failure(), code="gone"))
    except AwsError as error:
        _fail(desk, followup, request, error.failure(followup.tries + 1))


def _reopen(desk: Desk, followup: Followup, request: Request) -> None:
    """Ask AWS again for the same request: the same card shows the new result."""
    store = desk.store
    with store.transaction():
        failure = request.failure
        if store.requests.reopen(request.id, desk.clock()):
            if failure and failure.code in {"recreated", "gone"}:
                store.requests.forget_entity(request.id)
            jobs.redraw(desk, request)
        store.followups.finish(followup.id)


def _answer(desk: Desk, followup: Followup, request: Request, result: str = "", kind: str = "post") -> None:
    with desk.store.transaction():
        if desk.store.followups.finish(followup.id, result):
            jobs.reply(desk, request, "audit.followup", followup.id, followup.user, kind=kind)


def _from_store(desk: Desk, followup: Followup, request: Request, _entity: Entity) -> None:
    _answer(desk, followup, request)


def _file(desk: Desk, followup: Followup, request: Request, _entity: Entity) -> None:
    if desk.store.reports.get(followup.report_id or 0) is None:
        _fail(desk, followup, request, Failure("thinned"))
        return
    _answer(desk, followup, request, kind="upload")


def _policies(desk: Desk, followup: Followup, request: Request, entity: Entity) -> None:
    """What grants what, read from AWS now, with everybody else who has a shared policy."""
    session = desk.aws.session(entity.account)
    snapshot = desk.aws.snapshot(session, entity)
    report = desk.store.reports.get(request.report_id or 0)
    names = [s.namespace for s in report.services] if report else []
    grants = desk.aws.grants(session, entity.arn, names) if names else {}
    me = f"{entity.kind}/{entity.name}"
    others = {
        p.arn: [h for h in desk.aws.holders(session, p.arn) if h != me]
        for p in snapshot.policies
        if p.kind is PolicyKind.CUSTOMER and p.attachments > 1
    }
    snapshot_id = desk.store.entities.save_snapshot(snapshot)
    result = {
        "snapshot": snapshot_id,
        "grants": {s: _behind(snapshot, found) for s, found in grants.items()},
        "others": others,
    }
    _answer(desk, followup, request, json.dumps(result))


def _behind(snapshot: Snapshot, grants: tuple[Grant, ...]) -> list[tuple[str, str]]:
    """The policies that these grants mean, as (name, group): managed ones by their ARN, through whatever group."""
    return [
        (p.name, p.group)
        for p in snapshot.policies
        for g in grants
        if (p.arn == g.arn if g.arn else (p.arn, p.name, p.group) == ("", g.policy, g.group))
    ]


def _actions(desk: Desk, followup: Followup, request: Request, entity: Entity) -> None:
    """The newest action-level report, made where there is none young enough."""
    report = desk.store.reports.newest(entity.id, Granularity.ACTION)
    young = timedelta(hours=desk.config.iam_audit_cache_hours)
    if followup.job_id is not None or (report and desk.clock() - report.completed_at <= young):
        _answer(desk, followup, request, json.dumps({"report": report.id if report else 0}))
        return
    _make_report(desk, followup, entity, Granularity.ACTION)


def _make_report(desk: Desk, followup: Followup, entity: Entity, granularity: Granularity) -> None:
    now = desk.clock()
    with desk.store.transaction():
        job, _ = desk.store.jobs.join(entity.id, entity.account, granularity, now, now + jobs.deadline(desk))
        desk.store.followups.await_job(followup.id, job.id)


def _breakdown(desk: Desk, followup: Followup, request: Request, entity: Entity) -> None:
    """Who used a service. A report job that this session may not read (any more) is made again."""
    session = desk.aws.session(entity.account)
    job = desk.store.jobs.last_readable(entity.id, session.id)
    users = None
    if job is not None:
        try:
            users = desk.aws.users_of(session, job.aws_job_id, followup.service)
        except Missing:
            users = None  # AWS has forgotten it
    if job is None or users is None:
        if followup.job_id is not None and followup.job_id == (job.id if job else None):
            _fail(
                desk, followup, request, Failure("lost", call="iam:GetServiceLastAccessedDetailsWithEntities")
            )
            return
        _make_report(desk, followup, entity, Granularity.SERVICE)
        return
    rows = [{**asdict(u), "last_at": u.last_at.isoformat() if u.last_at else None} for u in users]
    snapshot_id = desk.store.reports.snapshot_id(job.report_id or 0)
    snapshot = desk.store.entities.snapshot(snapshot_id) if snapshot_id else None
    reach = snapshot.reach if snapshot else 0
    _answer(
        desk,
        followup,
        request,
        json.dumps({"report": job.report_id, "users": rows, "reach": reach}, ensure_ascii=False),
    )


def _again(desk: Desk, followup: Followup, request: Request, error: Transient) -> None:
    now = desk.clock()
    tries = followup.tries + 1
    if now >= followup.deadline_at or (tries >= jobs.TRIES and not isinstance(error, Throttled)):
        _fail(desk, followup, request, error.failure(tries))
        return
    desk.store.followups.again(followup.id, now + jobs.patience(f"followup {followup.id}", followup.tries))


def _fail(desk: Desk, followup: Followup, request: Request, failure: Failure) -> None:
    with desk.store.transaction():
        if desk.store.followups.fail(followup.id, failure):
            jobs.reply(desk, request, "audit.followup", followup.id, followup.user)
    log.warning("followup.failed followup=%d kind=%s code=%s", followup.id, followup.kind, failure.code)


_STORY = {
    FollowupKind.BREAKDOWN: _breakdown,
    FollowupKind.ACTIONS: _actions,
    FollowupKind.POLICIES: _policies,
    FollowupKind.HISTORY: _from_store,
    FollowupKind.PICTURE: _file,
    FollowupKind.EXPORT: _file,
}
