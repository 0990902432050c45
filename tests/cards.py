"""Cards, replies, private answers and a Home as the app posts them, written by hand: everything the page must draw."""

from __future__ import annotations

from tests.kit import Json, button, option, plain, section

CAROL, APPROVERS = "U0CAROL0001", "S0APPROVERS"
HOSTILE = "<!channel> :rotating_light: *bold* <https://evil.example|AWS console> <b>&amp;"


def said(text: str, *styles: str) -> Json:
    return {
        "type": "text",
        "text": text,
        **({"style": dict.fromkeys(styles, True)} if styles else {}),
    }


def emoji(name: str) -> Json:
    return {"type": "emoji", "name": name}


def line(*leaves: Json) -> Json:
    return {"type": "rich_text_section", "elements": list(leaves)}


def bullets(*lines: Json, indent: int = 0, style: str = "bullet") -> Json:
    return {"type": "rich_text_list", "style": style, "indent": indent, "elements": list(lines)}


def rich(*parts: Json) -> Json:
    return {"type": "rich_text", "elements": list(parts)}


def header(text: str) -> Json:
    return {"type": "header", "text": plain(text, emoji=False)}


def context(*texts: str) -> Json:
    return {"type": "context", "elements": [plain(t, emoji=False) for t in texts]}


def actions(*elements: Json, block_id: str = "") -> Json:
    return {"type": "actions", "elements": list(elements), **({"block_id": block_id} if block_id else {})}


def sure(title: str, text: str, go: str, **more: str) -> Json:
    return {
        "title": plain(title),
        "text": plain(text),
        "confirm": plain(go),
        "deny": plain("Not yet"),
        **more,
    }


WHEN = {
    "type": "date",
    "timestamp": 1795512000,
    "format": "{date_short_pretty} {time}",
    "fallback": "24 Nov 2026",
}
OPTIONS = [option("athena", "no attempt seen"), option("kms"), option("sns")]
DIVIDER: Json = {"type": "divider"}

TICKET = [
    header("Ticket 12: remove 19 of 25 services from DBAdminRole"),
    rich(
        line(
            emoji("raised_hand"),
            said(" Waiting for approval, 0 of 2", "bold"),
            said(" · "),
            {"type": "usergroup", "usergroup_id": APPROVERS},
            said(", until "),
            WHEN,
        )
    ),
    {
        "type": "context",
        "elements": [
            plain("Role in prod (111111111111)", emoji=False),
            {
                "type": "mrkdwn",
                "text": f"Owner <@{CAROL}>, <!date^1795512000^{{date_short_pretty}}|then>",
                "verbatim": True,
            },
        ],
    },
    rich(
        {
            "type": "rich_text_quote",
            "elements": [
                said("Reason: ", "bold"),
                said(HOSTILE),
            ],
        }
    ),
    rich(
        line(said("What changes", "bold"), said(", one role "), said("db-admin-inline", "code")),
        bullets(line(said("Edit", "bold"), said(" db-admin-inline: 10 services out"))),
        bullets(line(said("athena:*", "code", "strike")), line(said("why", "italic")), indent=1),
        bullets(line(said("deeper")), indent=2),
        bullets(line(said("first")), line(said("then")), style="ordered"),
    ),
    actions(
        button(
            "ticket.approve",
            "Approve",
            style="primary",
            confirm=sure("Approve ticket 12?", "Takes 19 services.", "Approve it"),
        ),
        button(
            "ticket.rollback",
            "Roll back…",
            style="danger",
            confirm=sure("Roll back?", "This writes to AWS.", "Write it", style="danger"),
        ),
        button("ticket.diff", "Show the diff"),
        button("ticket.link", "Go to it", url="https://sandbox.slack.com/archives/C0SECURITY1/p1"),
        {
            "type": "overflow",
            "action_id": "ticket.more",
            "options": [option("Keep"), option("Cancel the ticket")],
        },
    ),
    context("Rests on the report of today. Before writing, the bot reads everything again."),
]
DIFF = [
    rich(
        line(said("What it writes", "bold")),
        {
            "type": "rich_text_preformatted",
            "elements": [
                said('  Statement 1 "Db": Allow\n-   athena:*\n    s3:*\n- arn:aws:iam::aws:policy/X')
            ],
        },
    ),
    section("*Now* `s3:*` :white_check_mark: and <https://docs.aws.amazon.com/|the manual>"),
]
_HEAD = [{"type": "raw_text", "text": t} for t in ("Service", "Days", "Grant")]
_ROWS = [
    [
        {"type": "raw_text", "text": f"service-{n}"},
        {"type": "raw_number", "value": n, "text": str(n)},
        rich(line(said("db-admin-inline", "code"))),
    ]
    for n in range(1, 18)
]
TABLE = [
    section("All services"),
    {"type": "data_table", "caption": "17 services", "page_size": 15, "rows": [_HEAD, *_ROWS]},
]
PLAIN_TABLE = [
    {
        "type": "table",
        "column_settings": [{"is_wrapped": True}, {"align": "right"}],
        "rows": [_HEAD, *_ROWS[:3]],
    }
]


