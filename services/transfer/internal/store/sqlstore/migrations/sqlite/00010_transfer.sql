-- +goose Up
-- One fund's record of a transfer. Days are counted from 0001-01-01 = 1; 0 is none. The states are those of domain rule B.9, DRAFT = 1 to
-- EXIT_CONFIRMED = 8 open, EFFECTIVE = 9, REJECTED = 10, WITHDRAWN = 11, EXPIRED = 12, CANCELLED = 13. side 1 receives, 2 releases.
CREATE TABLE transfer_case (
    transfer_id TEXT NOT NULL,
    fund        TEXT NOT NULL,
    side        INTEGER NOT NULL CHECK (side IN (1, 2)),
    other       TEXT NOT NULL,
    country     TEXT NOT NULL CHECK (country IN ('DK', 'SE')),
    state       INTEGER NOT NULL CHECK (state BETWEEN 1 AND 13),
    is_open     INTEGER NOT NULL,
    version     INTEGER NOT NULL CHECK (version > 0),
    handle      TEXT NOT NULL,
    membership  TEXT NOT NULL,
    subject     BLOB,
    received    INTEGER NOT NULL,
    wanted      INTEGER NOT NULL,
    agreed      INTEGER NOT NULL,
    requested   INTEGER NOT NULL,
    poa_issuer  TEXT NOT NULL,
    poa_id      TEXT NOT NULL,
    poa_hash    BLOB,
    poa_from    INTEGER NOT NULL,
    poa_to      INTEGER NOT NULL,
    parts       INTEGER NOT NULL,
    kinds       INTEGER NOT NULL,
    effective   INTEGER NOT NULL,
    rejection   INTEGER NOT NULL CHECK (rejection BETWEEN 0 AND 10),
    overdue     INTEGER NOT NULL,
    reminders   INTEGER NOT NULL CHECK (reminders BETWEEN 0 AND 3),
    due         INTEGER NOT NULL,
    manual      INTEGER NOT NULL,
    protected   INTEGER NOT NULL,
    withdrawing INTEGER NOT NULL,
    channel     INTEGER NOT NULL,
    undoing     INTEGER NOT NULL,
    address     INTEGER NOT NULL DEFAULT 0 CHECK (address IN (0, 1, 2)),
    peer_seq    INTEGER NOT NULL,
    out_seq     INTEGER NOT NULL,
    opened_at   INTEGER NOT NULL,
    changed_at  INTEGER NOT NULL,
    PRIMARY KEY (transfer_id, fund),
    CHECK (fund <> other),
    CHECK (is_open = CASE WHEN state <= 8 THEN 1 ELSE 0 END),
    CHECK (side = 1 OR state >= 4),
    CHECK ((effective > 0) = (state IN (8, 9))),
    CHECK ((rejection > 0) = (state = 10)),
    CHECK (state < 2 OR state = 13 OR subject IS NOT NULL),
    CHECK (state NOT BETWEEN 3 AND 9 OR (poa_id <> '' AND poa_hash IS NOT NULL)),
    CHECK (withdrawing = 0 OR (side = 1 AND state BETWEEN 4 AND 8)),
    CHECK (undoing = 0 OR (side = 2 AND state = 8)),
    CHECK (due = 0 OR is_open = 1)
) WITHOUT ROWID;
-- Nobody moves twice at the same time, into one fund or out of one; a power of attorney is good for one transfer.
CREATE UNIQUE INDEX transfer_one_open ON transfer_case (fund, side, subject) WHERE is_open = 1 AND subject IS NOT NULL;
CREATE UNIQUE INDEX transfer_poa_once ON transfer_case (fund, poa_issuer, poa_id) WHERE poa_id <> '';
CREATE INDEX transfer_list ON transfer_case (fund, opened_at, transfer_id);
CREATE INDEX transfer_due ON transfer_case (due, transfer_id, fund) WHERE due > 0;
CREATE INDEX transfer_poa_end ON transfer_case (poa_to, transfer_id, fund) WHERE is_open = 1 AND poa_to > 0;
CREATE INDEX transfer_day ON transfer_case (effective, transfer_id, fund) WHERE state = 8;
CREATE INDEX transfer_address ON transfer_case (transfer_id, fund) WHERE address = 1;

-- The personal content of a record, sealed; erased when the case ends without a move.
CREATE TABLE transfer_detail (
    transfer_id TEXT NOT NULL,
    fund        TEXT NOT NULL,
    sealed      BLOB NOT NULL,
    PRIMARY KEY (transfer_id, fund),
    FOREIGN KEY (transfer_id, fund) REFERENCES transfer_case (transfer_id, fund)
);

-- What happened in a record, counted by its version.
CREATE TABLE transfer_event (
    transfer_id TEXT NOT NULL,
    fund        TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    event       INTEGER NOT NULL,
    actor       INTEGER NOT NULL,
    state       INTEGER NOT NULL,
    overdue     INTEGER NOT NULL,
    manual      INTEGER NOT NULL,
    due         INTEGER NOT NULL,
    happened_at INTEGER NOT NULL,
    PRIMARY KEY (transfer_id, fund, seq),
    FOREIGN KEY (transfer_id, fund) REFERENCES transfer_case (transfer_id, fund)
) WITHOUT ROWID;

