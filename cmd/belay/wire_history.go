package main

import "belay/configs/history"

// openHistory puts the histories and their index together.
func (w *workspace) openHistory() {
	w.history = &history.History{Walk: w.store, Repository: w.store, Index: w.ledger, Marks: w.ledger}
}
