"""Who may do what. What a payload shows is refused in middleware; the rest is asked of Slack in a worker."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.client import HTTPException
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from advisor.edges.config import Config
from advisor.edges.schedule import known

log = logging.getLogger(__name__)

KEPT = timedelta(minutes=5)
"""Reading rights are remembered this long; a decision that changes something is always asked afresh."""

_MOST = 5000

_PASSING = {"ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
"""Words of Slack that say nothing of a group."""

SILENT = (SlackApiError, OSError, HTTPException)
"""A refusal, no answer, or half of one."""

_EMAIL = re.compile(r"[^@\s<>]{1,64}@[^@\s<>]{1,255}")


class NoAnswer(Exception):  # named as the fact
    """Slack did not say."""


@dataclass(frozen=True, slots=True)
class Place:
    """A channel as Slack tells of it: `open`, `shared`, `not_joined`, `archived`."""

    state: str
    at: datetime


@dataclass(slots=True)
class People:
    """What Slack says of people, user groups and channels, remembered for minutes. Thread-safe."""

    client: WebClient
    config: Config
    team_id: str
    clock: Callable[[], datetime]
    _users: dict[str, tuple[datetime, dict[str, Any] | None]] = field(default_factory=dict)
    _groups: dict[str, tuple[datetime, frozenset[str]]] = field(default_factory=dict)
    _places: dict[str, Place] = field(default_factory=dict)
    _emails: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    _rooms: dict[str, tuple[datetime, frozenset[str]]] = field(default_factory=dict)
    _names: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def foreign(self, body: dict[str, Any]) -> bool:
        """Whether the payload itself shows that its sender belongs to another workspace."""
        user = body.get("user")
        theirs = (user.get("team_id") if isinstance(user, dict) else None) or body.get("team_id")
        theirs = theirs or (body.get("team") or {}).get("id")
        return bool(theirs) and theirs != self.team_id

    def refusal(self, user_id: str) -> str:
        """Why this person may not audit, as a word, or an empty string. Raises NoAnswer where Slack is silent."""
        user = self._user(user_id)
        if user is None:
            return "unknown"
        for word, told in (
            ("deactivated", user.get("deleted")),
            ("bot", user.get("is_bot") or user_id == "USLACKBOT"),
            ("foreign", user.get("is_stranger") or (user.get("team_id") or self.team_id) != self.team_id),
            ("guest", user.get("is_restricted") or user.get("is_ultra_restricted")),
        ):
            if told:
                return word
        allowed = self.config.iam_audit_auditors
        return "" if not allowed or self._among(user_id, allowed) else "auditor"

    def known_refusal(self, user_id: str) -> str | None:
        """The same from memory only; None where nothing is remembered."""
        with self._lock:
            cold = self._stale(self._users.get(user_id))
            groups = [g for g in self.config.iam_audit_auditors if g.startswith("S")]
            cold = cold or any(self._stale(self._groups.get(g)) for g in groups)
        return None if cold else self.refusal(user_id)

    def _stale(self, held: tuple[datetime, object] | None) -> bool:
        return held is None or self.clock() - held[0] > KEPT

    def _among(self, user_id: str, ids: tuple[str, ...]) -> bool:
        return user_id in ids or any(user_id in self._members(g) for g in ids if g.startswith("S"))

    def approver(self, user_id: str) -> bool:
        """Whether the settings of now name this person as an approver."""
        return self._among(user_id, self.config.iam_audit_approvers)

    def admin(self, user_id: str) -> bool:
        """Whether the settings of now name this person as an admin."""
        return self._among(user_id, self.config.iam_audit_admins)

    def _user(self, user_id: str) -> dict[str, Any] | None:
        with self._lock:
            held = self._users.get(user_id)
        if held and not self._stale(held):
            return held[1]
        try:
            found = dict(self.client.users_info(user=user_id)["user"])
        except SlackApiError as error:
            if error.response.get("error") not in {"user_not_found", "user_not_visible"}:
                raise NoAnswer(str(error.response.get("error"))) from error
            found = None
        except Exception as error:
            raise NoAnswer(type(error).__name__) from error
        with self._lock:
            if len(self._users) > _MOST:
                self._users.clear()
            self._users[user_id] = (self.clock(), found)
        return found

    def _members(self, group_id: str) -> frozenset[str]:
        with self._lock:
            held = self._groups.get(group_id)
        if held and not self._stale(held):
            return held[1]
        try:
            found = frozenset(self.client.usergroups_users_list(usergroup=group_id)["users"])
        except SlackApiError as error:
            # Without usergroups:read, or for a group that is gone, nobody is in it: fails closed.
            word = str(error.response.get("error"))
            # Where Slack answers with a page instead of JSON, the SDK writes a sentence here.
            if word in _PASSING or not word.isidentifier():
                raise NoAnswer(word) from error
            log.warning("usergroup.unreadable group=%s error=%s", group_id, error.response.get("error"))
            found = frozenset()
        except Exception as error:
            raise NoAnswer(type(error).__name__) from error
        with self._lock:
            self._groups[group_id] = (self.clock(), found)
        return found

    def forget(self, user_id: str) -> None:
        """Ask anew who this person is and who is in which group: a decision is never made from memory."""
        with self._lock:
            self._users.pop(user_id, None)
            self._groups.clear()

    def named(self, ids: tuple[str, ...]) -> frozenset[str]:
        """Everybody whom a setting means: the people that it names, and the members of its groups."""
        groups = [self._members(i) for i in ids if i.startswith("S")]
        return frozenset(i for i in ids if not i.startswith("S")).union(*groups)

    def able(self, besides: str) -> int:
        """How many people may approve by the settings of now, one person not counted."""
        people = self.named(self.config.iam_audit_approvers)
        return len(people if self.config.iam_audit_self_approval else people - {besides})

    def owner(self, tag: str) -> str:
        """The Slack id that an owner tag means: an id, or an e-mail address looked up in Slack; empty where neither."""
        if tag[:1] in {"U", "W"} and tag.isalnum():
            return tag if self.full_member(tag) else ""
        if not _EMAIL.fullmatch(tag):
            return ""
        with self._lock:
            held = self._emails.get(tag)
        if held and self.clock() - held[0] <= KEPT:
            return held[1]
        try:
            found = dict(self.client.users_lookupByEmail(email=tag)["user"])
        except SlackApiError as error:  # users_not_found, or without the optional scope users:read.email
            log.info("owner.unknown error=%s", error.response.get("error"))
            found = {}
        except OSError as error:  # no answer, or half of one
            log.info("owner.unknown error=%s", type(error).__name__)
            return ""
        owner = "" if found.get("deleted") or found.get("is_bot") else str(found.get("id") or "")
        with self._lock:
            if len(self._emails) > _MOST:
                self._emails.clear()
            self._emails[tag] = (self.clock(), owner)
        return owner

    def full_member(self, user_id: str) -> bool:
        """Whether an id written in a tag is a person of this workspace; False where Slack does not say."""
        try:
            user = self._user(user_id)
        except NoAnswer:
            return False
        return bool(user) and not (user or {}).get("deleted")

    def tags_of(self, user_id: str) -> tuple[str, ...]:
        """The owner tags that mean this person: their Slack id and, where Slack shows it, their e-mail address."""
        user = self._user(user_id) or {}
        email = str((user.get("profile") or {}).get("email") or "")
        return (user_id, email) if _EMAIL.fullmatch(email) else (user_id,)

    def is_in(self, channel: str, user_id: str) -> bool:
        """Whether a person is in a channel, remembered for minutes; False where Slack does not say."""
        with self._lock:
            held = self._rooms.get(channel)
        if held is None or self._stale(held):
            try:
                found = self._in_room(channel)
            except NoAnswer as error:  # nobody is known to be in it
                log.info("members.unknown channel=%s error=%s", channel, error)
                found = frozenset()
            held = (self.clock(), found)
            with self._lock:
                if len(self._rooms) > _MOST:
                    self._rooms.clear()
                self._rooms[channel] = held
        return user_id in held[1]

    def member(self, channel: str, user_id: str) -> bool:
        """Whether a person is in a channel, asked of Slack now. Raises NoAnswer where Slack is silent."""
        return user_id in self._in_room(channel)

    def _in_room(self, channel: str) -> frozenset[str]:
        found: set[str] = set()
        cursor = ""
        while True:
            try:
                page = self.client.conversations_members(channel=channel, limit=1000, cursor=cursor or None)
            except SlackApiError as error:
                word = str(error.response.get("error"))
                if word in {"channel_not_found", "missing_scope", "not_in_channel", "fetch_members_failed"}:
                    return frozenset()
                raise NoAnswer(word) from error
            except Exception as error:
                raise NoAnswer(type(error).__name__) from error
            found |= set(page.get("members") or [])
            cursor = str((page.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                return frozenset(found)

    def channel_name(self, channel: str) -> str:
        """A channel's name, without its #; empty for a direct message, or where Slack does not say. Untrusted."""
        if channel.startswith(("D", "U", "W")):
            return ""
        with self._lock:
            held = self._names.get(channel)
        if held and not self._stale(held):
            return held[1]
        try:
            name = str(dict(self.client.conversations_info(channel=channel)["channel"]).get("name") or "")
        except SILENT as error:  # a name is a convenience
            log.info("channel.unknown channel=%s error=%s", channel, type(error).__name__)
            name = ""
        with self._lock:
            if len(self._names) > _MOST:
                self._names.clear()
            self._names[channel] = (self.clock(), name)
        return name

    def permalink(self, channel: str, ts: str) -> str:
        """Where a message stands, as an address that can be drawn; empty where Slack does not say."""
        try:
            answer = self.client.chat_getPermalink(channel=channel, message_ts=ts)
        except SILENT as error:  # a link is a convenience; what links stands without it
            log.info("permalink.unknown channel=%s error=%s", channel, type(error).__name__)
            return ""
        link = str(answer.get("permalink") or "")
        return link if link.startswith(("https://", "http://")) and not set(link) & set("<>|") else ""

    def zone(self, user_id: str) -> str:
        """The time zone of a person, as an IANA name that this machine knows; UTC where there is none."""
        name = str((self._user(user_id) or {}).get("tz") or "")
        return name if known(name) else "UTC"

    def place(self, channel: str) -> str:
        """What kind of place a channel is: open, shared, not_joined, archived. Raises NoAnswer where Slack is silent.

        A direct message with the bot is open; a channel that Slack will not tell of is one the bot is not in.
        """
        if channel.startswith(("D", "U", "W")):
            return "open"
        with self._lock:
            held = self._places.get(channel)
        if held and self.clock() - held.at < timedelta(minutes=1):
            return held.state
        try:
            info = dict(self.client.conversations_info(channel=channel)["channel"])
        except SlackApiError as error:
            if error.response.get("error") not in {"channel_not_found", "missing_scope", "not_in_channel"}:
                raise NoAnswer(str(error.response.get("error"))) from error
            info = {"is_member": False}
        except Exception as error:
            raise NoAnswer(type(error).__name__) from error
        shared = info.get("is_ext_shared") or info.get("is_pending_ext_shared")
        state = (
            "shared"
            if shared
            else "archived"
            if info.get("is_archived")
            else "open"
            if info.get("is_member")
            else "not_joined"
        )
        with self._lock:
            if len(self._places) > _MOST:
                self._places.clear()
            self._places[channel] = Place(state, self.clock())
        return state

    def forget_place(self, channel: str) -> None:
        """Ask anew: Slack has just refused a post there."""
        with self._lock:
            self._places.pop(channel, None)
