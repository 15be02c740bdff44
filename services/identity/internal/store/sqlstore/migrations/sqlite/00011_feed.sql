-- +goose Up
-- Persons whose facts are fetched again and again because somebody follows them.
CREATE TABLE followed (
    person_id INTEGER PRIMARY KEY REFERENCES person (id),
    country   INTEGER NOT NULL,
    due_at    INTEGER NOT NULL,
    failures  INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX followed_due ON followed (country, due_at);

-- Memberships that a fund follows; last_day (days since 1970) is NULL while the membership lasts.
CREATE TABLE subscription (
    person_id  INTEGER NOT NULL REFERENCES person (id),
    controller TEXT NOT NULL,
    reference  TEXT NOT NULL,
    last_day   INTEGER,
    PRIMARY KEY (person_id, controller, reference)
) WITHOUT ROWID;
CREATE INDEX subscription_end ON subscription (last_day);

-- The last position of each controller's feed. Writers of one feed wait for each other here, so positions become visible in order.
CREATE TABLE feed (
    controller TEXT NOT NULL PRIMARY KEY,
    last_seq   INTEGER NOT NULL
);

-- What changed about a person. Only that it did: what holds now is read when it is told.
CREATE TABLE change (
    controller TEXT NOT NULL,
    seq        INTEGER NOT NULL,
    person_id  INTEGER NOT NULL REFERENCES person (id),
    kind       INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (controller, seq)
) WITHOUT ROWID;
CREATE INDEX change_person ON change (person_id);
CREATE INDEX change_created ON change (created_at);

-- Words under which a fund finds its own members, each a keyed pseudonym bound to that fund.
CREATE TABLE member_term (
    controller TEXT NOT NULL,
    term       BLOB NOT NULL CHECK (length(term) = 20),
    person_id  INTEGER NOT NULL REFERENCES person (id),
    PRIMARY KEY (controller, term, person_id)
) WITHOUT ROWID;
CREATE INDEX member_term_person ON member_term (person_id, controller);

-- The last delivery of each register that was applied.
CREATE TABLE delivery (
    register   TEXT NOT NULL PRIMARY KEY,
    produced   TEXT NOT NULL,
    lines      INTEGER NOT NULL,
    applied_at INTEGER NOT NULL
);

-- +goose Down
DROP TABLE delivery;
DROP TABLE member_term;
DROP TABLE change;
DROP TABLE feed;
DROP TABLE subscription;
DROP TABLE followed;
