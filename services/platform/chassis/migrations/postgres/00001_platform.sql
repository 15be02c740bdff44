-- +goose Up
CREATE TABLE keyset (
	name       TEXT   NOT NULL PRIMARY KEY,
	revision   BIGINT NOT NULL CHECK (revision > 0),
	wrapped    BYTEA  NOT NULL,
	created_at BIGINT NOT NULL
);

CREATE TABLE audit_outbox (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recorded_at BIGINT NOT NULL,
    records INTEGER NOT NULL,
    sealed BYTEA NOT NULL
);

CREATE TABLE idempotency (
    organisation   TEXT COLLATE "C" NOT NULL,
    method         TEXT COLLATE "C" NOT NULL,
    request_id     TEXT COLLATE "C" NOT NULL,
    request_digest BYTEA  NOT NULL,
    response       BYTEA  NOT NULL,
    expires_at     BIGINT NOT NULL,
    PRIMARY KEY (organisation, method, request_id)
);
CREATE INDEX idempotency_expires_at ON idempotency (expires_at);

CREATE TABLE quota_use (
    name TEXT NOT NULL,
    window_start BIGINT NOT NULL,
    used BIGINT NOT NULL,
    PRIMARY KEY (name, window_start)
);

-- +goose Down
DROP TABLE quota_use;
DROP TABLE idempotency;
DROP TABLE audit_outbox;
DROP TABLE keyset;
