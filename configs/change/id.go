package change

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"belay/devices"
)

// makeID is the n-th id for a ticket and a device: T20391-fw-hq, then
// T20391-fw-hq-2. It names files and parts of git references. Where anything had
// to be altered for that, a short hash tells T/1 from T-1.
func makeID(ticket, device string, n int) string {
	const most = 90 // of the hundred that devices.CheckName allows, with room for the number
	id := fit(ticket) + "-" + device
	if len(id) > most {
		id = id[:most-7] + "-" + short(id)
	}
	if n > 1 {
		id += "-" + strconv.Itoa(n)
	}
	return id
}

func fit(ticket string) string {
	fits := strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._-", r)) {
			return r
		}
		return '-'
	}, ticket)
	for strings.Contains(fits, "..") {
		fits = strings.ReplaceAll(fits, "..", ".")
	}
	fits = strings.TrimLeft(fits, "._-")
	if len(fits) > 40 {
		fits = fits[:40]
	}
	if fits == ticket {
		return ticket
	}
	return strings.TrimLeft(fits+"-"+short(ticket), "-")
}

func short(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:3])
}

// checkTicket returns the ticket as it is written down.
func checkTicket(ticket string) (string, error) {
	ticket = strings.TrimSpace(ticket)
	wrong := func(err error) error {
		return &devices.Error{Kind: devices.Usage, Op: "open a change", Err: err, Hint: "name the ticket that the work is done for: --ticket T20391"}
	}
	switch {
	case ticket == "":
		return "", wrong(errors.New("a change needs a ticket"))
	case len(ticket) > 200 || strings.ContainsFunc(ticket, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "", wrong(fmt.Errorf("%.40q is no ticket", ticket))
	}
	return ticket, nil
}
