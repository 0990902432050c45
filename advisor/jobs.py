"""Reports being made at AWS: begun, polled on the tick, read whole, stored, handed to everybody who asked."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from datetime import timedelta
from functools import partial

from advisor import homes, readings
from advisor.core.errors import AwsError, Missing, Throttled, Transient
from advisor.core.estate import Score
from advisor.core.model import (
    Entity,
    Failure,
    Granularity,
    Job,
    JobState,
    Kind,
    Report,
    Request,
    RequestState,
    ServiceRow,
)
from advisor.desk import Desk
from advisor.edges.aws import Raw, Session

log = logging.getLogger(__name__)

RESTARTS = 3
"""Times a report is begun again because the session that may read it is gone."""

TRIES = 6
"""Tries of one step that AWS does not answer; a limited rate is waited out until the job's deadline instead."""

FULL_LIST_ATTACHED = 100
"""A report with more services than a table holds gets its CSV in the thread without asking."""

_SLOW = timedelta(minutes=1)


def tick(desk: Desk) -> None:
    """Hand every due job to its account's lane. Never calls AWS itself."""
    for job in desk.store.jobs.due(desk.clock()):
        desk.lanes.submit(job.account, ("job", job.id), partial(advance, desk, job.id), desk.store.work)


def patience(key: str, tries: int) -> timedelta:
    """How long to wait after so many failures: doubling to 30 s, with a jitter that a rerun repeats."""
    spread = int.from_bytes(hashlib.sha256(f"{key}/{tries}".encode()).digest()[:2]) / 65535
    return timedelta(seconds=min(30.0, 2.0**tries) * (0.75 + spread / 2))


def advance(desk: Desk, job_id: int) -> None:
    """Take a job one step further; whatever goes wrong ends in a later try or in a failure that says what helps."""
    job = desk.store.jobs.get(job_id)
    if job is None or job.state not in {JobState.QUEUED, JobState.RUNNING}:
        return
    entity = desk.store.entities.get(job.entity_id)
    if entity is None:
        return
    try:
        session = desk.aws.session(job.account)
        if job.state is JobState.QUEUED:
            _begin(desk, job, entity, session)
        else:
            _collect(desk, job, entity, session)
    except Transient as error:
        desk.aws.forget_ended(job.account, error)
        _retry(desk, job, error)
    except AwsError as error:
        _fail(desk, job, error.failure(job.tries + 1))


def _begin(desk: Desk, job: Job, entity: Entity, session: Session) -> None:
    try:
        aws_job = desk.aws.generate(session, entity.arn, job.granularity)
    except Missing as error:
        desk.store.entities.gone(entity.id, desk.clock())
        _fail(desk, job, replace(error.failure(), code="gone"))
        return
    now = desk.clock()
    with desk.store.transaction():
        desk.store.jobs.started(job.id, session.id, aws_job, now + _pause(0))
        for request in desk.store.requests.of_job(job.id):
            if desk.store.requests.run(request.id):
                redraw(desk, request)
    log.info("job.started job=%d account=%s", job.id, job.account)
    # The report takes seconds to make: the time to read what the entity has.
    if job.snapshot_id is None:
        _photograph(desk, job, entity, session)


def _pause(polls: int) -> timedelta:
    """Between polls: half a second at first (small reports take 0.4 to 2 s), three seconds after a minute."""
    return timedelta(seconds=0.5 if polls < 10 else 1 if polls < 60 else 3)  # said above


def _photograph(desk: Desk, job: Job, entity: Entity, session: Session) -> int:
    snapshot_id = desk.store.entities.save_snapshot(desk.aws.snapshot(session, entity))
    desk.store.jobs.photographed(job.id, snapshot_id)
    return snapshot_id


