"""Everything a ticket's card is drawn from: several plans, quiet and hostile, in every state."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

from advisor.core.escalation import WAYS
from advisor.core.hold import denies
from advisor.core.hold import text as hold_text
from advisor.core.model import Account, Entity, Failure, Finding, Kind, Usage, Verdict, Why
from advisor.core.removal import (
    DENY_ALL,
    Approval,
    Candidate,
    Edit,
    Entry,
    Hold,
    Kept,
    Left,
    Managed,
    Moved,
    Operation,
    Plan,
    Standing,
    Step,
    StepState,
    Ticket,
    TicketState,
    Treatment,
    Version,
)
from advisor.core.replay import Replay
from handlers.blocks.kit import Message
from handlers.blocks.ticket_view import TicketView
from tests.drawn import nodes, safe
from tests.sandbox.slack import limits
from tests.views import ALIAS, HOSTILE, LONG
from tests.worlds import ACCOUNT, NOW, entity

S = TicketState

IDS = {f"ticket.{v}" for v in "approve reject cancel diff finish keep retry rollback replan evidence".split()}
"""The public ids of a ticket's buttons."""
TAKEN = tuple(
    "athena cassandra dax dms docdb-elastic elasticache memorydb neptune-db redshift timestream".split()
)
WITH_RDS = tuple("cloudwatch devops-guru ec2 logs outposts pi rds sns application-autoscaling".split())
OF_AWS = tuple(f"svc{n:03}" for n in range(450))
REASON = "Quarterly clean-up. RDS moved to the platform account in May."
RDS = "arn:aws:iam::aws:policy/AmazonRDSFullAccess"


def stay(service: str, why: Why, detail: str = "", **more: Any) -> Finding:
    """A service that stays."""
    return Finding(service, Usage.USED, Verdict.KEEP, why, detail=detail, **more)


STAYS = (
    stay("dynamodb", Why.USED),
    stay("s3", Why.USED),
    stay("kms", Why.KEPT, "2027-01-31"),
    stay("secretsmanager", Why.STALE),
    stay("lambda", Why.SHARED, "2"),
    stay("sqs", Why.SHARED, "2"),
    Finding("end-user-messaging", Usage.UNTRACKED, Verdict.KEEP, Why.UNTRACKED),
)


def planned(*edits: Edit, who: Entity | None = None, **more: Any) -> Plan:
    """A plan of these edits."""
    services = more.pop("services", tuple(sorted({s for e in edits for s in e.out})))
    basis = more.pop("basis", Standing(who or entity()))
    given = {"actions": (), "granted": 25, "stays": STAYS} | more
    return Plan(edits, basis, "f" * 64, services, **given)


def inline(name: str = "db-admin-inline", out: tuple[str, ...] = TAKEN, **more: Any) -> Edit:
    """An inline policy that gets shorter."""
    put = Step(Operation.PUT, name, before="{}", after="{ }")
    return Edit(
        Treatment.EDIT, name, (put,), out=out, stay=("dynamodb", "kms", "s3", "secretsmanager"), **more
    )


def detached(name: str = "AmazonRDSFullAccess", out: tuple[str, ...] = WITH_RDS) -> Edit:
    """One of AWS's policies that goes whole."""
    return Edit(Treatment.DETACH, name, (Step(Operation.DETACH, name, RDS),), RDS, out=out, aws=True)


def _shared(text: str = "") -> Plan:
    """A policy that ten have, with as many versions as AWS keeps."""
    arn = f"arn:aws:iam::{ACCOUNT}:policy/DataLakeAccess"
    name = text[:128] or "DataLakeAccess"
    holders = tuple(f"role/etl-{n}{text[:60]}" for n in range(8)) + (
        "user/svc-tableau",
        "group/data-engineers",
    )
    edit = Edit(
        Treatment.VERSION,
        name,
        (
            Step(Operation.DELETE_VERSION, name, arn, "{}", None, "v3"),
            Step(Operation.CREATE_VERSION, name, arn, "{}", "{ }", "v7"),
        ),
        arn,
        out=("cloudtrail", "kinesis", "sns", "sqs"),
        stay=("athena", "glue", "kms", "lakeformation", "logs", "s3", "sts"),
        holders=holders,
    )
    who = entity(Kind.POLICY, name, arn=arn)
    basis = Standing(
        who, managed=(Managed(arn, name, (Version("v7", "{}", default=True),), holders=holders),)
    )
    used = tuple(stay(s, Why.USED) for s in edit.stay)
    return planned(edit, who=who, basis=basis, granted=11, stays=used)


