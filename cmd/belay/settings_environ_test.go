package main

import (
	"slices"
	"strings"
	"testing"
)

func TestAProgramIsNotGivenTheSecretsOfOthers(t *testing.T) {
	t.Setenv("BELAY_TEST_ONE", "canary-one")
	t.Setenv("BELAY_TEST_TWO", "canary-two")
	t.Setenv("BELAY_TEST_THREE", "canary-three")
	t.Setenv("BELAY_TEST_MASTER", "canary-master")
	t.Setenv("BELAY_TEST_OTHER", "stays")
	names, _, err := placesOf([]byte(`master: {env: BELAY_TEST_MASTER}
logins: {a: [{user: x, password: {command: [pass]}}, {user: y, password: {env: BELAY_TEST_ONE}}], env: {user: z, password: {env: BELAY_TEST_TWO}}}
events: {traps: {communities: [{env: BELAY_TEST_THREE}]}}
`))
	if err != nil {
		t.Fatal(err)
	}
	s := settings{variables: names}
	given := strings.Join(s.environ(), "\n")
	if strings.Contains(given, "canary-") || !strings.Contains(given, "BELAY_TEST_OTHER=stays") || !slices.ContainsFunc(s.environ(), func(v string) bool { return strings.HasPrefix(v, "PATH=") }) {
		t.Errorf("a program is given\n%s", given)
	}
}
