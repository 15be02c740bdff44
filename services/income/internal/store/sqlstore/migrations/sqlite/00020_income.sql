-- +goose Up
-- Controllers, by a small number.
CREATE TABLE fund (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

-- A fund's members, by the handle that the fund knows. number is the national number, encrypted; NULL for who is not enrolled.
CREATE TABLE member (
    id     INTEGER PRIMARY KEY,
    fund   INTEGER NOT NULL REFERENCES fund (id),
    handle TEXT NOT NULL,
    number BLOB,
    UNIQUE (handle, fund)
);

-- What the fund knows about a month; month is year x 12 + month - 1. sealed is encrypted and bound to the row.
CREATE TABLE member_month (
    fund       INTEGER NOT NULL,
    month      INTEGER NOT NULL,
    member     INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    sealed     BLOB NOT NULL,
    PRIMARY KEY (fund, month, member)
) WITHOUT ROWID;

-- What a register said about a month.
CREATE TABLE register_month (
    fund         INTEGER NOT NULL,
    month        INTEGER NOT NULL,
    member       INTEGER NOT NULL,
    retrieved_at INTEGER NOT NULL,
    reference    TEXT NOT NULL,
    sealed       BLOB NOT NULL,
    PRIMARY KEY (fund, month, member)
) WITHOUT ROWID;

-- Decisions. posted, answer_by and retry_on are days counted from 0001-01-01 as 1, or 0.
CREATE TABLE decision (
    id         BLOB NOT NULL PRIMARY KEY,
    fund       INTEGER NOT NULL,
    member     INTEGER NOT NULL,
    kind       INTEGER NOT NULL,
    month      INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    state      INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    decided_at INTEGER NOT NULL,
    posted     INTEGER NOT NULL,
    answer_by  INTEGER NOT NULL,
    retry_on   INTEGER NOT NULL,
    earlier    BLOB,
    later      BLOB,
    run        BLOB,
    sealed     BLOB NOT NULL,
    UNIQUE (member, kind, month, seq)
) WITHOUT ROWID;
-- Only what somebody waits for, so that the millions that are decided cost nothing here.
CREATE INDEX decision_waiting ON decision (fund, state, id) WHERE state <= 4;
-- What was decided by machine, so that the fund can list what it has to send.
CREATE INDEX decision_automatic ON decision (fund, decided_at, id) WHERE state = 5;
CREATE INDEX decision_due ON decision (answer_by, id) WHERE state = 2;
CREATE INDEX decision_retry ON decision (retry_on, id) WHERE retry_on > 0;

-- Runs over a month, in chunks. A chunk is claimed for a while, and done once.
CREATE TABLE run (
    id         BLOB NOT NULL PRIMARY KEY,
    fund       INTEGER NOT NULL,
    month      INTEGER NOT NULL,
    state      INTEGER NOT NULL,
    planned    INTEGER NOT NULL,
    total      INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL
);
CREATE UNIQUE INDEX run_under_way ON run (fund, month) WHERE state = 1;
CREATE INDEX run_month ON run (fund, month);
CREATE TABLE run_chunk (
    run           BLOB NOT NULL,
    chunk         INTEGER NOT NULL,
    first         INTEGER NOT NULL,
    last          INTEGER NOT NULL,
    members       INTEGER NOT NULL,
    done          INTEGER NOT NULL,
    claimed_until INTEGER NOT NULL,
    PRIMARY KEY (run, chunk)
) WITHOUT ROWID;
CREATE INDEX run_chunk_free ON run_chunk (run, claimed_until) WHERE done = 0;
CREATE TABLE run_tally (
    run     BLOB NOT NULL,
    chunk   INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    members INTEGER NOT NULL,
    notices INTEGER NOT NULL,
    PRIMARY KEY (run, chunk, outcome)
) WITHOUT ROWID;

-- Hours of benefit by month, as each source reports them, and which sources have answered at all. sealed holds the hours.
CREATE TABLE consumption (
    member INTEGER NOT NULL,
    source INTEGER NOT NULL,
    month  INTEGER NOT NULL,
    used   INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (member, source, month)
) WITHOUT ROWID;
CREATE TABLE consumption_source (
    member      INTEGER NOT NULL,
    source      INTEGER NOT NULL,
    answered_at INTEGER NOT NULL,
    PRIMARY KEY (member, source)
) WITHOUT ROWID;

-- Swedish income, as employers declare it to the tax agency (AGI): what is in force about a person and month. person is a keyed pseudonym of
-- the national number; sealed holds the statements.
CREATE TABLE person_income (
    fund         INTEGER NOT NULL,
    person       TEXT NOT NULL,
    month        INTEGER NOT NULL,
    retrieved_at INTEGER NOT NULL,
    sealed       BLOB NOT NULL,
    PRIMARY KEY (fund, person, month)
) WITHOUT ROWID;
-- Files that were delivered, each applied once, and the months that they are about: no statement in such a month means no income.
CREATE TABLE income_delivery (
    fund         INTEGER NOT NULL,
    digest       BLOB NOT NULL,
    delivered_at INTEGER NOT NULL,
    PRIMARY KEY (fund, digest)
) WITHOUT ROWID;
CREATE TABLE income_covered (
    fund         INTEGER NOT NULL,
    month        INTEGER NOT NULL,
    delivered_at INTEGER NOT NULL,
    PRIMARY KEY (fund, month)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE income_covered;
DROP TABLE income_delivery;
DROP TABLE person_income;
DROP TABLE consumption_source;
DROP TABLE consumption;
DROP TABLE run_tally;
DROP TABLE run_chunk;
DROP TABLE run;
DROP TABLE decision;
DROP TABLE register_month;
DROP TABLE member_month;
DROP TABLE member;
DROP TABLE fund;