def _quarantine(text: str = "") -> Plan:
    arn = f"arn:aws:iam::aws:policy/{DENY_ALL}"
    edit = Edit(Treatment.QUARANTINE, DENY_ALL, (Step(Operation.ATTACH, DENY_ALL, arn),), arn, aws=True)
    return planned(edit, who=entity(name=text or "TestRole-DeleteLater"), granted=3, services=(), stays=())


def _everything(text: str = "") -> Plan:
    """Every treatment, everything left and asked for that there is."""
    name = (text or "Policy")[:120]
    arn = f"arn:aws:iam::{ACCOUNT}:policy/P"
    make = (
        Step(Operation.CREATE_POLICY, f"IAMAudit-{name}", arn + "2", after="{}"),
        Step(Operation.ATTACH, f"IAMAudit-{name}", arn + "2"),
        Step(Operation.DETACH, name, arn),
    )
    others = [
        Edit(
            t,
            f"{name}{n}",
            make,
            arn,
            out=(f"svc{n:03}",),
            stay=("s3",),
            instead=f"IAMAudit-{name}"[:128],
            aws=n == 1,
        )
        for n, t in enumerate((Treatment.COPY, Treatment.REPLACE, Treatment.SWAP))
    ]
    whole = Edit(
        Treatment.DELETE, f"{name}9", (Step(Operation.DELETE, f"{name}9", before="{}"),), out=("sns", "sqs")
    )
    left = tuple(Left(f"svc{n:03}", name, k) for n, k in enumerate(Kept, 300))
    return planned(
        inline(name, actions=("s3:CreateBucket",)),
        *others,
        whole,
        who=entity(name=text or "DBAdminRole", path=f"/{text[:500]}/" if text else "/"),
        actions=("s3:CreateBucket", "s3:DeleteBucket"),
        left=(*left, Left("*", DENY_ALL, Kept.ATTACHMENTS)),
        asked=asked(name),
    )


def asked(name: str = "db-admin-inline") -> tuple[Candidate, ...]:
    """What only a person may tick, of each kind."""
    reasons = {
        "s3": Finding("s3", Usage.STALE, Verdict.ASK, Why.STALE, last_at=NOW - timedelta(days=200), days=200),
        "iam": Finding("iam", Usage.NEVER, Verdict.ASK, Why.PASS_ROLE, detail="iam:PassRole"),
        "sqs": Finding("sqs", Usage.NEVER, Verdict.ASK, Why.NOT_ACTION),
        "sns": Finding("", Usage.NEVER, Verdict.ASK, Why.SHARED, detail="3"),
        "ec2": Finding("", Usage.NEVER, Verdict.ASK, Why.AWS_MANAGED, detail=name),
    }
    found = [Candidate(f"w{s}", Treatment.EDIT, name, (s,), asks=f) for s, f in reasons.items()]
    untold = Finding("s3", Usage.UNTRACKED, Verdict.ASK, Why.UNTRACKED)
    acts = tuple(f"s3:Put{n}" for n in range(12))
    return (*found, Candidate("u1", Treatment.EDIT, name, actions=acts, asks=untold, untracked=True))


SMALL = planned(inline(), detached())
PLANS = {
    "small": SMALL,
    "of_450": planned(
        inline(out=OF_AWS), granted=456, stays=tuple(stay(f"used{n}", Why.USED) for n in range(52))
    ),
    "single_actions": planned(
        inline(out=(), actions=("s3:CreateBucket",)), actions=tuple(f"s3:Put{n}" for n in range(61))
    ),
    "nothing_whole": planned(inline(out=(), actions=()), detached(out=()), services=()),
    "whole_role": planned(
        Edit(Treatment.DELETE, "Last", (Step(Operation.DELETE, "Last", before="{}"),), out=("sns", "sqs")),
        granted=2,
        stays=(),
    ),
    "everything": _everything(),
    "hostile": _everything(HOSTILE),
    "long": _everything(LONG),
    "closes": replace(SMALL, closes=tuple(w.escalation for w in WAYS[17:20])),
    "closes_all": replace(SMALL, closes=tuple(w.escalation for w in WAYS)),
    "closes_hostile": replace(_everything(HOSTILE), closes=tuple(w.escalation for w in WAYS)),
    "shared": _shared(),
    "shared_hostile": _shared(HOSTILE),
    "quarantine": _quarantine(),
    "quarantine_asked": replace(_quarantine(HOSTILE), asked=asked(HOSTILE)),
    "group": planned(inline(), who=entity(Kind.GROUP, "admins")),
    "unattached": replace(
        _shared(),
        edits=(replace(_shared().edits[0], holders=()),),
        basis=Standing(entity(Kind.POLICY, "Lone")),
    ),
}

