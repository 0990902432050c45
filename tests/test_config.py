"""advisor.edges.config: every fault at once, and never a value."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advisor.core.errors import ConfigError
from advisor.core.model import Account
from advisor.edges.config import Config, load

TOKENS = {"SLACK_BOT_TOKEN": "xoxb-0-made-up", "SLACK_APP_TOKEN": "xapp-0-made-up"}


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment with which the bot would start."""
    for name, value in TOKENS.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def faults() -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load()
    assert str(caught.value) == "; ".join(caught.value.faults)
    return caught.value.faults


def test_tokens_are_enough(env: pytest.MonkeyPatch) -> None:
    """Everything else has the default that the manual names."""
    config = load()
    expected = {
        "slack_api_url": "https://slack.com/api/",
        "host": "127.0.0.1",
        "port": None,
        "iam_audit_db": Path("iam-audit.db"),
        "iam_audit_accounts": "self",
        "iam_audit_read_role": "iam-audit-read",
        "iam_audit_write_role": None,
        "iam_audit_auditors": (),
        "iam_audit_approvers": (),
        "iam_audit_admins": (),
        "iam_audit_approvals": 1,
        "iam_audit_self_approval": False,
        "iam_audit_ticket_channel": None,
        "iam_audit_window_days": 90,
        "iam_audit_min_age_days": 90,
        "iam_audit_cache_hours": 4,
        "iam_audit_ticket_days": 7,
        "iam_audit_protect": (),
        "iam_audit_owner_tag": "owner",
        "iam_audit_iac_tags": ("aws:cloudformation:stack-name", "terraform", "managed-by"),
        "iam_audit_hold_days": 7,
        "iam_audit_watch_days": 14,
        "iam_audit_replay_seconds": 120,
        "iam_audit_denied_queue": None,
        "iam_audit_access_analyzer": "off",
        "iam_audit_escalate": (),
        "iam_audit_remind_hours": 24,
        "iam_audit_escalate_hours": 72,
        "iam_audit_quiet": "20:00-08:00,sat,sun",
        "iam_audit_retention_days": 730,
        "iam_audit_dask": None,
        "iam_audit_job_minutes": 15,
        "iam_audit_poll_seconds": 1,
    }
    secrets = {"slack_bot_token", "slack_app_token", "slack_signing_secret"}
    assert {n: getattr(config, n) for n in Config.model_fields if n not in secrets} == expected
    assert config.slack_bot_token.get_secret_value() == TOKENS["SLACK_BOT_TOKEN"]


GOOD = [
    ("IAM_AUDIT_AUDITORS", "U1A, S22 ,,W333", ("U1A", "S22", "W333")),
    ("IAM_AUDIT_APPROVERS", "U1A", ("U1A",)),
    ("IAM_AUDIT_ESCALATE", "", ()),
    ("IAM_AUDIT_REMIND_HOURS", "0", 0),
    ("IAM_AUDIT_QUIET", "18:00-09:00,fri,sat", "18:00-09:00,fri,sat"),
    ("IAM_AUDIT_QUIET", "off", "off"),
    (
        "IAM_AUDIT_PROTECT",
        "Admin*, tag:owner=platform ,arn:aws:iam::*:role/x",
        ("Admin*", "tag:owner=platform", "arn:aws:iam::*:role/x"),
    ),
    ("IAM_AUDIT_SELF_APPROVAL", "true", True),
    ("IAM_AUDIT_WINDOW_DAYS", "400", 400),
    ("IAM_AUDIT_WINDOW_DAYS", "", 90),
    ("IAM_AUDIT_MIN_AGE_DAYS", "0", 0),
    ("IAM_AUDIT_CACHE_HOURS", "0.5", 0.5),
    ("IAM_AUDIT_CACHE_HOURS", "0", 0),
    ("IAM_AUDIT_POLL_SECONDS", "0.05", 0.05),
    ("IAM_AUDIT_WRITE_ROLE", "iam-audit-write", "iam-audit-write"),
    ("IAM_AUDIT_TICKET_CHANNEL", "C0123", "C0123"),
    ("IAM_AUDIT_ACCESS_ANALYZER", "on", "on"),
    ("IAM_AUDIT_ACCOUNTS", "organization", "organization"),
    ("IAM_AUDIT_DB", "/var/lib/x.db", Path("/var/lib/x.db")),
    ("SLACK_API_URL", "http://127.0.0.1:1/api", "http://127.0.0.1:1/api/"),
    ("PORT", "3000", 3000),
    ("iam_audit_window_days", "30", 30),
]


