-- +goose Up
-- Persons whose facts are fetched again and again because somebody follows them.
CREATE TABLE followed (
    person_id BIGINT PRIMARY KEY REFERENCES person (id),
    country   INTEGER NOT NULL,
    due_at    BIGINT NOT NULL,
    failures  INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX followed_due ON followed (country, due_at);

-- Memberships that a fund follows; last_day (days since 1970) is NULL while the membership lasts.
CREATE TABLE subscription (
    person_id  BIGINT NOT NULL REFERENCES person (id),
    controller TEXT COLLATE "C" NOT NULL,
    reference  TEXT COLLATE "C" NOT NULL,
    last_day   BIGINT,
    PRIMARY KEY (person_id, controller, reference)
);
CREATE INDEX subscription_end ON subscription (last_day);

-- The last position of each controller's feed. Writers of one feed wait for each other here, so positions become visible in order.
CREATE TABLE feed (
    controller TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    last_seq   BIGINT NOT NULL
);

-- What changed about a person. Only that it did: what holds now is read when it is told.
CREATE TABLE change (
    controller TEXT COLLATE "C" NOT NULL,
    seq        BIGINT NOT NULL,
    person_id  BIGINT NOT NULL REFERENCES person (id),
    kind       INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (controller, seq)
);
CREATE INDEX change_person ON change (person_id);
CREATE INDEX change_created ON change (created_at);

-- Words under which a fund finds its own members, each a keyed pseudonym bound to that fund.
CREATE TABLE member_term (
    controller TEXT COLLATE "C" NOT NULL,
    term       BYTEA NOT NULL CHECK (length(term) = 20),
    person_id  BIGINT NOT NULL REFERENCES person (id),
    PRIMARY KEY (controller, term, person_id)
);
CREATE INDEX member_term_person ON member_term (person_id, controller);

-- The last delivery of each register that was applied.
CREATE TABLE delivery (
    register   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    produced   TEXT NOT NULL,
    lines      BIGINT NOT NULL,
    applied_at BIGINT NOT NULL
);

-- +goose Down
DROP TABLE delivery;
DROP TABLE member_term;
DROP TABLE change;
DROP TABLE feed;
DROP TABLE subscription;
DROP TABLE followed;
