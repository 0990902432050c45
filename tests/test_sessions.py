"""Sessions in accounts, at the wire: one set of credentials each, however many accounts there are."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from advisor.core.model import Account, Granularity
from advisor.edges.aws import Aws as Product
from advisor.edges.aws import sessions
from tests.sandbox import world as story
from tests.sandbox.aws import Aws


def test_a_client_that_was_let_go_comes_back_with_its_credentials(
    aws: Aws, seeded: tuple[Aws, story.World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report that was begun before others were asked for is read after: no role is assumed again for it."""
    for name, value in seeded[1].bot.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sessions, "_CLIENTS", 1)
    aws.knobs.job_polls = 0
    product = Product(
        boot="test",
        named=(Account(story.PROD, "prod", own=True), Account(story.DEV, "dev")),
        organization=False,
        read_role=story.READ_ROLE,
        clock=lambda: datetime.now(UTC),
        patience=5,
    )
    first = product.session(story.DEV)
    job = product.generate(first, f"arn:aws:iam::{story.DEV}:role/DBAdminRole", Granularity.SERVICE)
    product.session(story.PROD)
    assert product._sessions._open[story.DEV].iam is None
    again = product.session(story.DEV)
    assert again.id == first.id
    assert product.read(again, job)
    assert aws.operations().count("AssumeRole") == 1
