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

-- The index of histories. Nothing in it is the only copy of anything.
CREATE TABLE index_customers (
	number   INTEGER PRIMARY KEY,
	customer TEXT    NOT NULL UNIQUE,
	head     BLOB    NOT NULL      -- the commit up to which it goes
) STRICT;
CREATE TABLE index_phrases (
	number   INTEGER PRIMARY KEY,
	customer INTEGER NOT NULL REFERENCES index_customers (number),
	hash     INTEGER NOT NULL,     -- FNV-1a of text, to find it
	text     TEXT    NOT NULL      -- JSON
) STRICT;
CREATE INDEX index_phrases_hash ON index_phrases (customer, hash);
CREATE TABLE index_versions (
	device   INTEGER NOT NULL REFERENCES names (number),
	place    INTEGER NOT NULL,     -- in the device's history, from 1
	customer INTEGER NOT NULL REFERENCES index_customers (number),
	taken    INTEGER NOT NULL,     -- nanoseconds since 1970 UTC
	version  BLOB    NOT NULL,     -- commit
	who      INTEGER NOT NULL,     -- phrases: the person,
	about    INTEGER NOT NULL,     -- name, driver, identity, grade and files,
	subject  INTEGER NOT NULL,     -- the commit's first line,
	change   INTEGER NOT NULL,     -- ticket, change and phase; 0: none
	sums     BLOB    NOT NULL,     -- of the files: digests and sizes
	PRIMARY KEY (device, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX index_versions_taken ON index_versions (taken, customer);
CREATE INDEX index_versions_customer ON index_versions (customer);
CREATE TABLE index_texts (
	device   INTEGER NOT NULL REFERENCES names (number),
	file     TEXT    NOT NULL,
	customer INTEGER NOT NULL REFERENCES index_customers (number),
	name     TEXT    NOT NULL,     -- the device's, in its history
	version  BLOB    NOT NULL,     -- commit
	body     BLOB    NOT NULL,     -- redacted, zstd
	PRIMARY KEY (device, file)
) STRICT;
CREATE INDEX index_texts_customer ON index_texts (customer);
