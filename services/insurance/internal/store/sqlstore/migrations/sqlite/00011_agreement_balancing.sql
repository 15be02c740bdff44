-- +goose Up

-- The balancing assessment of an agreement, so that both are found in one look; it stands in the body as well.
ALTER TABLE agreement ADD COLUMN balancing_id TEXT NOT NULL DEFAULT '';
UPDATE agreement SET balancing_id = COALESCE(json_extract(body, '$.balancing_id'), '');

-- +goose Down
ALTER TABLE agreement DROP COLUMN balancing_id;
