-- +goose Up

-- Agreements with partners, as JSON; nothing in them is about a person. The highest version is the one that counts.
CREATE TABLE agreement (
    controller    TEXT NOT NULL,
    partner       TEXT NOT NULL,
    version       INTEGER NOT NULL,
    body          TEXT NOT NULL,
    registered_at INTEGER NOT NULL,
    PRIMARY KEY (controller, partner, version)
) WITHOUT ROWID;

CREATE TABLE balancing (
    controller   TEXT NOT NULL,
    balancing_id TEXT NOT NULL,
    purpose      TEXT NOT NULL,
    assessed_on  TEXT NOT NULL,
    recorded_at  INTEGER NOT NULL,
    PRIMARY KEY (controller, balancing_id)
) WITHOUT ROWID;

-- Members by the controller's handle, a keyed pseudonym. Contact data are sealed; NULL once they were erased.
CREATE TABLE member (
    id         INTEGER PRIMARY KEY,
    controller TEXT NOT NULL,
    handle     TEXT NOT NULL,
    sealed     BLOB,
    ended_on   INTEGER,
    updated_at INTEGER NOT NULL,
    UNIQUE (controller, handle)
);
CREATE INDEX member_ended ON member (ended_on) WHERE sealed IS NOT NULL;

CREATE TABLE consent (
    member_id         INTEGER NOT NULL REFERENCES member (id),
    consent_id        TEXT NOT NULL,
    body              TEXT NOT NULL,
    recorded_at       INTEGER NOT NULL,
    withdrawn_at      INTEGER,
    withdrawn_channel INTEGER,
    PRIMARY KEY (member_id, consent_id)
) WITHOUT ROWID;

-- Every no: opt-outs, objections, restrictions. An empty partner or purpose means all.
CREATE TABLE refusal (
    member_id INTEGER NOT NULL REFERENCES member (id),
    kind      INTEGER NOT NULL,
    partner   TEXT NOT NULL,
    purpose   TEXT NOT NULL,
    channel   INTEGER NOT NULL,
    since     INTEGER NOT NULL,
    PRIMARY KEY (member_id, kind, partner, purpose)
) WITHOUT ROWID;

CREATE TABLE share (
    id         INTEGER PRIMARY KEY,
    controller TEXT NOT NULL,
    partner    TEXT NOT NULL,
    member_id  INTEGER NOT NULL REFERENCES member (id),
    subject    TEXT NOT NULL,
    purpose    TEXT NOT NULL,
    basis      TEXT NOT NULL,
    special    TEXT NOT NULL,
    fields     INTEGER NOT NULL,
    until_at   INTEGER,
    max_reads  INTEGER NOT NULL,
    reads      INTEGER NOT NULL,
    document   TEXT NOT NULL,
    stopped    INTEGER NOT NULL,
    delivered  INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (controller, partner, member_id, purpose, document)
);
CREATE INDEX share_subject ON share (controller, partner, subject, purpose);
CREATE INDEX share_member ON share (member_id) WHERE stopped = 0;
CREATE INDEX share_open ON share (id) WHERE stopped = 0;

-- The position of each mailbox: its row is locked while something is added, so that positions become visible in order.
CREATE TABLE mailbox (
    controller TEXT NOT NULL,
    partner    TEXT NOT NULL,
    purpose    TEXT NOT NULL,
    basis      TEXT NOT NULL,
    last_seq   INTEGER NOT NULL,
    confirmed  INTEGER NOT NULL,
    PRIMARY KEY (controller, partner, purpose, basis)
) WITHOUT ROWID;

CREATE TABLE item (
    controller   TEXT NOT NULL,
    partner      TEXT NOT NULL,
    purpose      TEXT NOT NULL,
    basis        TEXT NOT NULL,
    seq          INTEGER NOT NULL,
    share_id     INTEGER NOT NULL REFERENCES share (id),
    kind         INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    delivered_at INTEGER,
    PRIMARY KEY (controller, partner, purpose, basis, seq)
) WITHOUT ROWID;
CREATE INDEX item_created ON item (created_at);

-- Who got which fields of whom; names of fields, never values.
CREATE TABLE disclosure (
    id           INTEGER PRIMARY KEY,
    controller   TEXT NOT NULL,
    member_id    INTEGER NOT NULL REFERENCES member (id),
    kind         INTEGER NOT NULL,
    partner      TEXT NOT NULL,
    name         TEXT NOT NULL,
    class        TEXT NOT NULL,
    fields       INTEGER NOT NULL,
    purpose      TEXT NOT NULL,
    basis        TEXT NOT NULL,
    disclosed_at INTEGER NOT NULL,
    event_id     TEXT NOT NULL
);
CREATE INDEX disclosure_member ON disclosure (member_id, id);
CREATE INDEX disclosure_time ON disclosure (disclosed_at);

-- +goose Down
DROP TABLE disclosure;
DROP TABLE item;
DROP TABLE mailbox;
DROP TABLE share;
DROP TABLE refusal;
DROP TABLE consent;
DROP TABLE member;
DROP TABLE balancing;
DROP TABLE agreement;
