"""The sandbox's Slack."""

from tests.sandbox.slack.server import Slack
from tests.sandbox.slack.workspace import Fault, Reply

__all__ = ["Fault", "Reply", "Slack"]
