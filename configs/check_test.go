package configs_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"belay/configs"
	"belay/devices"
)

func TestWhatIsNotWholeFailsItsCheck(t *testing.T) {
	t.Parallel()
	banner := "banner motd\n% Invalid jokes are refused here\n"
	middle := strings.Replace(config(9), "interface port4\n", "interface port4\n"+banner, 1)
	begins := marked
	begins.Complete.Starts = regexp.MustCompile(`(?m)^hostname `)
	anywhere := marked
	anywhere.Complete.Ends = regexp.MustCompile(`(?m)^end$`)
	for name, c := range map[string]struct {
		rules  configs.Rules
		text   string
		failed []string
	}{
		"whole":                             {marked, config(9), nil},
		"blank lines around it":             {marked, "\n\n" + config(9) + "\n\n", nil},
		"empty":                             {unmarked, "", []string{configs.CheckAnswered, configs.CheckSections}},
		"nothing but blanks":                {unmarked, " \n\t\n", []string{configs.CheckAnswered, configs.CheckSections}},
		"error text instead":                {unmarked, "% Invalid input\n", []string{configs.CheckFailure, configs.CheckSections}},
		"error text at the head":            {marked, "\n\n% Invalid input\n" + config(9), []string{configs.CheckFailure}},
		"error text in the third line":      {marked, "a\nb\n\n% Invalid input\n" + config(9), []string{configs.CheckFailure}},
		"error text at the tail":            {unmarked, config(9) + "% Invalid input\n\n", []string{configs.CheckFailure}},
		"error text third from the last":    {unmarked, config(9) + "% Invalid input\na\nb", []string{configs.CheckFailure}},
		"an error quoted in a banner":       {marked, middle, nil},
		"a section is missing":              {marked, "interface a\nend\n", []string{configs.CheckSections}},
		"no end mark":                       {marked, cut(config(9)), []string{configs.CheckEnd}},
		"end mark in the middle":            {marked, config(9) + "interface z\n", []string{configs.CheckEnd}},
		"a pattern that does not say where": {anywhere, config(9) + "interface z\n", []string{configs.CheckEnd}},
		"the same at the end":               {anywhere, config(9), nil},
		"end of a word":                     {marked, "hostname a\nappend\n", []string{configs.CheckEnd}},
		"begins as it must":                 {begins, "\n" + config(9), nil},
		"begins with something else":        {begins, "Building configuration...\n" + config(9), []string{configs.CheckStart}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			capture := says(c.rules, c.text).capture
			wantFailed(t, capture.Check(), c.failed...)
		})
	}
}

func TestACaptureIsCheckedAsAWhole(t *testing.T) {
	t.Parallel()
	whole := says(marked, config(9)).capture
	other := configs.File{Name: "startup.conf", Raw: []byte("x"), Text: []byte("x")}

	two := whole
	two.Files = append([]configs.File{other}, two.Files...)
	wantFailed(t, two.Check()) // only the main text has sections and an end

	two.Files = []configs.File{whole.Files[0], {Name: "startup.conf"}}
	wantFailed(t, two.Check(), configs.CheckAnswered)

	two.Files = []configs.File{whole.Files[0], {Name: "startup.conf", Raw: []byte("x"), Text: []byte("% Invalid input\n")}}
	wantFailed(t, two.Check(), configs.CheckFailure)

	two.Files = []configs.File{other}
	wantFailed(t, two.Check(), configs.CheckAnswered)

	two.Files = nil
	wantFailed(t, two.Check(), configs.CheckAnswered)

	whole.Faults = []string{`"show" ended with status 1`}
	wantFailed(t, whole.Check(), configs.CheckAnswered)
}

func TestAnotherDeviceIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		inventory, before, said []string
		refused                 bool
	}{
		"nothing to compare with":                  {nil, nil, []string{"A1"}, false},
		"as the inventory says":                    {[]string{"A1"}, nil, []string{"A1"}, false},
		"in other letters":                         {[]string{"a1b"}, nil, []string{"A1B"}, false},
		"not as the inventory says":                {[]string{"A1"}, nil, []string{"B7"}, true},
		"as the last version":                      {nil, []string{"A1"}, []string{"A1"}, false},
		"not as the last version":                  {nil, []string{"A1"}, []string{"B7"}, true},
		"one of an HA pair is enough":              {[]string{"A1", "A2"}, nil, []string{"A2"}, false},
		"and one of those before":                  {nil, []string{"A1", "A2"}, []string{"A2", "A3"}, false},
		"none of the pair":                         {[]string{"A1", "A2"}, nil, []string{"B7", "B8"}, true},
		"the inventory outranks the last version":  {[]string{"B7"}, []string{"A1"}, []string{"B7"}, false},
		"also where it is against the last ":       {[]string{"B7"}, []string{"A1"}, []string{"A1"}, true},
		"one that names no serial is not refused":  {[]string{"A1"}, []string{"A1"}, nil, false},
		"and nothing is compared with nothing":     {nil, nil, nil, false},
		"an empty serial is none of the inventory": {[]string{"A1"}, nil, []string{""}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			if c.before != nil {
				s.device.Serials = c.before
				wantGood(t, s.capture(configs.Order{}, says(marked, config(9), c.before...)), configs.Kept)
			}
			s.device.Serials = c.inventory
			r := s.capture(configs.Order{}, says(marked, config(10), c.said...)) // once: it will not be another box the second time
			if !c.refused {
				wantGood(t, r, configs.Kept)
				return
			}
			want(t, r, configs.Refused, devices.Refused)
			wantFailed(t, r.Checks, configs.CheckDevice)
			if !strings.Contains(r.Hint, "inventory") {
				t.Errorf("hint %q", r.Hint)
			}
		})
	}
}

func TestAVersionWithoutASerialDoesNotForgetTheDevice(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.capture(configs.Order{}, says(marked, config(9), "A1"))
	wantGood(t, s.capture(configs.Order{}, says(marked, config(10))), configs.Kept) // its fact command went unanswered
	want(t, s.capture(configs.Order{}, says(marked, config(11), "B7")), configs.Refused, devices.Refused)
	wantGood(t, s.capture(configs.Order{}, says(marked, config(11), "A1")), configs.Kept)
}

func TestHalfAsLongOrLessIsRefused(t *testing.T) {
	t.Parallel()
	text := func(bytes int) string { // of so many bytes
		return "hostname a\n" + strings.Repeat("x", bytes-len("hostname a\n\nend\n")) + "\nend\n"
	}
	for size, refused := range map[int]bool{1000: false, 501: false, 500: true, 499: true, 20: true, 5000: false} {
		s := newScene(t)
		s.capture(configs.Order{}, says(marked, text(1000)))
		a := says(marked, text(size))
		if !refused {
			s.capture(configs.Order{}, a)
			if s.kept() != text(size) {
				t.Errorf("%d of 1000 bytes were refused", size)
			}
			continue
		}
		r := s.capture(configs.Order{}, a, a)
		want(t, r, configs.Refused, devices.Refused)
		wantFailed(t, r.Checks, configs.CheckSize)
		if !strings.Contains(r.Hint, "belay accept acme/fw-hq --reason") {
			t.Errorf("hint %q", r.Hint)
		}
		if s.kept() != text(1000) {
			t.Errorf("%d of 1000 bytes were kept", size)
		}
	}
}

