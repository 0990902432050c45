"""Values to columns and back. Times are stored as UTC text of one width, so that text order is time order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from pydantic import TypeAdapter

from advisor.core.digest import Digest
from advisor.core.findings import AccountFindings
from advisor.core.model import (
    ActionRow,
    Asked,
    Entity,
    Failure,
    Followup,
    FollowupKind,
    Grant,
    Granularity,
    Job,
    JobState,
    Kind,
    Notice,
    PolicyKind,
    Request,
    RequestState,
    ServiceRow,
)
from advisor.core.removal import (
    Entry,
    Keep,
    Moved,
    Plan,
    Press,
    Step,
    StepState,
    Ticket,
    TicketState,
    Verb,
)
from advisor.core.replay import Replay
from advisor.edges.store.connection import Row

# A plan is a tree of frozen dataclasses; pydantic writes and reads it as JSON by their own types.
_PLAN: TypeAdapter[Plan] = TypeAdapter(Plan)
_STEP: TypeAdapter[Step] = TypeAdapter(Step)
_DIGEST: TypeAdapter[Digest] = TypeAdapter(Digest)
_MOVED: TypeAdapter[tuple[Moved, ...]] = TypeAdapter(tuple[Moved, ...])
_REPLAY: TypeAdapter[Replay] = TypeAdapter(Replay)
_FINDINGS: TypeAdapter[AccountFindings] = TypeAdapter(AccountFindings)


def stamp(at: datetime) -> str:
    """An aware time as `2026-11-24T09:12:00.000000Z`."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def moment(text: str) -> datetime:
    """What `stamp` wrote."""
    return datetime.fromisoformat(text)


def maybe_stamp(at: datetime | None) -> str | None:
    """`stamp`, where there is a time."""
    return None if at is None else stamp(at)


def maybe_moment(text: str | None) -> datetime | None:
    """`moment`, where there is a text."""
    return None if text is None else moment(text)


def dump_failure(failure: Failure | None) -> str | None:
    """A failure as JSON."""
    return None if failure is None else json.dumps(asdict(failure), ensure_ascii=False)


def failure_of(text: str | None) -> Failure | None:
    """What `dump_failure` wrote."""
    return None if text is None else Failure(**json.loads(text))


def entity_of(row: Row) -> Entity:
    """A row of `entity`."""
    return Entity(
        id=row["id"],
        account=row["account"],
        kind=Kind(row["kind"]),
        name=row["name"],
        arn=row["arn"],
        unique_id=row["unique_id"],
        path=row["path"],
        created_at=maybe_moment(row["created_at"]),
    )


def request_of(row: Row) -> Request:
    """A row of `request`."""
    return Request(
        id=row["id"],
        user=row["user"],
        channel=row["channel"],
        asked=Asked(
            kind=Kind(row["kind"]) if row["kind"] else None,
            name=row["name"],
            account=row["account"],
            granularity=Granularity(row["granularity"]),
            days=row["days"],
            fresh=bool(row["fresh"]),
        ),
        state=RequestState(row["state"]),
        created_at=moment(row["created_at"]),
        entity_id=row["entity_id"],
        job_id=row["job_id"],
        report_id=row["report_id"],
        card_id=row["card_id"],
        revision=row["revision"],
        tries=row["tries"],
        served_from_store=bool(row["from_store"]),
        not_asked=tuple(json.loads(row["not_asked"])),
        failure=failure_of(row["failure"]),
    )


def job_of(row: Row) -> Job:
    """A row of `job`."""
    return Job(
        id=row["id"],
        entity_id=row["entity_id"],
        account=row["account"],
        granularity=Granularity(row["granularity"]),
        state=JobState(row["state"]),
        created_at=moment(row["created_at"]),
        deadline_at=moment(row["deadline_at"]),
        next_at=moment(row["next_at"]),
        session=row["session"],
        aws_job_id=row["aws_job_id"],
        starts=row["starts"],
        tries=row["tries"],
        polls=row["polls"],
        snapshot_id=row["snapshot_id"],
        report_id=row["report_id"],
        failure=failure_of(row["failure"]),
    )


def followup_of(row: Row) -> Followup:
    """A row of `followup`."""
    return Followup(
        id=row["id"],
        request_id=row["request_id"],
        kind=FollowupKind(row["kind"]),
        user=row["user"],
        state=JobState(row["state"]),
        created_at=moment(row["created_at"]),
        deadline_at=moment(row["deadline_at"]),
        report_id=row["report_id"],
        service=row["service"],
        job_id=row["job_id"],
        tries=row["tries"],
        result=row["result"],
        failure=failure_of(row["failure"]),
    )


def notice_of(row: Row) -> Notice:
    """A row of `notice`."""
    return Notice(
        id=row["id"],
        kind=row["kind"],
        surface=row["surface"],
        row_id=row["row_id"],
        channel=row["channel"],
        user=row["user"],
        created_at=moment(row["created_at"]),
        parent_id=row["parent_id"],
        state=row["state"],
        attempts=row["attempts"],
        rung=row["rung"],
        ts=row["ts"],
        sent_to=row["sent_to"],
        sending_at=maybe_moment(row["sending_at"]),
        detail=json.loads(row["detail"]),
    )


