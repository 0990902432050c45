"""Whole organisations that misbehave: fifty accounts at once, and a bot that is killed again and again."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.sandbox import world as story
from tests.sandbox.__main__ import Demo
from tests.sandbox.aws import Aws
from tests.sandbox.slack import Slack
from tests.scenarios.stage import Stage, words

pytestmark = pytest.mark.long

A, S = story.ALICE, story.SECURITY
GENERATE = "GenerateServiceLastAccessedDetails"
FIFTY = tuple(f"4{n:011d}" for n in range(50))
SHUT, SILENT, LIMITED, BIG = FIFTY[3], FIFTY[7], FIFTY[11], FIFTY[20]


def test_fifty_accounts_of_which_some_misbehave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One shuts the bot out, one hangs, one limits the rate for long, one is big, and every twentieth job fails.

    Every entity ends as read or as named; the two that cannot be read are named, and nothing else is.
    """
    with Aws() as aws, Slack() as slack:
        world = story.seed(aws)
        for account in FIFTY:
            story.plain(aws, account, roles=200 if account == BIG else 3, shut=account == SHUT)
        story.people(slack)
        for name, value in world.bot.items():
            monkeypatch.setenv(name, value)
        aws.knobs.job_result, aws.knobs.job_every = "fail", 20
        aws.fail(GENERATE, account=SILENT, hang=2, times=None)
        aws.fail(GENERATE, account=LIMITED, error="Throttling", times=12)
        accounts = ",".join(f"a{n}={a}" for n, a in enumerate(FIFTY))
        stage = Stage(aws, world, slack, tmp_path / "audit.db", accounts=accounts, patience=0.2)
        stage.begin()
        try:
            stage.say("sweep account=all")
            card = stage.card()
            said = words(card)
            parts = {r["account"]: dict(r) for r in stage.rows("SELECT * FROM sweep_account")}
            states = Counter(r["state"] for r in stage.rows("SELECT state FROM sweep_entity"))
        finally:
            stage.end()
    assert card["metadata"]["event_payload"]["state"] == "partial", said
    assert "refused to let the bot in" in said
    assert parts[SHUT]["state"] == "failed" and json.loads(parts[SHUT]["failure"])["code"] == "refused"
    silent = parts[SILENT]
    assert silent["state"] == "failed" or silent["failed"] == silent["total"], silent
    assert not states["queued"] or silent["state"] == "failed"
    for account in FIFTY:
        one = parts[account]
        if account not in {SHUT, SILENT}:
            assert (one["state"], one["done"] + one["failed"]) == ("done", one["total"]), one
            assert one["total"] >= 4
    assert parts[LIMITED]["done"] == parts[LIMITED]["total"]
    assert parts[BIG]["total"] > 200


def test_killed_every_few_seconds_until_it_is_done() -> None:
    """kill -9 of the real process: each entity is read, none is stored twice, and hardly any is asked for twice."""
    with Demo(IAM_AUDIT_POLL_SECONDS="0.2") as demo:
        for account in (story.PROD, story.DEV):
            story.plain(demo.aws, account, roles=40, seeded=True)
        demo.aws.knobs.job_polls = 2
        demo.start_bot()
        assert demo.slack.command(A, S, "sweep account=all").ok
        deaths = 0
        while not _ended(demo):
            time.sleep(6)
            demo.stop_bot(kill=True)
            deaths += 1
            demo.start_bot()
            assert deaths < 40
        assert deaths > 1
        rows = _rows(demo, "SELECT state, count(*) FROM sweep_entity GROUP BY 1")
        twice = _rows(
            demo,
            "SELECT entity_id, count(*) FROM report WHERE complete = 1 GROUP BY 1 HAVING count(*) > 1",
        )
        asked = demo.aws.operations().count(GENERATE)
    assert [r[0] for r in rows] == ["done"], rows
    entities = rows[0][1]
    assert entities > 110
    assert twice == []
    assert asked <= entities * (deaths + 1)


def _rows(demo: Demo, sql: str) -> list[tuple[object, ...]]:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(f"file:{demo.database}?mode=ro", uri=True, timeout=10)) as db:
        return db.execute(sql).fetchall()


def _ended(demo: Demo) -> bool:
    return bool(_rows(demo, "SELECT 1 FROM sweep WHERE state IN ('done', 'partial', 'failed')"))