def _collect(desk: Desk, job: Job, entity: Entity, session: Session) -> None:
    try:
        if session.id != job.session:  # this session cannot read it: the answer would be NoSuchEntity
            _restart(desk, job, entity, session)
            return
        raw = desk.aws.read(session, job.aws_job_id)
    except Missing:
        _restart(desk, job, entity, session)
        return
    if raw is None:
        _wait(desk, job)
        return
    snapshot_id = job.snapshot_id or _photograph(desk, job, entity, session)
    if not _is_still(desk, job, entity, session):
        return
    report = _report(desk, job, entity, session, raw)
    report_id = desk.store.reports.save(report, snapshot_id)
    score = readings.score(desk, replace(report, id=report_id), snapshot_id)
    _finish(desk, job, entity, report_id, len(report.services), score)


def _wait(desk: Desk, job: Job) -> None:
    now = desk.clock()
    if now >= job.deadline_at:
        _fail(
            desk,
            job,
            Failure("stuck", call="iam:GetServiceLastAccessedDetails", account=job.account, tries=job.polls),
        )
        return
    desk.store.jobs.polled(job.id, now + _pause(job.polls))
    if now - job.created_at > _SLOW and job.polls % 20 == 0:
        _redraw_all(desk, job)


def _restart(desk: Desk, job: Job, entity: Entity, session: Session) -> None:
    """NoSuchEntity on our own job: another session made it, or the entity is gone."""
    if not _is_still(desk, job, entity, session):
        return
    if job.starts > RESTARTS or desk.clock() >= job.deadline_at:
        _fail(
            desk,
            job,
            Failure("lost", call="iam:GetServiceLastAccessedDetails", account=job.account, tries=job.starts),
        )
        return
    log.info("job.restarted job=%d starts=%d", job.id, job.starts)
    desk.store.jobs.restart(job.id, desk.clock())


def _is_still(desk: Desk, job: Job, entity: Entity, session: Session) -> bool:
    """Whether the ARN still means the entity that was asked for; if not, the job fails and says so."""
    try:
        now = desk.aws.identify(session, entity)
    except Missing as error:
        desk.store.entities.gone(entity.id, desk.clock())
        _fail(desk, job, replace(error.failure(), code="gone"))
        return False
    if now.unique_id == entity.unique_id:
        return True
    desk.store.entities.see(replace(now, id=0), desk.clock())
    _fail(desk, job, Failure("recreated", account=job.account))
    return False


def _report(desk: Desk, job: Job, entity: Entity, session: Session, raw: Raw) -> Report:
    services: tuple[ServiceRow, ...] = raw.services
    if entity.kind is not Kind.POLICY and services:  # AWS cannot say what grants a policy's services
        granted = desk.aws.grants(session, entity.arn, [s.namespace for s in services])
        services = tuple(replace(s, grants=granted.get(s.namespace)) for s in services)
    return Report(entity.id, job.granularity, raw.created_at, raw.completed_at, services)


def _finish(desk: Desk, job: Job, entity: Entity, report_id: int, services: int, score: Score | None) -> None:
    store, now = desk.store, desk.clock()
    with store.transaction():
        store.reports.show(report_id)
        if score:
            store.scores.save([(job.account, score)])
        store.jobs.finish(job.id, report_id)
        store.entities.see(entity, now)
        for request in store.requests.of_job(job.id):
            if store.requests.finish(request.id, report_id):
                redraw(desk, request)
                full_list(desk, request, services)
        for followup in store.followups.of_job(job.id):
            store.followups.resume(followup.id, report_id, now)
    log.info("job.done job=%d account=%s services=%d starts=%d", job.id, job.account, services, job.starts)


def _retry(desk: Desk, job: Job, error: Transient) -> None:
    now = desk.clock()
    tries = job.tries + 1
    if now >= job.deadline_at or (tries >= TRIES and not isinstance(error, Throttled)):
        _fail(desk, job, error.failure(tries))
        return
    log.info(
        "job.again job=%d account=%s call=%s why=%s tries=%d",
        job.id,
        job.account,
        error.call,
        error.code,
        tries,
    )
    desk.store.jobs.again(job.id, now + patience(f"job {job.id}", job.tries))
    if now - job.created_at > _SLOW:
        _redraw_all(desk, job)


