package git

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// The tree of a customer with 5,000 devices is 175 KB, and each commit changes
// one line of it. So within one pack a tree is written as what changed in the one
// before, in the form that git's documentation calls OBJ_OFS_DELTA.

// deltaDepth is how many of them may stand on each other: whoever reads the last
// one must make all of them.
const deltaDepth = 32

// A top is the newest tree of a flush.
type top struct {
	hash  plumbing.Hash
	data  []byte
	depth int
}

// topTree makes the item of a tree whose entries are in git's order.
func (st *state) topTree(root []object.TreeEntry) (item, top) {
	size := 0
	for _, e := range root {
		size += len(e.Name) + 28
	}
	data := make([]byte, 0, size)
	for _, e := range root {
		data = fmt.Appendf(data, "%o %s\x00", uint32(e.Mode), e.Name)
		data = append(data, e.Hash[:]...)
	}
	it := newItem(plumbing.TreeObject, data)
	now := top{hash: it.hash, data: data}
	if st.top.data != nil && st.top.depth < deltaDepth {
		if d := delta(st.top.data, data); len(d) < len(data)/2 {
			it.data, it.delta, it.base = nil, d, st.top.hash
			now.depth = st.top.depth + 1
		}
	}
	return it, now
}

// delta makes is out of was, which differ in one place.
func delta(was, is []byte) []byte {
	head := same(was, is)
	tail := 0
	for most := min(len(was), len(is)) - head; tail < most && was[len(was)-1-tail] == is[len(is)-1-tail]; {
		tail++
	}
	out := binary.AppendUvarint(nil, uint64(len(was)))
	out = binary.AppendUvarint(out, uint64(len(is)))
	out = appendCopy(out, 0, head)
	for part := range slices.Chunk(is[head:len(is)-tail], 127) {
		out = append(append(out, byte(len(part))), part...)
	}
	return appendCopy(out, len(was)-tail, tail)
}

// same is how many bytes two texts begin with in common.
func same(a, b []byte) int {
	const stride = 512 // the comparison of whole pieces is the processor's own
	n, most := 0, min(len(a), len(b))
	for n+stride <= most && bytes.Equal(a[n:n+stride], b[n:n+stride]) {
		n += stride
	}
	for n < most && a[n] == b[n] {
		n++
	}
	return n
}

// appendCopy tells to take n bytes of the base from at on.
func appendCopy(out []byte, at, n int) []byte {
	for n > 0 {
		part := min(n, 0xffff)
		out = append(out, 0x80|0x01|0x02|0x04|0x08|0x10|0x20,
			byte(at), byte(at>>8), byte(at>>16), byte(at>>24), byte(part), byte(part>>8))
		at, n = at+part, n-part
	}
	return out
}

// appendBack is git's way to write how far back a base begins: seven bits a byte,
// the highest first, and one is taken off wherever another byte follows.
func appendBack(out []byte, back int64) []byte {
	digits := []byte{byte(back & 0x7f)}
	for back >>= 7; back > 0; back >>= 7 {
		back--
		digits = append(digits, 0x80|byte(back&0x7f))
	}
	slices.Reverse(digits)
	return append(out, digits...)
}
