"""Everything an audit card is drawn from, quiet and hostile."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from advisor.core.model import (
    Account,
    ActionRow,
    Asked,
    Entity,
    Failure,
    Granularity,
    Kind,
    Policy,
    PolicyKind,
    Request,
    RequestState,
    ServiceRow,
    Snapshot,
)
from advisor.core.report import Rules, summarise
from advisor.core.risk import weigh
from handlers.blocks.view import AuditView
from tests.worlds import ACCOUNT, NOW, SmallCatalogue, ago, allow, document, entity, policy, report, service

HOSTILE = (
    "EVIL\u202e<!channel>*EVIL*`x`:fire:\u200b\n<@U0EVIL00>\x00&<https://evil.example|x> _EVIL_ ~EVIL~ :rotating_light: </EVIL>"
    "\u2066\u2028\x07\n>EVIL\n```EVIL``` EVIL|EVIL"
)
LONG = "EVIL" * 1250
NAME, POLICY, PATH, TAG, DESCRIPTION = 64, 128, 512, 256, 1000
"""What IAM stores at most of each (IAM User Guide, quotas). Names like HOSTILE cannot be: they are drawn all the same."""

ALIAS = "<!channel> *EVIL* <https://evil.example|x> `EVIL`"
"""An account's name in an organisation: 50 printable characters, whatever its owner liked (Organizations API)."""

PROD = Account(ACCOUNT, "prod")
OF_AWS = tuple(f"svc{n:03}" for n in range(456))


def asking(state: RequestState = RequestState.DONE, name: str = "DBAdminRole", **more: object) -> Request:
    """A request of ours; fields of `Asked` and of `Request` by name."""
    words = {k: more.pop(k) for k in ("kind", "granularity", "days", "account", "fresh") if k in more}
    return Request(7, "U1", "C1", Asked(name=name, **{"kind": Kind.ROLE, **words}), state, NOW, **more)  # type: ignore[arg-type]


def done(
    shot: Snapshot,
    *services: ServiceRow,
    granularity: Granularity = Granularity.SERVICE,
    rules: Rules = Rules(),  # frozen
    account: Account = PROD,
    catalogue: SmallCatalogue = SmallCatalogue(),  # frozen
    **more: object,
) -> AuditView:
    """A finished audit of what stands in the snapshot."""
    made = report(*services, granularity=granularity)
    request = asking(
        name=shot.entity.name,
        kind=shot.entity.kind,
        granularity=granularity,
        **{k: more.pop(k) for k in ("not_asked", "served_from_store") if k in more},
    )
    summary = summarise(made, shot, rules, catalogue)
    risk = weigh(summary, shot, catalogue)
    return AuditView(request, account, NOW, shot.entity, made, shot, summary, risk, **more)  # type: ignore[arg-type]


def _role(text: str = "") -> AuditView:
    """A role as on any day; with `text`, every word that a stranger can choose is that (a namespace is AWS’s)."""
    own = policy(text[:POLICY] or "DBAccess", "s3:*", "ec2:*", "sqs:*", "kms:*", "iam:*")
    shared = policy(text[:POLICY] or "Shared", "dynamodb:*", kind=PolicyKind.CUSTOMER, attachments=3)
    team = policy(("Power" + text)[:POLICY], "lambda:*", "sns:*", kind=PolicyKind.AWS, attachments=9)
    who = entity(
        name=text or "DBAdminRole", path=f"/{text[: PATH - 2]}/" if text else "/", created_at=ago(days=900)
    )
    shot = Snapshot(
        who,
        NOW,
        (own, shared, team),
        tags=(("owner", text[:TAG] or "U2"),),
        description=text[:DESCRIPTION] or "Runs the database jobs",
    )
    rows = [
        service("s3", ago(days=3), by=[own]),
        service("ec2", ago(days=200), by=[own]),
        service("kms", by=[own]),
        service("iam", by=[own]),
    ]
    rows += [service("dynamodb", ago(hours=2), by=[shared]), service("lambda", by=[team])]
    return done(
        shot,
        *rows,
        account=Account(ACCOUNT, ALIAS if text else "prod"),
        owner_tag=text[:TAG] or "U2",
        owner_id="" if text else "U2",
        not_asked=(text,) if text else (),
    )


