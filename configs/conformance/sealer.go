package conformance

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"belay/configs"
	"belay/configs/redact"
)

// Sealer holds an implementation of configs.Sealer to its contract. Open gives
// one without any customer each time.
func Sealer(t *testing.T, open func(t *testing.T) configs.Sealer) {
	for name, f := range map[string]func(*testing.T, configs.Sealer){
		"what is sealed opens as it was":         sealedOpens,
		"another customer cannot open it":        foreignSeal,
		"altered bytes do not open":              alteredSeal,
		"fingerprint keys stay and differ":       fingerprintKeys,
		"a first use by many at once is one key": firstUseAtOnce,
		"a name that is no folder is refused":    badCustomers,
		"a canceled context is its error":        canceledSealer,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

const canary = "snmp-server community kanarienvogel-7231 RO\n"

func sealedOpens(t *testing.T, s configs.Sealer) {
	for name, plain := range map[string]string{
		"empty": "", "one line": canary, "bytes": "\x00\xff\r\n\x1b[7m", "200 KB": strings.Repeat(canary, 4500),
	} {
		sealed := must[[]byte](t)(s.Seal(t.Context(), "acme", []byte(plain)))
		if bytes.Contains(sealed, []byte("kanarienvogel")) {
			t.Errorf("%s: the secret can be read in what is sealed", name)
		}
		if got := must[[]byte](t)(s.Open(t.Context(), "acme", sealed)); string(got) != plain {
			t.Errorf("%s: opened %d bytes that are not the %d sealed ones", name, len(got), len(plain))
		}
	}
}

func foreignSeal(t *testing.T, s configs.Sealer) {
	sealed := must[[]byte](t)(s.Seal(t.Context(), "acme", []byte(canary)))
	got, err := s.Open(t.Context(), "bolt", sealed)
	if err == nil {
		t.Errorf("bolt opened what is acme's: %q", got)
	} else if strings.Contains(err.Error(), "kanarienvogel") {
		t.Errorf("the error tells the secret: %v", err)
	}
}

func alteredSeal(t *testing.T, s configs.Sealer) {
	sealed := must[[]byte](t)(s.Seal(t.Context(), "acme", []byte(canary)))
	for name, altered := range map[string][]byte{
		"nothing":            nil,
		"no seal":            []byte("hello"),
		"cut short":          sealed[:len(sealed)-1],
		"one bit at the end": append(bytes.Clone(sealed[:len(sealed)-1]), sealed[len(sealed)-1]^1),
	} {
		got, err := s.Open(t.Context(), "acme", altered)
		if err == nil {
			t.Errorf("%s: opened as %q", name, got)
		} else if strings.Contains(err.Error(), "kanarienvogel") {
			t.Errorf("%s: the error tells the secret: %v", name, err)
		}
	}
}

func fingerprintKeys(t *testing.T, s configs.Sealer) {
	a := must[redact.Key](t)(s.FingerprintKey(t.Context(), "acme"))
	b := must[redact.Key](t)(s.FingerprintKey(t.Context(), "bolt"))
	if a == b || a == (redact.Key{}) || b == (redact.Key{}) {
		t.Error("two customers have one key, or none")
	}
	if again := must[redact.Key](t)(s.FingerprintKey(t.Context(), "acme")); again != a {
		t.Error("the key of a customer changed")
	}
}

func firstUseAtOnce(t *testing.T, s configs.Sealer) {
	var wg sync.WaitGroup
	keys, sealed := make([]redact.Key, 8), make([][]byte, 8)
	for i := range 8 {
		wg.Go(func() {
			var err error
			if keys[i], err = s.FingerprintKey(t.Context(), "acme"); err != nil {
				t.Error(err)
			}
			if sealed[i], err = s.Seal(t.Context(), "acme", []byte(canary)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range 8 {
		if keys[i] != keys[0] {
			t.Errorf("caller %d got another key", i)
		}
		if got := must[[]byte](t)(s.Open(t.Context(), "acme", sealed[i])); string(got) != canary {
			t.Errorf("caller %d sealed what opens as %q", i, got)
		}
	}
}

func badCustomers(t *testing.T, s configs.Sealer) {
	for _, customer := range []string{"", "..", "../acme", "a/b", ".", "a b"} {
		if _, err := s.Seal(t.Context(), customer, []byte("x")); err == nil {
			t.Errorf("sealed for %q", customer)
		}
		if _, err := s.Open(t.Context(), customer, []byte("x")); err == nil {
			t.Errorf("opened for %q", customer)
		}
		if _, err := s.FingerprintKey(t.Context(), customer); err == nil {
			t.Errorf("made a key for %q", customer)
		}
	}
}

func canceledSealer(t *testing.T, s configs.Sealer) {
	sealed := must[[]byte](t)(s.Seal(t.Context(), "acme", []byte(canary)))
	ctx := canceled(t)
	_, err := s.Seal(ctx, "acme", []byte(canary))
	wantCanceled(t, "seal", err)
	_, err = s.Open(ctx, "acme", sealed)
	wantCanceled(t, "open", err)
	_, err = s.FingerprintKey(ctx, "acme")
	wantCanceled(t, "fingerprint key", err)
}
