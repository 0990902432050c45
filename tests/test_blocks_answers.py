"""handlers.blocks.answers and forms: what one person sees, and what opens and fills in Slack."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.core.model import Account, Failure, Kind, Usage
from handlers import OPTIONS, VIEWS
from handlers.blocks import answers, forms
from handlers.commands import UsageError, parse
from tests.drawn import checked, nodes, safe, strings
from tests.sandbox.slack import limits
from tests.test_commands import WRONG
from tests.views import ALIAS, DONE, FAILURES, HOSTILE, LONG, PROD
from tests.worlds import ACCOUNT, NOW, ago, entity

WORDS = ["", "DBAdminRole", HOSTILE, LONG]
EVERYWHERE = tuple(Account(f"{n:012}", f"{ALIAS}{n}"[-50:]) for n in range(503))


def answer(message: answers.Message) -> dict[str, object]:
    """An answer that only the asker sees."""
    payload = checked(message)
    assert message.answer() == {"response_type": "ephemeral", **payload}
    return payload


def test_help_fits_one_look() -> None:
    """Every command of the grammar that stands in it is one."""
    payload = answer(answers.help_())
    lines = re.findall(r"/iam-audit \w+(?: \w+)?(?= {2})", " ".join(strings(payload)))
    assert lines
    for line in lines:
        assert not isinstance(parse(line.removeprefix("/iam-audit ")), UsageError)


@pytest.mark.parametrize(
    "text",
    [w[0] for w in WRONG]
    + [
        HOSTILE,
        LONG,
        f"role {HOSTILE}",
        f"role R {LONG[:2990]}",
        f"{'a' * 1500} {'b' * 1400}",
        f"role {'R' * 128} {'b' * 2800}",
        f"role {LONG[:2990]} x",
    ],
)
def test_every_usage_error_can_be_drawn(text: str) -> None:
    """What was wrong, what would be right; nothing was started."""
    wrong = parse(text)
    assert isinstance(wrong, UsageError)
    payload = answer(answers.usage(wrong.typed, wrong.wrong, wrong.hint, wrong.near))
    assert "Nothing was started." in " ".join(strings(payload))
    assert "/iam-audit help" in " ".join(strings(payload))
    assert len(payload["text"]) < 1000  # what a notification reads out


@given(st.text(max_size=400))
def test_any_text_that_is_not_understood_can_be_answered(text: str) -> None:
    """Whatever was typed."""
    wrong = parse(text)
    if isinstance(wrong, UsageError):
        answer(answers.usage(wrong.typed, wrong.wrong, wrong.hint, wrong.near))


@pytest.mark.parametrize("reason", ["guest", "foreign", "bot", "deactivated", "auditor", "unknown"])
def test_every_refusal_says_that_nothing_was_started(reason: str) -> None:
    """And whom to ask, where there is somebody."""
    assert "Nothing was started" in answer(answers.refused(reason))["text"]
    view = forms.turned_away(answers.refused(reason))
    assert limits.check_view(view) == []
    assert "submit" not in view


@pytest.mark.parametrize("auditor", ["", "guest", "auditor", "unknown"])
@pytest.mark.parametrize("may", [True, False])
@pytest.mark.parametrize("groups", [(), ("S1", "S2"), tuple(f"S{n:08}" for n in range(200))])
@pytest.mark.parametrize("writes", [True, False])
def test_whoami(auditor: str, may: bool, groups: tuple[str, ...], writes: bool) -> None:
    """What the person may do, by the settings of now."""
    payload = answer(
        answers.whoami(
            auditor=auditor, groups=groups, approver=may, admin=may, approvals=2, own=may, writes=writes
        )
    )
    assert ("may not audit" in payload["text"]) is bool(auditor)
    assert ("2 approvals are needed" in str(payload["blocks"])) is writes
    assert ("tickets are advice" in str(payload["blocks"])) is not writes


@pytest.mark.parametrize("count", [0, 1, 99, 503])
@pytest.mark.parametrize("state", ["yes", f"no: {HOSTILE[:100]}", f"no: {LONG[:100]}"])
def test_accounts(count: int, state: str) -> None:
    """Each with whether it can be read, at most a table of them."""
    payload = answer(answers.accounts([(a, state, "2026-11-24 09:12") for a in EVERYWHERE[:count]]))
    assert f"{count if state == 'yes' else 0} of {count} can be read." in payload["text"]


@pytest.mark.parametrize("where", [(), (PROD,), EVERYWHERE])
@pytest.mark.parametrize("name", WORDS)
@pytest.mark.parametrize("code", [*FAILURES, "not_found", "near", "no_account"])
def test_every_end_without_an_audit(code: str, name: str, where: tuple[Account, ...]) -> None:
    """Nothing of that name, no such account, refused at the door."""
    near = "\n".join(["DBAdmin", "DBAdminRole2", "R" * 64])
    more = {
        "not_found": Failure("not_found"),
        "near": Failure("not_found", message=near),
        "no_account": Failure("invalid", "account", account=name),
    }
    failure = more.get(code) or FAILURES[code]
    for kind in (None, Kind.ROLE):
        payload = answer(answers.ended(failure, kind, name, where))
        assert "Nothing was started." in " ".join(strings(payload))


@pytest.mark.parametrize("count", [2, 25, 40])
@pytest.mark.parametrize("name", WORDS)
def test_a_name_in_several_places_is_asked_back(name: str, count: int) -> None:
    """A button for each of 25, under an id of its own."""
    found = [
        (entity(Kind.POLICY, name[:128] or "P", id=n, account=a.id), a)
        for n, a in enumerate(EVERYWHERE[:count])
    ]
    payload = answer(answers.ambiguous(9, name, found))
    buttons = [n for n in nodes(payload) if n.get("type") == "button"]
    assert len(buttons) == min(count, 25)
    assert len({b["action_id"] for b in buttons}) == len(buttons)


def test_one_name_of_two_policies_in_one_account_is_told_apart() -> None:
    """AWS's own and the customer's."""
    aws = entity(Kind.POLICY, "ReadOnlyAccess", id=1, arn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    own = entity(Kind.POLICY, "ReadOnlyAccess", id=2)
    payload = answer(answers.ambiguous(9, "ReadOnlyAccess", [(aws, PROD), (own, PROD)]))
    labels = [n["text"]["text"] for n in nodes(payload) if n.get("type") == "button"]
    assert labels == ["AWS managed policy in prod", "Customer managed policy in prod"]


@pytest.mark.parametrize("name", WORDS)
@pytest.mark.parametrize("reason", ["shared", "archived", "not_joined", "private"])
def test_where_a_result_goes_instead(reason: str, name: str) -> None:
    """By direct message, and why."""
    assert "direct message" in answer(answers.elsewhere(reason, name))["text"]


@pytest.mark.parametrize(
    "what", ["old_card", "running", "no_result", "old_service", "unknown_button", "noted"]
)
def test_short_answers_to_a_press(what: str) -> None:
    """Each says what happens, or what to do instead."""
    answer(answers.said(what))


def test_a_fault_of_ours_has_a_number() -> None:
    """And says that nothing was changed in AWS."""
    payload = answer(answers.broken("e-1a2b"))
    assert "e-1a2b" in payload["text"]
    assert "Nothing was changed in AWS" in payload["text"]


# -- the form


@pytest.mark.parametrize("view", [forms.loading(), forms.new_audit(90, 4), forms.new_audit(400, 0.5)])
def test_the_form_is_one_that_slack_takes(view: dict[str, object]) -> None:
    """Its id and those of its type-aheads are known, its inputs have stable ids."""
    assert limits.check_view(view) == []
    safe(view)
    assert view["callback_id"] in VIEWS
    ids = [n["action_id"] for n in nodes(view) if n.get("type") == "external_select"]
    assert set(ids) <= set(OPTIONS)
    inputs = [b["block_id"] for b in view["blocks"] if b["type"] == "input"]
    assert inputs in ([], ["entity", "arn", "level", "days", "fresh", "channel"])
    assert len(str(view)) < 250_000


@pytest.mark.parametrize("typed", WORDS)
@pytest.mark.parametrize("count", [0, 1, 100, 300])
@pytest.mark.parametrize("name", ["DBAdminRole", HOSTILE, LONG])
def test_a_type_ahead_is_never_empty_and_never_too_long(name: str, count: int, typed: str) -> None:
    """Entities by account and kind."""
    kinds = list(Kind)
    found = [
        (entity(kinds[n % 4], name, id=n), Account(ACCOUNT, ALIAS), NOW if n % 2 else None, n)
        for n in range(count)
    ]
    body = forms.entity_options(found, typed)
    assert limits.check_options(body) == []
    safe(body)
    options = [n for n in nodes(body) if "value" in n]
    assert len(options) == min(100, max(1, count))


@pytest.mark.parametrize("typed", ["", "s", "SVC00", "nothing-like-it", HOSTILE, LONG])
@pytest.mark.parametrize("name", DONE)
def test_the_services_of_a_result_can_be_picked(name: str, typed: str) -> None:
    """By use, those that match; 100 at most; never an empty list."""
    found = [(f, n) for n, f in enumerate(DONE[name].summary.findings) if f.usage is not Usage.UNTRACKED]
    body = forms.service_options(found, typed)
    assert limits.check_options(body) == []
    safe(body)
    assert len([n for n in nodes(body) if "value" in n]) <= 100


def test_what_cannot_be_shown_is_said() -> None:
    """A group of more than 24 says to type more."""
    found = [(f, n) for n, f in enumerate(DONE["admin"].summary.findings) if f.usage is not Usage.UNTRACKED]
    labels = [g["label"]["text"] for g in forms.service_options(found, "")["option_groups"]]
    assert labels == [
        "Used (first 24 of 52, type for more)",
        "No attempt seen (first 24 of 404, type for more)",
    ]
    assert len(forms.service_options(found, "svc00")["option_groups"][0]["options"]) == 10


@pytest.mark.parametrize("text", WORDS)
def test_an_option_that_only_says_something(text: str) -> None:
    """Its value is no row."""
    body = forms.hint_option(text or "No names can be shown now", text or "Reference e-1")
    assert limits.check_options(body) == []
    assert body["options"][0]["value"] == forms.HINT


def test_an_entity_of_a_young_report_says_so() -> None:
    """When it was audited last, and how much was granted."""
    body = forms.entity_options([(replace(entity(), id=3), PROD, ago(days=1), 25)], "db")
    option = body["option_groups"][0]["options"][0]
    assert (option["value"], option["description"]["text"]) == ("3", "25 services, report of 23 Nov 2026")
    assert body["option_groups"][0]["label"]["text"] == "prod (111111111111): roles"
