"""handlers.blocks.question and its kinds: every state of every question within Slack’s limits, strangers’ words inert."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from advisor.core.estate import Question, QuestionKind, SweepState
from advisor.core.model import Account, Failure, Usage
from advisor.core.organization import AccessReport, Allowed, AllowedService, dump, load
from advisor.core.trend import AccountPast, Carried, Did, EntityPast, Point, Turn
from advisor.core.trend import dump as dump_past
from handlers.blocks import question, question_history, question_org
from handlers.blocks.question import QuestionView
from tests.drawn import checked, nodes, strings, weight
from tests.views import HOSTILE, LONG
from tests.worlds import ACCOUNT, NOW, ago, entity

ACCOUNTS = (Account(ACCOUNT, "prod", own=True), Account("222222222222", HOSTILE))


def view(kind: QuestionKind, state: SweepState, *, result: str = "", **more: object) -> QuestionView:
    asked: dict[str, str] = more.pop("asked", {})  # type: ignore[assignment]
    made = Question(
        12,
        kind,
        "U1",
        "C1",
        json.dumps(asked),
        state,
        ago(seconds=3),
        NOW,
        NOW + timedelta(minutes=15),
        result=result,
    )
    return QuestionView(replace(made, **more), asked, NOW, ACCOUNTS, entity())  # type: ignore[arg-type]


def service(name: str, days: float | None, account: str = "222222222222") -> AllowedService:
    last = None if days is None else ago(days=days)
    return AllowedService(name, name.upper(), last, account if last else "", "eu-west-1", 1 if last else 0)


def allowed(*services: AllowedService, path: str = "o-abcdefghij/r-ab12") -> Allowed:
    return Allowed(path, ACCOUNT, 90, AccessReport(NOW, services))


MANY = [service(f"svc{n:03}", None if n % 3 else n) for n in range(450)]
ORGS = {
    "usual": allowed(service("s3", 2), service("kms", 120), service("sns", None), service("sqs", None)),
    "many": allowed(*MANY),
    "empty": allowed(),
    "hostile": allowed(*(service(f"{HOSTILE}{n}", 200, "333333333333") for n in range(120))),
    "management": allowed(service("s3", 2), path=f"o-abcdefghij/r-ab12/{ACCOUNT}"),
    "account": allowed(service("s3", None), path="o-abcdefghij/r-ab12/ou-ab12-cdefgh34/222222222222"),
    "ou": allowed(service("s3", 91), path="o-abcdefghij/r-ab12/ou-ab12-cdefgh34"),
}
CHANGED = (("newly_used", ("s3",)), ("newly_granted", tuple(f"{HOSTILE}{n}" for n in range(40))))
TURNS = [
    Turn(ago(days=n), 25, 3, 1, None if n > 50 else 9, CHANGED if n % 2 else (), n < 50)
    for n in range(60, 0, -1)
]
TICKETS = tuple(Carried(n, ago(days=n), did, "role", HOSTILE) for n, did in enumerate(Did, 1))
PASTS = {
    "entity": EntityPast(1, 90, tuple(TURNS), TICKETS),
    "one report": EntityPast(1, 90, (Turn(NOW, 3, 1, 1, 1),)),
    "unchanged": EntityPast(1, 90, (Turn(ago(days=3), 3, 1, 1, 1), Turn(NOW, 3, 1, 1, None))),
    "account": AccountPast(
        ACCOUNT, tuple(Point(ago(days=n).date(), 9_000, 800, 500, 77) for n in range(300, 0, -1)), TICKETS
    ),
    "one day": AccountPast("222222222222", (Point(NOW.date(), 0, 0, 0, 0),)),
}


@pytest.mark.parametrize("name", ORGS)
def test_an_answer_of_an_organisation(name: str) -> None:
    """One screen; the counts add up; what it cannot see stands on it."""
    found = ORGS[name]
    payload = checked(question_org.card(view(QuestionKind.ORG, SweepState.DONE, result=dump(found))))
    assert weight(payload["blocks"]) < 1900
    text = " ".join(strings(payload))
    unused = len(found.report.services) - len(found.of(Usage.USED))
    assert f"{unused:,} of {len(found.report.services):,} service" in text
    assert "not what IAM policies grant" in text
    assert ("no SCP limits it" in text) is (name != "account")
    assert [n["action_id"] for n in nodes(payload) if n.get("type") == "button"] == ["question.export"]


@pytest.mark.parametrize("rung", (0, 1, 2))
@pytest.mark.parametrize("name", ORGS)
def test_the_table_of_an_organisation(name: str, rung: int) -> None:
    """On every rung, the latest attempt first, and the rest counted."""
    payload = checked(
        question_org.table(view(QuestionKind.ORG, SweepState.DONE, result=dump(ORGS[name])), rung)
    )
    assert weight(payload["blocks"]) <= 9_600
    text = " ".join(strings(payload))
    assert ("more services are in the CSV" in text) is (
        len(ORGS[name].report.services) > 99 or name == "hostile"
    )


@pytest.mark.parametrize("found", ORGS.values(), ids=ORGS)
def test_an_answer_comes_back_from_its_text(found: Allowed) -> None:
    """Every service, with its time."""
    assert load(dump(found)) == found
    rows = question_org.rows(view(QuestionKind.ORG, SweepState.DONE, result=dump(found)))
    assert sorted(r["service_namespace"] for r in rows) == sorted(s.namespace for s in found.report.services)


@pytest.mark.parametrize("name", PASTS)
def test_a_history(name: str) -> None:
    """The card fits one screen, the table its limits on each rung; the picture’s numbers too."""
    shown = view(QuestionKind.HISTORY, SweepState.DONE, result=dump_past(PASTS[name]))
    card = checked(question_history.card(shown))
    assert weight(card["blocks"]) < 4000
    for rung in (0, 1, 2):
        assert weight(checked(question_history.table(shown, rung))["blocks"]) <= 9_600
    for rung in (0, 1):
        chart = question_history.chart(shown, rung)
        assert (chart is None) is (len(PASTS[name].points) == 1)
        assert chart is None or checked(chart)
    assert len(question_history.rows(shown)) == len(getattr(PASTS[name], "turns", PASTS[name].points))


@pytest.mark.parametrize("kind", [QuestionKind.ORG, QuestionKind.HISTORY, QuestionKind.REGROUP])
@pytest.mark.parametrize(
    "asked", [{}, {"target": HOSTILE, "name": LONG}, {"account": HOSTILE, "waits": "turn"}]
)
@pytest.mark.parametrize("state", [SweepState.QUEUED, SweepState.RUNNING])
@pytest.mark.parametrize("age", [1, 400])
@pytest.mark.parametrize("tries", [0, 3])
def test_under_way(
    kind: QuestionKind, asked: dict[str, str], state: SweepState, age: int, tries: int
) -> None:
    """What is being done, and from a minute on when it gives up."""
    shown = view(kind, state, asked=asked, tries=tries, created_at=ago(seconds=age))
    payload = checked(question.under_way(shown))
    assert ("offers a retry" in " ".join(strings(payload))) is (age > 60)
    assert len(payload["blocks"]) <= 4


CODES = (
    "no_organization not_management no_scps org_busy not_found refused report_failed throttled unreachable stuck lost "
    "no_reports no_scores no_account ambiguous not_offered invalid forbidden aws"
).split()


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("kind", [QuestionKind.ORG, QuestionKind.HISTORY])
def test_no_answer(code: str, kind: QuestionKind) -> None:
    """On the card or to one person: why, what helps, and nothing of a stranger’s as markup."""
    message = "guest" if code == "forbidden" else f"{HOSTILE}\n/iam-audit history role {HOSTILE}"
    failure = Failure(
        code, "organizations:ListRoots\norganizations:X", "arn:x", "222222222222", message, "req-1", 3
    )
    shown = view(kind, SweepState.FAILED, failure=failure, asked={"name": HOSTILE, "kind": "role"})
    card = checked(question.failed(shown))
    assert "What helps: " in " ".join(strings(card))
    assert [n["action_id"] for n in nodes(card) if n.get("type") == "button"] == ["question.retry"]
    told = checked(question.private(shown, [HOSTILE, "near"]))
    assert "Nothing was started" in " ".join(strings(told))


@pytest.mark.parametrize("why", ["shared", "archived", "not_joined"])
def test_what_stands_beside_an_answer(why: str) -> None:
    """Where it goes instead, and files that come or do not."""
    shown = view(QuestionKind.ORG, SweepState.DONE, asked={"target": HOSTILE}, result=dump(ORGS["usual"]))
    for message in (
        question.elsewhere(shown, why),
        question.exported(shown, 4),
        question.file_refused(shown, 4, "Slack says file_uploads_disabled"),
    ):
        checked(message)
