-- +goose Up
-- A person at rest. blind_index is a keyed pseudonym of the national number in force; sealed is encrypted and bound to it.
CREATE TABLE person (
    id            INTEGER PRIMARY KEY,
    blind_index   BLOB    NOT NULL UNIQUE CHECK (length(blind_index) = 20),
    index_version INTEGER NOT NULL,
    sealed        BLOB    NOT NULL,
    register_time INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
);

-- Earlier numbers of a person.
CREATE TABLE person_number (
    blind_index BLOB    NOT NULL PRIMARY KEY CHECK (length(blind_index) = 20),
    person_id   INTEGER NOT NULL REFERENCES person (id)
) WITHOUT ROWID;
CREATE INDEX person_number_person ON person_number (person_id);

-- What a controller calls a person.
CREATE TABLE handle (
    controller TEXT    NOT NULL,
    handle     TEXT    NOT NULL,
    person_id  INTEGER NOT NULL REFERENCES person (id),
    created_at INTEGER NOT NULL,
    -- The handle first: with the controller first, a planner without statistics looks through all handles of a controller to find
    -- the one of a person.
    PRIMARY KEY (handle, controller)
) WITHOUT ROWID;
CREATE INDEX handle_person ON handle (person_id, controller);

-- +goose Down
DROP TABLE handle;
DROP TABLE person_number;
DROP TABLE person;
