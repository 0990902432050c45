"""Answers to one person: help, usage errors, refusals, lists, and where a result went. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from advisor.core.model import Account, Entity, Failure, Kind
from handlers.blocks import kit, words
from handlers.blocks.kit import Message

ONLY_YOU = "Only you see this."

_HELP = """\
/iam-audit role DBAdminRole            what it uses, and since when
/iam-audit user | group | policy NAME  the same; an ARN works too
      account=prod  actions  days=1..400  fresh     options, any order
/iam-audit                             a form with type-ahead
/iam-audit tickets · ticket 12         what waits, and one ticket
/iam-audit keeps · keep end 5          what is kept, and end one
/iam-audit sweep account=all           every entity; weekly sun 02:00 · off
/iam-audit regroup account=prod        groups of equal use, proposed
/iam-audit history role NAME           how use and grants developed; account=prod too
/iam-audit why role NAME s3:GetObject  what grants it, last use, who decided what
/iam-audit org [OU|ACCOUNT]            what SCPs allow and no account uses
/iam-audit digest weekly mon 09:00     a digest for this channel
      daily  monthly last  now  list  edit  off
/iam-audit log export                  the whole log, for admins
/iam-audit whoami · accounts · help"""


def _warned(title: str, *more: Any, icon: str = "warning", note: str = ONLY_YOU) -> list[Any]:
    head = kit.rich(kit.section(kit.emoji(icon), kit.text(f" {title}", bold=True)))
    return [head, *more, kit.small(note)]


def help_() -> Message:
    """What can be typed."""
    lead = kit.section(
        kit.text("What IAM Audit can do. ", bold=True),
        kit.text("Audits only read; nothing changes in AWS without an approved ticket."),
    )
    note = "Commands do not work inside threads (Slack’s rule): use the card’s buttons there. The result is posted in this channel."
    text = "IAM Audit: /iam-audit role NAME shows what a role uses. Also user, group, policy, an ARN, tickets, keeps, whoami, accounts. Nothing changes in AWS without an approved ticket."
    return Message(text, [kit.rich(lead), kit.rich(kit.preformatted(_HELP)), kit.small(note)])


def usage(typed: str, wrong: str, hint: str, near: Sequence[str]) -> Message:
    """What was typed is not understood; the nearest right commands."""
    title = (
        f"Not understood: “{kit.clip(wrong, 80)}”. Nothing was started."
        if wrong
        else "Not understood. Nothing was started."
    )
    more: list[Any] = []
    if not wrong and typed:
        more.append(kit.rich(kit.section(kit.text("You typed:")), kit.preformatted(kit.clip(typed, 300))))
    more.append(kit.rich(kit.section(kit.text(hint))))
    if near:
        more.append(kit.rich(kit.preformatted("\n".join(near))))
    text = (
        f"Not understood: {kit.clip(wrong, 80) or 'what was typed'}. {hint} {near[0] if near else ''}".strip()
    )
    return Message(text, _warned(title, *more, note=f"/iam-audit help lists everything. {ONLY_YOU}"))


_REFUSED = {
    "guest": ("Guests may not use IAM Audit", "Ask a full member of this workspace. Nothing was started."),
    "foreign": (
        "IAM Audit is not for people of another company",
        "Nothing was started, and nothing about AWS is shown here.",
    ),
    "bot": ("Bots may not use IAM Audit", "A person has to ask. Nothing was started."),
    "deactivated": ("This account is deactivated", "Nothing was started."),
    "auditor": (
        "You may not audit here",
        "The operator lets only some people audit. Ask whoever runs IAM Audit to add you. Nothing was started.",
    ),
    "admin": (
        "Only admins may export the log",
        "The operator’s settings name them. Nothing was sent. Your try is in the log.",
    ),
    "unknown": (
        "It could not be checked who you are",
        "Slack did not answer. Nothing was started. Try again in a minute.",
    ),
}


def refused(reason: str) -> Message:
    """Who may not, and whom to ask."""
    return _declined(*_REFUSED[reason], icon="no_entry")


_UNDONE = {
    "archived": ("This channel is archived", "Nothing can be posted there. Choose another channel."),
    "silent": (
        "AWS does not say which accounts there are",
        "Nothing was scheduled. Try again in a minute, or leave account= out.",
    ),
    "broken": (
        "Something went wrong inside IAM Audit",
        "Nothing was done. The operator’s log says what it was.",
    ),
    "unknown": (
        "It could not be checked who you are",
        "Slack did not answer. Nothing was done. Try again in a minute.",
    ),
}


def undone(word: str, own: Mapping[str, tuple[str, str]]) -> Message:
    """What did not happen with something scheduled, by the word of its outcome; `own` is what its surface says itself."""
    if word.startswith("no_account:"):
        title = f"There is no account “{kit.clip(word.partition(':')[2], 60)}”"
        return _declined(title, "/iam-audit accounts lists them. Nothing was scheduled.")
    said = own.get(word) or _UNDONE.get(word)
    return _declined(*said) if said else refused(word)


def _declined(title: str, rest: str, icon: str = "warning") -> Message:
    return Message(f"{title}. {rest}", _warned(title, kit.rich(kit.section(kit.text(rest))), icon=icon))


def whoami(
    *,
    auditor: str,
    groups: Sequence[str],
    approver: bool,
    admin: bool,
    approvals: int,
    own: bool,
    writes: bool,
) -> Message:
    """What the person may do, by the settings of now. `auditor` is a refusal's word, or empty."""

    def line(may: bool, what: str) -> Any:
        return kit.section(kit.emoji("white_check_mark" if may else "no_entry"), kit.text(f" {what}"))

    lines = [
        line(not auditor, "Audit, history, export, open tickets"),
        line(approver, "Approve, reject, roll back"),
        line(approver and own, "Approve your own tickets"),
        line(admin, "Cancel any ticket, log export (admins only)"),
    ]
    lead = kit.section(kit.text("What you may do", bold=True))
    why = [] if not auditor else [kit.rich(kit.section(kit.text(_REFUSED[auditor][0] + ".")))]
    need = f"{words.some(approvals, 'approval')} {'is' if approvals == 1 else 'are'} needed for a change."
    need = need if writes else "This installation never writes to AWS: tickets are advice."
    note = f"{need} By the settings that the bot was started with. {ONLY_YOU}"
    member = f" User groups that count: {', '.join(groups)}." if groups else ""
    text = f"You may {'not ' if auditor else ''}audit and open tickets. You are {'an' if approver else 'no'} approver and {'an' if admin else 'no'} admin."
    return Message(text, [kit.rich(lead, kit.bullets(lines)), *why, kit.small(note + member)])


