"""The schema's history, top to bottom. Append only: a migration that has shipped is never edited."""

from __future__ import annotations

from sqlite_utils import Database, Migrations

migrations = Migrations("iam-audit")

_FIRST = """
CREATE TABLE entity (
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, arn TEXT NOT NULL,
    unique_id TEXT NOT NULL, path TEXT NOT NULL, created_at TEXT, seen_at TEXT NOT NULL, gone_at TEXT,
    UNIQUE (account, arn, unique_id)
);
CREATE INDEX entity_by_name ON entity (kind, name COLLATE NOCASE, account) WHERE gone_at IS NULL;
CREATE TABLE directory (account TEXT PRIMARY KEY, listed_at TEXT NOT NULL, failure TEXT);
CREATE TABLE document (id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, text TEXT NOT NULL);
CREATE TABLE snapshot (
    id INTEGER PRIMARY KEY, entity_id INTEGER NOT NULL REFERENCES entity(id), read_at TEXT NOT NULL, facts TEXT NOT NULL
);
CREATE INDEX snapshot_of_entity ON snapshot (entity_id);
CREATE TABLE policy (
    id INTEGER PRIMARY KEY, snapshot_id INTEGER NOT NULL REFERENCES snapshot(id) ON DELETE CASCADE,
    name TEXT NOT NULL, kind TEXT NOT NULL, arn TEXT NOT NULL, version TEXT NOT NULL, attachments INTEGER NOT NULL,
    group_name TEXT NOT NULL, document_id INTEGER NOT NULL REFERENCES document(id)
);
CREATE INDEX policy_of_snapshot ON policy (snapshot_id);
CREATE INDEX policy_of_document ON policy (document_id);
CREATE TABLE report (
    id INTEGER PRIMARY KEY, entity_id INTEGER NOT NULL REFERENCES entity(id), granularity TEXT NOT NULL,
    snapshot_id INTEGER REFERENCES snapshot(id), created_at TEXT NOT NULL, completed_at TEXT NOT NULL,
    complete INTEGER NOT NULL DEFAULT 0, thinned INTEGER NOT NULL DEFAULT 0,
    granted INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX report_of_entity ON report (entity_id, granularity, created_at) WHERE complete = 1;
CREATE INDEX report_of_snapshot ON report (snapshot_id);
CREATE INDEX report_unfinished ON report (id) WHERE complete = 0;
CREATE TABLE service (
    id INTEGER PRIMARY KEY, report_id INTEGER NOT NULL REFERENCES report(id) ON DELETE CASCADE,
    namespace TEXT NOT NULL, name TEXT NOT NULL, last_at TEXT, last_by TEXT NOT NULL, region TEXT NOT NULL,
    entities INTEGER NOT NULL, has_actions INTEGER NOT NULL, grants TEXT
);
CREATE INDEX service_of_report ON service (report_id);
CREATE TABLE action (
    id INTEGER PRIMARY KEY, service_id INTEGER NOT NULL REFERENCES service(id) ON DELETE CASCADE,
    name TEXT NOT NULL, last_at TEXT, last_by TEXT NOT NULL, region TEXT NOT NULL
);
CREATE INDEX action_of_service ON action (service_id);
CREATE TABLE job (
    id INTEGER PRIMARY KEY, entity_id INTEGER NOT NULL REFERENCES entity(id), account TEXT NOT NULL,
    granularity TEXT NOT NULL, state TEXT NOT NULL, created_at TEXT NOT NULL, deadline_at TEXT NOT NULL,
    next_at TEXT NOT NULL, session TEXT NOT NULL DEFAULT '', aws_job_id TEXT NOT NULL DEFAULT '',
    starts INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0, polls INTEGER NOT NULL DEFAULT 0,
    snapshot_id INTEGER REFERENCES snapshot(id), report_id INTEGER REFERENCES report(id), failure TEXT
);
CREATE UNIQUE INDEX job_unfinished ON job (entity_id, granularity) WHERE state IN ('queued', 'running');
CREATE INDEX job_due ON job (next_at) WHERE state IN ('queued', 'running');
CREATE INDEX job_of_snapshot ON job (snapshot_id);
CREATE INDEX job_of_report ON job (report_id);
CREATE TABLE request (
    id INTEGER PRIMARY KEY, user TEXT NOT NULL, channel TEXT NOT NULL, words TEXT NOT NULL,
    kind TEXT, name TEXT NOT NULL, account TEXT NOT NULL, granularity TEXT NOT NULL, days INTEGER NOT NULL,
    fresh INTEGER NOT NULL, state TEXT NOT NULL, created_at TEXT NOT NULL, next_at TEXT NOT NULL,
    entity_id INTEGER REFERENCES entity(id), job_id INTEGER REFERENCES job(id),
    report_id INTEGER REFERENCES report(id), card_id INTEGER REFERENCES notice(id),
    revision INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0, from_store INTEGER NOT NULL DEFAULT 0,
    not_asked TEXT NOT NULL DEFAULT '[]', failure TEXT
);
CREATE INDEX request_due ON request (next_at) WHERE state = 'queued' AND job_id IS NULL;
CREATE INDEX request_of_job ON request (job_id);
CREATE TABLE followup (
    id INTEGER PRIMARY KEY, request_id INTEGER NOT NULL REFERENCES request(id), kind TEXT NOT NULL,
    user TEXT NOT NULL, state TEXT NOT NULL, created_at TEXT NOT NULL, deadline_at TEXT NOT NULL,
    next_at TEXT NOT NULL, report_id INTEGER REFERENCES report(id), service TEXT NOT NULL DEFAULT '',
    job_id INTEGER REFERENCES job(id), tries INTEGER NOT NULL DEFAULT 0, result TEXT NOT NULL DEFAULT '', failure TEXT
);
CREATE INDEX followup_due ON followup (next_at) WHERE state = 'queued';
CREATE INDEX followup_of_job ON followup (job_id) WHERE state = 'running';
CREATE TABLE notice (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, surface TEXT NOT NULL, row_id INTEGER NOT NULL,
    channel TEXT NOT NULL, user TEXT NOT NULL, created_at TEXT NOT NULL, not_before TEXT NOT NULL,
    parent_id INTEGER REFERENCES notice(id), state TEXT NOT NULL DEFAULT 'due', attempts INTEGER NOT NULL DEFAULT 0,
    rung INTEGER NOT NULL DEFAULT 0, ts TEXT NOT NULL DEFAULT '', sent_to TEXT NOT NULL DEFAULT '', sending_at TEXT,
    detail TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX notice_due ON notice (not_before) WHERE state IN ('due', 'sending');
CREATE INDEX notice_of_parent ON notice (parent_id);
CREATE TABLE delivery (key TEXT PRIMARY KEY, answer TEXT NOT NULL, at TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX delivery_at ON delivery (at);
CREATE TABLE log (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, actor TEXT NOT NULL, verb TEXT NOT NULL, subject TEXT NOT NULL,
    detail TEXT NOT NULL, hash TEXT NOT NULL
);
CREATE TRIGGER log_no_update BEFORE UPDATE ON log BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_no_delete BEFORE DELETE ON log BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
"""

