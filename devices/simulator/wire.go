package simulator

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"strings"
	"time"
	"unicode/utf8"
)

// A wire carries text to the client: line ends made the device's own, noise
// sprinkled in, cut into segments, at the ordered speed.
type wire struct {
	to        io.Writer
	newline   string
	fault     Fault
	lookalike string     // a write ends after it
	chance    *rand.Rand // nil: no noise
}

func newWire(to io.Writer, b *box) *wire {
	return &wire{to: to, newline: b.newline(), fault: b.fault, lookalike: b.fault.lookalike(b.Transcript)}
}

// send writes a text. Each segment is one Write.
func (w *wire) send(ctx context.Context, text string) error {
	if w.newline != "\n" {
		text = strings.ReplaceAll(text, "\n", w.newline)
	}
	if w.chance != nil {
		text = w.noise(text)
	}
	if w.lookalike == "" {
		return w.segments(ctx, text)
	}
	for _, part := range strings.SplitAfter(text, w.lookalike) {
		if err := w.segments(ctx, part); err != nil {
			return err
		}
		if strings.HasSuffix(part, w.lookalike) {
			if err := wait(ctx, w.fault.Pause); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *wire) segments(ctx context.Context, text string) error {
	data, rate := []byte(text), w.fault.BytesPerSecond
	for len(data) > 0 {
		n := len(data)
		if w.fault.Segment > 0 {
			n = min(n, w.fault.Segment)
		}
		if rate > 0 {
			n = min(n, max(1, rate/20)) // twenty writes a second
		}
		if w.fault.SplitAfter != "" {
			if i := bytes.IndexAny(data[:n], w.fault.SplitAfter); i >= 0 {
				n = i + 1
			}
		}
		if _, err := w.to.Write(data[:n]); err != nil {
			return err
		}
		data = data[n:]
		if rate > 0 {
			if err := wait(ctx, time.Duration(n)*time.Second/time.Duration(rate)); err != nil {
				return err
			}
		} else if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// noise puts NUL between characters and CR before line ends, never within a
// terminal sequence.
func (w *wire) noise(text string) string {
	var b strings.Builder
	escape := false
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if r == '\r' && strings.HasPrefix(text[i:], "\r\n") && w.chance.IntN(4) == 0 {
			b.WriteByte('\r')
		}
		b.WriteString(text[i : i+n])
		i += n
		switch {
		case r == 0x1b:
			escape = true
		case escape && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '=' || r == '>'):
			escape = false
		case !escape && w.chance.IntN(32) == 0:
			b.WriteByte(0)
		}
	}
	return b.String()
}
