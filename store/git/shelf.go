package git

import (
	"container/list"
	"sync"
)

// mostDevices is how many devices' newest versions are kept in memory, about
// 2 KB each. Beyond it the customers that were asked for longest ago are
// forgotten: they are read again, from the note that maintenance leaves.
const mostDevices = 20_000

// A shelf holds the states of a store's repositories, up to a number of devices.
// The zero value is empty.
type shelf struct {
	most int // 0: mostDevices

	mu      sync.Mutex
	order   list.List // of *shelved, the last one used in front
	places  map[*repo]*list.Element
	devices int
}

type shelved struct {
	repo    *repo
	devices int
}

// used says that somebody looked at a repository's state.
func (s *shelf) used(r *repo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.places[r]; ok {
		s.order.MoveToFront(e)
	}
}

// put says that a repository's state has so many devices, and makes room.
func (s *shelf) put(r *repo, n int) {
	for _, old := range s.make(r, n) {
		old.mu.Lock()
		old.state = nil
		old.mu.Unlock()
	}
}

// make finds room, and returns those that must give theirs.
func (s *shelf) make(r *repo, n int) (gone []*repo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.places == nil {
		s.places = map[*repo]*list.Element{}
	}
	n++ // an empty one takes something, too
	if e, ok := s.places[r]; ok {
		p := e.Value.(*shelved)
		s.devices += n - p.devices
		p.devices = n
		s.order.MoveToFront(e)
	} else {
		s.places[r] = s.order.PushFront(&shelved{r, n})
		s.devices += n
	}
	most := s.most
	if most == 0 {
		most = mostDevices
	}
	for s.devices > most && s.order.Len() > 1 {
		e := s.order.Back()
		p := s.order.Remove(e).(*shelved)
		delete(s.places, p.repo)
		s.devices -= p.devices
		gone = append(gone, p.repo)
	}
	return gone
}
