"""handlers.estate_words, through handlers.commands: sweep, digest, history, org, regroup, why."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core.estate import Cadence, Rhythm
from advisor.core.model import Asked, Kind
from handlers.commands import UsageError, parse
from handlers.estate_words import (
    FIRST,
    DigestEvery,
    DigestWord,
    History,
    Org,
    Regroup,
    SweepEvery,
    SweepNow,
    SweepOff,
    Why,
)

ARN = "arn:aws:iam::111111111111:role/DBAdminRole"
W, D, M = Cadence.WEEKLY, Cadence.DAILY, Cadence.MONTHLY

UNDERSTOOD = [
    ("sweep", SweepNow()),
    ("SWEEP", SweepNow()),
    ("sweep account=prod", SweepNow("prod")),
    ("sweep account=all", SweepNow("all")),
    ("sweep weekly", SweepEvery(Rhythm(W, "mon", "02:00"))),
    ("sweep weekly sun 02:00", SweepEvery(Rhythm(W, "sun", "02:00"))),
    ("sweep weekly Sunday 2:00 account=all", SweepEvery(Rhythm(W, "sun", "02:00"), "all")),
    ("sweep account=all weekly sun 2", SweepEvery(Rhythm(W, "sun", "02:00"), "all")),
    ("sweep off", SweepOff()),
    ("digest", DigestWord()),
    ("digest now", DigestWord("now")),
    ("digest list", DigestWord("list")),
    ("digest off", DigestWord("off")),
    ("digest edit", DigestWord("edit")),
    ("digest daily", DigestEvery(Rhythm(D, "", "09:00"))),
    ("digest daily 17:30", DigestEvery(Rhythm(D, "", "17:30"))),
    ("digest daily 7", DigestEvery(Rhythm(D, "", "07:00"))),
    ("digest weekly", DigestEvery(Rhythm(W, "mon", "09:00"))),
    ("digest weekly tues", DigestEvery(Rhythm(W, "tue", "09:00"))),
    ("digest weekly 08:15", DigestEvery(Rhythm(W, "mon", "08:15"))),
    ("digest weekly fri 08:15", DigestEvery(Rhythm(W, "fri", "08:15"))),
    ("digest monthly", DigestEvery(Rhythm(M, "1", "09:00"))),
    ("digest monthly 28", DigestEvery(Rhythm(M, "28", "09:00"))),
    ("digest monthly 05 23:59", DigestEvery(Rhythm(M, "5", "23:59"))),
    ("digest monthly last 06:00", DigestEvery(Rhythm(M, "last", "06:00"))),
    ("digest monthly 06:00", DigestEvery(Rhythm(M, "1", "06:00"))),
    ("digest weekly mon account=prod", DigestEvery(Rhythm(W, "mon", "09:00"), ("prod",))),
    ("digest weekly mon account=prod,dev", DigestEvery(Rhythm(W, "mon", "09:00"), ("prod", "dev"))),
    ("digest weekly mon tag:team=pay", DigestEvery(Rhythm(W, "mon", "09:00"), (), "team=pay")),
    ("digest tag:Team=a=b daily", DigestEvery(Rhythm(D, "", "09:00"), (), "Team=a=b")),
    ("history", History()),
    ("history account=prod", History(account="prod")),
    ("history role DBAdminRole", History(Asked(Kind.ROLE, "DBAdminRole"))),
    ("why role DBAdminRole s3:GetObject", Why(Asked(Kind.ROLE, "DBAdminRole"), "s3:GetObject")),
    ("WHY user alice account=dev s3:x fresh", Why(Asked(Kind.USER, "alice", "dev", fresh=True), "s3:x")),
    (f"why {ARN} s3:GetObject", Why(Asked(Kind.ROLE, ARN), "s3:GetObject")),
    ("history user alice account=dev", History(Asked(Kind.USER, "alice", "dev"), "dev")),
    ("org", Org()),
    ("org r-ab12", Org("r-ab12")),
    ("org ou-ab12-cdefgh34", Org("ou-ab12-cdefgh34")),
    ("org 111111111111", Org("111111111111")),
    ("org prod", Org("prod")),
    ("org account=prod", Org("prod")),
    ("regroup", Regroup()),
    ("regroup account=prod", Regroup("prod")),
]


@pytest.mark.parametrize(("text", "meant"), UNDERSTOOD, ids=[t for t, _ in UNDERSTOOD])
def test_what_is_understood(text: str, meant: object) -> None:
    assert parse(text) == meant


WRONG = [
    ("sweep weely", "weely", "/iam-audit sweep weekly sun 02:00"),
    ("sweep of", "of", "/iam-audit sweep off"),
    ("sweep prod", "prod", "/iam-audit sweep account=all"),
    ("sweep account=", "account=", "/iam-audit sweep account=all"),
    ("sweep account=a,b", "account=a,b", "/iam-audit sweep account=all"),
    ("sweep weekly noday", "noday", "/iam-audit sweep weekly sun 02:00"),
    ("sweep weekly sun 25:00", "25:00", "/iam-audit sweep weekly sun 02:00"),
    ("sweep weekly sun 02:00 more", "more", "/iam-audit sweep weekly sun 02:00"),
    ("digest wekly mon", "wekly", "/iam-audit digest weekly mon 09:00"),
    ("digest monthly 29", "29", "/iam-audit digest monthly 1 09:00"),
    ("digest monthly 0", "0", "/iam-audit digest monthly 1 09:00"),
    ("digest daily 24:00", "24:00", "/iam-audit digest daily 09:00"),
    ("digest daily 09:60", "09:60", "/iam-audit digest daily 09:00"),
    ("digest daily mon", "mon", "/iam-audit digest daily 09:00"),
    ("digest now account=prod", "now", "/iam-audit digest now"),
    ("digest weekly tag:team", "tag:team", "/iam-audit digest weekly mon tag:team=payments"),
    ("digest hourly", "hourly", "/iam-audit digest weekly mon 09:00"),
    ("history role", "role", "/iam-audit history role DBAdminRole"),
    ("history rol DBAdminRole", "rol", "/iam-audit history role DBAdminRole"),
    ("why", "why", "/iam-audit why role DBAdminRole s3:GetObject"),
    ("why role DBAdminRole", "DBAdminRole", "/iam-audit why role DBAdminRole s3:GetObject"),
    ("why rol DBAdminRole s3:Get", "rol", "/iam-audit why role DBAdminRole s3:Get"),
    ("why role DBAdminRole s3:*", "s3:*", "/iam-audit why role DBAdminRole s3:GetObject"),
    ("why role a b s3:GetObject", "b", "/iam-audit why role a s3:GetObject"),
    ("org a b", "b", "/iam-audit org"),
    ("regroup users", "users", "/iam-audit regroup account=prod"),
    ("swep", "swep", "/iam-audit sweep"),
]


@pytest.mark.parametrize(("text", "word", "near"), WRONG, ids=[t for t, _, _ in WRONG])
def test_what_is_wrong_is_named_with_a_line_that_works(text: str, word: str, near: str) -> None:
    """Whatever is proposed is itself understood."""
    found = parse(text)
    assert isinstance(found, UsageError)
    assert found.wrong == word
    assert near in found.near
    for line in found.near:
        assert not isinstance(parse(line.removeprefix("/iam-audit")), UsageError), line


WORDS = st.sampled_from(
    [
        *"sweep digest history org regroup why s3:Get s3:* weekly daily monthly sun mon 1 28 29 last 09:00 9 25:00 off now".split()
    ]
    + [*"list edit role DBAdminRole account=prod account=all account= tag:a=b tag: r-ab12 ou-1 … '".split()]
)


@given(st.sampled_from(FIRST), st.lists(WORDS, max_size=6))
def test_any_words_are_understood_or_answered(first: str, words: list[str]) -> None:
    """Never an exception, and never a proposal that is itself wrong."""
    found = parse(" ".join([first, *words]))
    if isinstance(found, UsageError):
        for line in found.near:
            assert not isinstance(parse(line.removeprefix("/iam-audit")), UsageError), line
