package devices

import (
	"regexp"
	"sync"
)

// Pattern is a regular expression, compiled when it is first asked for: most
// commands need few of them, and each would pay for all at its start. One that
// cannot be compiled panics then.
func Pattern(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