_TICKETS = """
CREATE TABLE ticket (
    id INTEGER PRIMARY KEY, entity_id INTEGER NOT NULL REFERENCES entity(id),
    request_id INTEGER NOT NULL REFERENCES request(id), report_id INTEGER NOT NULL REFERENCES report(id),
    state TEXT NOT NULL, requesters TEXT NOT NULL, channel TEXT NOT NULL, reason TEXT NOT NULL, keys TEXT NOT NULL,
    days INTEGER NOT NULL, created_at TEXT NOT NULL, changed_at TEXT NOT NULL, expires_at TEXT NOT NULL,
    next_at TEXT, plan TEXT, fingerprint TEXT NOT NULL DEFAULT '', advice INTEGER NOT NULL DEFAULT 0,
    card_id INTEGER REFERENCES notice(id), revision INTEGER NOT NULL DEFAULT 0, job_id INTEGER REFERENCES job(id),
    run INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0, moved TEXT NOT NULL DEFAULT '[]',
    given TEXT NOT NULL DEFAULT '[]', failure TEXT, by TEXT NOT NULL DEFAULT '', words TEXT NOT NULL DEFAULT '',
    other_id INTEGER REFERENCES ticket(id), owner TEXT NOT NULL DEFAULT '', wanted TEXT NOT NULL DEFAULT '[]',
    seen_report INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX ticket_of_entity ON ticket (entity_id);
CREATE INDEX ticket_unfinished ON ticket (state, next_at)
    WHERE state IN ('draft', 'open', 'approved', 'applying', 'rolling_back', 'needs_human');
CREATE UNIQUE INDEX ticket_open ON ticket (entity_id) WHERE state = 'open';
CREATE TABLE approval (
    ticket_id INTEGER NOT NULL REFERENCES ticket(id), user TEXT NOT NULL, at TEXT NOT NULL, fingerprint TEXT NOT NULL,
    PRIMARY KEY (ticket_id, user)
) WITHOUT ROWID;
CREATE TABLE step (
    id INTEGER PRIMARY KEY, ticket_id INTEGER NOT NULL REFERENCES ticket(id), run INTEGER NOT NULL,
    place INTEGER NOT NULL, back INTEGER NOT NULL, step TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'planned',
    tries INTEGER NOT NULL DEFAULT 0, begun_at TEXT, settled_at TEXT, made TEXT NOT NULL DEFAULT '',
    request_id TEXT NOT NULL DEFAULT '', failure TEXT,
    UNIQUE (ticket_id, run, place)
);
CREATE TRIGGER step_no_delete BEFORE DELETE ON step BEGIN SELECT RAISE(ABORT, 'the journal is kept'); END;
CREATE TABLE press (
    id INTEGER PRIMARY KEY, ticket_id INTEGER NOT NULL REFERENCES ticket(id), verb TEXT NOT NULL, user TEXT NOT NULL,
    channel TEXT NOT NULL, created_at TEXT NOT NULL, next_at TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0,
    words TEXT NOT NULL, services TEXT NOT NULL, until TEXT, state TEXT NOT NULL DEFAULT 'queued',
    outcome TEXT NOT NULL DEFAULT ''
);
CREATE INDEX press_due ON press (next_at) WHERE state = 'queued';
CREATE TABLE keep (
    id INTEGER PRIMARY KEY, entity_id INTEGER NOT NULL REFERENCES entity(id), service TEXT NOT NULL,
    user TEXT NOT NULL, until TEXT NOT NULL, reason TEXT NOT NULL, created_at TEXT NOT NULL, ended_at TEXT,
    ended_by TEXT NOT NULL DEFAULT ''
);
CREATE INDEX keep_standing ON keep (entity_id, until) WHERE ended_at IS NULL;
"""

