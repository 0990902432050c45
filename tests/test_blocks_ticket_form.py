"""The forms of tickets: within Slack's limits, inert, and read back as what was ticked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from advisor.core.model import Kind, PolicyKind
from advisor.core.offer import QUARANTINE, preview
from advisor.core.removal import TicketState
from advisor.core.report import Rules
from handlers.blocks import ticket_form, ticket_new
from tests.drawn import nodes, safe
from tests.removals import Estate, catalogue, estate, keep, shared
from tests.sandbox.slack import limits
from tests.ticket_views import PLANS, SMALL, opened
from tests.views import ALIAS, HOSTILE, PROD
from tests.worlds import NOW, ago, entity, policy

USED = {"s3": ago(days=3)}
TOOLS = shared(policy("DBTools", "sqs:*", kind=PolicyKind.CUSTOMER), 2)
RDS = policy(
    "AmazonRDSFullAccess", "rds:*", "pi:*", "sns:*", "logs:*", "ec2:*", "outposts:*", kind=PolicyKind.AWS
)
LAKE = policy("DataLake", "s3:*", "sns:*", kind=PolicyKind.CUSTOMER, attachments=3)
LAKE_ENTITY = entity(Kind.POLICY, "DataLake", arn=LAKE.arn)
MANY = sorted(catalogue().services())

ESTATES: dict[str, Estate] = {
    "small": estate(policy("base", "s3:*", "athena:*", "dax:*"), RDS, TOOLS, used={**USED, "dax": ago(days=143)}),
    "many": estate(policy("base", *(f"{s}:*" for s in MANY[:96])), used=USED),
    "everything": estate(policy("base", *(f"{s}:*" for s in MANY)), used=USED),
    "admin": estate(policy("base", "*"), used=USED),
    "quarantine": estate(policy("base", "s3:*", "sns:*"), used={"s3": ago(days=200)}),
    "kept": estate(policy("base", "s3:*", "athena:*", "kms:*"), used=USED, keeps=[keep("kms")]),
    "hostile": estate(policy(HOSTILE[:128], "s3:*", "athena:*"), of=entity(name=HOSTILE[:64]), used=USED),
    "actions": estate(policy("base", "s3:*"), used=USED, actions={"s3": {"GetBucketAcl": ago(days=1), "CreateBucket": None}}),
    "nothing used": estate(policy("base", "s3:*"), used=USED),
    "protected": estate(policy("base", "athena:*"), rules=Rules(protect=("DB*",))),
    "policy": estate(LAKE, of=LAKE_ENTITY, used=USED, holders={LAKE.arn: ("role/a", "role/b", "user/u")}),
    "group": estate(policy("base", "s3:*", "athena:*"), of=entity(Kind.GROUP, "team"), used=USED),
}  # fmt: skip


def form(made: Estate, **more: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "row": "1042",
        "entity": made.snapshot.entity,
        "account": PROD,
        "offered": made.offer,
        "report": made.report,
        "days": 90,
        "keeps": (keep("kms"),),
        "approvers": ("S0APPROVERS", "U0BOB000001"),
        "able": 2,
        "needed": 2,
        "expires_days": 7,
        "advice": False,
        "snapshot": made.snapshot,
        "sizes": preview(made.offer, made.snapshot, catalogue()),
        **more,
    }
    return ticket_new.new(ticket_new.NewTicket(**values))


def well(view: dict[str, Any]) -> dict[str, Any]:
    """Slack takes it, and nobody can abuse it."""
    assert limits.check_view(view) == []
    assert len(view["blocks"]) <= 100
    safe(_without_groups(view))
    for found in nodes(view["blocks"]):
        if found.get("type") == "checkboxes":
            assert len(found["options"]) <= 10
        if found.get("type") == "multi_static_select":
            assert len(found["options"]) <= 100
    return view


def _without_groups(node: Any) -> Any:
    """A mention of the approvers' group is ours; the check of strangers' words forbids every one."""
    if isinstance(node, list):
        return [
            _without_groups(n) for n in node if not (isinstance(n, dict) and n.get("type") == "usergroup")
        ]
    return {k: _without_groups(v) for k, v in node.items()} if isinstance(node, dict) else node


@pytest.mark.parametrize("name", ESTATES)
@pytest.mark.parametrize("more", [{}, {"able": 1}, {"advice": True}, {"approvers": (), "able": 0}])
def test_every_form_is_well_and_reads_back_what_is_ticked(name: str, more: dict[str, Any]) -> None:
    made = ESTATES[name]
    view = well(form(made, **more))
    if made.offer.nothing:
        assert "submit" not in view
        return
    values = {
        b["block_id"]: {b["element"]["action_id"]: _state(b["element"])}
        for b in view["blocks"]
        if b["type"] == "input"
    }
    ticked = {c.key for c in made.offer.candidates if c.ticked}
    keys, reason, errors = ticket_new.chosen(values)
    assert (keys, errors) == ((), {"reason": "Say why, in a few words: an approver reads it."})
    values["reason"] = {"ticket.new.reason": {"value": "  clean-up "}}
    keys, reason, errors = ticket_new.chosen(values)
    if ticked:
        assert (set(keys), reason, errors) == (ticked, "clean-up", {})
    else:
        assert list(errors.values()) == ["Tick at least one thing that is to go."]


def _state(element: dict[str, Any]) -> dict[str, Any]:
    if element["type"] == "radio_buttons":
        return {"selected_option": element["initial_option"]}
    return {"selected_options": element.get("initial_options", []), "value": None}


def test_quarantine_is_chosen_alone() -> None:
    values = {
        "scope": {"ticket.new.scope": {"selected_option": {"value": "all"}}},
        "edit": {"ticket.new.edit": {"selected_options": [{"value": "9101"}]}},
        "reason": {"ticket.new.reason": {"value": "left over"}},
    }
    assert ticket_new.chosen(values) == ((QUARANTINE,), "left over", {})


SAYS = [
    ("small", {}, ["2 of ", "not you", "within 7 days", "Edit base: take out", "Detach AmazonRDSFullAccess", "Only if you know better", "Stale: last attempt", "Detach DBTools"]),
    ("small", {"able": 1}, ["Nobody can approve this: it needs 2 approvers who are not you, and only 1 is configured"]),
    ("small", {"advice": True}, ["never writes to AWS"]),
    ("quarantine", {}, ["Quarantine: all 2 services, also s3", "a yearly job would look just like this"]),
    ("kept", {}, ["kept by ", " characters, "]),
    ("policy", {}, ["Reaches 3 users and roles", "role a"]),
    ("actions", {}, ["Cannot be told from the report", "s3: 1 tracked actions without an attempt"]),
    ("nothing used", {}, ["Nothing can go safely", "was used within the window"]),
    ("protected", {}, ["Nothing can go safely"]),
    ("many", {}, [" ticked)", "Remove a name to keep that service."]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "more", "says"), SAYS, ids=[f"{s[0]}{n}" for n, s in enumerate(SAYS)])
def test_what_the_form_says(name: str, more: dict[str, Any], says: list[str]) -> None:
    told = " ".join(str(n.get("text", "")) for n in nodes(form(ESTATES[name], **more)))
    for words in says:
        assert words in told, words


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("text", ["", ALIAS])
def test_the_other_forms(name: str, text: str) -> None:
    view = opened(PLANS[name], text=text)
    well(ticket_form.reject(view.ticket))
    well(ticket_form.keep(view, (NOW + timedelta(days=90)).date()))
    well(ticket_form.roll_back(view))
    well(ticket_form.without_alerts(ticket_form.roll_back(view)))
    well(ticket_form.blocked(view.ticket, view.ticket))
    for callback in ("ticket.new", "ticket.reject", "ticket.keep", "ticket.rollback"):
        well(ticket_form.loading(callback, "12"))
        well(ticket_form.broken(callback, "12", "e-7c21"))


def test_what_a_roll_back_gives_back() -> None:
    view = opened(SMALL, TicketState.APPLIED)
    picks = next(b for b in ticket_form.roll_back(view)["blocks"] if b.get("block_id") == "services")
    options = picks["element"]["options"]
    assert options[0]["text"]["text"] == "AmazonRDSFullAccess: its services together"
    some = {"ticket.rollback.scope": {"selected_option": {"value": "some"}}}
    values: dict[str, Any] = {
        "scope": some,
        "services": {"ticket.rollback.services": {"selected_options": options[:2]}},
    }
    names, _, errors = ticket_form.given_back(view, values)
    assert names == ("AmazonRDSFullAccess", options[1]["text"]["text"])
    assert not errors
    values["services"] = {"ticket.rollback.services": {"selected_options": []}}
    assert ticket_form.given_back(view, values)[2] == {
        "services": "Choose at least one, or give everything back."
    }
    assert ticket_form.given_back(view, {}) == ((), "", {})


def test_the_services_of_a_keep_are_never_an_empty_list() -> None:
    assert len(ticket_form.service_options(MANY, "")["options"]) == 100
    assert ticket_form.service_options(["s3"], "zz")["options"][0]["value"] == "none"
