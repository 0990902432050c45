"""Block Kit in few words: escaping, clipping and the parts that every surface is made of. Pure.

Untrusted text (names, tags, paths, AWS's messages, what people typed) goes through `plain`, `text`, `code` or a cell,
never through `fixed`, which is the only maker of mrkdwn. Limits: docs.slack.dev, Block Kit reference.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    ContextBlock,
    DividerBlock,
    HeaderBlock,
    RichTextBlock,
    RichTextElementParts,
    RichTextListElement,
    RichTextPreformattedElement,
    RichTextQuoteElement,
    RichTextSectionElement,
    SectionBlock,
)
from slack_sdk.models.blocks.basic_components import ConfirmObject, MarkdownTextObject, PlainTextObject
from slack_sdk.models.blocks.block_elements import ButtonElement, ExternalDataSelectElement

Part = (
    RichTextElementParts.Text
    | RichTextElementParts.Emoji
    | RichTextElementParts.Date
    | RichTextElementParts.User
    | RichTextElementParts.UserGroup
    | RichTextElementParts.Channel
    | RichTextElementParts.Link
)
Json = dict[str, Any]

SPOKEN = 700
"""How long the fallback text is at most: a notification and a screen reader say it."""

NAME, REASON, TAG = 64, 500, 120
"""How long a name, a reason (or description) and a tag (or path) are drawn at most."""

_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def clean(value: str) -> str:
    """Control, zero-width and direction characters made visible; a new line becomes a space."""
    return "".join(
        " "
        if c in "\n\r\t"
        else f"\\u{ord(c):04x}"
        if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        else c
        for c in value
    )


def clip(value: str, limit: int) -> str:
    """At most `limit` characters; a clip ends in “…”."""
    shown = clean(value)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def escape(value: str) -> str:
    """The three characters that mrkdwn reads (docs.slack.dev, "Formatting message text", escaping)."""
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def plain(value: str, limit: int = 3000) -> PlainTextObject:
    """A plain text object; emoji codes in it stay letters."""
    return PlainTextObject(text=clip(value, limit) or " ", emoji=False)


def fixed(value: str) -> MarkdownTextObject:
    """mrkdwn of our own words, numbers, date tokens and checked ids only."""
    return MarkdownTextObject(text=value, verbatim=True)


def text(value: str, *, bold: bool = False) -> RichTextElementParts.Text:
    """Words in rich text, whatever they are."""
    shown = "".join("\n" if c == "\n" else clean(c) for c in value)
    style = RichTextElementParts.TextStyle(bold=True) if bold else None
    return RichTextElementParts.Text(text=shown or " ", style=style)


def code(value: str, limit: int = NAME) -> RichTextElementParts.Text:
    """A name that one could type."""
    return RichTextElementParts.Text(
        text=clip(value, limit) or " ", style=RichTextElementParts.TextStyle(code=True)
    )


def emoji(name: str) -> RichTextElementParts.Emoji:
    """An emoji; the word beside it says the same."""
    return RichTextElementParts.Emoji(name=name)


def person(user_id: str) -> RichTextElementParts.User:
    """A mention of a checked id."""
    return RichTextElementParts.User(user_id=user_id)


def group(group_id: str) -> RichTextElementParts.UserGroup:
    """A mention of a user group's checked id."""
    return RichTextElementParts.UserGroup(usergroup_id=group_id)


def channel(channel_id: str) -> RichTextElementParts.Channel:
    """The name of a channel's checked id."""
    return RichTextElementParts.Channel(channel_id=channel_id)


def link(url: str, label: str) -> RichTextElementParts.Link:
    """A link to a message of ours, as Slack gave it."""
    return RichTextElementParts.Link(url=url, text=label)


def day(at: datetime) -> str:
    """24 Nov 2026"""
    at = at.astimezone(UTC)
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


def minute(at: datetime) -> str:
    """24 Nov 2026 09:12 UTC"""
    return f"{day(at)} {at.astimezone(UTC):%H:%M} UTC"


def date(at: datetime, *, time: bool = False) -> RichTextElementParts.Date:
    """A day in the reader's own zone."""
    form = "{date_short_pretty} {time}" if time else "{date_short_pretty}"
    return RichTextElementParts.Date(
        timestamp=int(at.timestamp()), format=form, fallback=minute(at) if time else day(at)
    )


def token(at: datetime, form: str = "{date_short_pretty} {time}") -> str:
    """The same for mrkdwn."""
    return f"<!date^{int(at.timestamp())}^{form}|{minute(at)}>"


def header(value: str) -> HeaderBlock:
    """The answer, as a sentence."""
    return HeaderBlock(text=PlainTextObject(text=value, emoji=False))


