-- +goose Up
-- Controllers, by a small number.
CREATE TABLE fund (
    id   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

-- A fund's members, by the handle that the fund knows. number is the national number, encrypted; NULL for who is not enrolled.
CREATE TABLE member (
    id     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fund   BIGINT NOT NULL REFERENCES fund (id),
    handle TEXT NOT NULL,
    number BYTEA,
    UNIQUE (handle, fund)
);

-- What the fund knows about a month; month is year x 12 + month - 1. sealed is encrypted and bound to the row.
CREATE TABLE member_month (
    fund       BIGINT NOT NULL,
    month      BIGINT NOT NULL,
    member     BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    sealed     BYTEA NOT NULL,
    PRIMARY KEY (fund, month, member)
);

-- What a register said about a month.
CREATE TABLE register_month (
    fund         BIGINT NOT NULL,
    month        BIGINT NOT NULL,
    member       BIGINT NOT NULL,
    retrieved_at BIGINT NOT NULL,
    reference    TEXT NOT NULL,
    sealed       BYTEA NOT NULL,
    PRIMARY KEY (fund, month, member)
);

-- Decisions. posted, answer_by and retry_on are days counted from 0001-01-01 as 1, or 0.
CREATE TABLE decision (
    id         BYTEA NOT NULL PRIMARY KEY,
    fund       BIGINT NOT NULL,
    member     BIGINT NOT NULL,
    kind       BIGINT NOT NULL,
    month      BIGINT NOT NULL,
    seq        BIGINT NOT NULL,
    state      BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    decided_at BIGINT NOT NULL,
    posted     BIGINT NOT NULL,
    answer_by  BIGINT NOT NULL,
    retry_on   BIGINT NOT NULL,
    earlier    BYTEA,
    later      BYTEA,
    run        BYTEA,
    sealed     BYTEA NOT NULL,
    UNIQUE (member, kind, month, seq)
);
-- Only what somebody waits for, so that the millions that are decided cost nothing here.
CREATE INDEX decision_waiting ON decision (fund, state, id) WHERE state <= 4;
-- What was decided by machine, so that the fund can list what it has to send.
CREATE INDEX decision_automatic ON decision (fund, decided_at, id) WHERE state = 5;
CREATE INDEX decision_due ON decision (answer_by, id) WHERE state = 2;
CREATE INDEX decision_retry ON decision (retry_on, id) WHERE retry_on > 0;

-- Runs over a month, in chunks. A chunk is claimed for a while, and done once.
CREATE TABLE run (
    id         BYTEA NOT NULL PRIMARY KEY,
    fund       BIGINT NOT NULL,
    month      BIGINT NOT NULL,
    state      BIGINT NOT NULL,
    planned    BIGINT NOT NULL,
    total      BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at   BIGINT NOT NULL
);
CREATE UNIQUE INDEX run_under_way ON run (fund, month) WHERE state = 1;
CREATE INDEX run_month ON run (fund, month);
CREATE TABLE run_chunk (
    run           BYTEA NOT NULL,
    chunk         BIGINT NOT NULL,
    first         BIGINT NOT NULL,
    last          BIGINT NOT NULL,
    members       BIGINT NOT NULL,
    done          BIGINT NOT NULL,
    claimed_until BIGINT NOT NULL,
    PRIMARY KEY (run, chunk)
);
CREATE INDEX run_chunk_free ON run_chunk (run, claimed_until) WHERE done = 0;
CREATE TABLE run_tally (
    run     BYTEA NOT NULL,
    chunk   BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    members BIGINT NOT NULL,
    notices BIGINT NOT NULL,
    PRIMARY KEY (run, chunk, outcome)
);

-- Hours of benefit by month, as each source reports them, and which sources have answered at all. sealed holds the hours.
CREATE TABLE consumption (
    member BIGINT NOT NULL,
    source BIGINT NOT NULL,
    month  BIGINT NOT NULL,
    used   BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (member, source, month)
);
CREATE TABLE consumption_source (
    member      BIGINT NOT NULL,
    source      BIGINT NOT NULL,
    answered_at BIGINT NOT NULL,
    PRIMARY KEY (member, source)
);

-- Swedish income, as employers declare it to the tax agency (AGI): what is in force about a person and month. person is a keyed pseudonym of
-- the national number; sealed holds the statements.
CREATE TABLE person_income (
    fund         BIGINT NOT NULL,
    person       TEXT NOT NULL,
    month        BIGINT NOT NULL,
    retrieved_at BIGINT NOT NULL,
    sealed       BYTEA NOT NULL,
    PRIMARY KEY (fund, person, month)
);
-- Files that were delivered, each applied once, and the months that they are about: no statement in such a month means no income.
CREATE TABLE income_delivery (
    fund         BIGINT NOT NULL,
    digest       BYTEA NOT NULL,
    delivered_at BIGINT NOT NULL,
    PRIMARY KEY (fund, digest)
);
CREATE TABLE income_covered (
    fund         BIGINT NOT NULL,
    month        BIGINT NOT NULL,
    delivered_at BIGINT NOT NULL,
    PRIMARY KEY (fund, month)
);

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
