"""The sandbox's Slack held to what Slack is known to do: the Web API through its own client, limits, acknowledgements."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from tests.sandbox import world as story
from tests.sandbox.slack import Slack, limits
from tests.sandbox.world import ALICE, SECURITY

Json = dict[str, Any]


@pytest.fixture(scope="module")
def workspace() -> Iterator[Slack]:
    """One workspace for the whole file."""
    with Slack() as slack:
        story.people(slack)
        yield slack


@pytest.fixture
def ws(workspace: Slack) -> Iterator[Slack]:
    """It, without faults and with everything allowed."""
    state = workspace.state
    scopes = set(state.scopes)
    yield workspace
    state.scopes.clear()
    state.scopes.update(scopes)
    state.files_allowed = True
    state.refuse_blocks = set()
    state.problems.clear()
    workspace.faults.clear()
    workspace.hook = None


@pytest.fixture
def web(ws: Slack) -> WebClient:
    return WebClient(token=ws.bot_token, base_url=ws.api_url, timeout=3, retry_handlers=[])


def _error(call: Any, **parameters: Any) -> str:
    with pytest.raises(SlackApiError) as refused:
        call(**parameters)
    return str(refused.value.response["error"])


def _plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def _section(text: str, **more: Any) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


# -- each method -----------------------------------------------------------------------------------------------------


def test_who_am_i(ws: Slack, web: WebClient) -> None:
    """auth.test names team and bot, and the header names the scopes."""
    answer = web.auth_test()
    assert (answer["team_id"], answer["user_id"]) == (ws.team_id, ws.bot_user_id)
    headers = {k.lower(): v for k, v in answer.headers.items()}
    assert "chat:write" in headers["x-oauth-scopes"]


@pytest.mark.parametrize(("token", "error"), [("", "not_authed"), ("xoxb-other", "invalid_auth")])
def test_tokens(ws: Slack, token: str, error: str) -> None:
    assert _error(WebClient(token=token, base_url=ws.api_url, retry_handlers=[]).auth_test) == error


def test_opening_a_socket_takes_the_app_token(ws: Slack, web: WebClient) -> None:
    assert web.apps_connections_open(app_token=ws.app_token)["url"].startswith("ws://127.0.0.1:")
    assert _error(web.apps_connections_open, app_token=ws.bot_token) in {"invalid_auth", "not_allowed_token_type"}  # fmt: skip


def test_people_and_places(ws: Slack, web: WebClient) -> None:
    assert web.users_info(user=story.GUEST)["user"]["is_restricted"] is True
    assert web.users_info(user=story.GONE)["user"]["deleted"] is True
    assert web.usergroups_users_list(usergroup=story.APPROVERS)["users"] == [story.CAROL]
    channel = web.conversations_info(channel=story.PARTNERS)["channel"]
    assert (channel["is_ext_shared"], channel["is_member"]) == (True, True)
    assert web.conversations_info(channel=story.RANDOM)["channel"]["is_member"] is False
    assert web.conversations_open(users=ALICE)["channel"]["id"] == ws.dm_of(ALICE)


@pytest.mark.parametrize(
    ("method", "parameters", "error"),
    [
        ("users_info", {"user": "U0NOBODY"}, "user_not_found"),
        ("usergroups_users_list", {"usergroup": "S0NOBODY"}, "no_such_subteam"),
        ("conversations_info", {"channel": "C0NOWHERE"}, "channel_not_found"),
        ("conversations_info", {"channel": story.SECRET}, "channel_not_found"),
        ("conversations_history", {"channel": story.RANDOM}, "not_in_channel"),
        ("chat_postMessage", {"channel": "C0NOWHERE", "text": "x"}, "channel_not_found"),
        ("chat_postMessage", {"channel": story.RANDOM, "text": "x"}, "not_in_channel"),
        ("chat_postMessage", {"channel": story.OLD, "text": "x"}, "is_archived"),
        ("chat_postMessage", {"channel": SECURITY, "text": ""}, "no_text"),
        ("chat_update", {"channel": SECURITY, "ts": "1.000000", "text": "x"}, "message_not_found"),
        ("chat_postEphemeral", {"channel": SECURITY, "user": story.OTHER, "text": "x"}, "user_not_in_channel"),
        ("views_open", {"trigger_id": "1.2", "view": {}}, "exchanged_trigger_id"),
        ("views_update", {"view_id": "V0", "view": {}}, "not_found"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:The top-level `text` argument")  # that is what one row is about
def test_what_is_refused(web: WebClient, method: str, parameters: Json, error: str) -> None:
    assert _error(getattr(web, method), **parameters) == error


@pytest.mark.parametrize(
    ("scope", "method", "parameters"),
    [
        ("chat:write", "chat_postMessage", {"channel": SECURITY, "text": "x"}),
        ("users:read", "users_info", {"user": ALICE}),
        ("usergroups:read", "usergroups_users_list", {"usergroup": story.APPROVERS}),
        ("channels:read", "conversations_info", {"channel": SECURITY}),
        ("channels:history", "conversations_history", {"channel": SECURITY}),
        ("channels:history", "conversations_replies", {"channel": SECURITY, "ts": "1.0"}),
        ("im:write", "conversations_open", {"users": ALICE}),
        ("files:write", "files_getUploadURLExternal", {"filename": "a", "length": 1}),
    ],
)
def test_a_scope_that_is_not_granted(
    ws: Slack, web: WebClient, scope: str, method: str, parameters: Json
) -> None:
    ws.state.scopes.discard(scope)
    with pytest.raises(SlackApiError) as refused:
        getattr(web, method)(**parameters)
    assert refused.value.response["error"] == "missing_scope"
    assert scope in refused.value.response["needed"]


def test_a_message_its_thread_and_its_change(ws: Slack, web: WebClient) -> None:
    """Posted, answered, changed in place; metadata is in the history only where it is asked for."""
    metadata = {"event_type": "probe", "event_payload": {"id": 7}}
    posted = web.chat_postMessage(channel=SECURITY, text="one", metadata=metadata)
    reply = web.chat_postMessage(channel=SECURITY, text="two", thread_ts=posted["ts"])
    assert [m["ts"] for m in ws.thread(SECURITY, posted["ts"])] == [reply["ts"]]
    web.chat_update(channel=SECURITY, ts=posted["ts"], text="three")
    plain = web.conversations_history(channel=SECURITY, oldest=posted["ts"], inclusive=True)["messages"]
    full = web.conversations_history(
        channel=SECURITY, oldest=posted["ts"], inclusive=True, include_all_metadata=True
    )["messages"]
    [without] = [m for m in plain if m["ts"] == posted["ts"]]
    [found] = [m for m in full if m["ts"] == posted["ts"]]
    assert found["text"] == "three"
    assert "event_payload" not in without.get("metadata", {})
    assert found["metadata"] == metadata
    assert reply["ts"] not in {m["ts"] for m in full}
    thread = web.conversations_replies(channel=SECURITY, ts=posted["ts"], include_all_metadata=True)
    assert [m["ts"] for m in thread["messages"]] == [posted["ts"], reply["ts"]]
    assert _error(web.conversations_replies, channel=SECURITY, ts="1.000000") == "thread_not_found"


def test_only_for_one_person(ws: Slack, web: WebClient) -> None:
    web.chat_postEphemeral(channel=SECURITY, user=ALICE, text="for alice")
    assert ws.ephemerals(ALICE)[-1]["text"] == "for alice"
    assert not [e for e in ws.ephemerals(story.BOB) if e["text"] == "for alice"]
    assert not [m for m in ws.messages(SECURITY) if m["text"] == "for alice"]


def test_an_upload(ws: Slack, web: WebClient) -> None:
    """Three steps of files_upload_v2: an address, the bytes, and where it is shown."""
    head = web.chat_postMessage(channel=SECURITY, text="head")["ts"]
    web.files_upload_v2(channel=SECURITY, thread_ts=head, content="a,b\n", filename="a.csv", title="A")
    [message] = ws.thread(SECURITY, head)
    assert [f["name"] for f in message["files"]] == ["a.csv"]
    known = ws.state.files[message["files"][0]["id"]]
    assert (known["content"], known["title"], known["shared"]) == (b"a,b\n", "A", True)
    ws.state.files_allowed = False
    assert _error(web.files_getUploadURLExternal, filename="a", length=1) == "file_uploads_disabled"


# -- forms -----------------------------------------------------------------------------------------------------------

VIEW: Json = {"type": "modal", "title": _plain("Form"), "blocks": [_section("hello")]}


def _trigger(ws: Slack, web: WebClient) -> str:
    button = {"type": "button", "action_id": "go", "text": _plain("Go")}
    blocks = [{"type": "actions", "elements": [button]}]
    ts = str(web.chat_postMessage(channel=SECURITY, text="x", blocks=blocks)["ts"])
    kept: list[Json] = []
    before = ws.send_envelope
    ws.send_envelope = lambda _kind, payload, _id, _wait: kept.append(payload) or {}
    try:
        ws.click(ALICE, SECURITY, "go", ts=ts)
    finally:
        ws.send_envelope = before
    return str(kept[0]["trigger_id"])


def test_a_trigger_is_good_once(ws: Slack, web: WebClient) -> None:
    trigger = _trigger(ws, web)
    view = web.views_open(trigger_id=trigger, view=VIEW)["view"]
    assert _error(web.views_open, trigger_id=trigger, view=VIEW) == "exchanged_trigger_id"
    fresh = web.views_update(view_id=view["id"], view=VIEW | {"title": _plain("Again")})["view"]
    assert fresh["id"] == view["id"]
    assert (ws.view(ALICE) or {})["title"]["text"] == "Again"


def test_a_trigger_ends_after_three_seconds(ws: Slack, web: WebClient) -> None:
    trigger = _trigger(ws, web)
    at, user = ws.state.triggers[trigger]
    ws.state.triggers[trigger] = (at - 3.1, user)
    assert _error(web.views_open, trigger_id=trigger, view=VIEW) == "expired_trigger_id"


# -- deliveries ------------------------------------------------------------------------------------------------------


def test_a_delivery_again_is_the_same(ws: Slack) -> None:
    """The same envelope id and payload; nobody there means no acknowledgement."""
    kept: list[tuple[str, Json, str]] = []
    before = ws.send_envelope
    ws.send_envelope = lambda kind, payload, envelope, _wait: kept.append((kind, payload, envelope))
    try:
        lost = ws.command(ALICE, SECURITY, "help")
        ws.redeliver(lost)
    finally:
        ws.send_envelope = before
    assert not lost.ok
    assert kept[0] == kept[1]
    assert ws.command(ALICE, SECURITY, "help", wait=0.2).ok is False


def test_a_response_url_is_good_five_times(ws: Slack) -> None:
    kept: list[Json] = []
    before = ws.send_envelope
    ws.send_envelope = lambda _kind, payload, _id, _wait: kept.append(payload) or {}
    try:
        ws.command(ALICE, SECURITY, "help")
    finally:
        ws.send_envelope = before

    def respond() -> int:
        body = json.dumps({"text": "private"}).encode()
        request = urllib.request.Request(
            kept[0]["response_url"], data=body, headers={"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=3) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    assert [respond() for _ in range(6)] == [200] * 5 + [404]
    assert len([e for e in ws.ephemerals(ALICE) if e["text"] == "private"]) == 5


# -- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "done"),
    [
        ({"error": "internal_error"}, 0),
        ({"status": 503}, 0),
        ({"retry_after": 2}, 0),
        ({"body": b"{no json"}, 0),
        ({"drop": "before"}, 0),
        ({"drop": "after"}, 1),
    ],
)
def test_a_fault_strikes_once(ws: Slack, web: WebClient, fault: Json, done: int) -> None:
    """A client sees a failure; whether the message is there depends on the fault; the next call is well."""
    text = f"fault {sorted(fault.items())}"
    ws.fail("chat.postMessage", **fault)
    with pytest.raises(Exception) as seen:  # of slack_sdk, urllib or http, as the fault is
        web.chat_postMessage(channel=SECURITY, text=text)
    if "retry_after" in fault:
        assert isinstance(seen.value, SlackApiError)
        assert seen.value.response.status_code == 429
        assert seen.value.response.headers["Retry-After"] == "2"
    ws.wait(lambda: len([m for m in ws.messages(SECURITY) if m["text"] == text]) == done, 2)
    assert web.chat_postMessage(channel=SECURITY, text="well again")["ok"]


def test_newer_blocks_may_be_refused(ws: Slack, web: WebClient) -> None:
    ws.state.refuse_blocks = {"section"}
    assert (
        _error(web.chat_postMessage, channel=SECURITY, text="x", blocks=[_section("x")]) == "invalid_blocks"
    )


# -- limits, each just inside and just outside -----------------------------------------------------------------------


def _button(**more: Any) -> Json:
    return {"type": "button", "action_id": "a", "text": _plain("x"), **more}


def _options(n: int, text: int = 1, value: int = 1) -> list[Json]:
    return [{"text": _plain("t" * text), "value": f"{i}".rjust(value, "v")} for i in range(n)]


def _actions(*elements: Json) -> list[Json]:
    return [{"type": "actions", "elements": list(elements)}]


def _select(n: int = 2, **more: int) -> list[Json]:
    return _actions({"type": "static_select", "action_id": "s", "options": _options(n, **more)})


def _table(rows: int, columns: int) -> list[Json]:
    return [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * columns] * rows}]


def _confirm(**sizes: int) -> list[Json]:
    parts = {"title": 1, "text": 1, "confirm": 1, "deny": 1} | sizes
    return _actions(_button(confirm={k: _plain("x" * n) for k, n in parts.items()}))


_MESSAGE_LIMITS: list[Any] = [
    pytest.param(lambda n: [{"type": "divider"}] * n, 50, id="blocks"),
    pytest.param(lambda n: [_section("x" * n)], 3000, id="section-text"),
    pytest.param(lambda n: [{"type": "section", "fields": [_plain("x")] * n}], 10, id="fields"),
    pytest.param(lambda n: [{"type": "section", "fields": [_plain("x" * n)]}], 2000, id="field-text"),
    pytest.param(lambda n: [{"type": "header", "text": _plain("x" * n)}], 150, id="header"),
    pytest.param(lambda n: [{"type": "context", "elements": [_plain("x")] * n}], 10, id="context"),
    pytest.param(lambda n: _actions(*(_button(action_id=f"a{i}") for i in range(n))), 25, id="actions"),
    pytest.param(lambda n: _actions(_button(action_id="a" * n)), 255, id="action-id"),
    pytest.param(lambda n: [_section("x", block_id="b" * n)], 255, id="block-id"),
    pytest.param(lambda n: _actions(_button(text=_plain("x" * n))), 75, id="button-text"),
    pytest.param(lambda n: _actions(_button(value="x" * n)), 2000, id="button-value"),
    pytest.param(lambda n: _confirm(title=n), 100, id="confirm-title"),
    pytest.param(lambda n: _confirm(text=n), 300, id="confirm-text"),
    pytest.param(lambda n: _confirm(confirm=n), 30, id="confirm-yes"),
    pytest.param(lambda n: _confirm(deny=n), 30, id="confirm-no"),
    pytest.param(_select, 100, id="options"),
    pytest.param(lambda n: _select(text=n), 75, id="option-text"),
    pytest.param(lambda n: _select(value=n), 150, id="option-value"),
    pytest.param(lambda n: _table(n, 2), 100, id="table-rows"),
    pytest.param(lambda n: _table(2, n), 20, id="table-columns"),
    pytest.param(lambda n: [_section("x" * 3000)] * 3 + [_section("x" * (n - 9000))], 12_000, id="whole"),
    pytest.param(lambda n: _table(1, 1) * n, 1, id="tables"),
]


@pytest.mark.parametrize(("make", "limit"), _MESSAGE_LIMITS)
def test_limits_of_a_message(make: Any, limit: int) -> None:
    """The limit itself is good, one more is not."""
    assert limits.check_message({"text": "x", "blocks": make(limit)}) == []
    assert limits.check_message({"text": "x", "blocks": make(limit + 1)}) != []


_VIEW_LIMITS: list[Any] = [
    pytest.param(lambda n: {"title": _plain("x" * n)}, 24, id="title"),
    pytest.param(lambda n: {"submit": _plain("x" * n)}, 24, id="submit"),
    pytest.param(lambda n: {"close": _plain("x" * n)}, 24, id="close"),
    pytest.param(lambda n: {"private_metadata": "x" * n}, 3000, id="private-metadata"),
    pytest.param(lambda n: {"blocks": [{"type": "divider"}] * n}, 100, id="blocks"),
]


@pytest.mark.parametrize(("make", "limit"), _VIEW_LIMITS)
def test_limits_of_a_view(make: Any, limit: int) -> None:
    assert limits.check_view(VIEW | make(limit)) == []
    assert limits.check_view(VIEW | make(limit + 1)) != []


@pytest.mark.parametrize(
    ("blocks", "good"),
    [
        ([_section("x", block_id="a"), _section("y", block_id="b")], True),
        ([_section("x", block_id="a"), _section("y", block_id="a")], False),
        ([{"type": "no_such_block"}], False),
        ([{"type": "alert"}], False),
        ([{"type": "section"}], False),
        (_actions(_button(), _button()), False),
        (_actions(_button(style="pink")), False),
        ([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}], False),
    ],
)
def test_what_is_no_message(blocks: list[Json], good: bool) -> None:
    assert (limits.check_message({"text": "x", "blocks": blocks}) == []) is good


@pytest.mark.parametrize(("limit", "field"), [(40_000, "chat_postMessage"), (4_000, "chat_update")])
def test_length_of_a_text(web: WebClient, limit: int, field: str) -> None:
    """An update takes a tenth of what a post takes."""
    ts = web.chat_postMessage(channel=SECURITY, text="x")["ts"]
    more = {"ts": ts} if field == "chat_update" else {}
    call = getattr(web, field)
    assert call(channel=SECURITY, text="x" * limit, **more)["ok"]
    assert _error(call, channel=SECURITY, text="x" * (limit + 1), **more) == "msg_too_long"


@pytest.mark.parametrize("n", [1, 100])
def test_options_of_a_type_ahead(n: int) -> None:
    assert limits.check_options({"options": _options(n)}) == []
    assert limits.check_options({"options": _options(101)}) != []
    assert (
        limits.check_options({"option_groups": [{"label": _plain("x" * 75), "options": _options(n)}]}) == []
    )
    assert (
        limits.check_options({"option_groups": [{"label": _plain("x" * 76), "options": _options(n)}]}) != []
    )