def log_export(rows: int, last: str, broken: int | None) -> Message:
    """What stands above an exported log, and how to check it."""
    text = f"The log has {words.some(rows, 'row')}; the last hash is {last[:16] or '–'}."
    bad = f" Row {broken} does not fit the one before it: the log was changed." if broken is not None else ""
    icon = "warning" if bad else "page_facing_up"
    check = kit.section(
        kit.text("Check the file anywhere with "), kit.code("python bot.py verify iam-audit-log.jsonl")
    )
    lead = kit.section(kit.emoji(icon), kit.text(f" {text}{bad}"))
    return Message(
        text + bad,
        [kit.rich(lead), kit.rich(check), kit.small("Keep the last hash: it shows when an end was cut off.")],
    )


def log_refused(why: str) -> Message:
    """Slack took no log file."""
    text = f"The log is not here: {kit.clip(why, 200)}. Type /iam-audit log export for another try."
    return Message(text, [kit.rich(kit.section(kit.emoji("warning"), kit.text(f" {text}")))])


def accounts(rows: Sequence[tuple[Account, str, str]]) -> Message:
    """Each account with whether it can be read, and when its names were listed."""
    heads = ["Account", "Id", "Read", "Names listed (UTC)"]
    cells = [
        [kit.cell(a.alias or ("own" if a.own else "")), kit.cell(a.id), kit.cell(state, 200), kit.cell(at)]
        for a, state, at in rows[:99]
    ]
    kept = kit.within(cells, 8_500)
    can = sum(state == "yes" for _, state, _ in rows)
    more = f" {len(rows) - len(kept):,} more are not shown." if len(rows) > len(kept) else ""
    text = f"{words.some(len(rows), 'account')}: {can} of {len(rows)} can be read."
    bad = [f"{words.account_word(a)} ({state})" for a, state, _ in rows if state != "yes"]
    text += f" Not: {', '.join(bad[:5])}." if bad else ""
    table = kit.table(heads, kept, [kit.WIDE, kit.WIDE, kit.WRAPPED, kit.WIDE])
    return Message(text, [table, kit.small(f"{ONLY_YOU}{more}")])


def ended(failure: Failure, kind: Kind | None, name: str, accounts_: Sequence[Account]) -> Message:
    """A request that became no audit: nothing of that name, no such account, refused at the door."""
    noun = kind.value if kind else "entity"
    shown = kit.clip(name, kit.NAME)
    if failure.code == "not_found":
        near = [f"/iam-audit {noun} {n}" for n in failure.message.split("\n") if n]
        where = (
            f" in {words.account_name(accounts_[0])}"
            if len(accounts_) == 1
            else f" in {words.some(len(accounts_), 'account')}"
        )
        title = f"No {noun} “{shown}”{where}. Nothing was started."
        more = (
            [kit.rich(kit.section(kit.text("Nearest names:"))), kit.rich(kit.preformatted("\n".join(near)))]
            if near
            else []
        )
        text = f"No {noun} named {shown}{where}." + (
            f" Nearest: {', '.join(n.rsplit(' ', 1)[-1] for n in near)}." if near else ""
        )
        if failure.role:
            more.append(kit.rich(kit.section(kit.text(f"Could not be asked: {failure.role}."))))
        return Message(
            text, _warned(title, *more, note=f"/iam-audit accounts lists where the bot looks. {ONLY_YOU}")
        )
    if failure.code == "invalid" and failure.call == "account":
        names = ", ".join(words.account_word(a) for a in accounts_[:20])
        title = f"No account “{kit.clip(failure.account, 60)}”. Nothing was started."
        line = f"The bot looks in: {names}." if names else "The bot has no account to look in."
        return Message(f"{title} {line}", _warned(title, kit.rich(kit.section(kit.text(line)))))
    reason = words.because(failure, shown, next((a for a in accounts_ if a.id == failure.account), None))
    title = f"No audit of “{shown}”: {reason}. Nothing was started."
    lines: list[Any] = [kit.section(kit.text("What helps: ", bold=True), kit.text(words.helps(failure)))]
    if failure.call:
        lines.append(
            kit.preformatted(
                "\n".join(t for t in (failure.call, failure.role and f"refused to {failure.role}") if t)
            )
        )
    return Message(f"{title} {failure.call}".strip(), _warned(title, kit.rich(*lines)))


