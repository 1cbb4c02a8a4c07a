//go:build race

package main

// raced: the race detector makes SQLite fifteen times as dear.
const raced = true
