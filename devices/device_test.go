package devices

import "testing"

func TestSerialNumbersAreTheSameHoweverTheyAreWritten(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		a, b []string
		want bool
	}{
		{"the same", []string{"FGT60F1"}, []string{"FGT60F1"}, true},
		{"in small letters and with blanks", []string{" fgt60f1 "}, []string{"FGT60F1\t"}, true},
		{"one of a pair", []string{"A", "B"}, []string{"C", "b"}, true},
		{"a part is another number", []string{"FGT60F1"}, []string{"FGT60F12"}, false},
		{"none is like none", nil, nil, false},
		{"what is blank is no number", []string{"", " "}, []string{" ", ""}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := Shared(c.a, c.b); got != c.want {
				t.Errorf("%q and %q: %v", c.a, c.b, got)
			}
		})
	}
}
