"""Block Kit's limits as one pure check: what Slack would refuse. Source: docs.slack.dev, Block Kit reference."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_MESSAGE = {
    "actions",
    "alert",
    "context",
    "data_table",
    "data_visualization",
    "divider",
    "header",
    "image",
    "input",
    "rich_text",
    "section",
    "table",
    "markdown",
    "plan",
}
_ELEMENTS = {
    "button",
    "external_select",
    "static_select",
    "conversations_select",
    "plain_text_input",
    "number_input",
    "radio_buttons",
    "checkboxes",
    "users_select",
    "overflow",
    "datepicker",
    "timepicker",
    "multi_static_select",
    "multi_external_select",
    "multi_users_select",
    "multi_conversations_select",
}
_RICH = {"rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote"}
_LEAVES = {"text", "emoji", "user", "usergroup", "channel", "link", "date", "broadcast"}


def check_message(payload: Json) -> list[str]:
    """Problems of a chat.postMessage body."""
    blocks = payload.get("blocks") or []
    out = [] if payload.get("text") or blocks else ["/text: no_text"]
    if len(blocks) > 50:
        out.append("/blocks: more than 50")
    out += check_blocks(blocks, "message")
    if sum(_weight(b) for b in blocks) > 12_000:
        out.append("/blocks: more than 12,000 characters in all")
    if sum(b.get("type") == "table" for b in blocks) > 1:
        out.append("/blocks: only one table a message")
    return out


def check_view(view: Json) -> list[str]:
    """Problems of a modal."""
    out = []
    for part in ("title", "submit", "close"):
        if len((view.get(part) or {}).get("text", "")) > 24:
            out.append(f"/{part}: more than 24")
    if view.get("type") not in {"modal", "home"} or (view["type"] == "modal" and not view.get("title")):
        out.append("/title: missing")
    if len(view.get("private_metadata", "")) > 3000:
        out.append("/private_metadata: more than 3000")
    if len(view.get("blocks", [])) > 100:
        out.append("/blocks: more than 100")
    if any(b.get("type") == "input" for b in view.get("blocks", [])) and not view.get("submit"):
        out.append("/submit: a view with inputs needs it")
    return out + check_blocks(view.get("blocks", []), "modal")


def check_blocks(blocks: list[Json], surface: str) -> list[str]:
    out: list[str] = []
    ids = [b["block_id"] for b in blocks if b.get("block_id")]
    if len(ids) != len(set(ids)):
        out.append("/blocks: block_id twice")
    for n, block in enumerate(blocks):
        at = f"/blocks/{n}"
        kind = block.get("type")
        if kind not in _MESSAGE or (kind == "alert" and surface != "modal"):
            out.append(f"{at}: unknown block type {kind}")
            continue
        if len(block.get("block_id", "")) > 255:
            out.append(f"{at}: block_id more than 255")
        out += _BLOCK.get(str(kind), _nothing)(block, at)
    return out


def check_options(body: Json) -> list[str]:
    """Problems of an answer to a block_suggestion."""
    groups = body.get("option_groups")
    if groups is None:
        return _options(body.get("options") or [], "/options")
    out = [] if groups else ["/option_groups: empty"]
    for n, group in enumerate(groups):
        out += _plain(group.get("label"), 75, f"/option_groups/{n}/label")
        out += _options(group.get("options") or [], f"/option_groups/{n}/options")
    return out


def _nothing(_block: Json, _at: str) -> list[str]:
    return []


def _plain(value: Any, limit: int, at: str) -> list[str]:
    if not isinstance(value, dict) or value.get("type") != "plain_text":
        return [f"{at}: plain_text needed"]
    text = value.get("text", "")
    return [f"{at}: {len(text)} characters, 1 to {limit}"] if not 1 <= len(text) <= limit else []


def _text(value: Any, limit: int, at: str) -> list[str]:
    if not isinstance(value, dict) or value.get("type") not in {"plain_text", "mrkdwn"}:
        return [f"{at}: text object needed"]
    return [f"{at}: text 1 to {limit}"] if not 1 <= len(value.get("text", "")) <= limit else []


def _section(block: Json, at: str) -> list[str]:
    out = _text(block["text"], 3000, f"{at}/text") if "text" in block else []
    fields = block.get("fields", [])
    out += [f"{at}/fields: more than 10"] if len(fields) > 10 else []
    return (
        out
        + [p for f in fields for p in _text(f, 2000, f"{at}/fields")]
        + ([] if block.get("text") or fields else [f"{at}: empty"])
    )


def _context(block: Json, at: str) -> list[str]:
    parts = block.get("elements", [])
    out = [] if 1 <= len(parts) <= 10 else [f"{at}/elements: 1 to 10"]
    return out + [p for e in parts for p in _text(e, 3000, f"{at}/elements")]


def _actions(block: Json, at: str) -> list[str]:
    parts = block.get("elements", [])
    out = [] if 1 <= len(parts) <= 25 else [f"{at}/elements: 1 to 25"]
    ids = [e.get("action_id") for e in parts]
    out += [f"{at}: action_id twice"] if len(set(ids)) != len(ids) else []
    return out + [p for n, e in enumerate(parts) for p in _element(e, f"{at}/elements/{n}")]


def _element(element: Json, at: str) -> list[str]:
    kind = element.get("type")
    if kind not in _ELEMENTS:
        return [f"{at}: unknown element {kind}"]
    out = [] if 1 <= len(element.get("action_id", "")) <= 255 else [f"{at}: action_id 1 to 255"]
    if kind == "button":
        out += _plain(element.get("text"), 75, f"{at}/text")
        out += [f"{at}: value more than 2000"] if len(element.get("value", "")) > 2000 else []
        out += [f"{at}: style"] if element.get("style") not in {None, "primary", "danger"} else []
        if "confirm" in element:
            confirm = element["confirm"]
            for part, limit in (("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)):
                out += (
                    [f"{at}/confirm/{part}: more than {limit}"]
                    if len(confirm.get(part, {}).get("text", "")) > limit
                    else []
                )
    if "placeholder" in element:
        out += _plain(element["placeholder"], 150, f"{at}/placeholder")
    if (
        kind in {"static_select", "multi_static_select", "radio_buttons", "checkboxes"}
        and "option_groups" not in element
    ):
        out += _options(element.get("options", []), f"{at}/options")
        out += (
            [f"{at}: more than 10"]
            if kind in {"radio_buttons", "checkboxes"} and len(element.get("options", [])) > 10
            else []
        )
    return out


def _options(options: list[Json], at: str) -> list[str]:
    out = [] if 1 <= len(options) <= 100 else [f"{at}: 1 to 100 options"]
    for n, option in enumerate(options):
        out += _text(option.get("text"), 75, f"{at}/{n}/text")
        out += [] if 1 <= len(option.get("value", "")) <= 150 else [f"{at}/{n}: value 1 to 150"]
        if "description" in option:
            out += _text(option["description"], 75, f"{at}/{n}/description")
    return out


def _input(block: Json, at: str) -> list[str]:
    out = _plain(block.get("label"), 2000, f"{at}/label") + _element(
        block.get("element", {}), f"{at}/element"
    )
    return out + (_plain(block["hint"], 2000, f"{at}/hint") if "hint" in block else [])


def _rich(block: Json, at: str) -> list[str]:
    parts = block.get("elements", [])
    out = [] if parts else [f"{at}: empty"]
    for n, part in enumerate(parts):
        if part.get("type") not in _RICH:
            out.append(f"{at}/elements/{n}: unknown {part.get('type')}")
            continue
        lines = part["elements"] if part["type"] == "rich_text_list" else [part]
        out += [] if part.get("elements") else [f"{at}/elements/{n}: empty"]
        for line in lines:
            for leaf in line.get("elements", []):
                if leaf.get("type") not in _LEAVES or (leaf["type"] == "text" and not leaf.get("text")):
                    out.append(f"{at}/elements/{n}: bad leaf {leaf.get('type')}")
    return out


def _table(block: Json, at: str) -> list[str]:
    rows = block.get("rows", [])
    out = [] if 1 <= len(rows) <= 100 else [f"{at}/rows: 1 to 100"]
    out += [f"{at}/rows: unequal"] if len({len(r) for r in rows}) > 1 else []
    out += [f"{at}/rows: more than 20 columns"] if any(len(r) > 20 for r in rows) else []
    out += [f"{at}: more than 10,000 characters"] if _weight(block) > 10_000 else []
    return out + _cells(rows, at)


def _cells(rows: list[list[Json]], at: str) -> list[str]:
    return [
        f"{at}/rows/{n}: empty or unknown cell"
        for n, row in enumerate(rows)
        for cell in row
        if cell.get("type") not in {"raw_text", "raw_number", "rich_text"}
        or (cell["type"] != "rich_text" and not cell.get("text"))
    ]


def _data_table(block: Json, at: str) -> list[str]:
    rows = block.get("rows", [])
    out = [] if 2 <= len(rows) <= 201 else [f"{at}/rows: 2 to 201"]
    out += [] if block.get("caption") else [f"{at}/caption: missing"]
    out += [] if 1 <= block.get("page_size", 5) <= 100 else [f"{at}/page_size"]
    out += [f"{at}/rows: unequal"] if len({len(r) for r in rows}) > 1 else []
    out += [f"{at}: more than 20,000 characters"] if _weight(block) > 20_000 else []
    return out + _cells(rows, at)


def _chart(block: Json, at: str) -> list[str]:
    out = [] if 1 <= len(block.get("title", "")) <= 50 else [f"{at}/title: 1 to 50"]
    series = block.get("chart", {}).get("series", [])
    return out + (
        [] if 1 <= len(series) <= 12 and all(len(s["data"]) <= 20 for s in series) else [f"{at}/chart/series"]
    )


def _weight(node: Any) -> int:
    """Characters of all texts in a block; a data table has a limit of its own."""
    if isinstance(node, dict):
        own = len(node["text"]) if isinstance(node.get("text"), str) else 0
        return own + sum(_weight(v) for k, v in node.items() if k != "text" or not isinstance(v, str))
    return sum(_weight(v) for v in node) if isinstance(node, list) else 0


_BLOCK = {
    "section": _section,
    "header": lambda b, at: _plain(b.get("text"), 150, f"{at}/text"),
    "context": _context,
    "actions": _actions,
    "input": _input,
    "rich_text": _rich,
    "table": _table,
    "data_table": _data_table,
    "data_visualization": _chart,
}