_ESTATE = """
CREATE TABLE schedule (
    id INTEGER PRIMARY KEY, what TEXT NOT NULL, user TEXT NOT NULL, channel TEXT NOT NULL, cadence TEXT NOT NULL,
    day TEXT NOT NULL, at TEXT NOT NULL, zone TEXT NOT NULL, due_at TEXT NOT NULL, created_at TEXT NOT NULL,
    accounts TEXT NOT NULL DEFAULT '[]', tag TEXT NOT NULL DEFAULT '', severity TEXT NOT NULL DEFAULT '',
    mention TEXT NOT NULL DEFAULT '[]', quiet INTEGER NOT NULL DEFAULT 0, last_at TEXT, ended_at TEXT,
    ended_by TEXT NOT NULL DEFAULT ''
);
CREATE INDEX schedule_due ON schedule (due_at) WHERE ended_at IS NULL;
CREATE TABLE sweep (
    id INTEGER PRIMARY KEY, user TEXT NOT NULL, channel TEXT NOT NULL, asked TEXT NOT NULL, state TEXT NOT NULL,
    created_at TEXT NOT NULL, next_at TEXT NOT NULL, accounts TEXT NOT NULL DEFAULT '[]',
    schedule_id INTEGER NOT NULL DEFAULT 0, silent INTEGER NOT NULL DEFAULT 0, begun_at TEXT, ended_at TEXT,
    card_id INTEGER REFERENCES notice(id), drawn_at TEXT, revision INTEGER NOT NULL DEFAULT 0,
    stop_by TEXT NOT NULL DEFAULT '', by TEXT NOT NULL DEFAULT '', tries INTEGER NOT NULL DEFAULT 0, failure TEXT
);
CREATE INDEX sweep_unfinished ON sweep (state) WHERE state IN ('queued', 'running');
CREATE TABLE sweep_account (
    sweep_id INTEGER NOT NULL REFERENCES sweep(id), account TEXT NOT NULL, alias TEXT NOT NULL, state TEXT NOT NULL,
    total INTEGER NOT NULL DEFAULT 0, done INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,
    gone INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0, rate REAL NOT NULL DEFAULT 0,
    box REAL NOT NULL DEFAULT 0,
    begun_at TEXT, ended_at TEXT, next_at TEXT, failure TEXT, facts TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (sweep_id, account)
) WITHOUT ROWID;
CREATE TABLE sweep_entity (
    sweep_id INTEGER NOT NULL REFERENCES sweep(id), account TEXT NOT NULL,
    entity_id INTEGER NOT NULL REFERENCES entity(id), state TEXT NOT NULL DEFAULT 'queued',
    snapshot_id INTEGER REFERENCES snapshot(id), report_id INTEGER REFERENCES report(id),
    tries INTEGER NOT NULL DEFAULT 0, failure TEXT,
    PRIMARY KEY (sweep_id, account, entity_id)
) WITHOUT ROWID;
CREATE INDEX sweep_entity_state ON sweep_entity (sweep_id, account, state);
CREATE INDEX sweep_entity_of_snapshot ON sweep_entity (snapshot_id);
CREATE INDEX sweep_entity_of_report ON sweep_entity (report_id);
CREATE TABLE posting (
    id INTEGER PRIMARY KEY, schedule_id INTEGER NOT NULL REFERENCES schedule(id), due_at TEXT NOT NULL,
    since_at TEXT NOT NULL, state TEXT NOT NULL, created_at TEXT NOT NULL, next_at TEXT NOT NULL,
    sweep_id INTEGER REFERENCES sweep(id), card_id INTEGER REFERENCES notice(id), revision INTEGER NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0, said TEXT NOT NULL DEFAULT '', by TEXT NOT NULL DEFAULT '', failure TEXT,
    UNIQUE (schedule_id, due_at)
);
CREATE INDEX posting_unfinished ON posting (next_at) WHERE state IN ('due', 'collecting');
CREATE TABLE digest_order (
    id INTEGER PRIMARY KEY, verb TEXT NOT NULL, user TEXT NOT NULL, channel TEXT NOT NULL, row_id INTEGER NOT NULL,
    words TEXT NOT NULL, created_at TEXT NOT NULL, next_at TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'queued', outcome TEXT NOT NULL DEFAULT ''
);
CREATE INDEX digest_order_due ON digest_order (next_at) WHERE state = 'queued';
CREATE TABLE question (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, user TEXT NOT NULL, channel TEXT NOT NULL, words TEXT NOT NULL,
    state TEXT NOT NULL, created_at TEXT NOT NULL, next_at TEXT NOT NULL, deadline_at TEXT NOT NULL,
    card_id INTEGER REFERENCES notice(id), revision INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0,
    result TEXT NOT NULL DEFAULT '', failure TEXT
);
CREATE INDEX question_due ON question (next_at) WHERE state IN ('queued', 'running');
CREATE TABLE score (
    report_id INTEGER PRIMARY KEY REFERENCES report(id), entity_id INTEGER NOT NULL REFERENCES entity(id),
    account TEXT NOT NULL, at TEXT NOT NULL, newest INTEGER NOT NULL DEFAULT 1, granted INTEGER NOT NULL,
    used INTEGER NOT NULL, stale INTEGER NOT NULL, untracked INTEGER NOT NULL, could_go INTEGER NOT NULL,
    risk INTEGER NOT NULL, heaviest INTEGER NOT NULL DEFAULT 0, privileged INTEGER NOT NULL, privileged_used INTEGER NOT NULL,
    young INTEGER NOT NULL, protected INTEGER NOT NULL, best TEXT NOT NULL
);
CREATE INDEX score_of_entity ON score (entity_id, at);
CREATE INDEX score_worst ON score (account, risk DESC, could_go DESC) WHERE newest = 1;
ALTER TABLE snapshot ADD COLUMN digest TEXT NOT NULL DEFAULT '';
CREATE TABLE home (
    user TEXT PRIMARY KEY, opened_at TEXT NOT NULL, notice_id INTEGER NOT NULL REFERENCES notice(id),
    published_at TEXT, drawn TEXT NOT NULL DEFAULT '', hash TEXT NOT NULL DEFAULT '',
    approver INTEGER NOT NULL DEFAULT 0, tags TEXT NOT NULL DEFAULT '[]'
) WITHOUT ROWID;
CREATE TABLE tag (
    entity_id INTEGER NOT NULL REFERENCES entity(id), key TEXT NOT NULL, value TEXT NOT NULL COLLATE NOCASE,
    PRIMARY KEY (entity_id, key)
) WITHOUT ROWID;
CREATE INDEX tag_value ON tag (key, value);
INSERT OR IGNORE INTO tag SELECT s.entity_id, json_extract(t.value, '$[0]'), json_extract(t.value, '$[1]')
    FROM snapshot s, json_each(s.facts, '$.tags') t
    WHERE s.id = (SELECT max(id) FROM snapshot WHERE entity_id = s.entity_id);
CREATE TRIGGER snapshot_tags AFTER INSERT ON snapshot BEGIN
    DELETE FROM tag WHERE entity_id = NEW.entity_id;
    INSERT OR IGNORE INTO tag SELECT NEW.entity_id, json_extract(value, '$[0]'), json_extract(value, '$[1]')
        FROM json_each(NEW.facts, '$.tags');
END;
CREATE INDEX ticket_people ON ticket (state, advice, requesters);
CREATE INDEX request_of_user ON request (user);
CREATE INDEX sweep_account_newest ON sweep_account (account, sweep_id);
"""

