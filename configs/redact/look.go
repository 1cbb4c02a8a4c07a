package redact

func look(text []byte) []span { return nil }