def _chart(kind: str) -> Json:
    data = [{"label": t, "value": v} for t, v in (("Used", 2), ("Stale", 1), ("No attempt", 22))]
    more = {"segments": data} if kind == "pie" else {"series": [{"name": "Services", "data": data}]}
    axis = {} if kind == "pie" else {"axis_config": {"categories": ["Used", "Stale", "No attempt"]}}
    return {
        "type": "data_visualization",
        "title": f"2 of 25 ({kind})",
        "chart": {"type": kind, **more, **axis},
    }


CHARTS = [_chart(kind) for kind in ("bar", "line", "area")]
STEPS = [
    {
        "type": "plan",
        "title": "Step 2 of 3",
        "tasks": [
            {"type": "task_card", "task_id": f"s{n}", "title": f"Step {n}", "status": status}
            for n, status in enumerate(("complete", "in_progress", "pending", "error"))
        ],
    }
]
DIGEST = [
    section("*What changed*"),
    {
        **section("db-backup: 6 could go"),
        "block_id": "one",
        "accessory": button("digest.ticket", "First…") | {"value": "1"},
    },
    {
        **section("etl: 7 could go"),
        "block_id": "two",
        "accessory": button("digest.ticket", "Second…") | {"value": "2"},
    },
    {
        "type": "section",
        "fields": [{"type": "mrkdwn", "text": "*Used*\n2"}, {"type": "mrkdwn", "text": "*Stale*\n1"}],
    },
    DIVIDER,
    actions(
        {
            "type": "static_select",
            "action_id": "pick.one",
            "placeholder": plain("Show the audit of…"),
            "options": OPTIONS,
        },
        {
            "type": "external_select",
            "action_id": "pick.far",
            "placeholder": plain("Who used…"),
            "min_query_length": 0,
        },
        {
            "type": "multi_static_select",
            "action_id": "pick.many",
            "placeholder": plain("Keep…"),
            "options": OPTIONS,
        },
        {"type": "multi_external_select", "action_id": "pick.fars", "placeholder": plain("Far…")},
        {"type": "datepicker", "action_id": "pick.day", "initial_date": "2027-02-22"},
        block_id="picks",
    ),
    actions(
        {
            "type": "checkboxes",
            "action_id": "tick.many",
            "options": OPTIONS,
            "initial_options": [OPTIONS[0], OPTIONS[1]],
        },
        {"type": "radio_buttons", "action_id": "tick.one", "options": OPTIONS, "initial_option": OPTIONS[2]},
        block_id="ticks",
    ),
]
PICTURE = [
    {
        "type": "image",
        "image_url": "https://example.com/a.png",
        "alt_text": "A picture of elsewhere",
        "title": plain("Elsewhere"),
    }
]
WORDS = "large_green_circle large_yellow_circle white_circle grey_question key hourglass_flowing_sand raised_hand white_check_mark "
WORDS += "leftwards_arrow_with_hook no_entry heavy_minus_sign warning rotating_light eyes lock"
VOCABULARY = [
    rich(line(*(leaf for name in WORDS.split() for leaf in (emoji(name), said(" "))))),
    section(" ".join(f":{name}:" for name in WORDS.split())),
]

MESSAGES = {
    "ticket": TICKET,
    "diff": DIFF,
    "data_table": TABLE,
    "table": PLAIN_TABLE,
    "charts": CHARTS,
    "steps": STEPS,
    "digest": DIGEST,
    "picture": PICTURE,
    "vocabulary": VOCABULARY,
}
PRIVATE = [
    rich(line(emoji("no_entry"), said(" You may not approve this. "), {"type": "user", "user_id": CAROL})),
    PLAIN_TABLE[0],
]
HOME = [
    actions(button("home.new", "New audit…", style="primary")),
    header("Waiting for you: 2"),
    *DIGEST,
    *TICKET[1:],
]
ALERTS = [
    {"type": "alert", "block_id": f"a-{level}", "level": level, "text": plain(f"An alert: {level}")}
    for level in ("default", "info", "warning", "error", "success")
]