_PROOF = """
CREATE TABLE ticket_proof (ticket_id INTEGER PRIMARY KEY REFERENCES ticket(id), result TEXT NOT NULL);
"""


_REMINDERS = """
CREATE TABLE reminder (
    id INTEGER PRIMARY KEY, user TEXT NOT NULL, at TEXT NOT NULL, day TEXT NOT NULL, said TEXT NOT NULL,
    notice_id INTEGER REFERENCES notice(id)
);
CREATE INDEX reminder_of_user ON reminder (user, at);
CREATE INDEX reminder_of_notice ON reminder (notice_id);
CREATE TABLE reminder_look (
    user TEXT PRIMARY KEY, next_at TEXT, looked_at TEXT, tries INTEGER NOT NULL DEFAULT 0, zone TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX reminder_look_due ON reminder_look (next_at) WHERE next_at IS NOT NULL;
CREATE TABLE reminder_round (id INTEGER PRIMARY KEY CHECK (id = 1), at TEXT NOT NULL, next_at TEXT NOT NULL);
CREATE TABLE unreached (
    ticket_id INTEGER NOT NULL REFERENCES ticket(id), user TEXT NOT NULL, why TEXT NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY (ticket_id, user)
) WITHOUT ROWID;
"""

_TRAIL = """
CREATE TABLE trail_look (
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
    since TEXT NOT NULL, until TEXT NOT NULL, read_at TEXT NOT NULL, UNIQUE (account, region, key, value)
);
CREATE TABLE trail_call (
    look_id INTEGER NOT NULL REFERENCES trail_look(id) ON DELETE CASCADE, principal TEXT NOT NULL,
    source TEXT NOT NULL, name TEXT NOT NULL, denied INTEGER NOT NULL, newest TEXT NOT NULL,
    count INTEGER NOT NULL, session TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (look_id, principal, source, name, denied)
) WITHOUT ROWID;
CREATE INDEX trail_call_newest ON trail_call (newest);
CREATE TABLE trail_seen (
    look_id INTEGER NOT NULL REFERENCES trail_look(id) ON DELETE CASCADE, event_id TEXT NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY (look_id, event_id)
) WITHOUT ROWID;
CREATE TABLE ticket_replay (ticket_id INTEGER PRIMARY KEY REFERENCES ticket(id), result TEXT NOT NULL);
"""

