package fleet

import (
	"container/heap"
	"slices"
)

// A customer has turns. Of two the one with fewer captures under way goes first,
// then the one that has not had its turn for longer: so one whose devices all
// hang comes to its share of the places and no more.
type customer struct {
	name  string
	busy  [2]int // captures under way: of runs, and asked for
	turn  int64  // when it last had one
	lanes int
	in    []*node // the lines it stands in
}

// count notes a capture that began or ended.
func (c *customer) count(asked bool, n int) {
	c.busy[group(asked)] += n
	for _, n := range c.in {
		heap.Fix(&n.of.rank[n.class], n.at)
	}
}

func group(asked bool) int {
	if asked {
		return 1
	}
	return 0
}

// turns is a line in which the customers take turns, and within a customer its
// sites, the classes one after the other.
type turns struct {
	rank [classes]rank
}

// A node is a customer's stand in one line.
type node struct {
	customer *customer
	of       *turns
	class    int
	group    int // which captures count here
	at       int // in the rank
	lanes    []*lane
}

func (t *turns) push(l *lane) {
	c := l.customer
	i := slices.IndexFunc(c.in, func(n *node) bool { return n.of == t && n.class == l.class })
	if i < 0 {
		n := &node{customer: c, of: t, class: l.class, group: group(l.key.asked), lanes: []*lane{l}}
		c.in = append(c.in, n)
		heap.Push(&t.rank[l.class], n)
		return
	}
	c.in[i].lanes = append(c.in[i].lanes, l)
}

func (t *turns) pop() *lane {
	for class := range t.rank {
		r := &t.rank[class]
		if len(*r) == 0 {
			continue
		}
		n := (*r)[0]
		l := n.lanes[0]
		n.lanes[0] = nil
		if n.lanes = n.lanes[1:]; len(n.lanes) == 0 {
			heap.Remove(r, 0)
			i := slices.Index(n.customer.in, n)
			n.customer.in = slices.Delete(n.customer.in, i, i+1)
		}
		return l
	}
	return nil
}

func (t *turns) empty() bool {
	for class := range t.rank {
		if len(t.rank[class]) > 0 {
			return false
		}
	}
	return true
}

// A rank is a heap of customers.
type rank []*node

func (r rank) Len() int { return len(r) }

func (r rank) Less(i, j int) bool {
	a, b := r[i].customer, r[j].customer
	if k := r[i].group; a.busy[k] != b.busy[k] {
		return a.busy[k] < b.busy[k]
	}
	return a.turn < b.turn
}

func (r rank) Swap(i, j int) {
	r[i], r[j] = r[j], r[i]
	r[i].at, r[j].at = i, j
}

func (r *rank) Push(v any) {
	n := v.(*node)
	n.at = len(*r)
	*r = append(*r, n)
}

func (r *rank) Pop() any {
	old := *r
	n := old[len(old)-1]
	old[len(old)-1] = nil
	*r = old[:len(old)-1]
	return n
}

// A queue is the line at a site: its lanes are few and of one customer.
type queue [classes][]*lane

func (q *queue) push(l *lane) { q[l.class] = append(q[l.class], l) }

func (q *queue) pop() *lane {
	for class := range q {
		if len(q[class]) > 0 {
			l := q[class][0]
			q[class] = slices.Delete(q[class], 0, 1)
			return l
		}
	}
	return nil
}

func (q *queue) empty() bool {
	for class := range q {
		if len(q[class]) > 0 {
			return false
		}
	}
	return true
}

func (p *place) newLine() line {
	if p.jump {
		return &turns{}
	}
	return &queue{}
}
