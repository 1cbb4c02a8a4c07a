// Package outbox brings letters to documentation and ticket systems: exactly
// once, whatever times out or restarts, and proven by looking at what is there.
// It stands around the Documentation port, once for all systems: finding the
// item, retry, de-duplication, proof and retention are here and in no adapter.
// It knows no product and no database, and writes nothing to disk but letters,
// which name a version and a form and never hold its bytes.
package outbox