func TestWhatIsRefusedIsSealedInQuarantine(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.device.Serials = []string{"A1"}
	bad := says(marked, "password kanarienvogel\nhostname fw-hq\n% Invalid input: password kanarienvogel\n", "A1")
	r := s.capture(configs.Order{}, bad, bad)
	want(t, r, configs.Refused, devices.Refused)
	held, ok := s.held()
	if !ok {
		t.Fatal("nothing is in quarantine")
	}
	if held.ID != "acme/fw-hq" || held.By != person || held.Driver != "test" || !held.Taken.Equal(noon) || len(held.Originals) != 1 {
		t.Errorf("held: %+v", held)
	}
	if diff := cmp.Diff(r.Checks, held.Checks); diff != "" {
		t.Errorf("the checks held are not those of the result:\n%s", diff)
	}
	raw := bad.capture.Files[0].Raw
	if o := held.Originals[0]; bytes.Contains(o.Bytes, []byte("kanarienvogel")) || o.Size != len(raw) {
		t.Errorf("it can be read in the quarantine, or has another size than %d: %q", len(raw), o.Bytes)
	} else if plain, err := s.Sealer.Open(t.Context(), "acme", o.Bytes); err != nil || !bytes.Equal(plain, raw) {
		t.Errorf("what is held opens as %q (%v)", plain, err)
	}
	for _, c := range append(held.Checks, configs.Check{Detail: r.Error}, configs.Check{Detail: r.Hint}) {
		if strings.Contains(c.Detail, "kanarienvogel") {
			t.Errorf("a secret is told: %q", c.Detail)
		}
	}
	if !strings.Contains(r.Error, "% Invalid input") {
		t.Errorf("the error does not tell what the device said: %q", r.Error)
	}
}

func TestAPersonMayVouchForAShrink(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	vouched := configs.Order{Vouched: "one member is left, T20391"}
	r := s.capture(vouched)
	want(t, r, configs.Failed, devices.Usage) // nothing has been refused

	s.capture(configs.Order{}, says(marked, config(90)))
	small, smaller := says(marked, config(30)), says(marked, config(10))
	s.capture(configs.Order{}, small, small)
	r = s.capture(vouched, smaller, smaller)
	want(t, r, configs.Refused, devices.Refused)
	wantFailed(t, r.Checks, configs.CheckSize) // not what was seen when vouching

	s.capture(configs.Order{}, small, small)
	wantGood(t, s.capture(vouched, small), configs.Kept)
	snap := s.repository.asked[len(s.repository.asked)-1]
	if snap.Reason != vouched.Vouched || snap.By != person {
		t.Errorf("the snapshot says reason %q by %v", snap.Reason, snap.By)
	}
	if _, ok := s.held(); ok || s.kept() != config(30) {
		t.Error("what was accepted is not kept, or still in quarantine")
	}
	wantGood(t, s.capture(configs.Order{}, small), configs.Unchanged)
}

func TestAShrinkIsVouchedForByTheSizeOfWhatTheDeviceSent(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.capture(configs.Order{}, says(marked, config(900)))
	a := says(marked, config(2)+"password "+strings.Repeat("k", 4000)+"\nend\n") // most of it is not in the clean text
	s.capture(configs.Order{}, a, a)
	wantGood(t, s.capture(configs.Order{Vouched: "it is so"}, a), configs.Kept)
}

func TestNothingElseCanBeVouchedFor(t *testing.T) {
	t.Parallel()
	vouched := configs.Order{Vouched: "trust me"}
	short, small := says(marked, cut(config(30))), says(marked, config(30))
	wrong := says(marked, config(30), "B7")

	s := newScene(t)
	s.device.Serials = []string{"A1"}
	s.capture(configs.Order{}, says(marked, config(90)))
	s.capture(configs.Order{}, short, short)
	want(t, s.capture(vouched), configs.Refused, devices.Refused) // refused for its end, too

	s.capture(configs.Order{}, wrong)
	want(t, s.capture(vouched), configs.Refused, devices.Refused)

	s.capture(configs.Order{}, small, small)
	r := s.capture(vouched, short, short) // and what is read now must be whole
	want(t, r, configs.Refused, devices.Refused)
	wantFailed(t, r.Checks, configs.CheckEnd)
	if s.kept() != config(90) || s.versions() != 1 {
		t.Error("something was kept")
	}
}
