"""Plans as `advisor.core.plan` makes them, quiet and hostile, and the tickets that ask for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from unittest.mock import patch

from advisor.core.model import Account, Entity, Finding, Kind, Usage, Verdict, Why
from advisor.core.offer import QUARANTINE
from advisor.core.plan import make
from advisor.core.removal import (
    INLINE_SIZE,
    Candidate,
    Entry,
    Managed,
    Offer,
    Plan,
    Standing,
    StepState,
    Ticket,
    TicketState,
    Treatment,
    Version,
)
from handlers.blocks.ticket_view import TicketView
from tests.worlds import ACCOUNT, NOW, SmallCatalogue, allow, deny, document, entity, report, service

PROD = Account(ACCOUNT, "prod")
RDS = "arn:aws:iam::aws:policy/AmazonRDSFullAccess"
OURS = f"arn:aws:iam::{ACCOUNT}:policy"
EVIL = "EVIL'\"`touch pwned`$(touch pwned)\n${touch}%{if}$${x}\nEOT\n# \\\u202e<!channel>*x*&"
"""What a name could be if IAM let it."""

OUT = "athena cassandra dax dms docdb-elastic elasticache memorydb neptune-db redshift timestream".split()
ENTRIES = (
    "athena:* cassandra:* dax:* dms:* docdb-elastic:* dynamodb:* elasticache:* kms:Decrypt memorydb:* neptune-db:* "
    "redshift:* s3:* secretsmanager:GetSecretValue timestream:*"
).split()


def managed(arn: str, *statements: dict[str, object], versions: int = 1, **more: object) -> Managed:
    """A managed policy; its newest version is in force."""
    old = [Version(f"v{n}", document(allow(f"old{n}:*"))) for n in range(1, versions)]
    texts = (*old, Version(f"v{versions}", document(*statements), default=True))
    return Managed(arn, arn.rpartition("/")[2], texts, **more)  # type: ignore[arg-type]


def planned(
    services: Iterable[str],
    standing: Standing,
    *whole: Candidate,
    actions: Iterable[str] = (),
    not_action: bool = False,
    quarantine: bool = False,
    catalogue: SmallCatalogue | None = None,
) -> Plan:
    """The plan of a ticket in which these services and actions are ticked, and these policies whole."""
    asks = Finding("", Usage.NEVER, Verdict.ASK, Why.NOT_ACTION) if not_action else None
    ticked = [Candidate(f"s{s}", Treatment.EDIT, "", services=(s,), asks=asks) for s in services]
    ticked += [Candidate(f"a{a}", Treatment.EDIT, "", actions=(a,)) for a in actions]
    ticked += whole
    keys = {c.key for c in ticked} | ({QUARANTINE} if quarantine else set())
    rows = [service(s) for s in {s for c in ticked for s in c.services} or {"s3"}]
    made = make(Offer(tuple(ticked), ()), keys, standing, report(*rows), catalogue or SmallCatalogue(), 12)
    assert isinstance(made, Plan), made
    return made


def whole(treatment: Treatment, policy: Managed, *services: str) -> Candidate:
    """A managed policy that goes, or is replaced."""
    return Candidate(f"w{policy.arn}", treatment, policy.name, services=services, arn=policy.arn)


def view(
    plan: Plan,
    *,
    number: int = 12,
    state: TicketState = TicketState.OPEN,
    of: Entity | None = None,
    done: int | None = None,
    **more: object,
) -> TicketView:
    """A ticket for a plan. `done` writes were read back; all of them where the ticket is applied."""
    ticket = Ticket(
        number,
        1,
        7,
        state,
        ("U1",),
        "C1",
        "Cleaning up",
        (),
        1,
        90,
        NOW,
        NOW + timedelta(hours=1),
        NOW + timedelta(days=7),
        plan,
        run=1,
        **more,  # type: ignore[arg-type]
    )
    count = done if done is not None else len(plan.steps) if state is TicketState.APPLIED else 0
    at = NOW + timedelta(minutes=81)
    entries = tuple(
        Entry(n, number, 1, n, back=False, step=s, state=StepState.DONE, begun_at=at, settled_at=at)
        for n, s in enumerate(plan.steps[:count], 1)
    )
    return TicketView(ticket, plan, of or plan.basis.entity, PROD, NOW, NOW, entries=entries)


def dba(name: str = "DBAdminRole", inline: str = "db-admin-inline", sid: str = "DatabaseAdmin") -> Plan:
    """Ten of fourteen entries go from an inline policy, and one of AWS’s policies goes whole."""
    text = document(allow(*ENTRIES, Sid=sid), deny("rds:Delete*", Sid="DenyProdDelete"))
    rds = managed(RDS, allow("rds:*"))
    standing = Standing(entity(name=name), ((inline, text),), (RDS,), managed=(rds,))
    made = planned(OUT, standing, whole(Treatment.DETACH, rds, "rds"))
    return replace(made, fingerprint="7f3c91aa" + made.fingerprint[8:])


def everything(evil: str = "") -> Plan:
    """Every treatment that a plan can have: put, delete, a fifth version, detach, copy, replace."""
    own = managed(
        f"{OURS}/Own{evil}", allow("s3:*", "sqs:*"), versions=5, holders=(f"role/R{evil}",), description=evil
    )
    shared = managed(
        f"{OURS}/Shared{evil}",
        allow(
            "kms:*",
            "sqs:*",
            Sid=evil or "Some",
            Condition={"StringLike": {"aws:PrincipalTag/x": "${aws:username}"}},
        ),
        holders=(f"role/R{evil}", "role/Other"),
        tags=(("team", evil or "x"),),
    )
    aws = managed("arn:aws:iam::aws:policy/Wide", allow("lambda:*", "sqs:*"))
    rds = managed(RDS, allow("sqs:*"))
    inline = (
        (
            f"Cut{evil}",
            document(
                allow(
                    "s3:*", "sqs:*", Sid=evil or "Cut", Resource=[f"arn:aws:s3:::{evil}b/${{aws:username}}/*"]
                )
            ),
        ),
        (f"Gone{evil}", document(allow("sqs:*"))),
    )
    held = (own, shared, aws, rds)
    standing = Standing(entity(name=f"R{evil}"), inline, tuple(sorted(m.arn for m in held)), managed=held)
    return planned(
        ["sqs"],
        standing,
        whole(Treatment.COPY, shared, "sqs"),
        whole(Treatment.REPLACE, aws, "sqs"),
        whole(Treatment.DETACH, rds, "sqs"),
    )


def denied() -> Plan:
    """Everything is denied."""
    return planned((), Standing(entity(), (("P", document(allow("s3:*"))),)), quarantine=True)


def narrowed() -> Plan:
    """A wildcard gives way to narrower ones and to names."""
    names = ("DescribeInstances", "DescribeImages", "GetConsole", "GetImage", "CreateTags", "RunInstances")
    text = document(allow("ec2:*", "s3:*", Sid="Everything"))
    return planned(
        (),
        Standing(entity(), (("ops", text),)),
        actions=["ec2:RunInstances"],
        catalogue=SmallCatalogue({"ec2": names}),
    )


def excepted() -> Plan:
    """An Allow of all but a list: the list gets longer."""
    text = document({"Effect": "Allow", "NotAction": ["iam:*"], "Resource": "*"})
    return planned(["sqs"], Standing(entity(), (("all-but", text),)), not_action=True)


def large(statements: int = 17, entries: int = 30, documents: int = 1, name: str = "p") -> Plan:
    """Documents with so many statements that change, each with so many entries."""
    texts = []
    services: Sequence[str] = [f"svc{n:03}" for n in range(entries)]
    for number in range(documents):
        made = [
            allow("s3:*", *(f"{s}:*" for s in services), Sid=f"S{m}", Resource=f"arn:aws:s3:::b{m}/*")
            for m in range(statements)
        ]
        texts.append((f"{name}{number:02}", document(*made)))
    with patch.dict(
        INLINE_SIZE, {Kind.ROLE: 1_000_000}
    ):  # more than IAM takes: the drawing holds all the same
        return planned(services, Standing(entity(name="platform-ops"), tuple(texts)))


def of_policy() -> Plan:
    """A policy’s own ticket: a new version for everybody who has it."""
    own = managed(f"{OURS}/team/Own", allow("s3:*", "sqs:*"), holders=("role/A", "user/b"), path="/team/")
    return planned(["sqs"], Standing(entity(Kind.POLICY, "Own", arn=own.arn), managed=(own,)))
