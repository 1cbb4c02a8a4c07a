package main

// A tellSetting says who is told what, and when.
type tellSetting struct{}

func (s *tellSetting) check() error { return nil }
