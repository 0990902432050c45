"""handlers.blocks.findings and handlers.findings_files: what else a sweep found, in the thread and as files."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from advisor.core import scp
from advisor.core.credentials import CredentialReport, Flaw, Held, Key, Login, Weakness
from advisor.core.findings import (
    AccountFindings,
    Attempts,
    Copies,
    Idle,
    IdleEntity,
    LeftOut,
    Observed,
    find,
)
from advisor.core.model import Failure, Kind
from advisor.core.report import Rules
from advisor.core.scp import NEVER_DENIED, Spared, Unneeded
from advisor.edges.store.rows import dump_findings, findings_of
from handlers import findings_files
from handlers.blocks import findings as drawn
from tests.drawn import checked, nodes, strings, weight
from tests.views import ALIAS, HOSTILE, LONG
from tests.worlds import ACCOUNT, NOW, SmallCatalogue, ago, allow, document, entity, policy, snapshot

DOCS = (Path(__file__).parent.parent / "docs" / "sweeps.md").read_text("utf-8")
OTHERS = ("222222222222", "333333333333")


def arn(what: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:iam::{account}:{what}"


def idle(kind: Kind, name: str, why: Idle = Idle.NO_ATTEMPT, **more: object) -> IdleEntity:
    return IdleEntity(kind, name, arn(f"{kind}/{name}"), why, **{"age_days": 400, **more})  # type: ignore[arg-type]


EVE = arn("user/eve")
WEAK = (
    Weakness(Held.KEY, arn("root"), "<root_account>", Flaw.ROOT_KEY, 1, age_days=900),
    Weakness(Held.KEY, EVE, "eve", Flaw.NO_USE, 1, age_days=200),
    Weakness(Held.KEY, EVE, "eve", Flaw.OLD, 2, ago(days=3), 1200, "s3"),
    Weakness(Held.PASSWORD, arn("user/bob"), "bob", Flaw.BEFORE_WINDOW, last_at=ago(days=150), age_days=300),
    Weakness(Held.NO_MFA, arn("user/bob"), "bob", Flaw.NO_MFA, last_at=ago(days=150), age_days=300),
)
FULL = AccountFindings(
    account=ACCOUNT,
    alias="prod",
    at=NOW,
    window_days=90,
    key_days=90,
    seen=((Kind.ROLE, 80), (Kind.USER, 20), (Kind.GROUP, 8), (Kind.POLICY, 12)),
    active_keys=14,
    passwords=5,
    idle=(
        *(idle(Kind.ROLE, f"role-{n}") for n in range(9)),
        idle(Kind.ROLE, "empty", Idle.GRANTS_NOTHING),
        idle(Kind.ROLE, "stale", Idle.BEFORE_WINDOW, last_at=ago(days=100), untold=("sqs", "sns")),
        idle(Kind.USER, "dave"),
        idle(Kind.GROUP, "nobody", Idle.NO_MEMBERS),
        idle(Kind.POLICY, "Old", Idle.NOT_ATTACHED),
        idle(Kind.POLICY, "Grouped", Idle.EMPTY_GROUPS),
    ),
    weaknesses=WEAK,
    credentials_at=ago(hours=3),
    credentials_untold=1,
    copies=(Copies("ab12", tuple((arn(f"role/{n}"), f"S3-{n}") for n in "abcd"), 120),),
    unneeded=Unneeded(("rds", "sqs"), (("iam", Spared.BOT), ("kms", Spared.GLOBAL)), 40),
    left_out=LeftOut(young=22, protected=48, kept=3, untold=2),
)
NOTHING = AccountFindings(ACCOUNT, "", NOW, 90, 90, credentials_at=NOW)
REFUSED = Failure("refused", "iam:GenerateCredentialReport", account=OTHERS[0])
BLIND = replace(
    FULL,
    account=OTHERS[0],
    alias="dev",
    weaknesses=(),
    credentials_at=None,
    failure=REFUSED,
    unneeded=Unneeded((), (), 40, 2),
    left_out=LeftOut(unread=2),
)
HOSTILES = [
    replace(
        FULL,
        alias=ALIAS,
        account=f"{n:012}",
        idle=tuple(idle(kind, name) for kind in Kind for name in (HOSTILE, LONG, "=EVIL", *"abcdefghi")),
        weaknesses=tuple(
            replace(w, user=text, arn=arn(f"user/{text}")) for w in WEAK * 3 for text in (HOSTILE, LONG)
        ),
        copies=tuple(Copies(str(i), ((arn(f"role/{HOSTILE}"), LONG),) * 4, 9) for i in range(20)),
        unneeded=Unneeded(tuple(f"svc{i}-{'x' * 40}" for i in range(300)), (), 400),
    )
    for n in range(30)
]
ALL = {
    "full": [FULL],
    "nothing": [NOTHING],
    "none": [],
    "blind": [BLIND],
    "two": [FULL, BLIND],
    "three": [FULL, BLIND, NOTHING],
    "hostile": HOSTILES[:1],
    "hostile many": HOSTILES,
}


def said(found: list[AccountFindings]) -> str:
    return "\n".join(strings(checked(drawn.thread(found))))


@pytest.mark.parametrize("name", ALL)
def test_every_reply_is_within_limits_and_inert(name: str) -> None:
    """Of one account or of thirty, with names that nobody could have."""
    payload = checked(drawn.thread(ALL[name]))
    assert weight(payload["blocks"]) <= 9_500
    assert "never used" not in json.dumps(payload).lower()
    assert not [n for n in nodes(payload) if n.get("type") == "mrkdwn"]


def test_what_one_account_has() -> None:
    """Counts with their reasons, the first eight names, and where the rest is."""
    text = said([FULL])
    assert "prod (111111111111)" in text
    assert (
        "11 of 80 roles with no attempt in 90 days (9 with none seen in up to 400 days, 1 without any policy): "
        in text
    )
    assert "role-0, role-1, role-2, role-3, role-4, role-5, role-6, role-7 and 3 more in the CSV" in text
    assert "1 of 20 users with no attempt in 90 days, no sign-in and no use of a key" in text
    assert "1 of 8 groups without members: " in text
    assert (
        "2 of 12 customer managed policies attached to nobody, and nobody’s boundary (1 only to groups"
        in text
    )
    assert "1 access key of a root user: " in text
    assert "2 of 14 active access keys, 1 without a use seen, 1 older than 90 days: " in text
    assert "eve key 1, eve key 2" in text
    assert "1 of 5 console passwords, 1 last used more than 90 days before: " in text
    assert "1 of 5 console passwords without MFA: " in text
    assert "S3-a in 4 roles" in text
    assert "2 of 40 granted services that nobody in prod (111111111111) tried in up to 400 days: " in text
    assert "rds, sqs. As 1 service control policy in the files, never applied" in text


def test_where_it_comes_from_and_what_it_cannot_tell() -> None:
    """Access Advisor is said not to be the source of keys; what is left out is counted."""
    text = said([FULL])
    assert "IAM’s credential report of 24 Nov 2026 06:12 UTC" in text
    assert "Access Advisor knows nothing of them" in text
    assert "Of 1 key or password AWS does not tell the use" in text
    assert "1 of the roles and users above also has services that are not tracked" in text
    assert "48 protected or service-linked, 22 too young to judge, 3 kept by a person" in text
    assert "(access-analyzer, cloudtrail, iam, organizations, sts)" in text
    assert "of the root user there is no report" in text


def test_an_account_that_was_not_read_whole_proposes_nothing() -> None:
    """And says so, as it says why there are no keys."""
    text = said([BLIND])
    assert "2 entities could not be read: about them nothing is known" in text
    assert "none is proposed, in: dev" in text
    assert (
        "Keys, passwords and MFA in dev: AWS refused to let the bot read them (iam:GenerateCredentialReport)"
        in text
    )
    assert "no sign-in" not in text
    assert "Never in a proposed" not in text


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (None, "they were not read"),
        (Failure("busy"), "AWS had not made the report in time"),
        (Failure("throttled"), "AWS limits the rate of calls there"),
        (Failure("unreachable"), "AWS gave no answer"),
    ],
)
def test_why_there_are_no_credentials(failure: Failure | None, words: str) -> None:
    """Every account of that reason in one line."""
    other = replace(BLIND, account=OTHERS[1], alias="data", failure=failure)
    assert f"in dev, data: {words}" in said([replace(BLIND, failure=failure), other])


def test_several_accounts() -> None:
    """Names with their account, and the accounts by weight."""
    text = said([NOTHING, BLIND, FULL])
    assert "3 accounts" in text
    assert "22 of 160 roles with no attempt in 90 days" in text
    assert "role-0 (prod)" in text
    assert "By account" in text
    assert text.index("prod (111111111111): ") < text.index("dev (222222222222): ")
    assert (
        "11 roles, 1 user, 1 group, 2 policies, 5 keys and passwords, 1 repeated policy, 2 services" in text
    )


def test_nothing_found_is_said() -> None:
    """With what cannot be told all the same."""
    message = drawn.thread([NOTHING])
    assert message.text.startswith("What else the sweep of account 111111111111 found: nothing")
    assert "What cannot be told" in said([NOTHING])


# -- files -----------------------------------------------------------------------------------------------------------


def table(found: list[AccountFindings]) -> list[dict[str, str]]:
    first = findings_files.files(found, 77)[0]
    assert first.name == "iam-audit-sweep-77-findings.csv"
    return list(csv.DictReader(io.StringIO(first.content.decode("utf-8-sig"), newline="")))


def test_the_csv_has_every_finding() -> None:
    """A row each; of a repeated policy one each role; spared services with the reason."""
    rows = table([FULL])
    assert len(rows) == 15 + 5 + 4 + 2 + 2
    by_kind = {kind: [r for r in rows if r["finding"] == kind] for kind in {r["finding"] for r in rows}}
    stale = by_kind["role_without_attempt"][-1]
    assert stale == {
        "finding": "role_without_attempt",
        "account": ACCOUNT,
        "entity_arn": arn("role/stale"),
        "detail": "400 days old; not tracked: sqs sns",
        "last_use_utc": "2026-08-16T09:12:00+00:00",
        "reason": "no attempt within the window",
    }
    assert [r["detail"] for r in by_kind["access_key"]] == [
        "root user key 1; 900 days old",
        "eve key 1; 200 days old",
        "eve key 2; 1,200 days old; last used with s3",
    ]
    assert [r["reason"] for r in by_kind["service_without_attempt"]][-1].endswith(
        "not proposed: " + drawn.SPARED[Spared.GLOBAL]
    )
    assert len(by_kind["same_inline_policy"]) == 4


def test_cells_are_no_formulas() -> None:
    """Names are strangers' words."""
    rows = table([replace(FULL, weaknesses=(replace(WEAK[1], user="=cmd()", arn="@x"),))])
    (row,) = [r for r in rows if r["finding"] == "access_key"]
    assert (row["entity_arn"], row["detail"][:6]) == ("'@x", "'=cmd(")


