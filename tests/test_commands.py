"""handlers.commands: what people type after /iam-audit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core.arn import PARTITIONS, Arn, valid_name
from advisor.core.arn import parse as parse_arn
from advisor.core.model import Asked, Granularity, Kind
from handlers.commands import Form, Lone, UsageError, parse

R, U, G, P = Kind.ROLE, Kind.USER, Kind.GROUP, Kind.POLICY
ROLE = "arn:aws:iam::111111111111:role/DBAdminRole"
SESSION = "arn:aws:sts::111111111111:assumed-role/DBAdminRole/alice@example.com"
EVERY = {"account": "prod", "granularity": Granularity.ACTION, "days": 30, "fresh": True}


def asked(kind: Kind, name: str, **more: object) -> Asked:
    return Asked(kind, name, **more)  # type: ignore[arg-type]


ASKED = [
    ("role DBAdminRole", asked(R, "DBAdminRole")),
    ("user alice", asked(U, "alice")),
    ("group data-engineers", asked(G, "data-engineers")),
    ("policy DataLakeAccess", asked(P, "DataLakeAccess")),
    ("ROLE DBAdminRole", asked(R, "DBAdminRole")),
    ("Role dbadminrole", asked(R, "dbadminrole")),
    ("  role \t DBAdminRole \n", asked(R, "DBAdminRole")),
    ("role\u00a0DBAdminRole", asked(R, "DBAdminRole")),
    ("role\u2003DBAdminRole", asked(R, "DBAdminRole")),
    ("role\nDBAdminRole", asked(R, "DBAdminRole")),
    ("role DB\u200bAdminRole", asked(R, "DBAdminRole")),
    ("\u2066role DBAdminRole\u2069", asked(R, "DBAdminRole")),
    ("\ufeffrole DBAdminRole", asked(R, "DBAdminRole")),
    ('role "DBAdminRole"', asked(R, "DBAdminRole")),
    ("role 'DBAdminRole'", asked(R, "DBAdminRole")),
    ("role `DBAdminRole`", asked(R, "DBAdminRole")),
    ("role “DBAdminRole”", asked(R, "DBAdminRole")),
    ("`role DBAdminRole`", asked(R, "DBAdminRole")),
    ('"role" "DBAdminRole"', asked(R, "DBAdminRole")),
    ("role a+b=c,d.e@f-g_h", asked(R, "a+b=c,d.e@f-g_h")),
    ("role key=value", asked(R, "key=value")),
    ("role a=b", asked(R, "a=b")),
    ("role " + "x" * 128, asked(R, "x" * 128)),
    ("user alice@example.com", asked(U, "alice@example.com")),
    ("role 12345", asked(R, "12345")),
    ("role role", asked(R, "role")),
    ("role user", asked(R, "user")),
    ("role help", asked(R, "help")),
    ("user whoami", asked(U, "whoami")),
    ("group accounts", asked(G, "accounts")),
    ("role actions", asked(R, "actions")),
    ("role fresh", asked(R, "fresh")),
    ("role actions actions", asked(R, "actions", granularity=Granularity.ACTION)),
    ("role fresh fresh", asked(R, "fresh", fresh=True)),
    ("role actions fresh", asked(R, "actions", fresh=True)),
    ("role fresh days=30", asked(R, "fresh", days=30)),
    ("role DBAdminRole actions", asked(R, "DBAdminRole", granularity=Granularity.ACTION)),
    ("role DBAdminRole ACTIONS", asked(R, "DBAdminRole", granularity=Granularity.ACTION)),
    ("role DBAdminRole fresh", asked(R, "DBAdminRole", fresh=True)),
    ("role DBAdminRole days=30", asked(R, "DBAdminRole", days=30)),
    ("role DBAdminRole Days=1", asked(R, "DBAdminRole", days=1)),
    ("role DBAdminRole days=400", asked(R, "DBAdminRole", days=400)),
    ("role DBAdminRole days=0090", asked(R, "DBAdminRole", days=90)),
    ("role DBAdminRole account=prod", asked(R, "DBAdminRole", account="prod")),
    ("role DBAdminRole account=111111111111", asked(R, "DBAdminRole", account="111111111111")),
    ('role DBAdminRole account="prod"', asked(R, "DBAdminRole", account="prod")),
    ("role DBAdminRole actions fresh days=30 account=prod", asked(R, "DBAdminRole", **EVERY)),
    ("role DBAdminRole account=prod days=30 fresh actions", asked(R, "DBAdminRole", **EVERY)),
    ("account=prod days=30 fresh actions role DBAdminRole", asked(R, "DBAdminRole", **EVERY)),
    ("days=30 role account=prod DBAdminRole actions fresh", asked(R, "DBAdminRole", **EVERY)),
    ("actions role DBAdminRole", asked(R, "DBAdminRole", granularity=Granularity.ACTION)),
    ("fresh role DBAdminRole", asked(R, "DBAdminRole", fresh=True)),
    (ROLE, asked(R, ROLE)),
    (f"`{ROLE}`", asked(R, ROLE)),
    (f"role {ROLE}", asked(R, ROLE)),
    (f"ROLE {ROLE}", asked(R, ROLE)),
    (f"{ROLE} actions days=7", asked(R, ROLE, granularity=Granularity.ACTION, days=7)),
    (f"days=7 actions {ROLE}", asked(R, ROLE, granularity=Granularity.ACTION, days=7)),
    (f"fresh {ROLE}", asked(R, ROLE, fresh=True)),
    (SESSION, asked(R, ROLE)),
    (f"role {SESSION} account=prod", asked(R, ROLE, account="prod")),
    ("arn:aws:iam::111111111111:user/eng/alice", asked(U, "arn:aws:iam::111111111111:user/eng/alice")),
    ("arn:aws:iam::111111111111:group/devs", asked(G, "arn:aws:iam::111111111111:group/devs")),
    ("arn:aws:iam::aws:policy/ReadOnlyAccess", asked(P, "arn:aws:iam::aws:policy/ReadOnlyAccess")),
    ("policy arn:aws:iam::111111111111:policy/a/b/P", asked(P, "arn:aws:iam::111111111111:policy/a/b/P")),
    ("arn:aws:iam::111111111111:role/a=b/R", asked(R, "arn:aws:iam::111111111111:role/a=b/R")),
    ("arn:aws:iam::111111111111:role/R=x", asked(R, "arn:aws:iam::111111111111:role/R=x")),
    *[
        (f"arn:{p}:iam::111111111111:role/R", asked(R, f"arn:{p}:iam::111111111111:role/R"))
        for p in PARTITIONS
    ],
    *[
        (f"arn:{p}:sts::111111111111:assumed-role/R/s", asked(R, f"arn:{p}:iam::111111111111:role/R"))
        for p in PARTITIONS
    ],
]


@pytest.mark.parametrize(("text", "expected"), ASKED)
def test_what_is_understood(text: str, expected: Asked) -> None:
    """Kinds in any case, options in any order, quotes and odd spaces, flags as names, ARNs."""
    assert parse(text) == expected


def test_the_window_is_the_operator_s_unless_said() -> None:
    """`days=` wins over the setting."""
    assert parse("role R", 45) == asked(R, "R", days=45)
    assert parse("role R days=90", 45) == asked(R, "R", days=90)


@pytest.mark.parametrize(
    "text", ["", "   ", "\n\t", "\u00a0", "\u200b", "``", '""', "“”", "' '", "\u202e\u2066"]
)
def test_nothing_opens_the_form(text: str) -> None:
    """Nor do spaces, quotes around nothing, or invisible characters."""
    assert parse(text) == Form()


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("help", "help"),
        ("HELP", "help"),
        (" Help ", "help"),
        ("`help`", "help"),
        ("whoami", "whoami"),
        ("WhoAmI", "whoami"),
        ("accounts", "accounts"),
    ],
)
def test_words_that_stand_alone(text: str, word: str) -> None:
    """help, whoami and accounts."""
    assert parse(text) == Lone(word)


WRONG = [
    # text, the wrong word, a word of the hint, the first command offered
    ("help me", "me", "stands alone", "/iam-audit help"),
    ("whoami alice", "alice", "stands alone", "/iam-audit whoami"),
    ("accounts prod", "prod", "stands alone", "/iam-audit accounts"),
    ("role", "role", "Say which role", "/iam-audit role DBAdminRole"),
    ("user", "user", "Say which user", "/iam-audit user alice"),
    ("group", "group", "Say which group", "/iam-audit group data-engineers"),
    ("policy", "policy", "Say which policy", "/iam-audit policy DataLakeAccess"),
    ("role days=30", "role", "Say which role", "/iam-audit role DBAdminRole"),
    ("days=30", "days=30", "Say which entity", "/iam-audit role DBAdminRole"),
    ("account=prod", "account=prod", "Say which entity", "/iam-audit role DBAdminRole"),
    ("rol DBAdminRole", "rol", "Nearest", "/iam-audit role DBAdminRole"),
    ("roel DBAdminRole", "roel", "Nearest", "/iam-audit role DBAdminRole"),
    ("roles DBAdminRole", "roles", "Nearest", "/iam-audit role DBAdminRole"),
    ("usr alice", "usr", "Nearest", "/iam-audit user alice"),
    ("polciy P", "polciy", "Nearest", "/iam-audit policy P"),
    ("gruop devs", "gruop", "Nearest", "/iam-audit group devs"),
    ("hlep", "hlep", "Nearest", "/iam-audit help"),
    ("acounts", "acounts", "Nearest", "/iam-audit accounts"),
    ("DBAdminRole", "DBAdminRole", "Say what it is", "/iam-audit role DBAdminRole"),
    ("alice@example.com", "alice@example.com", "Say what it is", "/iam-audit role alice@example.com"),
    ("role DBAdminRole days=0", "days=0", "from 1 to 400", "/iam-audit role DBAdminRole days=90"),
    ("role DBAdminRole days=401", "days=401", "from 1 to 400", "/iam-audit role DBAdminRole days=90"),
    ("role DBAdminRole days=-1", "days=-1", "from 1 to 400", "/iam-audit role DBAdminRole days=90"),
    ("role DBAdminRole days=", "days=", "from 1 to 400", "/iam-audit role DBAdminRole days=90"),
    ("role DBAdminRole days=9.5", "days=9.5", "from 1 to 400", "/iam-audit role DBAdminRole days=90"),
    ("role DBAdminRole days=3O", "days=3O", "from 1 to 400", "/iam-audit role DBAdminRole days=90"),
    ("role DBAdminRole days=٣٠", "days=٣٠", "from 1 to 400", "/iam-audit role DBAdminRole days=90"),
    (
        "role DBAdminRole days=99999999999",
        "days=99999999999",
        "from 1 to 400",
        "/iam-audit role DBAdminRole days=90",
    ),
    ("role DBAdminRole day=30", "day=30", "days=", "/iam-audit role DBAdminRole days=30"),
    ("role DBAdminRole acount=prod", "acount=prod", "account=", "/iam-audit role DBAdminRole account=prod"),
    ("role DBAdminRole account=", "account=", "alias", "/iam-audit role DBAdminRole account=prod"),
    ("role DBAdminRole zzz=1", "zzz=1", "options are", "/iam-audit role DBAdminRole"),
    ("role DBAdminRole action", "action", "One entity", "/iam-audit role DBAdminRole actions"),
    ("role DBAdminRole frsh", "frsh", "One entity", "/iam-audit role DBAdminRole fresh"),
    ("role DBAdminRole OtherRole", "OtherRole", "One entity", "/iam-audit role DBAdminRole"),
    ("role DBAdminRole DBAdminRole", "DBAdminRole", "One entity", "/iam-audit role DBAdminRole"),
    ("role role role", "role", "One entity", "/iam-audit role role"),
    (f"{ROLE} {ROLE}", ROLE, "One entity", f"/iam-audit {ROLE}"),
    (f"{ROLE} OtherRole", "OtherRole", "One entity", f"/iam-audit {ROLE}"),
    ("role <!channel>", "<!channel>", "IAM allows no role", "/iam-audit role DBAdminRole"),
    ("role a/b", "a/b", "IAM allows no role", "/iam-audit role DBAdminRole"),
    ("role 💥", "💥", "IAM allows no role", "/iam-audit role DBAdminRole"),
    ("role DB\x00Admin", "DB\x00Admin", "IAM allows no role", "/iam-audit role DBAdminRole"),
    ("role DB\x1b[31mAdmin", "DB\x1b[31mAdmin", "IAM allows no role", "/iam-audit role DBAdminRole"),
    ("role " + "x" * 129, "x" * 129, "IAM allows no role", "/iam-audit role DBAdminRole"),
    ("user ünïcode", "ünïcode", "IAM allows no user", "/iam-audit user alice"),
    (f"user {ROLE}", "user", "ARN of a role", "/iam-audit role DBAdminRole"),
    ("arn:aws:s3:::my-bucket", "arn:aws:s3:::my-bucket", "cannot be audited", None),
    (
        "arn:aws:lambda:eu-west-1:111111111111:function:f",
        "arn:aws:lambda:eu-west-1:111111111111:function:f",
        "cannot be audited",
        None,
    ),
    ("arn:aws:iam::111111111111:root", "arn:aws:iam::111111111111:root", "root", None),
    (
        "arn:aws:iam::111111111111:instance-profile/P",
        "arn:aws:iam::111111111111:instance-profile/P",
        "names no role",
        None,
    ),
    ("arn:azure:iam::111111111111:role/R", "arn:azure:iam::111111111111:role/R", "partition", None),
    ("arn:aws:iam::1234:role/R", "arn:aws:iam::1234:role/R", "12 digits", None),
    ("ARN:aws:iam::111111111111:role/R", "ARN:aws:iam::111111111111:role/R", "cannot be audited", None),
    ("role arn:aws:iam::111111111111:role/", "arn:aws:iam::111111111111:role/", "its name", None),
    ("<!channel> look", "", "No command is near", "/iam-audit role NAME"),
    ("'; DROP TABLE request; --", "", "No command is near", "/iam-audit role NAME"),
    ("🔥🔥🔥", "", "No command is near", "/iam-audit role NAME"),
    ("\x00\x01\x02", "", "No command is near", "/iam-audit role NAME"),
    ("x" * 3000, "", "No command is near", "/iam-audit role NAME"),
    ("please audit the role DBAdminRole", "", "No command is near", "/iam-audit role NAME"),
]


@pytest.mark.parametrize(("text", "wrong", "hint", "near"), WRONG)
def test_what_is_not_understood_is_named_and_answered(
    text: str, wrong: str, hint: str, near: str | None
) -> None:
    """The wrong word, what would be right, and the nearest command."""
    answer = parse(text)
    assert isinstance(answer, UsageError)
    assert (answer.typed, answer.wrong) == (text, wrong)
    assert hint in answer.hint
    if near is not None:
        assert answer.near[0] == near


def test_the_table_is_long_enough_to_be_the_grammar() -> None:
    """Every way of asking that anybody thought of."""
    assert len(ASKED) + len(WRONG) >= 80


# Words that could come up, in any order; a proposal that stands for a placeholder is not one to type.
_WORD = st.sampled_from(
    [
        "role",
        "user",
        "GROUP",
        "policy",
        "help",
        "whoami",
        "accounts",
        "actions",
        "fresh",
        "action",
        "days=30",
        "days=x",
        "account=prod",
        "account=",
        "day=3",
    ]
    + [
        "zzz=1",
        ROLE,
        SESSION,
        "arn:aws:s3:::b",
        "DBAdminRole",
        "<!channel>",
        "`x`",
        "a=b",
        "=",
        "\u200b",
        "\x00",
        "x" * 129,
        "💥",
        "'",
        "٣",
    ]
)
_LINE = st.lists(_WORD, max_size=6).map(" ".join)


@given(_LINE | st.text(max_size=300) | st.text(max_size=30).map(lambda t: f"role {t}"))
def test_no_text_breaks_the_grammar(text: str) -> None:
    """Any text gives one of four answers; what is asked for is something that IAM could have."""
    answer = parse(text)
    assert isinstance(answer, Form | Lone | Asked | UsageError)
    if isinstance(answer, Asked):
        arn = parse_arn(answer.name)
        assert answer.kind in set(Kind)
        assert valid_name(answer.name) or isinstance(arn, Arn)
        assert not isinstance(arn, Arn) or arn.kind is answer.kind
        assert 1 <= answer.days <= 400
    if isinstance(answer, UsageError):
        assert answer.hint


@given(_LINE)
def test_a_proposed_command_is_a_right_one(text: str) -> None:
    """What the bot says to type is understood, unless only the wrong word itself stands in the way of more."""
    answer = parse(text)
    if isinstance(answer, UsageError):
        for line in answer.near:
            assert line.startswith("/iam-audit ")
            assert "\n" not in line
            again = parse(line.removeprefix("/iam-audit "))
            assert not isinstance(again, Form)
            if isinstance(again, UsageError):  # a second fault is named after the first one is mended
                assert again.wrong != answer.wrong or len(text.split()) > 2, (line, again)