MOVED = (
    Moved("inline", "db-admin-inline", "edited"),
    Moved("inline", "db-admin-inline", "gone"),
    Moved("inline", "new-one", "new"),
    Moved("used", "rds", at=NOW + timedelta(minutes=53)),
    Moved("kept", "kms", at=NOW + timedelta(days=60)),
    Moved("attached", "ReadOnly", "attached"),
    Moved("attached", "ReadOnly", "detached"),
    Moved("groups", "a, b", ""),
    Moved("boundary", "Limit"),
    Moved("boundary", ""),
    Moved("boundary", "DataLakeAccess"),
    Moved("version", "DataLakeAccess", "v3 is not the default, v4 is"),
    Moved("version", "DataLakeAccess", "its other versions"),
    Moved("holders", "DataLakeAccess", "role/a, user/b"),
    Moved("recreated", "DBAdminRole"),
    Moved("gone", "DBAdminRole"),
    Moved("protected", "DBAdminRole", "setting"),
)
BAD = tuple(
    Moved(m.what, HOSTILE, HOSTILE if m.what in {"groups", "holders", "protected"} else m.detail, m.at)
    for m in MOVED
)
REFUSED = Failure(
    "refused",
    "iam:DetachRolePolicy",
    "arn:aws:iam::1:role/writer",
    ACCOUNT,
    "User is not authorized to perform iam:DetachRolePolicy with an explicit deny in a service control policy",
    "req-1",
    1,
)


def opened(plan: Plan = SMALL, state: TicketState = S.OPEN, text: str = "", **more: Any) -> TicketView:
    """A view of ticket 12; fields of Ticket by name, those of the view in `view`."""
    view = more.pop("view", {})
    fields = {
        "id": 12,
        "entity_id": 1,
        "request_id": 7,
        "state": state,
        "requesters": ("U0ALICE0001",),
        "channel": "C1",
        "reason": text[:3000] or REASON,
        "keys": (),
        "report_id": 3,
        "days": 90,
        "created_at": NOW + timedelta(minutes=8),
        "changed_at": NOW + timedelta(minutes=80),
        "expires_at": NOW + timedelta(days=7, minutes=8),
        "owner": "" if text else "U0DAVE00001",
        "plan": plan,
    } | more
    if state in {S.REJECTED, S.CANCELLED, S.SUPERSEDED, S.ROLLED_BACK, S.ROLLING_BACK}:
        fields = {"by": "U0BOB000001", **fields}
    given = {
        "needed": 2,
        "approvers": ("S0APPROVERS",),
        "owner_tag": text[:256],
        "managed_by": text[:128],
    } | view
    account = Account(ACCOUNT, ALIAS if text else "prod")
    return TicketView(Ticket(**fields), plan, plan.basis.entity, account, NOW, NOW, **given)


def approved(count: int = 2) -> tuple[Approval, ...]:
    """By carol, then bob."""
    times = (NOW + timedelta(minutes=50), NOW + timedelta(minutes=79))
    return tuple(
        Approval(12, u, at, "f" * 64)
        for u, at in list(zip(("U0CAROL0001", "U0BOB000001"), times, strict=True))[:count]
    )


def journal(plan: Plan, done: int, then: StepState = StepState.PLANNED, **more: Any) -> tuple[Entry, ...]:
    """The first steps done, the next one as said, the rest planned."""
    run, back = more.pop("run", 1), more.pop("back", False)
    steps = more.pop("steps", plan.steps)
    out = []
    for n, step in enumerate(steps):
        state = StepState.DONE if n < done else then if n == done else StepState.PLANNED
        failure = more.get("failure") if n == done else None
        out.append(
            Entry(n + 1, 12, run, n + 1, back, step, state, NOW, NOW + timedelta(minutes=80), failure=failure)
        )
    return tuple(out)


