-- Schema 1. What each table is for stands in the package comment.

CREATE TABLE entries (
	id       INTEGER PRIMARY KEY,  -- the order over all chains
	customer TEXT    NOT NULL,     -- '' for what concerns none
	seq      INTEGER NOT NULL,     -- from 1, without a gap
	prev     BLOB    NOT NULL,     -- hash of the entry before, 32 bytes; empty at the first
	at       INTEGER NOT NULL,     -- nanoseconds since 1970 UTC
	act      TEXT    NOT NULL,
	device   TEXT    NOT NULL,     -- customer/first-name, or ''
	who      TEXT    NOT NULL,
	claimed  INTEGER NOT NULL,
	payload  BLOB    NOT NULL,     -- SHA-256 of salt and body of its row in payloads
	hash     BLOB    NOT NULL,
	UNIQUE (customer, seq)
) STRICT;
CREATE INDEX entries_what ON entries (act);
CREATE INDEX entries_who  ON entries (who, at);
CREATE INDEX entries_when ON entries (at);
CREATE INDEX entries_device ON entries (device) WHERE device <> '';

CREATE TRIGGER entries_stay BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER entries_stand BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TABLE payloads (
	entry INTEGER PRIMARY KEY REFERENCES entries (id),
	salt  BLOB NOT NULL,           -- 16 random bytes: a destroyed body cannot be guessed from its digest
	body  TEXT NOT NULL            -- JSON
) STRICT;
CREATE TRIGGER payloads_stand BEFORE UPDATE ON payloads
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TABLE names (
	number INTEGER PRIMARY KEY,    -- stands for the device in readings
	device TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE readings (
	device INTEGER NOT NULL REFERENCES names (number),
	at     INTEGER NOT NULL,       -- milliseconds since 1970 UTC
	result INTEGER NOT NULL,       -- 1 kept 2 unchanged 3 refused 4 unreachable 5 denied 6 failed
	took   INTEGER NOT NULL,       -- milliseconds
	version BLOB,                  -- commit, where this reading made it
	error  TEXT,
	PRIMARY KEY (device, at)
) STRICT, WITHOUT ROWID;
CREATE TABLE newest_check (
	device INTEGER PRIMARY KEY REFERENCES names (number),
	at     INTEGER NOT NULL,       -- nanoseconds since 1970 UTC
	result INTEGER NOT NULL,
	took   REAL    NOT NULL,       -- seconds
	version TEXT   NOT NULL,
	error  TEXT    NOT NULL
) STRICT;

CREATE TABLE held (
	device  TEXT PRIMARY KEY,
	refusal TEXT NOT NULL          -- JSON
) STRICT;
CREATE TABLE held_originals (
	device TEXT    NOT NULL REFERENCES held (device) ON DELETE CASCADE,
	place  INTEGER NOT NULL,
	name   TEXT    NOT NULL,
	digest TEXT    NOT NULL,
	size   INTEGER NOT NULL,
	sealed BLOB    NOT NULL,
	PRIMARY KEY (device, place)
) STRICT;

CREATE TABLE pins (
	host        TEXT    NOT NULL,  -- customer/first-name, or host:port of a jump host
	fingerprint TEXT    NOT NULL,  -- SHA256:…
	type        TEXT    NOT NULL,
	key         BLOB    NOT NULL,  -- SSH wire form
	who         TEXT    NOT NULL,
	claimed     INTEGER NOT NULL,
	at          INTEGER NOT NULL,
	reason      TEXT    NOT NULL,
	first_use   INTEGER NOT NULL,
	PRIMARY KEY (host, fingerprint)
) STRICT;