_HOLD = """
DROP INDEX ticket_unfinished;
CREATE INDEX ticket_unfinished ON ticket (state, next_at)
    WHERE state IN ('draft', 'open', 'approved', 'applying', 'held', 'rolling_back', 'needs_human');
"""

_WATCH = """
CREATE TABLE watch (
    ticket_id INTEGER PRIMARY KEY REFERENCES ticket(id), account TEXT NOT NULL, who TEXT NOT NULL,
    since TEXT NOT NULL, until TEXT NOT NULL, often_until TEXT NOT NULL, next_at TEXT, changed_at TEXT, lifted_at TEXT,
    said_at TEXT, ended_at TEXT, seen TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX watch_due ON watch (next_at) WHERE ended_at IS NULL;
CREATE TABLE denied (
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, event_id TEXT NOT NULL, principal TEXT NOT NULL,
    source TEXT NOT NULL, name TEXT NOT NULL, at TEXT NOT NULL, session TEXT NOT NULL, region TEXT NOT NULL,
    denied_by TEXT NOT NULL, policy TEXT NOT NULL, heard TEXT NOT NULL, weighed INTEGER NOT NULL DEFAULT 0,
    UNIQUE (account, event_id)
);
CREATE INDEX denied_of ON denied (account, principal, at);
CREATE INDEX denied_new ON denied (account) WHERE weighed = 0;
CREATE TABLE hit (
    id INTEGER PRIMARY KEY, ticket_id INTEGER NOT NULL REFERENCES ticket(id), principal TEXT NOT NULL,
    actions TEXT NOT NULL, things TEXT NOT NULL, cause TEXT NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL,
    count INTEGER NOT NULL, sessions TEXT NOT NULL, region TEXT NOT NULL, policy TEXT NOT NULL, heard_at TEXT NOT NULL,
    said_at TEXT, asked_by TEXT NOT NULL DEFAULT '', closed_at TEXT, closed_by TEXT NOT NULL DEFAULT '',
    outcome TEXT NOT NULL DEFAULT '', words TEXT NOT NULL DEFAULT '',
    UNIQUE (ticket_id, principal, actions)
);
CREATE INDEX hit_unsaid ON hit (ticket_id) WHERE said_at IS NULL AND closed_at IS NULL;
"""