def back_of(plan: Plan) -> tuple[Step, ...]:
    """A way back in the words of the journal, newest first."""
    return tuple(
        Step(
            {Operation.DETACH: Operation.ATTACH, Operation.ATTACH: Operation.DETACH}.get(
                s.operation, Operation.PUT
            ),
            s.name,
            s.arn,
        )
        for s in reversed(plan.steps)
    )


def _of(name: str, plan: Plan) -> dict[str, TicketView]:
    """One plan in every state."""
    text = HOSTILE if "hostile" in name or "asked" in name else LONG if name == "long" else ""
    both = {"approvals": approved()}
    ahead, behind = journal(plan, len(plan.steps)), back_of(plan)
    message = replace(REFUSED, message=text[:500] or REFUSED.message)

    def made(state: TicketState, entries: tuple[Entry, ...] = (), **more: Any) -> TicketView:
        return opened(
            plan,
            state,
            text,
            view={**both, "entries": entries},
            run=entries[-1].run if entries else 0,
            **more,
        )

    stuck = journal(plan, len(plan.steps) - 1, StepState.NOT_DONE, failure=message)
    unseen = journal(plan, len(plan.steps) - 1, StepState.NOT_DONE, failure=Failure("unseen", "detach"))
    half = journal(plan, len(behind) - 1, StepState.NOT_DONE, run=2, back=True, steps=behind)
    given = tuple(plan.services[:1]) or (plan.edits[0].policy,)
    return {
        "open_0": opened(plan, text=text),
        "open_1": opened(plan, text=text, view={"approvals": approved(1)}),
        "open_only": opened(plan, text=text, view={"needed": 1}),
        "advice": opened(plan, text=text, advice=True),
        "checking": made(S.APPROVED, next_at=NOW),
        "checking_again": made(S.APPROVED, next_at=NOW, failure=Failure("throttled", "iam:GetRole", tries=2)),
        "not_begun": made(S.APPROVED, failure=message),
        "applying_none": made(S.APPLYING),
        "applying_first": made(S.APPLYING, journal(plan, 0)),
        "applying": made(S.APPLYING, journal(plan, len(plan.steps) - 1, StepState.BEGUN)),
        "applying_last": made(S.APPLYING, ahead),
        "applied": made(S.APPLIED, ahead),
        "partly_back": made(S.APPLIED, ahead, given=given, by="U0CAROL0001"),
        "by_hand": made(S.APPLIED, advice=True),
        "rolling_back": made(
            S.ROLLING_BACK,
            (*ahead, *journal(plan, 0, StepState.BEGUN, run=2, back=True, steps=behind)),
            words=text or "Nightly export fails with AccessDenied on redshift.",
        ),
        "rolling_part": made(S.ROLLING_BACK, ahead, wanted=given),
        "rolled_back": made(
            S.ROLLED_BACK, (*ahead, *journal(plan, 99, run=2, back=True, steps=behind)), words=text
        ),
        "rejected": made(S.REJECTED, words=text or "Year-end close uses redshift."),
        "cancelled": made(S.CANCELLED),
        "expired": opened(plan, S.EXPIRED, text, view={"approvals": approved(1)}),
        "expired_advice": opened(plan, S.EXPIRED, text, advice=True),
        "superseded": made(S.SUPERSEDED, other_id=14),
        "superseded_by_keep": made(S.SUPERSEDED),
        "drifted": made(S.DRIFTED, moved=BAD if text else MOVED),
        "stuck": made(S.NEEDS_HUMAN, stuck, failure=message),
        "stuck_unseen": made(S.NEEDS_HUMAN, unseen, failure=Failure("unseen", "detach"), moved=MOVED[:1]),
        "stuck_back": made(S.NEEDS_HUMAN, (*ahead, *half), moved=BAD[:1] if text else MOVED[:1]),
        "stuck_before_back": _lost(made, ahead, plan),
        **(_held(name, plan, text) if name in HELD else {}),
    }


HELD = {"small", "single_actions", "everything", "hostile", "long", "quarantine", "group"}
"""Plans that are drawn with a hold too."""


