// Package fleet captures many devices at once: so many in all, at a site and
// behind a jump host, the customers in turn and within a customer its sites, so
// that whoever is dead or large delays nobody else. What may pass is tried
// again; a device that refused its login rests, so that no account is locked.
//
// A job waits in a lane: those of one urgency, at one site, behind the same jump
// hosts. A lane whose site or jump host is full waits there and not in the line,
// and is called back when a place becomes free (lane.go, turns.go); so choosing
// the next job does not look at those that cannot begin. A job that waits is a
// few words of memory and no goroutine.
package fleet

// Limits are the most captures under way at once; 0 means no limit. What a
// person asked for counts among Asked alone.
type Limits struct {
	All      int
	Site     int // at one site; a device without a site is a site of its own
	JumpHost int // through one jump host; a device behind several counts at each
	Asked    int
}
