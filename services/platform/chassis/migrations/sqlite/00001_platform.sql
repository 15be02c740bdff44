-- +goose Up
CREATE TABLE keyset (
	name       TEXT    NOT NULL PRIMARY KEY,
	revision   INTEGER NOT NULL CHECK (revision > 0),
	wrapped    BLOB    NOT NULL,
	created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_outbox (
    seq INTEGER PRIMARY KEY,
    recorded_at INTEGER NOT NULL,
    records INTEGER NOT NULL,
    sealed BLOB NOT NULL
);

CREATE TABLE idempotency (
    organisation   TEXT    NOT NULL,
    method         TEXT    NOT NULL,
    request_id     TEXT    NOT NULL,
    request_digest BLOB    NOT NULL,
    response       BLOB    NOT NULL,
    expires_at     INTEGER NOT NULL,
    PRIMARY KEY (organisation, method, request_id)
) WITHOUT ROWID;
CREATE INDEX idempotency_expires_at ON idempotency (expires_at);

CREATE TABLE quota_use (
    name TEXT NOT NULL,
    window_start INTEGER NOT NULL,
    used INTEGER NOT NULL,
    PRIMARY KEY (name, window_start)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE quota_use;
DROP TABLE idempotency;
DROP TABLE audit_outbox;
DROP TABLE keyset;