def with_hold(plan: Plan, days: int = 7) -> Plan:
    """The same, held first."""
    if plan.quarantine:
        return replace(plan, hold=Hold(DENY_ALL, days, ("*",), plan.steps))
    denied = denies(plan.services, plan.actions)
    lay = (Step(Operation.PUT, "iam-audit-hold-12", after=hold_text(denied)),)
    return replace(plan, hold=Hold("iam-audit-hold-12", days, denied, lay))


def _held(name: str, bare: Plan, text: str) -> dict[str, TicketView]:
    """A plan that is held first, in every state of its hold."""
    plan = with_hold(bare)
    assert plan.hold
    laid = journal(plan, 9, steps=plan.hold.lay)
    lifted = (Step(Operation.DELETE, plan.hold.name, before=plan.hold.lay[0].after),)
    gone = (*laid, *journal(plan, 9, run=2, back=True, steps=lifted))
    given = tuple(plan.services[:1])
    replay = Replay(NOW, unseen=("S3 object reads and writes", text[:60] or "SNS messages"))
    end = NOW + timedelta(days=7, minutes=80)

    def made(state: TicketState, entries: tuple[Entry, ...] = (), **more: Any) -> TicketView:
        seen = {"approvals": approved(), "entries": entries, "replay": replay}
        return opened(plan, state, text, view=seen, run=entries[-1].run if entries else 0, **more)

    return {
        "held_open": opened(plan, text=text, view={"approvals": approved(1)}),
        "laying": made(S.APPLYING, journal(plan, 0, StepState.BEGUN, steps=plan.hold.lay)),
        "held": made(S.HELD, laid, next_at=end),
        "held_unwatched": opened(plan, S.HELD, text, view={"entries": laid}, run=1, next_at=end),
        "held_asks": made(S.HELD, laid, moved=BAD if text else TRIED),
        "held_ending": made(S.HELD, laid, next_at=NOW, by="U0BOB000001"),
        "held_failed": made(S.HELD, laid, next_at=end, failure=Failure("throttled", "iam:GetRole")),
        "held_given": made(S.HELD, laid, next_at=end, given=given),
        "loosened": made(S.ROLLING_BACK, (*laid, *gone[-1:]), moved=BAD if text else MOVED[:2]),
        "lifted": made(S.DRIFTED, gone, moved=BAD if text else MOVED[:2]),
        "gone_held": made(S.DRIFTED, laid, moved=MOVED[-2:-1]),
    }


TRIED = (
    Moved("called", "redshift:DescribeClusters", "nightly", NOW + timedelta(days=3)),
    Moved("unheard", "cloudtrail:LookupEvents is not allowed"),
)


def _lost(made: Any, ahead: tuple[Entry, ...], plan: Plan) -> TicketView:
    """The way back stopped before its first step: its run has none."""
    view: TicketView = made(S.NEEDS_HUMAN, ahead, moved=(Moved("recreated", plan.basis.entity.name),))
    return replace(view, ticket=replace(view.ticket, run=2))


CARDS = {f"{name}:{state}": view for name, plan in PLANS.items() for state, view in _of(name, plan).items()}


def _without_groups(node: Any) -> Any:
    """A mention of the approvers' group is ours: its id is checked where it is set."""
    if isinstance(node, dict):
        if node.get("type") == "usergroup":
            assert re.fullmatch(r"S[A-Z0-9]+", node["usergroup_id"])
            return {"type": "user", "user_id": "U0GROUP"}
        return {k: _without_groups(v) for k, v in node.items()}
    return [_without_groups(v) for v in node] if isinstance(node, list) else node


def checked(message: Message) -> dict[str, Any]:
    """The payload of a message that Slack takes and nobody can abuse."""
    payload = message.payload()
    assert limits.check_message(copy.deepcopy(payload)) == []
    safe(_without_groups(payload))
    assert not set("<>") & set(payload["text"])
    assert 0 < len(payload["text"]) <= 700
    for found in nodes(payload["blocks"]):
        if found.get("type") == "button":
            assert found["action_id"] in IDS
            assert found["value"].isdigit()
            assert len(found["text"]["text"]) <= 30
        if found.get("type") == "user":
            assert re.fullmatch(r"U[A-Z0-9]+", found["user_id"])
    return payload
