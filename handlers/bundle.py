"""The zip of a ticket's evidence, the same bytes for the same content; and its check, which needs nothing but the file.

Nothing in it is compressed and no entry has a time of its own, so that the zip can be made again from what is in it and
compared: a byte that was changed anywhere is found, also where an unpacker would not look.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from advisor.core import evidence
from advisor.core.evidence import Evidence
from advisor.core.writes import Check
from advisor.edges.catalogue import of_process
from advisor.edges.store import exported_rows, verify_lines
from handlers import exports
from handlers.blocks.ticket_view import TicketView
from handlers.files import File

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold."""

_MOST = 64 * 1024 * 1024
"""Bytes that a bundle has at most; one of ours has a few hundred thousand."""

README = """\
The evidence of one ticket of IAM Audit.

evidence.json  what it rests on, who decided, the documents before and after, and each write with AWS's request id
plan.json      what was approved; its SHA-256 is the fingerprint of the plan
log.json       the rows of the bot's log about the ticket, each with the hash of the row before it
diff.txt       the documents before and after, as a diff and letter by letter
after.json     the documents that the plan leaves
MANIFEST.json  the SHA-256 of every other file

To check it, without a network: python bot.py verify FILE
With an export of the log, which admins get by /iam-audit log export: python bot.py verify FILE LOG
"""


def bundle(of: Evidence, view: TicketView) -> File:
    """The one file."""
    found = evidence.files(of)
    found["diff.txt"] = exports.diff_text(view).encode("utf-8", "backslashreplace")
    found["after.json"] = exports.after_json(view).encode("utf-8", "backslashreplace")
    found["README.txt"] = README.encode()
    found[evidence.MANIFEST] = evidence.manifest(found)
    name = f"ticket-{of.ticket.id}-evidence.zip"
    return File(name, f"Ticket {of.ticket.id}, evidence", packed(found))


def packed(found: Mapping[str, bytes]) -> bytes:
    """A zip of these files, by name."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(found):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3  # Unix wherever it is made
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, found[name])
    return out.getvalue()


def is_bundle(content: bytes) -> bool:
    """Whether a file looks like a zip, at its beginning or (where that was changed) at its end."""
    return content.startswith(b"PK") or b"PK\x05\x06" in content[-64:]


def checked(content: bytes) -> tuple[Check, ...]:
    """What holds of a bundle and what does not."""
    if len(content) > _MOST:
        return (Check(holds=False, said="too big to be a bundle of evidence"),)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            # Nothing of ours is compressed: what is, could unpack to any size.
            if any(i.compress_type != zipfile.ZIP_STORED or i.flag_bits & 1 for i in archive.infolist()):
                return (
                    Check(holds=False, said="the zip is not as the bot makes it: something is compressed"),
                )
            found = {i.filename: archive.read(i) for i in archive.infolist()}
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        return (Check(holds=False, said=f"the zip is damaged: {type(error).__name__}"),)
    try:
        same = packed(found) == content
    except (ValueError, UnicodeError):
        same = False
    whole = "the zip is byte by byte as the bot makes it"
    said = whole if same else "the zip is not byte by byte as the bot makes it"
    return (Check(same, said), *evidence.check(found, of_process()))


def verify(content: bytes, log: Path | None, say: Callable[[str], object]) -> bool:
    """Check a bundle, and its rows against an exported log; one line each. Raises OSError, ValueError for the log."""
    found = [*checked(content)]
    if log is not None and all(c.holds for c in found):
        found += _with_log(content, log.read_text("utf-8"))
    for one in found:
        say(f"{'ok  ' if one.holds else 'FAIL'} {one.said}")
    whole = all(c.holds for c in found)
    say(f"{'whole' if whole else 'broken'}: SHA-256 {evidence.digest(content)}")
    return whole


def _with_log(content: bytes, text: str) -> list[Check]:
    count, last, broken = verify_lines(text)
    if broken is not None:
        return [Check(holds=False, said=f"the log is broken at row {broken} of {count}")]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        found = {evidence.LOG: archive.read(evidence.LOG)}
    whole = Check(holds=True, said=f"the log is whole: {count} rows, last hash {last or 'none'}")
    return [whole, evidence.against(found, exported_rows(text))]
