package configs

import (
	"bytes"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

// Control characters are written as their pictures, as in the transcripts.
var pictures = strings.NewReplacer("␛", "\x1b", "␍", "\r", "␈", "\b", "␀", "\x00", "␇", "\a", "␊", "\n")

func TestPlainIsWhatAPersonWouldRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ raw, want string }{
		"text stays as it is":              {"hostname a␊ no shutdown  ␊␊end", "hostname a\n no shutdown  \n\nend"},
		"line ends become LF":              {"a␍␊b␍␍␊c␊␍d␍␊", "a\nb\nc\nd\n"},
		"NUL and bell show nothing":        {"ab␀c␇␍␊␀", "abc\n"},
		"tabs and Latin-1 are text":        {"\ta\xe9 é␍␊", "\ta\xe9 é\n"},
		"FortiOS pager":                    {"config a␍␊--More-- ␍         ␍    set b␍␊end␍␊", "config a\n    set b\nend\n"},
		"FortiOS pager before a short one": {"--More-- ␍         ␍end␍␊", "end\n"},
		"FortiOS pager before an empty one": {"--More-- ␍         ␍␍␊end␍␊",
			"\nend\n"},
		"Cisco pager":                 {" --More-- ␈␈␈␈␈␈␈␈␈        ␈␈␈␈␈␈␈␈␈ shutdown␍␊", " shutdown\n"},
		"IOS pager with exact wiping": {" --More-- ␈␈␈␈␈␈␈␈␈␈          ␈␈␈␈␈␈␈␈␈␈!␍␊", "!\n"},
		"TNSR pager":                  {"␈␈␈␈␈␈␈␈        ␈␈␈␈␈␈␈␈                send-community large␊", "                send-community large\n"},
		"trailing blanks after a pager stay": {"--More-- ␍         ␍ab  ␍␊",
			"ab  \n"},
		"wiping further than the question": {"--More--␍            ␍x␍␊", "x\n"},
		"erase to the end of the line":     {"--More--␍␛[Kexit␍␊", "exit\n"},
		"erase the line":                   {"Press any key␛[2K␍ok␍␊", "ok\n"},
		"a shorter line keeps the tail":    {"abcdef␍xy␍␊", "xycdef\n"},
		"NX-OS":                            {"version 7.3␍␍␊␍␍␊feature ssh␍␍␊", "version 7.3\n\nfeature ssh\n"},
		"VyOS":                             {"␛[?1h␛=␍Version:          VyOS 1.4.3␛[m␍␊␛[m␍␊␍␛[K␛[?1l␛>user@fw1:~$ ", "Version:          VyOS 1.4.3\n\nuser@fw1:~$ "},
		"AOS-S command line":               {"␛[24;1H␛[2K␛[24;1H␛[1;24r␛[24;1H␛[24;1Hsw1# ␛[24;1H␛[24;6H␛[?25h␛[24;6Hs␛[24;6H␛[?25h␛[24;7Hh␛[24;0H␛E␛[24;1H␛[24;8H␛[24;1H␛[2K␛[24;1H␛[?25h␛[24;1H␛[1;24r␛[24;1HRunning configuration:␍␊", "sw1# sh\nRunning configuration:\n"},
		"AOS-S pager":                      {"vlan 1␍␊-- MORE --, next page: Space␛[24;1H␛[2K␛[24;1H   name \"x\"␍␊", "vlan 1\n   name \"x\"\n"},
		"a screen that is drawn":           {"␛[2J␛[1;1Hone␛[2;1Htwo␛[3;4Hthree", "one\ntwo\n   three"},
		"going to the top loses nothing":   {"kept␛[Hnew␊", "kept\nnew\n"},
		"clearing the screen loses nothing": {"kept␛[2J␛[HProCurve␍␊",
			"kept\nProCurve\n"},
		"RouterOS prompt":              {"␍␍␍␍␛[9999B[admin@MikroTik] > ␛[K␍[admin@MikroTik] > /export␍␊", "[admin@MikroTik] > /export\n"},
		"colors":                       {"␛[1;31mred␛[0m plain␛(B␊", "red plain\n"},
		"window title":                 {"␛]0;user@host␇user@host:~$ ␛]2;x␛\\ls␊", "user@host:~$ ls\n"},
		"a string that never ends":     {"␛]0;user text␊next␊", "0;user text\nnext\n"},
		"a sequence that is cut short": {"ab␛[12␊cd␛", "ab\ncd"},
		"backspacing over é":           {"é␈ ␈e␊", "e\n"},
		"an echo that is corrected":    {"shwo␈ ␈␈ ␈ow run␊", "show run\n"},
		"cursor columns":               {"a␛[5Gb␛[3DX␊", "a X b\n"},
		"saved cursor":                 {"␛7question?␛8␛[Kanswer␊", "answer\n"},
		"deleted and inserted":         {"abcdef␍␛[2Pxy␍␛[1@z␊", "zxyef\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := string(Plain([]byte(pictures.Replace(c.raw))))
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestPlainLeavesItsArgumentAlone(t *testing.T) {
	t.Parallel()
	raw := []byte("abc\rx\r\nplain\r\n")
	before := bytes.Clone(raw)
	out := Plain(raw)
	for i := range out {
		out[i] = '#'
	}
	if !bytes.Equal(raw, before) {
		t.Errorf("raw became %q", raw)
	}
}

func FuzzPlain(f *testing.F) {
	for _, s := range []string{"a\r\nb", "--More-- \r         \rx\n", "\x1b[24;1H\x1b[2Kfoo\x1b[1;1Hbar", "\x1b]0;t\x07x\b\b \n", "\x1b[99999@\x1b[5G\xff", "\x1bE\x1bM\x1b[2J\v\f"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		once := Plain(raw)
		for _, c := range once {
			if c < ' ' && c != '\n' && c != '\t' || c == 0x7f {
				t.Fatalf("%q holds %#x", once, c)
			}
		}
		if twice := Plain(once); !bytes.Equal(once, twice) {
			t.Fatalf("once %q, twice %q", once, twice)
		}
		if bytes.Count(once, []byte{'\n'}) < bytes.Count(raw, []byte{'\n'}) {
			t.Fatalf("lines were lost: %q became %q", raw, once)
		}
		if !bytes.ContainsAny(raw, "\r\b\x1b\v\f") {
			want := bytes.Map(func(r rune) rune {
				if r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
					return -1
				}
				return r
			}, raw)
			if bytes.ContainsRune(raw, unicode.ReplacementChar) {
				return // bytes.Map rewrites invalid UTF-8
			}
			if !bytes.Equal(once, want) {
				t.Fatalf("%q became %q", raw, once)
			}
		}
	})
}

func BenchmarkPlain200KB(b *testing.B) {
	line := " ip address 10.0.0.1 255.255.255.0 secondary of some kind\r\n"
	for name, raw := range map[string]string{
		"calm":  strings.Repeat(line, 200_000/len(line)),
		"pager": strings.Repeat(strings.Repeat(line, 23)+"--More-- \r         \r", 200_000/len(line)/23),
		"drawn": strings.Repeat("\x1b[0m"+line, 200_000/len(line)),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				Plain([]byte(raw))
			}
		})
	}
}
