package main

// A scheduleSetting says when which devices are captured.
type scheduleSetting struct{}

func (s scheduleSetting) check() error { return nil }
