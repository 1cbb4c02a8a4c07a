-- Schema 2. What each table is for stands in the package comment.
-- Times are nanoseconds since 1970 UTC, and 0 where there is none.

CREATE INDEX payloads_change ON payloads (json_extract(body, '$.detail.change'))
	WHERE json_extract(body, '$.detail.change') IS NOT NULL;

CREATE TABLE letters (
	id       INTEGER PRIMARY KEY,
	system   TEXT    NOT NULL,     -- its name in the settings
	customer TEXT    NOT NULL,
	device   TEXT    NOT NULL,     -- customer/first-name, or '' for a ticket
	version  TEXT    NOT NULL,     -- commit; of a receipt the digest of its paper
	file     TEXT    NOT NULL,
	form     TEXT    NOT NULL,     -- original, redacted, sealed, receipt
	name     TEXT    NOT NULL,     -- of the file over there
	change   TEXT    NOT NULL,
	phase    TEXT    NOT NULL,
	ticket   TEXT    NOT NULL,
	urgent   INTEGER NOT NULL,
	who      TEXT    NOT NULL,
	email    TEXT    NOT NULL,
	claimed  INTEGER NOT NULL,
	put      INTEGER NOT NULL,
	due      INTEGER NOT NULL,     -- not to be tried before
	tries    INTEGER NOT NULL DEFAULT 0,
	began    INTEGER NOT NULL DEFAULT 0, -- last sent without a clear answer: it may be there
	error    TEXT    NOT NULL DEFAULT '',
	hint     TEXT    NOT NULL DEFAULT '',
	proven   INTEGER NOT NULL DEFAULT 0, -- when it was read again over there
	second   INTEGER NOT NULL,     -- over there is another place than the store
	item     TEXT    NOT NULL DEFAULT '{}', -- JSON
	attachment TEXT  NOT NULL DEFAULT '{}', -- JSON
	digest   TEXT    NOT NULL DEFAULT '', -- SHA-256 of what was sent
	removed  INTEGER NOT NULL DEFAULT 0, -- when it was taken down again
	lease    TEXT    NOT NULL DEFAULT '', -- random; '' in nobody's hands
	lease_ends INTEGER NOT NULL DEFAULT 0,
	UNIQUE (device, system, version, file, form, customer)
) STRICT;
-- What is due is found without reading what is not: for all systems and for one.
CREATE INDEX letters_due      ON letters (urgent, due) WHERE proven = 0;
CREATE INDEX letters_due_to   ON letters (system, urgent, due) WHERE proven = 0;
CREATE INDEX letters_hanging  ON letters (device, system) WHERE proven <> 0 AND removed = 0;
CREATE INDEX letters_change   ON letters (change) WHERE change <> '';
CREATE INDEX letters_version  ON letters (version);
CREATE INDEX letters_customer ON letters (customer);

CREATE TABLE mappings (
	system  TEXT    NOT NULL,
	device  TEXT    NOT NULL,      -- customer/first-name
	item    TEXT    NOT NULL,      -- JSON
	how     TEXT    NOT NULL,      -- serial, mac, person, folder
	serials TEXT    NOT NULL,      -- JSON: the device's when it was matched
	who     TEXT    NOT NULL,
	email   TEXT    NOT NULL,
	claimed INTEGER NOT NULL,
	at      INTEGER NOT NULL,
	PRIMARY KEY (system, device)
) STRICT;

CREATE TABLE papers (
	id       INTEGER PRIMARY KEY,  -- the order they were filed in
	customer TEXT    NOT NULL,
	digest   TEXT    NOT NULL,     -- SHA-256 of the document in hexadecimal
	change   TEXT    NOT NULL,
	kind     TEXT    NOT NULL,     -- receipt, message, scan
	sealed   INTEGER NOT NULL,     -- the body is encrypted to the customer's key
	who      TEXT    NOT NULL,
	email    TEXT    NOT NULL,
	claimed  INTEGER NOT NULL,
	at       INTEGER NOT NULL,
	sum      BLOB    NOT NULL,     -- SHA-256 of the body as it stands here
	body     BLOB    NOT NULL,
	UNIQUE (customer, digest)
) STRICT;
CREATE INDEX papers_change ON papers (customer, change);
CREATE TRIGGER papers_stand BEFORE UPDATE ON papers
BEGIN SELECT RAISE(ABORT, 'papers are not altered'); END;

CREATE TABLE paces (
	account TEXT    PRIMARY KEY,   -- opaque: no key can be had from it
	next    INTEGER NOT NULL,      -- when the account has rested as if it had sent nothing
	hold    INTEGER NOT NULL       -- it may send nothing before
) STRICT;