def dump_grants(grants: tuple[Grant, ...] | None) -> str | None:
    """Grants as a short JSON list; null where nobody asked."""
    if grants is None:
        return None
    return json.dumps([[g.policy, g.kind.value, g.arn, g.group] for g in grants], ensure_ascii=False)


def service_of(row: Row, actions: tuple[ActionRow, ...] | None) -> ServiceRow:
    """A row of `service`, with its actions."""
    grants = None if row["grants"] is None else json.loads(row["grants"])
    return ServiceRow(
        id=row["id"],
        namespace=row["namespace"],
        name=row["name"],
        last_at=maybe_moment(row["last_at"]),
        last_by=row["last_by"],
        region=row["region"],
        entities=row["entities"],
        actions=actions,
        grants=None
        if grants is None
        else tuple(Grant(policy, PolicyKind(kind), arn, group) for policy, kind, arn, group in grants),
    )


def action_of(row: Row) -> ActionRow:
    """A row of `action`."""
    return ActionRow(row["name"], maybe_moment(row["last_at"]), row["last_by"], row["region"])


WAITS = "(state IN ('open', 'needs_human') OR state = 'held' AND next_at IS NULL)"
"""The tickets that wait for people; of a hold, one of which somebody has to say how it goes on."""


def dump_plan(plan: Plan) -> str:
    """A plan as JSON."""
    return _PLAN.dump_json(plan).decode()


def dump_step(step: Step) -> str:
    """A step as JSON."""
    return _STEP.dump_json(step).decode()


def dump_findings(findings: AccountFindings) -> str:
    """What a sweep found in an account, as JSON."""
    return _FINDINGS.dump_json(findings, exclude_defaults=True).decode()


def findings_of(text: str) -> AccountFindings:
    """What `dump_findings` wrote."""
    return _FINDINGS.validate_json(text)


def dump_moved(moved: Sequence[Moved]) -> str:
    """What moved, as JSON."""
    return _MOVED.dump_json(tuple(moved)).decode()


def dump_replay(replay: Replay) -> str:
    """What event history said of a plan, as JSON."""
    return _REPLAY.dump_json(replay, exclude_defaults=True).decode()


def replay_of(text: str) -> Replay:
    """What `dump_replay` wrote."""
    return _REPLAY.validate_json(text)


def dump_digest(digest: Digest) -> str:
    """A digest as JSON."""
    return _DIGEST.dump_json(digest).decode()


def digest_of(text: str) -> Digest | None:
    """What `dump_digest` wrote; None where nothing was."""
    return _DIGEST.validate_json(text) if text else None


def ticket_of(row: Row) -> Ticket:
    """A row of `ticket`."""
    return Ticket(
        id=row["id"],
        entity_id=row["entity_id"],
        request_id=row["request_id"],
        report_id=row["report_id"],
        state=TicketState(row["state"]),
        requesters=tuple(json.loads(row["requesters"])),
        channel=row["channel"],
        reason=row["reason"],
        keys=tuple(json.loads(row["keys"])),
        days=row["days"],
        created_at=moment(row["created_at"]),
        changed_at=moment(row["changed_at"]),
        expires_at=moment(row["expires_at"]),
        next_at=maybe_moment(row["next_at"]),
        plan=_PLAN.validate_json(row["plan"]) if row["plan"] else None,
        advice=bool(row["advice"]),
        card_id=row["card_id"],
        revision=row["revision"],
        job_id=row["job_id"],
        run=row["run"],
        tries=row["tries"],
        moved=_MOVED.validate_json(row["moved"]),
        given=tuple(json.loads(row["given"])),
        failure=failure_of(row["failure"]),
        by=row["by"],
        words=row["words"],
        other_id=row["other_id"],
        owner=row["owner"],
        wanted=tuple(json.loads(row["wanted"])),
    )


def entry_of(row: Row) -> Entry:
    """A row of `step`."""
    return Entry(
        id=row["id"],
        ticket_id=row["ticket_id"],
        run=row["run"],
        place=row["place"],
        back=bool(row["back"]),
        step=_STEP.validate_json(row["step"]),
        state=StepState(row["state"]),
        begun_at=maybe_moment(row["begun_at"]),
        settled_at=maybe_moment(row["settled_at"]),
        made=row["made"],
        request_id=row["request_id"],
        tries=row["tries"],
        failure=failure_of(row["failure"]),
    )


def press_of(row: Row) -> Press:
    """A row of `press`."""
    return Press(
        id=row["id"],
        ticket_id=row["ticket_id"],
        verb=Verb(row["verb"]),
        user=row["user"],
        channel=row["channel"],
        created_at=moment(row["created_at"]),
        tries=row["tries"],
        words=row["words"],
        services=tuple(json.loads(row["services"])),
        until=maybe_moment(row["until"]),
        state=row["state"],
        outcome=row["outcome"],
    )


def keep_of(row: Row) -> Keep:
    """A row of `keep`."""
    return Keep(
        id=row["id"],
        entity_id=row["entity_id"],
        service=row["service"],
        user=row["user"],
        until=moment(row["until"]),
        reason=row["reason"],
        created_at=moment(row["created_at"]),
        ended_at=maybe_moment(row["ended_at"]),
        ended_by=row["ended_by"],
    )