def section(*parts: Part) -> RichTextSectionElement:
    """A line or paragraph of rich text."""
    return RichTextSectionElement(elements=list(parts))


def bullets(lines: Sequence[RichTextSectionElement]) -> RichTextListElement:
    """A bullet list."""
    return RichTextListElement(style="bullet", elements=list(lines))


def labelled(label: str, rest: str) -> RichTextSectionElement:
    """**Label: ** rest"""
    return section(text(label, bold=True), text(rest))


def preformatted(value: str) -> RichTextPreformattedElement:
    """Text in fixed width."""
    return RichTextPreformattedElement(elements=[text(value)])


def quote(value: str, limit: int = REASON) -> RichTextQuoteElement:
    """Somebody else's words."""
    return RichTextQuoteElement(elements=[text(clip(value, limit))])


def rich(*elements: Any) -> RichTextBlock:
    """A rich text block."""
    return RichTextBlock(elements=list(elements))


def context(*elements: PlainTextObject | MarkdownTextObject) -> ContextBlock:
    """Small print."""
    return ContextBlock(elements=list(elements))


def small(value: str) -> ContextBlock:
    """Small print of one plain line."""
    return context(plain(value))


def words(value: str) -> SectionBlock:
    """A section of our own mrkdwn."""
    return SectionBlock(text=fixed(value))


def divider() -> DividerBlock:
    """A line."""
    return DividerBlock()


def button(
    label: str,
    action_id: str,
    value: int | str,
    *,
    style: str | None = None,
    confirm: ConfirmObject | None = None,
) -> ButtonElement:
    """A button; its value is a row id."""
    return ButtonElement(
        text=PlainTextObject(text=label, emoji=False),
        action_id=action_id,
        value=str(value),
        style=style,
        confirm=confirm,
    )


def type_ahead(action_id: str, placeholder: str, min_query_length: int = 0) -> ExternalDataSelectElement:
    """A select whose options are asked for as one types."""
    return ExternalDataSelectElement(
        action_id=action_id,
        placeholder=PlainTextObject(text=placeholder, emoji=False),
        min_query_length=min_query_length,
    )


def actions(*elements: Any, block_id: str | None = None) -> ActionsBlock:
    """A row of buttons."""
    return ActionsBlock(elements=list(elements), block_id=block_id)


def cell(value: str, limit: int = NAME) -> Json:
    """A table cell of any text; “–” stands for no value."""
    return {"type": "raw_text", "text": clip(value, limit) or "–"}


def number(value: int) -> Json:
    """A table cell that sorts as a number."""
    return {"type": "raw_number", "value": value, "text": f"{value:,}"}


def _head(value: str) -> Json:
    return {
        "type": "rich_text",
        "elements": [
            {
                "type": "rich_text_section",
                "elements": [{"type": "text", "text": value, "style": {"bold": True}}],
            }
        ],
    }


def table(heads: Sequence[str], rows: Iterable[Sequence[Json]], settings: Sequence[Json]) -> Json:
    """A table block: at most 99 rows below its head, 10,000 characters in all."""
    return {
        "type": "table",
        "rows": [[_head(h) for h in heads], *map(list, rows)],
        "column_settings": list(settings),
    }


def data_table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Json]]) -> Json:
    """A table that sorts and pages in Slack itself; the name of a row is its first column."""
    return {
        "type": "data_table",
        "caption": clip(caption, 100),
        "page_size": 15,
        "row_header_column_index": 0,
        "rows": [[cell(h) for h in heads], *map(list, rows)],
    }


WIDE: Json = {"is_wrapped": False}
WRAPPED: Json = {"is_wrapped": True}
RIGHT: Json = {"align": "right"}


def within(rows: Sequence[Sequence[Json]], limit: int) -> list[Sequence[Json]]:
    """As many whole rows as a table of so many characters holds."""
    kept, size = [], 0
    for row in rows:
        size += sum(len(str(c["text"])) for c in row)
        if size > limit:
            break
        kept.append(row)
    return kept


@dataclass(frozen=True, slots=True)
class Message:
    """A message without its place: `text` is what a notification and a screen reader say."""

    text: str
    blocks: Sequence[Block | Json] = field(default=())

    def payload(self) -> Json:
        """The arguments of chat.postMessage that are the same everywhere."""
        blocks = [b if isinstance(b, dict) else b.to_dict() for b in self.blocks]
        return {
            "text": escape(clip(self.text, SPOKEN)),
            "blocks": blocks,
            "unfurl_links": False,
            "unfurl_media": False,
        }

    def answer(self) -> Json:
        """The body of an acknowledgement that only the asker sees."""
        return {"response_type": "ephemeral", **self.payload()}
