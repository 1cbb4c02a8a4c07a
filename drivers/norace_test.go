//go:build !race

package drivers_test

const raced = false