_NUMBERS = """
CREATE INDEX log_verb ON log (verb, at);
CREATE INDEX policy_hold ON policy (name) WHERE name >= 'iam-audit-hold-' AND name < 'iam-audit-hold.';
CREATE INDEX policy_hold_managed ON policy (name) WHERE name >= 'IAMAudit-hold-' AND name < 'IAMAudit-hold.';
"""


@migrations()
def m001_audits(db: Database) -> None:
    """Entities, snapshots of their policies, reports, requests, jobs, the outbox, deliveries and the log."""
    # One statement at a time: executescript would end the transaction that the migration runs in.
    for statement in _split(_FIRST):
        db.execute(statement)


@migrations()
def m002_tickets(db: Database) -> None:
    """Tickets with their approvals, the journal of writes, pressed verbs and keeps."""
    for statement in _split(_TICKETS):
        db.execute(statement)


@migrations()
def m003_estate(db: Database) -> None:
    """Sweeps, schedules, digests, and what each stored report came to."""
    for statement in _split(_ESTATE):
        db.execute(statement)


@migrations()
def m004_proof(db: Database) -> None:
    """What others said of the plans of tickets, CloudTrail among them; who was asked again, and who could not be reached."""
    for statement in _split(_PROOF + _TRAIL + _REMINDERS):
        db.execute(statement)


@migrations()
def m005_hold(db: Database) -> None:
    """A ticket can be held: it is not finished then."""
    for statement in _split(_HOLD):
        db.execute(statement)


@migrations()
def m006_watch(db: Database) -> None:
    """Tickets are watched for denied calls, which are kept one by one, and what of them is the ticket's doing."""
    for statement in _split(_WATCH):
        db.execute(statement)


@migrations()
def m007_numbers(db: Database) -> None:
    """What was removed and came back is counted by the log; holds are found by the names of policies."""
    for statement in _split(_NUMBERS):
        db.execute(statement)


def _split(script: str) -> list[str]:
    """Statements of a script; a trigger's body has semicolons of its own and ends with END."""
    found, current = [], ""
    for line in script.strip().splitlines():
        current += line + "\n"
        whole = line.endswith("END;") if "CREATE TRIGGER" in current else line.endswith(";")
        if whole:
            found.append(current.strip())
            current = ""
    return found
