"""What the elements of a view hold, as Slack writes it: https://docs.slack.dev/reference/views (`state.values`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
_SELECTS = {
    "static": "option",
    "external": "option",
    "users": "user",
    "channels": "channel",
    "conversations": "conversation",
}
_FIELDS = {
    "radio_buttons": "selected_option",
    "overflow": "selected_option",
    "checkboxes": "selected_options",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
}
_STATELESS = {"button", "workflow_button", "overflow", "image"}


def field_of(element: Json) -> str:
    """The name under which this element's state stands."""
    kind = str(element["type"])
    if not kind.endswith("_select"):
        return _FIELDS.get(kind, "value")
    many = "s" if kind.startswith("multi_") else ""
    return f"selected_{_SELECTS[kind.removeprefix('multi_').removesuffix('_select')]}{many}"


def state_of(element: Json, *entered: Any) -> Json:
    """What was entered, where something was; else what stood there at first."""
    field = field_of(element)
    first = "initial_" + field.removeprefix("selected_")
    held = (entered[0] or None) if entered else element.get(first)
    return {field: [] if held is None and field.endswith("s") else held}


def holders(view: Json) -> Iterator[tuple[Json, Json]]:
    """Each block with each of its elements that has a state."""
    for block in view["blocks"]:
        parts = [block.get("element"), block.get("accessory")]
        parts += block.get("elements", []) if block["type"] == "actions" else []
        yield from ((block, part) for part in parts if part and part["type"] not in _STATELESS)


def values_of(view: Json, entered: dict[str, Json] | None = None) -> dict[str, Json]:
    """`state.values`: by block, then by element; `entered` has plain values under the same two names."""
    out: dict[str, Json] = {}
    for block, element in holders(view):
        known = (entered or {}).get(block["block_id"], {})
        name = element["action_id"]
        state = state_of(element, known[name]) if name in known else state_of(element)
        out.setdefault(block["block_id"], {})[name] = {"type": element["type"], **state}
    return out