def ambiguous(request_id: int, name: str, found: Sequence[tuple[Entity, Account]]) -> Message:
    """Several entities bear a name: a button for each."""
    shown = kit.clip(name, kit.NAME)
    places = {a.id for _, a in found}
    where = f"in {words.some(len(places), 'account')}" if len(places) > 1 else "the name of several policies"
    title = f"“{shown}” is {where}. Nothing was started."
    buttons, lines = [], []
    for entity, account in found[:25]:
        word = words.account_word(account)
        owner = " (AWS)" if entity.aws_managed else ""
        buttons.append(
            kit.button(
                kit.clip(f"{words.kind_of(entity)} in {word}", 70), f"audit.choose.{entity.id}", entity.id
            )
        )
        lines.append(f"{entity.arn}{owner} · {words.account_name(account)}")
    more = [kit.rich(kit.section(kit.text("Say which:")), kit.preformatted("\n".join(lines)))]
    more.append(kit.actions(*buttons, block_id=f"audit.choose:{request_id}"))  # type: ignore[arg-type]
    text = f"{shown} is {where}. Say which with a button, or with account=."
    return Message(text, _warned(title, *more))


def elsewhere(reason: str, name: str) -> Message:
    """The result does not come here but by direct message, and why."""
    shown = kit.clip(name, kit.NAME)
    if reason == "shared":
        title = "This channel is shared with another company"
        line = f"Nothing about IAM is posted here. The result of {shown} goes to you as a direct message."
        return Message(f"{title}. {line}", _warned(title, kit.rich(kit.section(kit.text(line)))))
    if reason == "archived":
        title = "This channel is archived"
        line = f"The result of {shown} goes to you as a direct message."
        return Message(f"{title}. {line}", _warned(title, kit.rich(kit.section(kit.text(line)))))
    title = "IAM Audit is not in this channel"
    line = f"The result of {shown} goes to you as a direct message. To see results here, type:"
    more = kit.rich(kit.section(kit.text(line)), kit.preformatted("/invite @iam-audit"))
    return Message(
        f"{title}, so the result of {shown} goes to you as a direct message. To see results here, type /invite @iam-audit.",
        _warned(title, more),
    )


_SAID = {
    "old_card": (
        "This card is older than the bot’s memory",
        "Ask again: /iam-audit role NAME. Nothing was changed.",
    ),
    "running": ("This audit is already under way", "Its card becomes the result. Nothing was started twice."),
    "no_result": (
        "This card has no result yet",
        "Wait for it, or press Retry where it is offered. Nothing was changed.",
    ),
    "old_service": (
        "This list belongs to an earlier result",
        "Open the list again and pick the service anew. Nothing was changed.",
    ),
    "unknown_button": (
        "This button is not known any more",
        "It is from another release. Ask again: /iam-audit role NAME. Nothing was changed.",
    ),
    "thinned": (
        "The result of this card is not kept any more",
        "Press Refresh on it, then open a ticket. Nothing was changed.",
    ),
    "sweep_ended": ("This sweep has ended already", "Its card says what was read. Nothing was stopped."),
    "question_running": (
        "This question is not waiting for another try",
        "Its card says what stands. Nothing was started twice.",
    ),
    "noted": ("It is under way", "The answer comes in the thread of the card."),
}


def said(what: str) -> Message:
    """Short answers to a press."""
    title, line = _SAID[what]
    return Message(f"{title}. {line}", _warned(title, kit.rich(kit.section(kit.text(line)))))


def broken(reference: str) -> Message:
    """A fault of ours, with a number for the operator."""
    lead = kit.section(
        kit.emoji("warning"),
        kit.text(" Something went wrong inside IAM Audit. ", bold=True),
        kit.text(
            "Nothing was changed in AWS. Try again; if it fails again, give your operator this number: "
        ),
        kit.code(reference),
        kit.text("."),
    )
    text = f"Something went wrong inside IAM Audit. Nothing was changed in AWS. Reference {reference}."
    return Message(text, [kit.rich(lead), kit.small(ONLY_YOU)])
