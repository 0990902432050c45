"""The card of a question by its state; what an answered one says stands in a module of its kind. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from advisor.core.estate import Question, QuestionKind, SweepState
from advisor.core.model import Account, Entity, Failure
from handlers.blocks import answers, kit, words
from handlers.blocks.kit import Message, Part

EXPORT, RETRY = "question.export", "question.retry"
_SLOW = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class QuestionView:
    """Everything that a card of one question is drawn from. `asked` are its words, and what earlier tries left."""

    question: Question
    asked: Mapping[str, str]
    now: Any
    accounts: tuple[Account, ...] = ()
    entity: Entity | None = None

    def account(self, account_id: str) -> Account:
        """An account with its alias, where one is known."""
        return next((a for a in self.accounts if a.id == account_id), Account(account_id))

    @property
    def of(self) -> str:
        """What was asked about, as typed, clipped: untrusted."""
        named = self.asked.get("name") or self.asked.get("target") or self.asked.get("account") or ""
        return kit.clip(named.rpartition("/")[2], kit.NAME)


def title(view: QuestionView) -> str:
    """What is asked, in a few words."""
    match view.question.kind:
        case QuestionKind.ORG:
            return f"Services that SCPs allow in {view.of or 'the whole organisation'}"
        case QuestionKind.REGROUP:
            return f"Groups of similar use in {view.of or 'the bot’s own account'}"
        case QuestionKind.WHY:
            return f"Why {view.of} has {kit.clip(view.asked.get('action', ''), kit.NAME)}"
        case _:
            return f"History of {view.of or 'the bot’s own account'}"


def whose(view: QuestionView) -> list[Any]:
    """For whom, and with which number."""
    return [
        kit.fixed(f"Asked by <@{view.question.user}>"),
        kit.plain(f"Question {view.question.id}"),
    ]


def under_way(view: QuestionView) -> Message:
    """Queued or running."""
    state, note = _progress(view)
    line = kit.section(
        kit.emoji("hourglass_flowing_sand"), kit.text(f" {state}", bold=True), kit.text(f" · {note}")
    )
    blocks: list[Any] = [kit.header(f"{title(view)}…"), kit.rich(line)]
    if view.now - view.question.created_at > _SLOW:
        until = kit.token(view.question.deadline_at, "{time}")
        blocks.append(
            kit.words(
                f"You need not ask again. If there is no answer by {until}, this card says so and offers a retry."
            )
        )
    promise = kit.plain("This card becomes the answer. A question changes nothing.")
    blocks.append(kit.context(*whose(view), promise))
    return Message(f"{title(view)}: {state.lower()}, {note}. This message becomes the answer.", blocks)


def _progress(view: QuestionView) -> tuple[str, str]:
    question = view.question
    if question.state is SweepState.QUEUED:
        return "Queued", "it is looked at now"
    if question.tries > 1:
        return "Running", "AWS is limiting the rate or gives no answer; the bot waits and tries again"
    if view.asked.get("waits") == "turn":
        return (
            "Running",
            "AWS makes one such report at a time and is busy with another; the bot waits its turn",
        )
    if question.kind is QuestionKind.ORG:
        return "Running", "AWS is building the report on the organisation, usually a few seconds"
    return "Running", "the bot is working it out"


def failed(view: QuestionView) -> Message:
    """No answer: why, and what helps."""
    failure = view.question.failure or Failure("aws")
    reason, help_ = because(view, failure), helps(failure)
    told: list[Any] = [kit.section(kit.text("What helps: ", bold=True), kit.text(help_))]
    if failure.code == "refused" and ":" in failure.call:
        whom = [f"refused to {failure.role}"] if failure.role else []
        told.append(kit.preformatted("\n".join([*failure.call.split("\n"), *whom])))
    elif failure.message and failure.code in {"report_failed", "invalid", "throttled", "unreachable"}:
        told += [kit.section(kit.text("AWS’s own words:")), kit.quote(failure.message)]
    note = f"AWS request {failure.request_id}" if failure.request_id else "Nothing was changed."
    lead: list[Part] = [
        kit.emoji("warning"),
        kit.text(" Failed", bold=True),
        kit.text(f" · {reason}\nNothing is known either way: this is not “unused”. Nothing was changed."),
    ]
    blocks = [
        kit.header(f"No answer: {_small(title(view))}"),
        kit.rich(kit.section(*lead)),
        kit.rich(*told),
        kit.actions(kit.button("Retry", RETRY, view.question.id, style="primary")),
        kit.context(*whose(view), kit.plain(note)),
    ]
    call = f" ({failure.call.split(chr(10))[0]})" if failure.call and failure.call not in reason else ""
    said = f"No answer: {_small(title(view))}: {reason}{call}. Nothing is known either way and nothing was changed."
    return Message(f"{said} Retry is offered.", blocks)


def _small(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def because(view: QuestionView, failure: Failure) -> str:
    """Why there is no answer, after the word Failed."""
    own = words.account_name(view.account(failure.account)) if failure.account else "the bot’s own account"
    message = kit.clip(failure.message, kit.NAME)
    match failure.code:
        case "no_organization":
            return f"{own}, where the bot runs, is in no organisation"
        case "not_management":
            return f"the bot runs in {own}, and AWS tells this only to the management account, {message}"
        case "no_scps":
            return f"service control policies are not turned on at the root {message}"
        case "org_busy":
            return "AWS makes one such report at a time, and was busy with others all the while"
        case "refused" if failure.call.startswith("organizations:"):
            return "AWS refuses the bot to read the organisation"
        case "not_found" if view.question.kind is QuestionKind.ORG:
            return f"there is no root, organisational unit or account “{message}” in the organisation"
        case _:
            return words.because(failure, view.of, view.account(failure.account) if failure.account else None)


def helps(failure: Failure) -> str:
    """What helps, and whether a retry alone can."""
    return _HELPS.get(failure.code) or words.helps(failure)


_HELPS = {
    "no_organization": "nothing, if this account stands alone. /iam-audit regroup and history work without an organisation.",
    "not_management": "a bot that runs in the management account, or one there that is asked by hand. A retry alone will fail again.",
    "no_scps": "an administrator turns on service control policies in AWS Organizations, then Retry. Until then every service is allowed.",
    "org_busy": "Retry in a few minutes.",
    "not_found": "/iam-audit org without a word asks about the whole organisation; AWS Organizations lists the ids.",
}


# -- answers to one person -------------------------------------------------------------------------------------------


def private(view: QuestionView, nearest: Sequence[str] = ()) -> Message:
    """A question that ended before a card stood: who may not, or what to type instead."""
    failure = view.question.failure or Failure("aws")
    if failure.code == "forbidden":
        return answers.refused(failure.message)
    heading, line, lines = _told(view, failure, nearest)
    blocks: list[Any] = [
        kit.rich(kit.section(kit.emoji("warning"), kit.text(f" {heading}. Nothing was started.", bold=True))),
        kit.rich(kit.section(kit.text(line)), *([kit.preformatted("\n".join(lines))] if lines else [])),
        kit.small(answers.ONLY_YOU),
    ]
    return Message(f"{heading}. {line} {lines[0] if lines else ''}".strip(), blocks)


def _told(view: QuestionView, failure: Failure, nearest: Sequence[str]) -> tuple[str, str, Sequence[str]]:
    account = words.account_name(view.account(failure.account)) if failure.account else ""
    match failure.code:
        case "no_scores":
            word = view.account(failure.account).alias or failure.account
            return (
                f"No history of {account} yet",
                "A history is made of stored reports. A sweep stores one for every entity:",
                [f"/iam-audit sweep account={word}"],
            )
        case "no_reports":
            kind = view.entity.kind.value if view.entity else view.asked.get("kind") or "role"
            name = kit.clip(failure.message, kit.NAME)
            line = "A history is made of stored reports. An audit stores one:"
            return f"No report of {name} is stored", line, [f"/iam-audit {kind} {name}"]
        case "no_account":
            names = ", ".join(words.account_word(a) for a in view.accounts[:20])
            return f"No account “{kit.clip(failure.message, 60)}”", f"The bot looks in: {names}.", []
        case "not_found":
            kind = view.asked.get("kind") or "role"
            line = "Nobody of that name was seen yet." + (" Nearest names:" if nearest else "")
            near = [_again(view, f"{kind} {n}") for n in nearest]
            return f"Nothing is known of “{kit.clip(failure.message, kit.NAME)}”", line, near
        case "no_action":
            typed, *right = failure.message.split("\n")
            line = "AWS has no action of that name." + (" Nearest:" if right else "")
            return (
                f"“{kit.clip(typed, kit.NAME)}” is not known",
                line,
                [_again(view, action=a) for a in right],
            )
        case "ambiguous":
            name, *lines = failure.message.split("\n")
            many = f"“{kit.clip(name, kit.NAME)}” is in several places"
            return many, "Say which:", [kit.clip(one, 300) for one in lines[:20]]
        case "not_offered":
            return "This question is not known", "This release of IAM Audit does not answer it.", []
        case _:
            reason = because(view, failure)
            lines = [failure.call] if failure.code == "refused" and ":" in failure.call else []
            return f"No answer: {reason}", f"What helps: {helps(failure)}", lines


def _again(view: QuestionView, whom: str = "", action: str = "") -> str:
    """The command as typed, for somebody else or another action."""
    asked = view.asked
    if not whom:
        whom = " ".join(w for w in (asked.get("kind"), asked.get("name")) if w)
        whom += f" account={asked['account']}" if asked.get("account") else ""
    if view.question.kind is QuestionKind.WHY:
        return kit.clip(f"/iam-audit why {whom} {action or asked.get('action', '')}", 300)
    return f"/iam-audit history {whom}"


def elsewhere(view: QuestionView, reason: str) -> Message:
    """The answer does not come here but by direct message, and why."""
    return answers.elsewhere(reason, _small(title(view)))


def exported(view: QuestionView, rows: int) -> Message:
    """The line beside an exported file."""
    lead = kit.section(
        kit.text("CSV and JSON", bold=True), kit.text(f" · {title(view)}, {words.some(rows, 'row')}")
    )
    note = "Whoever can read this thread can read the files."
    return Message(
        f"CSV and JSON: {title(view)}, {words.some(rows, 'row')}. {note}", [kit.rich(lead), kit.small(note)]
    )


def file_refused(view: QuestionView, rows: int, why: str) -> Message:
    """Slack took no file."""
    text = f"Slack refused the file ({words.some(rows, 'row')}) of {title(view)}: {why}. "
    text += "Press the button again once that is mended; nothing was lost."
    return Message(text, [kit.rich(kit.section(kit.emoji("warning"), kit.text(f" {text}")))])