def test_policies_are_files_as_they_are() -> None:
    """The document and nothing else; the name is ours."""
    (_, made) = findings_files.files([FULL, BLIND], 77)
    assert made.name == f"iam-audit-sweep-77-scp-{ACCOUNT}-1.json"
    assert made.content.decode() == scp.documents(("rds", "sqs"))[0]


def test_many_policies_are_one_file() -> None:
    """By account."""
    many = [replace(FULL, account=f"{n:012}") for n in range(findings_files.LOOSE + 1)]
    (_, made) = findings_files.files(many, 77)
    whole = json.loads(made.content)
    assert list(whole) == [f.account for f in many]
    assert whole["000000000003"] == [json.loads(scp.documents(("rds", "sqs"))[0])]
    assert len(findings_files.files(many[:-1], 77)) == findings_files.LOOSE + 1


def test_no_findings_no_files() -> None:
    """An empty table tells less than the reply."""
    assert findings_files.files([NOTHING], 77) == findings_files.files([], 77) == []


# -- stored ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "found", [FULL, NOTHING, BLIND, HOSTILES[0]], ids=["full", "nothing", "blind", "hostile"]
)
def test_findings_are_stored_and_read_as_they_were(found: AccountFindings) -> None:
    """Through JSON, and drawn the same."""
    again = findings_of(dump_findings(found))
    assert again == found
    assert drawn.thread([again]).payload() == drawn.thread([found]).payload()


