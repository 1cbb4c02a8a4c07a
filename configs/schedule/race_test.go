//go:build race

package schedule_test

// raced: the race detector makes arithmetic ten times as dear, and finds nothing
// in a test of one goroutine. It is given a part of the days.
const raced = true
