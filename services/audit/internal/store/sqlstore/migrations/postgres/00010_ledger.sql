-- +goose Up
-- Names that recur in every record: services, RPCs, organisations.
CREATE TABLE ledger_name (
    id   BIGINT NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL UNIQUE
);

-- One log a calendar month of recording; size is how many records have their place in it.
CREATE TABLE ledger_shard (
    number     BIGINT NOT NULL PRIMARY KEY,
    size       BIGINT NOT NULL,
    checkpoint TEXT COLLATE "C" NOT NULL,
    dropped    INTEGER NOT NULL
);

-- id is shard << 32 | index in its log. In SQLite it is the rowid, which every index carries as its last column anyway.
CREATE TABLE ledger_record (
    id         BIGINT NOT NULL PRIMARY KEY,
    event      BYTEA NOT NULL,
    item       INTEGER NOT NULL,
    service    BIGINT NOT NULL,
    rpc        BIGINT NOT NULL,
    caller     BIGINT,
    owner      BIGINT,
    purpose    INTEGER NOT NULL,
    decision   INTEGER NOT NULL,
    status     INTEGER NOT NULL,
    outcome    INTEGER NOT NULL,
    started_at BIGINT NOT NULL,
    lasted     BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    trace      BYTEA,
    case_digest BYTEA,
    subject    TEXT COLLATE "C",
    register   INTEGER NOT NULL,
    leaf       BYTEA NOT NULL,
    sealed     BYTEA
);
CREATE UNIQUE INDEX ledger_record_event ON ledger_record (event, item);
CREATE INDEX ledger_record_started ON ledger_record (started_at, id);
CREATE INDEX ledger_record_service ON ledger_record (service, started_at, id);
CREATE INDEX ledger_record_rpc ON ledger_record (rpc, started_at, id);
CREATE INDEX ledger_record_caller ON ledger_record (caller, started_at, id) WHERE caller IS NOT NULL;
CREATE INDEX ledger_record_owner ON ledger_record (owner, started_at, id) WHERE owner IS NOT NULL;
CREATE INDEX ledger_record_purpose ON ledger_record (purpose, started_at, id);
CREATE INDEX ledger_record_outcome ON ledger_record (outcome, started_at, id) WHERE outcome <> 0;
CREATE INDEX ledger_record_trace ON ledger_record (trace, started_at, id) WHERE trace IS NOT NULL;
CREATE INDEX ledger_record_case ON ledger_record (case_digest, started_at, id) WHERE case_digest IS NOT NULL;
CREATE INDEX ledger_record_subject ON ledger_record (subject, started_at, id) WHERE subject IS NOT NULL;

-- How many calls, by minute of their start, RPC, outcome and class of duration.
CREATE TABLE ledger_count (
    minute  BIGINT NOT NULL,
    rpc     BIGINT NOT NULL,
    service BIGINT NOT NULL,
    outcome INTEGER NOT NULL,
    class   INTEGER NOT NULL,
    calls   BIGINT NOT NULL,
    PRIMARY KEY (minute, rpc, service, outcome, class)
);

-- Break-glass accesses (SEC-08).
CREATE TABLE ledger_access (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    organisation TEXT COLLATE "C" NOT NULL,
    owner        TEXT COLLATE "C" NOT NULL,
    reason       INTEGER NOT NULL,
    requester    TEXT COLLATE "C" NOT NULL,
    approver     TEXT COLLATE "C" NOT NULL,
    requested_at BIGINT NOT NULL,
    expires_at   BIGINT
);

-- +goose Down
DROP TABLE ledger_access;
DROP TABLE ledger_count;
DROP TABLE ledger_record;
DROP TABLE ledger_shard;
DROP TABLE ledger_name;
