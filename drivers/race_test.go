//go:build race

package drivers_test

// raced: the race detector makes a case twenty times as dear. What is cut where
// does not matter to it.
const raced = true
