"""Two Socket Mode connections at once, over real sockets; the rest of the product is driven a beat at a time."""

from __future__ import annotations

from handlers.transport import Socket
from tests.sandbox import world as story
from tests.sandbox.slack import Slack
from tests.scenarios.stage import Stage, words

S = story.SECURITY


def test_an_envelope_on_two_connections(stage: Stage, slack: Slack) -> None:
    """Slack delivers the same thing on both of two connections at once: one effect, the same answer."""
    assert stage.bot is not None
    slack.send_envelope = slack._send_envelope
    slack.everywhere = True
    sockets = [Socket(stage.bot.app, slack.app_token, slack.api_url) for _ in range(2)]
    try:
        for socket in sockets:
            socket.start()
        slack.wait(lambda: len(slack.sockets) == 2 and all(s.connected() for s in sockets))
        asked = slack.command(story.ALICE, S, "role TestRole-DeleteLater")
        assert asked.ok
        stage.settle()
        shown = slack.click(story.ALICE, S, "audit.refresh", ts=stage.card()["ts"])
        assert shown.ok
        help_ = slack.command(story.BOB, S, "help")
        slack.wait(lambda: len(slack.acks) == 6)
        for reply in (asked, shown, help_):
            answers = [body for envelope, body in slack.acks if envelope == reply.envelope_id]
            assert answers == [reply.body, reply.body]
        stage.settle()
    finally:
        for socket in sockets:
            socket.stop()
    assert len(stage.cards()) == 1
    assert "0 of 3 services used" in words(stage.card())
    assert (
        stage.aws.operations().count("GenerateServiceLastAccessedDetails") == 2
    )  # asked, and refreshed once
    assert len(stage.rows("SELECT id FROM request")) == 1
