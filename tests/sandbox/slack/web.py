"""The Web API's methods over a workspace: what Slack would do and answer."""

from __future__ import annotations

import time
import uuid
from typing import Any

from tests.sandbox.slack import views
from tests.sandbox.slack.limits import check_message, check_view
from tests.sandbox.slack.workspace import BOT_USER, Json, Workspace


class Refused(Exception):
    """Slack's answer is `ok: false`."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.body = {"ok": False, "error": error, **more}


class Web:
    """One function a method; arguments come decoded."""

    def __init__(self, ws: Workspace) -> None:
        self.ws = ws
        self.state = ws.state

    def call(self, method: str, args: Json) -> Json:
        known = getattr(self, method.replace(".", "_"), None)
        if known is None:
            return {"ok": False, "error": "unknown_method"}
        try:
            return {"ok": True, **known(args)}
        except Refused as refused:
            return refused.body

    def _need(self, scope: str) -> None:
        if scope not in self.state.scopes:
            raise Refused("missing_scope", needed=scope, provided=",".join(sorted(self.state.scopes)))

    def auth_test(self, _args: Json) -> Json:
        return {
            "team_id": self.ws.team_id,
            "team": "Sandbox",
            "user": "iam-audit",
            "user_id": BOT_USER,
            "bot_id": "B0SANDBOX",
            "url": "https://sandbox.slack.com/",
        }

    def users_info(self, args: Json) -> Json:
        self._need("users:read")
        if args.get("user") not in self.state.users:
            raise Refused("user_not_found")
        return {"user": self.state.users[args["user"]]}

    def users_lookupByEmail(self, args: Json) -> Json:
        self._need("users:read.email")
        wanted = str(args.get("email") or "").casefold()
        for user in self.state.users.values():
            if wanted and str(user.get("profile", {}).get("email", "")).casefold() == wanted:
                return {"user": user}
        raise Refused("users_not_found")

    def usergroups_users_list(self, args: Json) -> Json:
        self._need("usergroups:read")
        if args.get("usergroup") not in self.state.groups:
            raise Refused("no_such_subteam")
        return {"users": self.state.groups[args["usergroup"]]["users"]}

    def _channel(self, name: str, *, joined: bool = True) -> Json:
        if name in self.state.users:
            if self.state.users[name]["is_bot"]:
                raise Refused("cannot_dm_bot")
            name = self.ws.dm_of(name)
        channel = self.state.channels.get(name)
        if channel is None or (channel.get("is_private") and BOT_USER not in channel["members"]):
            raise Refused("channel_not_found")
        if joined and BOT_USER not in channel["members"]:
            raise Refused("not_in_channel")
        if joined and channel.get("is_archived"):
            raise Refused("is_archived")
        return channel

    def conversations_info(self, args: Json) -> Json:
        channel = self._channel(str(args.get("channel")), joined=False)
        self._need("groups:read" if channel.get("is_private") else "channels:read")
        return {
            "channel": {
                **{k: v for k, v in channel.items() if k != "members"},
                "is_member": BOT_USER in channel["members"],
            }
        }

    def conversations_members(self, args: Json) -> Json:
        channel = self._channel(str(args.get("channel")), joined=False)
        self._need("groups:read" if channel.get("is_private") else "channels:read")
        found, first = channel["members"], int(args.get("cursor") or 0)
        size = min(int(args.get("limit") or 100), 3)  # Slack may give fewer than asked for
        following = str(first + size) if first + size < len(found) else ""
        return {"members": found[first : first + size], "response_metadata": {"next_cursor": following}}

    def conversations_open(self, args: Json) -> Json:
        self._need("im:write")
        return {"channel": {"id": self.ws.dm_of(str(args["users"]))}}

    def _readable(self, args: Json) -> Json:
        channel = self._channel(str(args.get("channel")))
        self._need(
            "im:history"
            if channel.get("is_im")
            else "groups:history"
            if channel.get("is_private")
            else "channels:history"
        )
        return channel

    def conversations_replies(self, args: Json) -> Json:
        """The parent first, then its replies, oldest first (Web API, conversations.replies)."""
        channel, ts = self._readable(args), str(args.get("ts"))
        parent = [m for m in self.ws.messages(channel["id"]) if m["ts"] == ts]
        if not parent:
            raise Refused("thread_not_found")
        oldest = float(args.get("oldest") or 0)
        rows = [m for m in self.ws.thread(channel["id"], ts) if float(m["ts"]) >= oldest]
        rows = [*parent, *rows][: int(args.get("limit") or 1000)]
        if not args.get("include_all_metadata"):
            rows = [{k: v for k, v in m.items() if k != "metadata"} for m in rows]
        return {"messages": rows, "has_more": False}

    def conversations_history(self, args: Json) -> Json:
        channel = self._readable(args)
        oldest = float(args.get("oldest") or 0)
        rows = [m for m in self.ws.messages(channel["id"]) if float(m["ts"]) >= oldest]
        rows = rows[-int(args.get("limit") or 100) :][::-1]
        if not args.get("include_all_metadata"):
            rows = [{k: v for k, v in m.items() if k != "metadata"} for m in rows]
        return {"messages": rows, "has_more": False}

    def _checked(self, args: Json) -> None:
        if len(args.get("text") or "") > 40_000:
            raise Refused("msg_too_long")
        if not args.get("text") and not args.get("blocks"):
            raise Refused("no_text")
        problems = check_message(args)
        problems += [
            f"/blocks: {b['type']} is refused here"
            for b in args.get("blocks") or []
            if b.get("type") in self.state.refuse_blocks
        ]
        if problems:
            if not self.state.refuse_blocks:
                self.state.problems += problems
            raise Refused(
                "invalid_blocks", response_metadata={"messages": [f"[ERROR] {p}" for p in problems]}
            )

    def chat_postMessage(self, args: Json) -> Json:
        self._need("chat:write")
        channel = self._channel(str(args.get("channel")))
        self._checked(args)
        thread = args.get("thread_ts")
        if thread and not any(m["ts"] == thread for m in self.state.messages.get(channel["id"], [])):
            raise Refused("thread_not_found")
        message = self._message(args)
        if thread:
            message["thread_ts"] = thread
        self.state.messages.setdefault(channel["id"], []).append(message)
        self.ws.touch()
        return {"channel": channel["id"], "ts": message["ts"], "message": message}

    def _message(self, args: Json) -> Json:
        made = {
            "type": "message",
            "user": BOT_USER,
            "bot_id": "B0SANDBOX",
            "ts": self.ws.next_ts(),
            "text": args.get("text", ""),
            "blocks": args.get("blocks") or [],
            "updates": 0,
            "files": [],
        }
        if args.get("metadata"):
            made["metadata"] = args["metadata"]
        for n, block in enumerate(made["blocks"]):
            block.setdefault("block_id", f"b{n}{uuid.uuid4().hex[:4]}")
        return made

    def chat_update(self, args: Json) -> Json:
        self._need("chat:write")
        channel = self._channel(str(args.get("channel")))
        found = next(
            (m for m in self.state.messages.get(channel["id"], []) if m["ts"] == args.get("ts")), None
        )
        if found is None:
            raise Refused("message_not_found")
        if len(args.get("text") or "") > 4000:
            raise Refused("msg_too_long")
        self._checked(args)
        fresh = self._message(args)
        found.update(
            text=fresh["text"],
            blocks=fresh["blocks"],
            updates=found["updates"] + 1,
            metadata=args.get("metadata") or found.get("metadata"),
        )
        self.ws.touch()
        return {"channel": channel["id"], "ts": found["ts"], "text": found["text"]}

    def chat_getPermalink(self, args: Json) -> Json:
        channel, ts = self._channel(str(args.get("channel")), joined=False), str(args.get("message_ts"))
        found = next((m for m in self.state.messages.get(channel["id"], []) if m["ts"] == ts), None)
        if found is None:
            raise Refused("message_not_found")
        thread = found.get("thread_ts")
        tail = f"?thread_ts={thread}&cid={channel['id']}" if thread and thread != ts else ""
        link = f"https://sandbox.slack.com/archives/{channel['id']}/p{ts.replace('.', '')}{tail}"
        return {"channel": channel["id"], "permalink": link}

    def chat_postEphemeral(self, args: Json) -> Json:
        self._need("chat:write")
        channel = self._channel(str(args.get("channel")))
        if args.get("user") not in channel["members"]:
            raise Refused("user_not_in_channel")
        self._checked(args)
        self.ws.say_privately(args["user"], channel["id"], args)
        return {"message_ts": self.state.ephemerals[-1]["ts"]}

    def _triggered(self, args: Json) -> str:
        at, user = self.state.triggers.get(str(args.get("trigger_id")), (0.0, ""))
        if not user:
            raise Refused("exchanged_trigger_id")
        del self.state.triggers[args["trigger_id"]]
        if time.monotonic() - at > 3:
            raise Refused("expired_trigger_id")
        return user

    def _view(self, view: Json) -> None:
        problems = check_view(view)
        refused = [b["type"] for b in view["blocks"] if b["type"] in self.state.refuse_blocks]
        if refused and not problems:
            raise Refused("invalid_arguments", response_metadata={"messages": refused})
        if problems:
            self.state.problems += problems
            raise Refused("invalid_arguments", response_metadata={"messages": problems})

    def views_open(self, args: Json) -> Json:
        user = self._triggered(args)
        self._view(args["view"])
        view = views.hold(self.ws, args["view"])
        self.state.open_views[user] = [view["id"]]
        self.ws.touch()
        return {"view": view}

    def views_push(self, args: Json) -> Json:
        user = self._triggered(args)
        self._view(args["view"])
        stack = self.state.open_views.setdefault(user, [])
        if len(stack) >= 3:
            raise Refused("push_limit_reached")
        view = views.hold(self.ws, args["view"])
        stack.append(view["id"])
        self.ws.touch()
        return {"view": view}

    def views_update(self, args: Json) -> Json:
        old = self.state.views.get(str(args.get("view_id")))
        if old is None:
            raise Refused("not_found")
        if args.get("hash") and args["hash"] != old["hash"]:
            raise Refused("hash_conflict")
        self._view(args["view"])
        view = views.hold(self.ws, args["view"], old["id"])
        self.ws.touch()
        return {"view": view}

    def views_publish(self, args: Json) -> Json:
        user = str(args.get("user_id"))
        if user not in self.state.users:
            raise Refused("invalid_arguments", response_metadata={"messages": ["user_id"]})
        old = self.state.views.get(self.state.homes.get(user, ""))
        if args.get("hash") and (old is None or args["hash"] != old["hash"]):
            raise Refused("hash_conflict")
        self._view(args["view"])
        view = views.hold(self.ws, args["view"], self.state.homes.get(user, ""))
        self.state.homes[user] = view["id"]
        self.ws.touch()
        return {"view": view}

    def files_getUploadURLExternal(self, args: Json) -> Json:
        self._need("files:write")
        if not self.state.files_allowed:
            raise Refused("file_uploads_disabled")
        file_id = f"F{uuid.uuid4().hex[:10].upper()}"
        self.state.files[file_id] = {
            "id": file_id,
            "name": args["filename"],
            "alt_txt": args.get("alt_txt", ""),
            "content": b"",
            "shared": False,
        }
        return {"file_id": file_id, "upload_url": f"{self.ws.url}/upload/{file_id}"}

    def files_completeUploadExternal(self, args: Json) -> Json:
        self._need("files:write")
        channel = self._channel(str(args.get("channel_id")))
        made = []
        for entry in args["files"]:
            known = self.state.files[entry["id"]]
            known |= {
                "title": entry.get("title", ""),
                "shared": True,
                "channel": channel["id"],
                "thread_ts": args.get("thread_ts"),
            }
            made.append(
                {
                    "id": known["id"],
                    "title": known["title"],
                    "name": known["name"],
                    "alt_txt": known["alt_txt"],
                }
            )
        message = {**self._message({"text": args.get("initial_comment") or ""}), "files": made}
        if args.get("thread_ts"):
            message["thread_ts"] = args["thread_ts"]
        self.state.messages.setdefault(channel["id"], []).append(message)
        self.ws.touch()
        return {"files": made}