def test_from_entities_to_the_reply() -> None:
    """The whole way for a small account."""
    seen = [
        Observed(
            snapshot(replace(policy("p"), text=document(allow("s3:*"))), of=entity(name=f"r{n}")),
            Attempts(NOW, (("s3", ago(days=200)),)),
        )
        for n in range(3)
    ]
    key = Key(1, True, ago(days=900), ago(days=2))
    logins = CredentialReport(NOW - timedelta(hours=1), (Login("eve", EVE, keys=(key,)),))
    found = find(seen, Rules(), SmallCatalogue(), account=ACCOUNT, alias="prod", at=NOW, logins=logins)
    text = said([findings_of(dump_findings(found))])
    assert "3 of 3 roles with no attempt in 90 days: " in text
    assert "p in 3 roles" in text
    assert "1 of 1 active access key, 1 older than 90 days: " in text
    assert "granted service" not in text


# -- documents -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "word",
    [
        *findings_files.COLUMNS,
        *findings_files.IDLE_KIND.values(),
        findings_files.COPY_KIND,
        findings_files.SERVICE_KIND,
        *Held,
    ],
)
def test_the_file_is_documented(word: str) -> None:
    """Columns, and the words of the first."""
    assert f"`{word}`" in DOCS


@pytest.mark.parametrize(
    "reason", [*drawn.IDLE.values(), *drawn.FLAW.values(), *drawn.SPARED.values(), drawn.COPY, drawn.NOBODY]
)
def test_every_reason_is_explained(reason: str) -> None:
    """In the words of the file."""
    assert reason in DOCS


def test_every_service_that_is_never_denied_is_named() -> None:
    """In the document, below its reason."""
    for why in (Spared.BOT, Spared.ACCOUNT, Spared.GLOBAL):
        (line,) = [line for line in DOCS.splitlines() if drawn.SPARED[why] in line and line.startswith("|")]
        for name in (s for s, reason in NEVER_DENIED.items() if reason is why):
            assert f"`{name}`" in line