@pytest.mark.parametrize(("name", "value", "meant"), GOOD)
def test_right_values(env: pytest.MonkeyPatch, name: str, value: str, meant: object) -> None:
    """Lists by commas, an empty value as if it were not set, names in any case."""
    env.setenv(name, value)
    assert getattr(load(), name.lower()) == meant


BAD = [
    ("IAM_AUDIT_AUDITORS", "U1A,alice@SECRET"),
    ("IAM_AUDIT_APPROVERS", "C0SECRET"),
    ("IAM_AUDIT_ADMINS", "<@U1SECRET>"),
    ("IAM_AUDIT_APPROVALS", "0"),
    ("IAM_AUDIT_SELF_APPROVAL", "SECRETmaybe"),
    ("IAM_AUDIT_TICKET_CHANNEL", "#SECRET"),
    ("IAM_AUDIT_READ_ROLE", "arn:aws:iam::111111111111:role/SECRET"),
    ("IAM_AUDIT_WRITE_ROLE", "SECRET role"),
    ("IAM_AUDIT_WINDOW_DAYS", "401"),
    ("IAM_AUDIT_WINDOW_DAYS", "0"),
    ("IAM_AUDIT_WINDOW_DAYS", "SECRET"),
    ("IAM_AUDIT_MIN_AGE_DAYS", "-1"),
    ("IAM_AUDIT_CACHE_HOURS", "nan"),
    ("IAM_AUDIT_CACHE_HOURS", "SECRET"),
    ("IAM_AUDIT_POLL_SECONDS", "0"),
    ("IAM_AUDIT_JOB_MINUTES", "inf"),
    ("IAM_AUDIT_ACCESS_ANALYZER", "SECRET"),
    ("IAM_AUDIT_REMIND_HOURS", "169"),
    ("IAM_AUDIT_ESCALATE_HOURS", "0"),
    ("IAM_AUDIT_QUIET", "SECRET"),
    ("IAM_AUDIT_QUIET", "20:00-20:00"),
    ("IAM_AUDIT_WATCH_DAYS", "-1"),
    ("IAM_AUDIT_DENIED_QUEUE", "arn:aws:sqs:eu-north-1:111111111111:SECRET"),
    ("IAM_AUDIT_DENIED_QUEUE", "https://sqs.eu-north-1.amazonaws.com/SECRET"),
    ("IAM_AUDIT_ACCOUNTS", "SECRET"),
    ("IAM_AUDIT_ACCOUNTS", "prod=SECRET"),
    ("IAM_AUDIT_ACCOUNTS", "=111111111111"),
    ("IAM_AUDIT_ACCOUNTS", ","),
    ("IAM_AUDIT_ACCOUNTS", "prod=111111111111,PROD=222222222222"),
    ("IAM_AUDIT_ACCOUNTS", "prod=111111111111,dev=111111111111"),
    ("IAM_AUDIT_ACCOUNTS", "prod=１１１１１１１１１１１１"),
    ("SLACK_API_URL", "SECRET.example"),
    ("PORT", "65536"),
    ("PORT", "SECRET"),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_wrong_value_is_named_and_never_shown(env: pytest.MonkeyPatch, name: str, value: str) -> None:
    """One fault, the variable's name first, no part of what was set."""
    env.setenv(name, value)
    (fault,) = faults()
    assert fault.startswith(f"{name}: ")
    assert "SECRET" not in fault
    assert "made-up" not in fault


def test_every_fault_at_once(env: pytest.MonkeyPatch) -> None:
    """Wrong values, missing ones and names that do not exist, sorted."""
    env.delenv("SLACK_BOT_TOKEN")
    for name, value in (
        ("IAM_AUDIT_WINDOW_DAYS", "x"),
        ("IAM_AUDIT_ADMINS", "me"),
        ("PORT", "0"),
        ("IAM_AUDIT_WINDOWDAYS", "1"),
        ("IAM_AUDIT_", "1"),
    ):
        env.setenv(name, value)
    found = faults()
    assert [f.partition(":")[0] for f in found] == [
        "IAM_AUDIT_",
        "IAM_AUDIT_ADMINS",
        "IAM_AUDIT_WINDOWDAYS",
        "IAM_AUDIT_WINDOW_DAYS",
        "PORT",
        "SLACK_BOT_TOKEN",
    ]
    assert "SLACK_BOT_TOKEN: is not set" in found
    assert "IAM_AUDIT_WINDOWDAYS: no such setting" in found


def test_one_way_to_slack_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An app token (Socket Mode) or a signing secret (HTTP mode); neither is a fault, either will do."""
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-0-made-up")
    assert "SLACK_APP_TOKEN" in faults()[0]
    assert "SLACK_SIGNING_SECRET" in faults()[0]
    monkeypatch.setenv("SLACK_SIGNING_SECRET", "made-up")
    assert load().slack_app_token is None


def test_with_another_fault_the_missing_way_to_slack_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody should mend one fault to be told of the next."""
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-0-made-up")
    monkeypatch.setenv("PORT", "0")
    assert [f for f in faults() if "SLACK_APP_TOKEN" in f]


def test_a_dot_env_file_is_read_and_the_environment_wins(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Comments, `export`, quotes; names of others are let be."""
    lines = [
        "# ours",
        "export IAM_AUDIT_WINDOW_DAYS=30",
        'IAM_AUDIT_OWNER_TAG="team"',
        "IAM_AUDIT_APPROVALS=2",
        "OTHER=1",
        "",
    ]
    (tmp_path / ".env").write_text("\n".join(lines))
    env.setenv("IAM_AUDIT_APPROVALS", "3")
    config = load()
    assert (config.iam_audit_window_days, config.iam_audit_owner_tag, config.iam_audit_approvals) == (
        30,
        "team",
        3,
    )


def test_an_unknown_name_in_the_file_is_a_fault_and_a_comment_is_none(
    env: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As in the environment."""
    (tmp_path / ".env").write_text(
        "# IAM_AUDIT_NOTHING=1\n IAM_AUDIT_WINDOW = SECRET\nexport IAM_AUDIT_PROTECTED=x\n"
    )
    assert faults() == ["IAM_AUDIT_PROTECTED: no such setting", "IAM_AUDIT_WINDOW: no such setting"]


def test_no_file_is_no_fault(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nor is None, or a folder of that name."""
    (tmp_path / ".env").mkdir()
    assert load(None).host == "127.0.0.1"


def test_the_accounts_of_a_list(env: pytest.MonkeyPatch) -> None:
    """Aliases as written, numbers as AWS has them; `self` and `organization` name none."""
    assert load().named_accounts == ()
    env.setenv("IAM_AUDIT_ACCOUNTS", " prod = 111111111111 ,dev=222222222222,")
    assert load().named_accounts == (Account("111111111111", "prod"), Account("222222222222", "dev"))
    assert load().named_accounts[0].matches("PROD")
    assert load().named_accounts[0].matches("111111111111")
    assert not load().named_accounts[0].matches("dev")
    assert not Account("111111111111").matches("")


def test_settings_show_no_secret(env: pytest.MonkeyPatch) -> None:
    """Not when printed, and they cannot be changed."""
    env.setenv("SLACK_SIGNING_SECRET", "made-up-too")
    config = load()
    assert "made-up" not in repr(config)
    assert "made-up" not in str(config)
    with pytest.raises(Exception, match="frozen"):
        config.host = "0.0.0.0"  # type: ignore[misc]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(sorted(n.upper() for n in Config.model_fields)),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30),
)
def test_any_value_of_any_setting_is_taken_or_named(env: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Nothing but ConfigError ever comes out."""
    with pytest.MonkeyPatch.context() as one:
        one.setenv(name, value)
        found: list[str] = []
        try:
            load()
        except ConfigError as error:
            found = error.faults
    assert all(": " in f or f.startswith("SLACK_APP_TOKEN") for f in found)