def _many(kind: Kind = Kind.ROLE) -> AuditView:
    """An administrator: 456 services from one line, 52 of them with an attempt."""
    admin = policy("AdministratorAccess", "*", kind=PolicyKind.AWS, attachments=4)
    rows = [
        service(name, ago(days=n) if n < 52 else None, by=[admin], entities=n % 7)
        for n, name in enumerate(OF_AWS)
    ]
    shot = Snapshot(
        entity(kind, "Admin"),
        NOW,
        (admin,),
        holders=tuple(f"role/R{n}" for n in range(60)),
        members=tuple(f"u{n}" for n in range(90)),
    )
    return done(shot, *rows, catalogue=SmallCatalogue({name: ("Do",) for name in (*OF_AWS, "new1", "new2")}))


def _wide(text: str = "") -> AuditView:
    """456 services from one inline policy: nothing but rows."""
    own = policy(text[:POLICY] or "Everything", *(f"{n}:*" for n in OF_AWS))
    rows = [service(name, ago(days=n) if n % 3 else None, by=[own]) for n, name in enumerate(OF_AWS)]
    return done(
        Snapshot(entity(name=text or "Wide"), NOW, (own,)),
        *rows,
        account=Account(ACCOUNT, ALIAS if text else ""),
    )


def _actions(services: int, each: int, text: str = "") -> AuditView:
    """An action-level report."""
    own = policy(text[:POLICY] or "Own", *(f"svc{n:03}:*" for n in range(services)), "iam:*")
    rows = [
        service(
            f"svc{n:03}",
            ago(days=n) if n % 2 else None,
            by=[own],
            actions=[ActionRow(f"Do{m}", ago(days=50 * m) if n % 2 else None) for m in range(each)],
        )
        for n in range(services)
    ]
    return done(Snapshot(entity(name=text or "Actor"), NOW, (own,)), *rows, granularity=Granularity.ACTION)


def _shared(kind: Kind, text: str = "", holders: int = 3) -> AuditView:
    """A group with members, or a policy with holders."""
    own = Policy(
        text[:POLICY] or "Own",
        PolicyKind.CUSTOMER if kind is Kind.POLICY else PolicyKind.INLINE,
        document(allow("s3:*", "ec2:*", "sqs:*")),
        attachments=1,
    )
    held = tuple(f"role/R{n}{text[: NAME - 3]}" for n in range(holders))
    shot = Snapshot(
        entity(kind, text or "Shared"),
        NOW,
        (own,),
        members=tuple(f"u{n}{text[: NAME - 3]}" for n in range(holders)),
        holders=held if kind is Kind.POLICY else (),
    )
    by = None if kind is Kind.POLICY else [own]
    return done(
        shot,
        service("s3", ago(days=1), by=by, entities=2),
        service("ec2", ago(days=99), by=by, entities=1),
        service("sqs", by=by),
    )


def _ten() -> AuditView:
    """Ten of AWS’s policies (the quota), each with a used service and two more: ten reasons."""
    held = [
        policy(
            f"AmazonElasticContainerServiceForEdge{n:02}Role",
            f"svc{n:03}:*",
            f"svc{n + 100}:*",
            f"svc{n + 200}:*",
            kind=PolicyKind.AWS,
        )
        for n in range(10)
    ]
    rows = [
        service(f"svc{n + m:03}", None if m else ago(days=n), by=[p])
        for n, p in enumerate(held)
        for m in (0, 100, 200)
    ]
    return done(Snapshot(entity(), NOW, tuple(held)), *rows)


def _invented() -> AuditView:
    """Twenty services that nobody has heard of: IAM takes any prefix that a policy’s author makes up."""
    own = policy("Own", "s3:*", *(f"{'evil' * 60}{n}:*" for n in range(20)))
    return done(Snapshot(entity(), NOW, (own,)), service("s3", by=[own]))


def _guarded(who: Entity, **more: object) -> AuditView:
    own = policy("Own", "s3:*")
    return done(Snapshot(who, NOW, (own,), holders=("role/R",), **more), service("s3", by=[own]))  # type: ignore[arg-type]


FAILURES = {
    "enter": Failure(
        "refused", "sts:AssumeRole", role="arn:aws:iam::222222222222:role/iam-audit-read", account=ACCOUNT
    ),
    "no_credentials": Failure("refused", "sts:GetCallerIdentity", message="no AWS credentials"),
    "refused": Failure(
        "refused", "iam:GetRole", "arn:aws:iam::1:role/bot", ACCOUNT, "User is not authorized", "req-1", 1
    ),
    "throttled": Failure(
        "throttled", "iam:GenerateServiceLastAccessedDetails", message="Rate exceeded", tries=12
    ),
    "report_failed": Failure(
        "report_failed", "iam:GetServiceLastAccessedDetails", message="InternalFailure: x"
    ),
    **{
        c: Failure(c, "iam:GetRole", tries=3)
        for c in (
            "unreachable",
            "expired",
            "stuck",
            "lost",
            "gone",
            "recreated",
            "invalid",
            "missing",
            "transient",
            "aws",
            "no_result",
        )
    },
    "hostile": Failure(
        "report_failed", "iam:GetServiceLastAccessedDetails", HOSTILE, ACCOUNT, HOSTILE, "req-1", 9
    ),
    "hostile_refused": Failure("refused", "iam:GetRole", HOSTILE, ACCOUNT, LONG, "req-1", 9),
}


