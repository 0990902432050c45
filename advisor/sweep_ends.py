"""How a sweep ends: what the whole of an account shows, then done, partial or failed by what was read."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

from advisor import homes, readings
from advisor.core.credentials import CredentialReport
from advisor.core.errors import AwsError
from advisor.core.estate import Part, SweepState, SweptAccount
from advisor.core.findings import Observed, find
from advisor.core.model import Failure
from advisor.desk import Desk
from advisor.sweeps import redraw

log = logging.getLogger(__name__)

LOGINS = timedelta(minutes=2)
"""How long a credential report is waited for."""

_KEPT = timedelta(days=35)
"""How long it is kept which entities a sweep covered; its totals stay."""

_SOME = 25
"""Entities that are read from the store at a time: a thousand rows."""


def take_back(desk: Desk, account: str) -> None:
    """An account has just been listed: reports of those who went without being seen after them are not kept."""
    found = desk.store.namesakes.doubtful(account)
    if found:
        desk.store.namesakes.take_back(account, found, Failure("recreated", account=account))
        log.warning("sweep.taken_back account=%s reports=%d", account, len(found))


def conclude(desk: Desk, sweep_id: int, account: str) -> None:
    """Every entity of an account is read or named: what the whole of them shows, then the account has ended."""
    store, now = desk.store, desk.clock()
    sweep, part = store.sweeps.get(sweep_id), store.sweeps.part(sweep_id, account)
    if sweep is None or part is None or sweep.state.ended or part.state is not Part.RUNNING or part.left:
        return
    found = find(
        _observed(desk, part),
        readings.rules(desk, desk.config.iam_audit_window_days, account),
        desk.catalogue,
        account=account,
        at=now,
        alias=part.alias,
        logins=_logins(desk, account),
        unread=part.failed,
        kept=_kept_whole(desk, now),
    )
    with store.transaction():
        store.sweeps.note(sweep_id, account, found)
        store.sweeps.end_part(sweep_id, account, now)
    log.info("sweep.account_done sweep=%d account=%s", sweep_id, account)


def _observed(desk: Desk, part: SweptAccount) -> Iterator[Observed]:
    """Every entity of an account with its last attempts, a few read at a time; a breath between them."""
    store = desk.store
    rows = store.sweeps.observed(part.sweep_id, part.account)
    for n in range(0, len(rows), _SOME):
        some = rows[n : n + _SOME]
        snapshots = store.entities.snapshots([s for s, _ in some])
        attempts = store.reports.attempts([r for _, r in some if r])
        for snapshot_id, report_id in some:
            yield Observed(snapshots[snapshot_id], attempts.get(report_id or 0))
        time.sleep(0.001)  # people's commands are answered by this process


def _logins(desk: Desk, account: str) -> CredentialReport | Failure:
    """Keys and passwords; or why they are not known: that is said, and the sweep goes on."""
    try:
        session = desk.aws.session(account)
        return desk.aws.credential_report(session, desk.clock() + LOGINS, time.sleep)
    except AwsError as error:
        return error.failure()


def _kept_whole(desk: Desk, now: datetime) -> frozenset[str]:
    """ARNs of entities that a person keeps whole."""
    kept = [desk.store.entities.get(k.entity_id) for k in desk.store.keeps.standing(now) if not k.service]
    return frozenset(e.arn for e in kept if e)


def end(desk: Desk, sweep_id: int) -> None:
    """Every account has ended: done, partial or failed, by what was read."""
    store, now = desk.store, desk.clock()
    parts = store.sweeps.parts(sweep_id)
    unread = any(p.state is Part.FAILED or p.failed for p in parts)
    nothing = all(p.state is Part.FAILED and not p.done for p in parts)
    state = SweepState.FAILED if nothing else SweepState.PARTIAL if unread else SweepState.DONE
    failure = next((p.failure for p in parts if p.failure), None) if nothing else None
    with store.transaction():
        if store.sweeps.end(sweep_id, state, now, failure=failure):
            redraw(desk, sweep_id)
            homes.accounts_changed(desk)
            if state is not SweepState.FAILED:
                _say_what_else(desk, sweep_id)
    store.sweeps.forget(now - _KEPT)
    log.info("sweep.ended sweep=%d state=%s", sweep_id, state.value)


def _say_what_else(desk: Desk, sweep_id: int) -> None:
    """What was found beside the reports goes to the thread of the card, whole as files."""
    sweep = desk.store.sweeps.get(sweep_id)
    if sweep is None or sweep.card_id is None:
        return
    for kind, surface in (("post", "sweep.findings"), ("upload", "sweep.findings_files")):
        desk.store.outbox.add(
            kind,
            surface,
            sweep_id,
            channel=sweep.channel,
            user=sweep.user,
            now=desk.clock(),
            parent_id=sweep.card_id,
        )
