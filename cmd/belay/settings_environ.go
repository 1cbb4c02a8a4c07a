package main

import (
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// environ is what the programs that print secrets are given of our environment:
// all of it but the variables in which other secrets are, by the settings. Nobody
// but us is to have those.
func (s *settings) environ() []string {
	return slices.DeleteFunc(os.Environ(), func(set string) bool {
		name, _, _ := strings.Cut(set, "=")
		return slices.Contains(s.variables, name)
	})
}

// variablesOf are all names that stand as {env: NAME} in the text of settings,
// which was read before.
func variablesOf(text []byte) ([]string, error) {
	var all any
	err := yaml.Unmarshal(text, &all)
	return envsIn(all), err
}

func envsIn(v any) (names []string) {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			if name, ok := inner.(string); ok && key == "env" {
				names = append(names, name)
			}
			names = append(names, envsIn(inner)...)
		}
	case []any:
		for _, inner := range v {
			names = append(names, envsIn(inner)...)
		}
	}
	return names
}