def failed(name: str, *, known: bool = True, text: str = "") -> AuditView:
    """An audit that has no result."""
    request = asking(RequestState.FAILED, text or "DBAdminRole", failure=FAILURES[name])
    return AuditView(
        request,
        PROD if known else Account(""),
        NOW,
        entity(name=text or "DBAdminRole") if known else None,
        last_good_at=ago(days=4) if known else None,
    )


def under_way(state: RequestState, *, age: int = 0, text: str = "", **more: object) -> AuditView:
    """An audit that somebody waits for."""
    request = replace(asking(state, text or "DBAdminRole"), created_at=NOW - timedelta(seconds=age))
    return AuditView(
        request,
        Account(ACCOUNT, ALIAS if text else "prod"),
        NOW,
        gives_up_at=NOW + timedelta(minutes=12),
        **more,
    )  # type: ignore[arg-type]


DONE = {
    "role": _role(),
    "hostile": _role(HOSTILE),
    "long": _role(LONG),
    "admin": _many(),
    "admin_group": _many(Kind.GROUP),
    "admin_policy": _many(Kind.POLICY),
    "ten_policies": _ten(),
    "invented_services": _invented(),
    "wide": _wide(),
    "wide_hostile": _wide(HOSTILE),
    "empty": done(Snapshot(entity(), NOW, ())),
    "untold_only": done(Snapshot(entity(), NOW, (policy("P", "s3:*"),))),
    "actions": _actions(4, 5),
    "actions_3000": _actions(100, 30),
    "actions_wide": _actions(456, 6),
    "actions_hostile": _actions(100, 30, HOSTILE),
    "actions_none": _actions(0, 0),
    "group": _shared(Kind.GROUP),
    "group_hostile": _shared(Kind.GROUP, HOSTILE),
    "group_empty": _shared(Kind.GROUP, holders=0),
    "policy": _shared(Kind.POLICY),
    "policy_hostile": _shared(Kind.POLICY, HOSTILE, 40),
    "policy_long": _shared(Kind.POLICY, LONG, 20),
    "policy_unattached": _shared(Kind.POLICY, holders=0),
    "young": _guarded(entity(created_at=ago(days=12))),
    "newborn": _guarded(entity(created_at=ago(minutes=1))),
    "service_linked": _guarded(entity(arn=f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/x/R")),
    "sso": _guarded(entity(arn=f"arn:aws:iam::{ACCOUNT}:role/AWSReservedSSO_x")),
    "organization": _guarded(entity(arn=f"arn:aws:iam::{ACCOUNT}:role/OrganizationAccountAccessRole")),
    "control_tower": _guarded(entity(arn=f"arn:aws:iam::{ACCOUNT}:role/AWSControlTowerExecution")),
    "aws_owned": _guarded(
        entity(Kind.POLICY, "ReadOnlyAccess", arn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    ),
    "boundary": _guarded(entity(Kind.POLICY), boundary_of=3),
}
UNDER_WAY = {
    "queued_unknown": under_way(RequestState.QUEUED),
    "queued_hostile": under_way(RequestState.QUEUED, text=HOSTILE),
    "queued": under_way(RequestState.QUEUED, entity=entity()),
    "queued_behind": under_way(RequestState.QUEUED, entity=entity(), ahead=1204),
    "running": under_way(RequestState.RUNNING, age=5, entity=entity()),
    "running_slow": under_way(RequestState.RUNNING, age=200, entity=entity()),
    "waiting": under_way(RequestState.RUNNING, age=200, entity=entity(), waiting_for_rate=True),
    "running_hostile": under_way(
        RequestState.RUNNING, age=200, text=LONG, entity=entity(name=HOSTILE), waiting_for_rate=True
    ),
    "done_without_report": under_way(RequestState.DONE, entity=entity()),
}
FAILED = {
    **{f"failed_{name}": failed(name) for name in FAILURES},
    "failed_nobody_known": failed("throttled", known=False),
    "failed_hostile_name": failed("hostile", text=HOSTILE),
    "failed_hostile_long": failed("hostile_refused", text=LONG),
}
CARDS = {**DONE, **UNDER_WAY, **FAILED}
