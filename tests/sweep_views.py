"""Everything a sweep's card is drawn from, quiet and hostile."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from advisor.core.estate import Part, Score, Sweep, SweepState, SweptAccount, Totals
from advisor.core.model import Entity, Failure, Kind
from handlers.blocks.sweep import SweepView
from tests.views import HOSTILE, LONG
from tests.worlds import NOW

S = SweepState
ASKED = NOW - timedelta(minutes=7)
ROLE = "arn:aws:iam::333333333333:role/iam-audit-read"
REFUSED = Failure("refused", "sts:AssumeRole", role=ROLE, account="333333333333")
TOTALS = Totals(503, 61, 318, 4000, 900, 9, 22, 48, 3)


def part(alias: str, account: str, state: Part, total: int = 0, done: int = 0, **more: Any) -> SweptAccount:
    begun = {} if state is Part.QUEUED else {"begun_at": ASKED}
    return SweptAccount(77, account, alias, state, total, done, **(begun | more))


def sweep(state: S, **more: Any) -> Sweep:
    given: dict[str, Any] = {
        "asked": "all",
        "accounts": ("1", "2", "3"),
        "begun_at": ASKED,
        "ended_at": NOW if state.ended else None,
        "revision": 9,
    }
    return Sweep(id=77, user="U0ALICE0001", channel="C1", state=state, created_at=ASKED, **(given | more))


def entity(name: str, kind: Kind = Kind.ROLE, account: str = "111111111111", row: int = 5) -> Entity:
    return Entity(account, kind, name, f"arn:aws:iam::{account}:{kind}/{name}", "AROA1", id=row)


def worst(name: str = "", alias: str = "") -> tuple[tuple[Entity, Score], ...]:
    found = (("etl-nightly", Kind.ROLE, 31, 44, 0), ("DBAdminRole", Kind.ROLE, 19, 25, 2))
    found += (("ci-deploy", Kind.ROLE, 17, 29, 9), ("data-engineers", Kind.GROUP, 8, 19, 3))
    found += (("DataLakeAccess", Kind.POLICY, 4, 11, 5), ("sixth", Kind.USER, 3, 4, 1))
    return tuple(
        (entity(name or n, k, row=place), Score(place, place, NOW, g, u, 0, 1, c))
        for place, (n, k, c, g, u) in enumerate(found, 1)
    )


PROD = part("prod", "111111111111", Part.DONE, 301, 301)
DEV = part("dev", "222222222222", Part.DONE, 150, 150)
DATA = part("data", "333333333333", Part.DONE, 52, 52)
THREE = (PROD, DEV, DATA)
AT_WORK = (
    part("prod", "111111111111", Part.RUNNING, 301, 160),
    part("dev", "222222222222", Part.RUNNING, 150, 54),
    part("data", "333333333333", Part.QUEUED),
)
SHUT = part("data", "333333333333", Part.FAILED, failure=REFUSED)
HALF = part("dev", "222222222222", Part.DONE, 150, 147, failed=2, gone=1)


def view(state: S, parts: tuple[SweptAccount, ...] = THREE, **more: Any) -> SweepView:
    asked = more.pop("sweep", {})
    return SweepView(sweep(state, **asked), NOW, 90, parts, **more)


def _result(state: S, parts: tuple[SweptAccount, ...] = THREE, **more: Any) -> SweepView:
    return view(state, parts, **({"totals": TOTALS, "worst": worst()} | more))


UNREAD = tuple((entity(n, account="222222222222"), Failure("report_failed")) for n in ("build", "deploy"))
QUIET = {
    "unlisted": view(S.QUEUED, (), sweep={"accounts": ()}),
    "queued": view(S.QUEUED, tuple(part(p.alias, p.account, Part.QUEUED) for p in THREE)),
    "behind": view(S.QUEUED, tuple(part(p.alias, p.account, Part.QUEUED) for p in THREE), behind=76),
    "listing": view(S.RUNNING, (replace(SHUT, state=Part.QUEUED, failure=None),)),
    "running": view(S.RUNNING, AT_WORK),
    "running_one": view(S.RUNNING, AT_WORK[:1]),
    "done": _result(S.DONE),
    "done_one": _result(S.DONE, (PROD,)),
    "nothing": view(S.DONE, totals=Totals(503, 0, 0, 4000, 4000)),
    "empty": view(S.DONE, (part("new", "444444444444", Part.DONE),)),
    "partial": _result(S.PARTIAL, (PROD, DEV, SHUT)),
    "partial_some": _result(S.PARTIAL, (PROD, HALF, DATA), failures=UNREAD),
    "cancelled": _result(S.CANCELLED, AT_WORK, sweep={"by": "U0BOB000001"}),
    "cancelled_at_once": view(S.CANCELLED, (), sweep={"by": "U0BOB000001"}),
    "failed": view(S.FAILED, (SHUT,)),
    "failed_early": view(
        S.FAILED, (), sweep={"failure": Failure("invalid", "account", message="no account x is set")}
    ),
    "scheduled": _result(S.DONE, sweep={"schedule_id": 4}),
}
EVIL = tuple(part(HOSTILE, f"{n:012}", Part.FAILED, 900, 3, failed=800, failure=REFUSED) for n in range(40))
HARD = {
    "hostile": _result(
        S.PARTIAL,
        EVIL,
        worst=worst(HOSTILE),
        failures=tuple((entity(HOSTILE), Failure(HOSTILE, HOSTILE)) for _ in range(50)),
    ),
    "long": _result(S.PARTIAL, tuple(replace(p, alias=LONG) for p in (PROD, HALF, SHUT)), worst=worst(LONG)),
    "many": view(
        S.RUNNING, tuple(part(f"account-{n}", f"{n:012}", Part.RUNNING, 2000, n) for n in range(1000))
    ),
    "odd": view(
        S.FAILED,
        (replace(SHUT, failure=Failure(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)),),
        sweep={"asked": HOSTILE},
    ),
}
CARDS = QUIET | HARD
