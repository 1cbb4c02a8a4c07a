package change

import (
	"strings"
	"testing"

	"belay/configs"
)

// withBackup is an ordinary replacement of a device that gives a binary artifact
// beside its text.
func withBackup(hangs ...configs.Form) Change {
	c := replaced()
	for i := range c.Captures {
		k := &c.Captures[i]
		if k.Version == "" {
			continue
		}
		k.Files = append(k.Files, configs.VersionFile{Name: "router.backup", OriginalDigest: strings.Repeat("f", 64), OriginalBytes: 70123})
		for j := range c.Attachments {
			a := c.Attachments[j]
			if a.Version != k.Version || a.Form == configs.Receipt {
				continue
			}
			c.Attachments[j].Form = hangs[0]
			if len(hangs) > 1 {
				a.File, a.Form = "router.backup", hangs[1]
				c.Attachments = append(c.Attachments, a)
			}
		}
	}
	return c
}

func TestAnArtifactIsOwedWhereOriginalsHangAndNotWhereRedactedTextsDo(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		hangs []configs.Form
		whole bool
	}{
		{[]configs.Form{configs.Original, configs.Original}, true}, {[]configs.Form{configs.InSeal, configs.InSeal}, true},
		{[]configs.Form{configs.Original}, false}, {[]configs.Form{configs.InSeal}, false}, {[]configs.Form{configs.Redacted}, true},
	} {
		c := withBackup(x.hangs...)
		owed := false
		for _, l := range c.Lacks(at(10, 0), policy(), "") {
			owed = owed || strings.Contains(l.What, "not proven to be attached")
		}
		if owed == x.whole {
			t.Errorf("%v hang: lacks %+v", x.hangs, c.Lacks(at(10, 0), policy(), ""))
		}
		text, _ := forms(t, receiptOf(t, c))
		if told := strings.Contains(flat(text), "router.backup is not attached in itglue yet"); told == x.whole {
			t.Errorf("%v hang: the receipt says so %t:\n%s", x.hangs, told, text)
		}
		if !strings.Contains(flat(text), "router.backup, binary, 70123 bytes as the device sent it, sealed original SHA-256 "+strings.Repeat("f", 32)) {
			t.Errorf("the receipt does not name the artifact:\n%s", text)
		}
	}
}

// Of a version that no capture of its own has proven, the attachments decide.
func TestAVersionIsInASecondPlaceOnceItsArtifactIs(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		hangs []configs.Form
		want  bool
	}{
		{[]configs.Form{configs.Original, configs.Original}, true}, {[]configs.Form{configs.Original}, false}, {[]configs.Form{configs.Redacted}, true},
	} {
		c := withBackup(x.hangs...)
		for i := range c.Captures {
			c.Captures[i].Verified, c.Captures[i].Proofs = false, nil
			if c.Captures[i].Version != "" {
				c.Captures[i].Proofs = []configs.Proof{{Name: "read back", Done: true, OK: true}}
			}
		}
		if got := c.Verified(strings.Repeat("a", 40)); got != x.want {
			t.Errorf("%v hang: verified %t, want %t", x.hangs, got, x.want)
		}
	}
}
