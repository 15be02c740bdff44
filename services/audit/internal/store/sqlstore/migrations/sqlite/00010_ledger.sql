-- +goose Up
-- Names that recur in every record: services, RPCs, organisations.
CREATE TABLE ledger_name (
    id   INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- One log a calendar month of recording; size is how many records have their place in it.
CREATE TABLE ledger_shard (
    number     INTEGER NOT NULL PRIMARY KEY,
    size       INTEGER NOT NULL,
    checkpoint TEXT NOT NULL,
    dropped    INTEGER NOT NULL
) STRICT;

-- id is shard << 32 | index in its log. In SQLite it is the rowid, which every index carries as its last column anyway.
CREATE TABLE ledger_record (
    id         INTEGER NOT NULL PRIMARY KEY,
    event      BLOB NOT NULL,
    item       INTEGER NOT NULL,
    service    INTEGER NOT NULL,
    rpc        INTEGER NOT NULL,
    caller     INTEGER,
    owner      INTEGER,
    purpose    INTEGER NOT NULL,
    decision   INTEGER NOT NULL,
    status     INTEGER NOT NULL,
    outcome    INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    lasted     INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    trace      BLOB,
    case_digest BLOB,
    subject    TEXT,
    register   INTEGER NOT NULL,
    leaf       BLOB NOT NULL,
    sealed     BLOB
) STRICT;
CREATE UNIQUE INDEX ledger_record_event ON ledger_record (event, item);
CREATE INDEX ledger_record_started ON ledger_record (started_at);
CREATE INDEX ledger_record_service ON ledger_record (service, started_at);
CREATE INDEX ledger_record_rpc ON ledger_record (rpc, started_at);
CREATE INDEX ledger_record_caller ON ledger_record (caller, started_at) WHERE caller IS NOT NULL;
CREATE INDEX ledger_record_owner ON ledger_record (owner, started_at) WHERE owner IS NOT NULL;
CREATE INDEX ledger_record_purpose ON ledger_record (purpose, started_at);
CREATE INDEX ledger_record_outcome ON ledger_record (outcome, started_at) WHERE outcome <> 0;
CREATE INDEX ledger_record_trace ON ledger_record (trace, started_at) WHERE trace IS NOT NULL;
CREATE INDEX ledger_record_case ON ledger_record (case_digest, started_at) WHERE case_digest IS NOT NULL;
CREATE INDEX ledger_record_subject ON ledger_record (subject, started_at) WHERE subject IS NOT NULL;

-- How many calls, by minute of their start, RPC, outcome and class of duration.
CREATE TABLE ledger_count (
    minute  INTEGER NOT NULL,
    rpc     INTEGER NOT NULL,
    service INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    class   INTEGER NOT NULL,
    calls   INTEGER NOT NULL,
    PRIMARY KEY (minute, rpc, service, outcome, class)
) STRICT, WITHOUT ROWID;

-- Break-glass accesses (SEC-08).
CREATE TABLE ledger_access (
    id           TEXT NOT NULL PRIMARY KEY,
    organisation TEXT NOT NULL,
    owner        TEXT NOT NULL,
    reason       INTEGER NOT NULL,
    requester    TEXT NOT NULL,
    approver     TEXT NOT NULL,
    requested_at INTEGER NOT NULL,
    expires_at   INTEGER
) STRICT;

-- +goose Down
DROP TABLE ledger_access;
DROP TABLE ledger_count;
DROP TABLE ledger_record;
DROP TABLE ledger_shard;
DROP TABLE ledger_name;
