package fleet

import (
	"math"
	"slices"
	"strings"
)

// A class is a rank among those that wait, the first served first.
const (
	classTriggered = iota
	classNightly
	classAgain
	classes
)

func (x *errand) class() int {
	switch {
	case x.job.Why == Asked:
		return 0 // in a line of its own
	case x.tries > 0 || x.doubt && x.job.Why == Nightly:
		return classAgain
	case x.job.Why == Triggered:
		return classTriggered
	}
	return classNightly
}

type laneKey struct {
	asked bool
	class int
	site  string
	hops  string
}

// A lane is errands that wait for the same places.
type lane struct {
	key         laneKey
	customer    *customer
	site        *place // nil for what was asked for, as are its hops
	hops        []*place
	first, last *errand
	class       int
	listed      bool   // is in a line, or waits at a place
	caller      *place // that called it back into the line
}

// A place is a site or a jump host: so many captures at once.
type place struct {
	name   string
	jump   bool
	busy   int
	lanes  int  // that lead here
	called int  // lanes that were called back and not looked at yet
	wary   bool // the last login here was refused: one at a time until one succeeds
	line   line // lanes that found it full
}

// A line hands out lanes in order.
type line interface {
	push(l *lane)
	pop() *lane // nil: none is left
	empty() bool
}

// enlist puts x into its lane, and that into the line.
func (e *Engine) enlist(x *errand, wary bool) {
	d := &x.job.Device
	key := laneKey{asked: x.job.Why == Asked, class: x.class()}
	if key.asked {
		key.site = d.Customer
	} else {
		key.site, key.hops = x.site, strings.Join(d.Jump, "\n")
	}
	l := e.lanes[key]
	if l == nil {
		l = &lane{key: key, class: key.class, customer: e.customer(d.Customer)}
		l.customer.lanes++
		if !key.asked {
			l.site = e.place(e.sites, x.site, false, wary)
			for i, name := range d.Jump {
				if !slices.Contains(d.Jump[:i], name) {
					l.hops = append(l.hops, e.place(e.hosts, name, true, false))
				}
			}
		}
		e.lanes[key] = l
	}
	x.lane = l
	if x.prev = l.last; l.last == nil {
		l.first = x
	} else {
		l.last.next = x
	}
	l.last = x
	if !l.listed {
		e.list(l)
	}
}

// remove takes x out of its lane.
func (l *lane) remove(x *errand) {
	if x.prev != nil {
		x.prev.next = x.next
	} else {
		l.first = x.next
	}
	if x.next != nil {
		x.next.prev = x.prev
	} else {
		l.last = x.prev
	}
	x.next, x.prev = nil, nil
}

func (e *Engine) customer(name string) *customer {
	c := e.customers[name]
	if c == nil {
		e.serial++
		c = &customer{name: name, turn: e.serial}
		e.customers[name] = c
	}
	return c
}

func (e *Engine) place(in map[string]*place, name string, jump, wary bool) *place {
	p := in[name]
	if p == nil {
		p = &place{name: name, jump: jump, wary: wary}
		in[name] = p
	}
	p.lanes++
	return p
}

// list puts l into the line.
func (e *Engine) list(l *lane) {
	l.listed = true
	if l.key.asked {
		e.urgent.push(l)
	} else {
		e.ready.push(l)
	}
}

// choose is the next errand that may begin; its places are taken.
func (e *Engine) choose(from *turns) *errand {
	for {
		l := from.pop()
		if l == nil {
			return nil
		}
		p := l.caller
		l.listed, l.caller = false, nil
		x := e.take(l)
		if p != nil { // whatever became of l, there may be room for another
			p.called--
			e.call(p)
		}
		if x != nil {
			return x
		}
	}
}

// take begins the first errand of l that may begin. Where a place is full, l
// waits there; where nothing is left, l is no more.
func (e *Engine) take(l *lane) *errand {
	for l.first != nil {
		if p := e.full(l); p != nil {
			if p.line == nil {
				p.line = p.newLine()
			}
			l.listed = true
			p.line.push(l)
			return nil
		}
		x := l.first
		if e.tooLate(x) {
			e.conclude(x)
			e.late = append(e.late, x)
			continue
		}
		l.remove(x)
		if x.ctx.Err() != nil || e.reader(x.id) != nil { // its circle is about to be dissolved, or it comes back when its device is free
			e.move(x, held)
			continue
		}
		e.enter(l)
		if l.first != nil {
			e.list(l)
		} else {
			e.forget(l)
		}
		return x
	}
	e.forget(l)
	return nil
}

// full is a place of l without room; nil: there is room everywhere.
func (e *Engine) full(l *lane) *place {
	if l.site != nil && e.room(l.site) <= 0 {
		return l.site
	}
	for _, p := range l.hops {
		if e.room(p) <= 0 {
			return p
		}
	}
	return nil
}

func (e *Engine) room(p *place) int {
	limit := e.Limits.Site
	if p.jump {
		limit = e.Limits.JumpHost
	}
	if p.wary {
		limit = 1
	}
	if limit <= 0 {
		return math.MaxInt
	}
	return limit - p.busy
}

// call has as many lanes come back as there is room for.
func (e *Engine) call(p *place) {
	for p.line != nil && !p.line.empty() && p.called < e.room(p) {
		l := p.line.pop()
		l.caller = p
		p.called++
		e.list(l)
	}
}

// enter takes a place everywhere, and counts it as the customer's turn.
func (e *Engine) enter(l *lane) {
	if l.site != nil {
		l.site.busy++
	}
	for _, p := range l.hops {
		p.busy++
	}
	e.serial++
	l.customer.turn = e.serial
	l.customer.count(l.key.asked, 1)
}

// leave gives the places back, at the site and on the jump hosts.
func (e *Engine) leave(l *lane) {
	if l.site != nil {
		l.site.busy--
		e.freed(l.site)
	}
	for _, p := range l.hops {
		p.busy--
		e.freed(p)
	}
}

// vacate ends what counts for the customer.
func (e *Engine) vacate(l *lane) {
	l.customer.count(l.key.asked, -1)
	e.farewell(l.customer)
}

// forget drops a lane in which nothing waits.
func (e *Engine) forget(l *lane) {
	delete(e.lanes, l.key)
	l.customer.lanes--
	e.farewell(l.customer)
	if l.site != nil {
		l.site.lanes--
		e.freed(l.site)
	}
	for _, p := range l.hops {
		p.lanes--
		e.freed(p)
	}
}

// freed calls those that wait for p, and drops it where nothing leads to it.
func (e *Engine) freed(p *place) {
	if p.lanes > 0 || p.busy > 0 {
		e.call(p)
		return
	}
	if p.jump {
		delete(e.hosts, p.name)
	} else {
		delete(e.sites, p.name)
	}
}

func (e *Engine) farewell(c *customer) {
	if c.lanes == 0 && c.busy == [2]int{} {
		delete(e.customers, c.name)
	}
}
