package main

// An eventsSetting says how Belay hears of changes between the nights.
type eventsSetting struct{}

func (s *eventsSetting) check() error { return nil }
