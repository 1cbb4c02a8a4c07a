// Package store holds no code: its comment is the data format, written down
// before it is written to disk. What is below belay-data can be read with git,
// age and zstd alone, and must stay so. Its subfolders are where things come to
// rest: git (histories), ledger (SQLite), vault (logins and keys), docsystem
// (attachments in documentation systems) and tickets (notes on tickets).
//
// # The folder
//
//	belay-data/
//	  belay.db                    SQLite: ledger, check log, marks, index of histories, refusals, host keys, outbox, …
//	  signer.age                  the ed25519 key that signs receipts (PKCS #8 in PEM), encrypted to the master identity
//	  signer.pub                  its public half, as in authorized_keys; while it is there a missing signer.age is a loss
//	  logins.age                  logins of devices, where Belay is asked to keep them; encrypted to the master identity
//	  vault.lock                  empty; locked by the process that writes one of these
//	  service.lock                locked by the service while it runs; its process number, its machine, and since when
//	  service.sock                where a running service takes requests of commands
//	  customers/CUSTOMER/         all that is this customer's, and nothing of another's
//	    history.git/              a bare git repository: the history of every device
//	    latest/DEVICE/            newest sealed originals: binary artifacts, and of systems that salt their secrets
//	    key.age                   the customer's age identity, encrypted to the master identity
//
// CUSTOMER and DEVICE are names as devices.CheckName has them. Folders have mode
// 0700 and files 0600 (packs that git itself made: 0400). .restoring is what an
// interrupted belay restore was building: nothing else stands beside it. Backups of
// all this lie elsewhere, in the form that the package comment of spare tells.
//
// # history.git
//
// An ordinary bare repository of format version 0 with SHA-1 names. HEAD points
// to refs/heads/main, whose history is a line: one commit for each version of one
// device, no merges. Objects are in packs (objects/pack), never loose. The tree of
// a commit holds every device of the customer as it was then:
//
//	DEVICE/running.conf           the text, redacted
//	DEVICE/original.age           the original of running.conf, sealed
//	DEVICE/snapshot.json          what is known about the copy
//	DEVICE/vlan.conf              a further text, where the system has several
//	DEVICE/vlan.original.age      and its original: the name without .conf, then .original.age
//	DEVICE/NAME.original.age      a binary artifact (a .backup, a UCS): no text, only what is sealed
//
// A folder whose name ends in ~ or ~NUMBER belongs to a device that had to make
// room for another one of the same name and has not been captured since.
//
// Texts are UTF-8 or whatever bytes the device sent, with LF line ends, without
// terminal sequences. A secret stands as <redacted:27dc47b8>, a digest keyed per
// customer: equal secrets of one customer look equal, and nothing else can be
// learned. <redacted> without digest is a secret that the device salts at each
// reading. An original is byte-true, compressed with zstd and then encrypted with
// age to the customer's key. So this gives back what the device said:
//
//	git -C history.git show main:fw-hq/original.age | age -d -i CUSTOMER-KEY | zstd -d
//
// and this is what changed and when (moves of a folder are renamed devices):
//
//	git -C history.git log -p main -- fw-hq/running.conf
//	git -C history.git blame main -- fw-hq/running.conf
//
// The customer's key is itself in key.age: age -d -i MASTER-KEY key.age.
//
// # snapshot.json
//
// One JSON object, indented. Readers ignore keys they do not know; a schema that
// they do not know they refuse.
//
//	schema     1
//	id         customer/first-name: stays when the device is renamed
//	customer   the customer
//	name       the device's name at that time: the folder
//	driver     Belay's name of the operating system
//	taken      RFC 3339, when the device was read
//	by         {name, email, claimed}: who asked; claimed: nobody checked the name
//	ticket, change, phase, reason   as in the trailers; left out when empty
//	identity   {hostname, model, version, serials, sysObjectID}
//	grade      {level: restore|partial|audit, missing: [text]}
//	checks     [{name, ok, detail}]: what the capture was held to
//	files      [{name, digest, bytes, originalDigest, originalBytes, original}]
//	           digests are SHA-256 in hexadecimal: of the redacted text, and of what the
//	           device sent (after age and zstd); original is the name of the sealed file.
//	           A binary artifact has no digest and no bytes, for it has no text
//	session    how the device was reached: address, jump hosts, host key, algorithms
//	warnings   [text], gaps (number of secrets only the generic look found), salted
//	unsaved    true where a restart would have lost changes; else left out
//
// A difference in snapshot.json alone does not make a version, nor does another
// artifact; but the first artifact of a name does.
//
// # Commits
//
// The author is the person who asked, at the time of the reading (without an
// address: NAME@belay.invalid); the committer is Belay, at the time of the commit.
// The first line is for people: "fw-hq: running configuration changed", "fw-hq:
// first capture", "fw-hq: before, ticket T20391", "fw-zurich: renamed from fw-hq".
// The last paragraph holds trailers that git interpret-trailers --parse reads;
// empty ones are left out:
//
//	Ticket:           T20391
//	Change:           id of the change
//	Phase:            before | after
//	Driver:           cisco_ios
//	Device-Serial:    one line for each serial number
//	Original-Digest:  SHA-256 of the original; for a further text followed by its name
//
// A renamed device moves to its new folder in one commit; its id stays.
//
// # Tags of a change
//
// A version with Change and Phase has a tag besides: refs/tags/change/CHANGE/PHASE,
// a second one of the same phase PHASE-2, and so on. The highest number counts. A
// tag is never moved, and is a plain reference, no object of its own. It names a
// commit beside main, of the same author and message as the version's, whose tree
// is the device's folder: its files stand in the root (running.conf, original.age,
// snapshot.json, …), so that old and new can be compared whatever they are called:
//
//	git -C history.git diff change/CHANGE/before change/CHANGE/after -- running.conf
//
// One more trailer names the version:
//
//	Version:          object id of the commit in main
//
// Its parent is that version; but an "after" stands on the newest "before" of its
// change, where there is one. So the history of the new device's file goes on into
// the old one's:
//
//	git -C history.git log --follow -p change/CHANGE/after -- running.conf
//	git -C history.git blame change/CHANGE/after -- running.conf
//
// CHANGE is a name as devices.CheckName has it. What else there is among tags is a
// person's, and is pushed but never read.
//
// # How it is written
//
// A commit is acknowledged when it would survive a power cut. Whoever writes
// holds an exclusive flock(2) on history.git/belay.lock. New objects go into one
// pack: temporary pack and index, both synced, then the pack renamed into place,
// then the index, then the folder synced. (A git gc that sees an index without pack
// removes it, even where the pack has come since.) Only then does the reference move:
// refs/heads/main.lock is created exclusively, the old value compared, the new one
// written, synced and renamed, the folder synced. So at every moment main points
// to a commit that is whole.
//
// Tags follow main in the same act, before it is acknowledged. Their commits are in
// the same pack, and belay-tags.json says which are due: {from, to, tags: [{change,
// phase, commit}]}, synced before main moves from the one to the other. Then each
// tag is written in the manner of main, and the note is removed. A writer killed in
// between leaves the note: whoever next takes belay.lock (to write, to pack, to push,
// to list tags or to verify) sets the tags that are missing, if main has come to the
// commit of the note, and else drops it.
//
// Each pack of ours has a .keep beside it from before it is there until it is taken
// away, in which stands "belay packs this itself": no other git takes it away. One that
// came to a pack which is there already would be worse than none: a git repack lists
// first what it takes away, the packs without .keep, and leaves out later what is in
// packs with one. Any other .keep is a person's: that pack stays as it is.
//
// What else a killed writer leaves behind (tmp_* here and in objects/pack, such a
// .keep, an index without pack, belay-pack-*, main.lock) means nothing and is swept
// by the next one. A whole pack that has no index is given one. A new repository is
// built beside its place (.new-*) and renamed into it.
//
// belay-newest.json is a note and no history: where main once was, and of each folder
// its newest version and files. It spares a new process the walk through all of
// history. While it names a commit that main does not lead to, nothing is written: the
// branch was lost or put back, and a person must look. To remove it is to accept main
// as it is; else nothing is lost by it but time.
//
// belay.lock holds the writer's process number while it is held, and the words
// "moves refs/heads/main" while it has main.lock: a writer that finds those words
// knows that main.lock was left by the dead. A main.lock of another git is given
// three seconds without change, then taken for left over: no git holds one longer.
//
// Pushes of one repository follow each other under belay-push.lock; main goes fast-
// forward only, tags are never moved, nothing over there is deleted or overwritten.
//
// Maintenance (under belay-maintain.lock) takes the small packs together once there
// are more than 30: git builds one of them in history.git/belay-pack-*, outside
// objects; it is installed in the same order, and then the packs that it replaces are
// removed. It holds all that they held, also what a pack that stays has: another git may
// be taking that away. An object that is in no other pack ("packed by belay, ...", which
// git fsck calls dangling) makes it one that no other git can have made already. What
// another git has noted of packs (multi-pack-index) is taken away with them, and never
// believed, nor is its graph of commits. A big pack stays until the smaller ones come to
// half of it. gc.auto, maintenance.auto, receive.autogc, core.commitGraph and
// core.multiPackIndex are off and core.fsync is all, so that no git does it behind our
// back and a git that writes syncs. Engineers take clones; they do not work here.
//
// # belay.db
//
// A SQLite database in WAL mode; the package comment of ledger says more, and
// store/ledger/migrations has every column. PRAGMA user_version is its schema: 3.
// Times are nanoseconds since 1970 UTC, 0 for none, but where noted otherwise.
//
//	entries, payloads   who did and saw what: a hash chain for each customer, and what may be
//	                    destroyed of it. A change is nothing but its entries: the id of the
//	                    change is in the payload's detail, as "change"
//	names, readings, newest_check   when each device was read, what came of it, and when it last
//	                    was good and proven. readings.at is in milliseconds
//	marks               what the service has to know again after a restart: JSON by kind and key.
//	                    Kinds: slot (captured for), rest (a refused login), pending, flood, changed, gone
//	                    unsaved and unsaved read (changes between the nights, and what readings found), events (our SNMP engine id),
//	                    doubt (canaries), scrub, scrub read and scrub damage, alarm and alarm
//	                    channel, digest, done, backup, ledger, index unread (versions that were damaged when
//	                    they were indexed)
//	index_*             the versions of every device and its newest redacted texts, to be listed and
//	                    searched. index_customers.head is the commit up to which it goes; belay
//	                    index rebuild makes all of it again from git: never the only copy of anything
//	held, held_originals            what a check refused, sealed
//	pins                which host keys are trusted, by whom
//	letters             the outbox: which file of which version goes to which system, and what
//	                    became of it: never the file. One row for each device, system, version,
//	                    file and form. proven is when it was read again over there, removed when
//	                    it was taken down; item and attachment are JSON, with the numbers over there
//	mappings            which configuration item a device has in a system, and how it was found
//	papers              documents of changes, byte for byte by their SHA-256: receipts, and sealed
//	                    the messages and scans of waivers (age, to the customer's key)
//	paces               when an account of a documentation system may send its next request
//
// The act of an entry says what was done. In a customer's chain: capture, accept, map,
// attach, reveal, search, trust, rename and what else a person asks for; before, gate,
// waive, after, close change and what else belongs to a change; leave the inventory,
// damage and damage cleared, alarm and clear alarm, doctor (logins that were asked),
// catch up. In Belay's own, whose customer is empty: round (the captures of a night, of
// all customers, in one entry), scrub, canary and canary understood, escrow, replace
// master; and of the others what is no customer's.
//
// What git has is not in the database, and the other way round: a lost database
// loses no configuration, but the proof of who did what. belay backup copies both as
// of one moment while captures go on.
//
// # latest/DEVICE
//
// Where a device salts its secrets at each reading, a changed password may not show
// in the redacted text; and a binary artifact has none. So the newest original is kept
// here, if it differs from that of the standing version:
//
//	NAME.age      as original.age, of the text or artifact NAME (running.conf.age)
//	latest.json   {schema: 1, commit, taken, files: [{name, digest, bytes, sealed}]}
//
// commit is the version it stands beside: what stands beside another version than
// the device's newest is void. digest and bytes are the original's, sealed is the
// SHA-256 of NAME.age as it lies there; where it does not match, a writer was
// interrupted between the two files, and NAME.age is the newer.
//
// # What hangs elsewhere
//
// An attachment in a documentation system is one file of one version. Its name
// says which, and is the same at every try:
//
//	DEVICE_TIME_COMMIT_sha256-DIGEST.txt             the original; TIME is when it was taken, in UTC
//	DEVICE_TIME_PHASE_COMMIT_sha256-DIGEST.txt       of a change: before or after
//	DEVICE_TIME_COMMIT_FILE_sha256-DIGEST.txt        a further text
//	DEVICE_TIME_COMMIT_FILE_sha256-DIGEST.backup     a binary artifact, by its own ending; .backup.txt as below
//	                                 .redacted.txt   redacted
//	                                 .age            sealed; .age.txt where the system knows files by their names
//	CHANGE_receipt_sha256-DIGEST.txt                 a receipt for people
//	CHANGE_receipt_sha256-DIGEST.json                and signed; .json.txt as above
//
// COMMIT and DIGEST are the first eight characters of the version's commit and of
// the SHA-256 of the file as it hangs there. What is sealed opens as in history.git:
//
//	age -d -i CUSTOMER-KEY FILE | zstd -d
//
// A signed receipt is {belay: "receipt 1", receipt: {…}, signature: "-----BEGIN SSH
// SIGNATURE…"}: over the value of receipt as compact JSON, with the key of signer.pub
// in the namespace belay-receipt. So belay need not be believed:
//
//	jq -r .signature FILE > receipt.sig
//	jq -cj .receipt FILE | ssh-keygen -Y verify -f allowed_signers -I belay-receipts -n belay-receipt -s receipt.sig
//
// The plain folder's own files are in the package comment of docsystem/folder.
package store
