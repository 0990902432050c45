"""The story of App Home: what it says to whoever asked, and to whoever may decide, after all that was done."""

from __future__ import annotations

from tests.sandbox import world as story
from tests.sandbox.__main__ import Demo
from tests.sandbox.slack import views
from tests.scenarios.stage import words


def at_home(demo: Demo) -> str:
    """alice and carol look at App Home: each sees what is theirs, carol that nothing waits for her any more"""
    told = []
    for user, says in ((story.ALICE, "My tickets"), (story.CAROL, "Nothing waits for you")):
        assert views.open_home(demo.slack, user).ok

        def found(user: str = user) -> str:
            view = views.home(demo.slack, user)
            return words(view) if view else ""

        shown = demo.slack.wait(found, 15)
        assert says in shown, shown
        assert "My audits" in shown or user != story.ALICE, shown
        told.append(f"{demo.slack.state.users[user]['name']}: {' '.join(shown.split())[:200]}")
    return "\n".join(told)
