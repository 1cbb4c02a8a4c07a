-- Schema 3. What each table is for stands in the package comment.

ALTER TABLE readings ADD COLUMN verified INTEGER NOT NULL DEFAULT 0;

-- Nanoseconds since 1970 UTC, and 0 where it is not known. Whether a reading was
-- proven was not written down before; whether it was good was.
ALTER TABLE newest_check ADD COLUMN verified INTEGER NOT NULL DEFAULT 0;
ALTER TABLE newest_check ADD COLUMN good     INTEGER NOT NULL DEFAULT 0;
ALTER TABLE newest_check ADD COLUMN proven   INTEGER NOT NULL DEFAULT 0;
UPDATE newest_check SET good = CASE WHEN result IN (1, 2) THEN at ELSE coalesce((SELECT max(r.at) * 1000000
	FROM readings r WHERE r.device = newest_check.device AND r.at <= newest_check.at / 1000000 AND r.result IN (1, 2)), 0) END;

CREATE TABLE marks (
	kind  TEXT NOT NULL,
	key   TEXT NOT NULL,
	value BLOB NOT NULL,           -- JSON
	PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
