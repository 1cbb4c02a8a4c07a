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

// placesOf are all that stand as {env: NAME} and {file: PATH} in the text of
// settings, which was read before.
func placesOf(text []byte) (variables, files []string, err error) {
	var all any
	err = yaml.Unmarshal(text, &all)
	return valuesOf("env", all), valuesOf("file", all), err
}

// isSecret tells whether a file is one in which a secret is, by the settings, or
// the master identity.
func (s *settings) isSecret(path string) bool {
	path = realPath(path)
	return path == realPath(s.master().File) || slices.ContainsFunc(s.secrets, func(name string) bool { return realPath(s.path(name)) == path })
}

func valuesOf(word string, v any) (names []string) {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			if name, ok := inner.(string); ok && key == word {
				names = append(names, name)
			}
			names = append(names, valuesOf(word, inner)...)
		}
	case []any:
		for _, inner := range v {
			names = append(names, valuesOf(word, inner)...)
		}
	}
	return names
}