def _fail(desk: Desk, job: Job, failure: Failure) -> None:
    store = desk.store
    with store.transaction():
        if not store.jobs.fail(job.id, failure):
            return
        for request in store.requests.of_job(job.id):
            if store.requests.fail(request.id, failure):
                redraw(desk, request)
        for followup in store.followups.of_job(job.id):
            if store.followups.fail(followup.id, failure):
                request_of = store.requests.get(followup.request_id)
                if request_of:
                    reply(desk, request_of, "audit.followup", followup.id, followup.user)
    log.warning(
        "job.failed job=%d account=%s code=%s call=%s", job.id, job.account, failure.code, failure.call
    )


def _redraw_all(desk: Desk, job: Job) -> None:
    for request in desk.store.requests.of_job(job.id):
        redraw(desk, request)


def redraw(desk: Desk, request: Request) -> None:
    """Say that a request's card has changed; posts the card where there is none yet."""
    store, now = desk.store, desk.clock()
    with store.transaction():
        # Read anew: whoever asks may hold a request from before its card was posted, and would post a second one.
        fresh = store.requests.get(request.id) or request
        homes.audit_changed(desk, fresh)
        if fresh.card_id is not None:
            store.outbox.redraw(fresh.card_id, now)
            return
        card = store.outbox.add(
            "post", "audit.card", fresh.id, channel=fresh.channel, user=fresh.user, now=now
        )
        store.requests.set_card(fresh.id, card)


def reply(desk: Desk, request: Request, surface: str, row_id: int, user: str, kind: str = "post") -> None:
    """Say something in the thread of a request's card."""
    fresh = desk.store.requests.get(request.id) or request
    desk.store.outbox.add(
        kind,
        surface,
        row_id,
        channel=fresh.channel,
        user=user,
        now=desk.clock(),
        parent_id=fresh.card_id,
    )


def full_list(desk: Desk, request: Request, services: int) -> None:
    """Post all services (or actions by service) of a result to its thread, with the file where a table is too small."""
    reply(desk, request, "audit.services", request.id, request.user)
    if services > FULL_LIST_ATTACHED:
        reply(desk, request, "audit.csv", request.id, request.user, kind="upload")


def deadline(desk: Desk) -> timedelta:
    """How long a report may take."""
    return timedelta(minutes=desk.config.iam_audit_job_minutes)


def young_report(desk: Desk, entity_id: int, granularity: Granularity) -> Report | None:
    """A report that can be shown without asking AWS: young, and no ticket wrote to the entity since it was begun."""
    report = desk.store.reports.newest(entity_id, granularity)
    if report is None or desk.clock() - report.completed_at > timedelta(
        hours=desk.config.iam_audit_cache_hours
    ):
        return None
    return None if desk.store.tickets.changed_since(entity_id, report.created_at) else report


def begin(desk: Desk, request: Request, entity: Entity, not_asked: tuple[str, ...] = ()) -> None:
    """Answer a resolved request: from the store where a young report is there, else from a job at AWS."""
    store, now, asked = desk.store, desk.clock(), request.asked
    with store.transaction():
        known = store.entities.see(entity, now)
        report = None if asked.fresh else young_report(desk, known.id, asked.granularity)
        if report:
            if store.requests.serve(request.id, known.id, report.id, not_asked):
                redraw(desk, request)
                full_list(desk, request, len(report.services))
            return
        job, _ = store.jobs.join(known.id, known.account, asked.granularity, now, now + deadline(desk))
        state = RequestState.RUNNING if job.state is JobState.RUNNING else RequestState.QUEUED
        if store.requests.attach(request.id, known.id, job.id, state, not_asked):
            redraw(desk, request)