-- What the other fund has to be told and has not confirmed. Bodies are sealed. A lane is sent in order.
CREATE TABLE transfer_message (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    transfer_id TEXT NOT NULL,
    fund        TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    other       TEXT NOT NULL,
    lane        INTEGER NOT NULL,
    body        BLOB NOT NULL,
    next_try    INTEGER NOT NULL,
    tries       INTEGER NOT NULL DEFAULT 0,
    UNIQUE (transfer_id, fund, seq),
    FOREIGN KEY (transfer_id, fund) REFERENCES transfer_case (transfer_id, fund)
);
CREATE INDEX transfer_message_lane ON transfer_message (fund, other, lane, id);

-- Parts of data: what the releasing fund sends, encrypted for the receiving one, and its receipt, which stays.
CREATE TABLE transfer_part (
    transfer_id TEXT NOT NULL,
    fund        TEXT NOT NULL,
    part        INTEGER NOT NULL CHECK (part > 0),
    kind        INTEGER NOT NULL,
    is_last     INTEGER NOT NULL,
    content     BLOB,
    digest      BLOB NOT NULL CHECK (length(digest) = 32),
    signature   TEXT NOT NULL,
    PRIMARY KEY (transfer_id, fund, part),
    FOREIGN KEY (transfer_id, fund) REFERENCES transfer_case (transfer_id, fund)
) WITHOUT ROWID;

-- That data of a transfer were erased (domain rules B.7 and B.9); no content.
CREATE TABLE transfer_erasure (
    transfer_id TEXT NOT NULL,
    fund        TEXT NOT NULL,
    erased_at   INTEGER NOT NULL,
    parts       INTEGER NOT NULL,
    rule        TEXT NOT NULL,
    digest      BLOB NOT NULL CHECK (length(digest) = 32),
    PRIMARY KEY (transfer_id, fund)
) WITHOUT ROWID;

-- Which fund a person is in, day by day, without gap or overlap: each period but the first follows the day after another ends, and no
-- two follow the same. fund '' is a time in no fund; last_day 2147483647 is still.
CREATE TABLE fund_period (
    subject       BLOB NOT NULL CHECK (length(subject) = 20),
    fund          TEXT NOT NULL,
    first_day     INTEGER NOT NULL,
    last_day      INTEGER NOT NULL,
    previous_last INTEGER,
    transfer_id   TEXT NOT NULL,
    PRIMARY KEY (subject, last_day),
    UNIQUE (subject, previous_last),
    CHECK (first_day <= last_day),
    CHECK (previous_last IS NULL OR previous_last + 1 = first_day),
    FOREIGN KEY (subject, previous_last) REFERENCES fund_period (subject, last_day)
) WITHOUT ROWID;
CREATE UNIQUE INDEX fund_period_first ON fund_period (subject) WHERE previous_last IS NULL;

-- A fund's own membership and its standing towards § 78 (domain rule B.5). Amounts are minor units.
CREATE TABLE membership (
    fund          TEXT NOT NULL,
    reference     TEXT NOT NULL,
    handle        TEXT NOT NULL,
    first_day     INTEGER NOT NULL,
    state         INTEGER NOT NULL CHECK (state BETWEEN 1 AND 6),
    version       INTEGER NOT NULL CHECK (version > 0),
    statutory     INTEGER NOT NULL,
    union_dues    INTEGER NOT NULL,
    early_dues    INTEGER NOT NULL,
    paid_through  INTEGER NOT NULL,
    reminded      INTEGER NOT NULL,
    proof         TEXT NOT NULL,
    notice        INTEGER NOT NULL,
    ended         INTEGER NOT NULL,
    disputed      INTEGER NOT NULL,
    hearing_ends  INTEGER NOT NULL,
    remarks       INTEGER NOT NULL,
    protected     INTEGER NOT NULL,
    PRIMARY KEY (fund, reference),
    CHECK (state NOT IN (3, 4, 5, 6) OR proof <> ''),
    CHECK ((ended > 0 OR notice > 0) = (state IN (5, 6)))
) WITHOUT ROWID;

-- Decisions about memberships, with what they rest on (domain rule B.0).
CREATE TABLE decision (
    fund         TEXT NOT NULL,
    decision_id  TEXT NOT NULL,
    reference    TEXT NOT NULL,
    rule_id      TEXT NOT NULL,
    rule_version TEXT NOT NULL,
    outcome      TEXT NOT NULL,
    codes        TEXT NOT NULL,
    automation   INTEGER NOT NULL,
    checks       INTEGER NOT NULL,
    inputs       BLOB NOT NULL CHECK (length(inputs) = 32),
    decided_by   TEXT NOT NULL,
    decided_at   INTEGER NOT NULL,
    PRIMARY KEY (fund, decision_id)
) WITHOUT ROWID;
CREATE INDEX decision_membership ON decision (fund, reference, decided_at);

-- Keys with which data are encrypted for a hosted fund: the private part sealed.
CREATE TABLE fund_key (
    fund       TEXT NOT NULL,
    key_id     INTEGER NOT NULL,
    sealed     BLOB NOT NULL,
    public     BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (fund, key_id)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE fund_key;
DROP TABLE decision;
DROP TABLE membership;
DROP TABLE fund_period;
DROP TABLE transfer_erasure;
DROP TABLE transfer_part;
DROP TABLE transfer_message;
DROP TABLE transfer_event;
DROP TABLE transfer_detail;
DROP TABLE transfer_case;
