package standin_test

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestFaultsComeWhenTheyAreOrdered(t *testing.T) {
	t.Parallel()
	v := visit(t)
	const path = "/configurations/11/relationships/attachments"
	order := func(lines ...string) {
		t.Helper()
		v.s.Clear()
		for _, l := range lines {
			if err := v.s.Order(l); err != nil {
				t.Fatal(err)
			}
		}
	}
	statuses := func(n int, method, body string) (got []int) {
		kind := ""
		if body != "" {
			kind = jsonAPI
		}
		for range n {
			status, _, _ := v.ask(method, path, kind, body)
			got = append(got, status)
		}
		return got
	}
	order("429 after=2 next=1 retry-after=2", "504 next=1")
	if got := statuses(5, "GET", ""); !slices.Equal(got, []int{504, 200, 429, 200, 200}) {
		t.Errorf("answered %v", got)
	}
	order("500 on=POST")
	if got := append(statuses(1, "GET", ""), statuses(1, "POST", hung)...); !slices.Equal(got, []int{200, 500}) {
		t.Errorf("answered %v", got)
	}
	for line, there := range map[string]int{"drop next=1": 1, "garbage next=1": 1, "504 done next=1": 1, "cut next=1": 0, "502 next=1": 0} {
		before := len(v.s.Attachments(11))
		order(line)
		if status, answer, err := v.ask("POST", path, jsonAPI, hung); err == nil && status == 201 {
			t.Errorf("%s: %d %s", line, status, answer)
		}
		if got := len(v.s.Attachments(11)) - before; got != there {
			t.Errorf("%s: %d hang there, want %d", line, got, there)
		}
	}
	order("short next=1")
	v.want(201, "", "POST", path, hung)
	v.want(201, "", "POST", path, hung)
	if got := v.s.Attachments(11); len(got[len(got)-2].Bytes) != len(got[len(got)-1].Bytes)/2 {
		t.Errorf("of %d bytes %d arrived", len(got[len(got)-1].Bytes), len(got[len(got)-2].Bytes))
	}
	before := len(v.s.Attachments(11))
	order("late calls=2 next=1")
	statuses(1, "POST", hung)
	for n, want := range []int{0, 1, 1} {
		v.want(200, "", "GET", path, "")
		if got := len(v.s.Attachments(11)) - before; got != want {
			t.Errorf("after %d further requests %d hang there, want %d", n+1, got, want)
		}
	}
	order("list missing=405")
	v.want(405, "", "GET", path, "")
	for _, line := range []string{"", "dance", "429 after=x", "list", "list nowhere", "key x", "99"} {
		if v.s.Order(line) == nil {
			t.Errorf("the order %q is taken", line)
		}
	}
}

func TestWhatIsDownRefusesAndComesBackWithWhatItHad(t *testing.T) {
	t.Parallel()
	v := visit(t)
	const path = "/configurations/11/relationships/attachments"
	v.want(201, "", "POST", path, hung)
	for _, line := range []string{"down", "down"} {
		if err := v.s.Order(line); err != nil {
			t.Fatal(err)
		}
	}
	if status, _, err := v.ask("GET", path, "", ""); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("down, it answered %d, %v", status, err)
	}
	for _, line := range []string{"up", "up"} {
		if err := v.s.Order(line); err != nil {
			t.Fatal(err)
		}
	}
	if got := rows(t, v.want(200, "", "GET", path, "")); len(got) != 1 {
		t.Errorf("after coming back %v hang there", got)
	}
}

func TestWhatIsSlowIsDoneAlsoWhenNobodyWaitsAnyMore(t *testing.T) {
	t.Parallel()
	v := visit(t)
	const path = "/configurations/11/relationships/attachments"
	for _, line := range []string{"slow 1h next=1", "late 1ms next=1"} {
		if err := v.s.Order(line); err != nil {
			t.Fatal(err)
		}
	}
	gaveUp := make(chan error, 1)
	go func() {
		_, _, err := v.ask("POST", path, jsonAPI, hung)
		gaveUp <- err
	}()
	for v.s.Calls("POST /configurations/:id/relationships/attachments") == 0 {
		select {
		case <-t.Context().Done():
			t.Fatal("it never arrived")
		case <-time.After(time.Millisecond):
		}
	}
	v.s.Close() // which ends the hour, and breaks the connection first
	if err := <-gaveUp; err == nil {
		t.Error("an answer came over a broken connection")
	}
	if err := v.s.Up(); err != nil {
		t.Fatal(err)
	}
	if status, _, err := v.ask("POST", path, jsonAPI, hung); err == nil {
		t.Errorf("late, it answered %d", status)
	}
	deadline := time.After(20 * time.Second)
	for len(v.s.Attachments(11)) < 2 {
		select {
		case <-deadline:
			t.Fatalf("%d of 2 hang there", len(v.s.Attachments(11)))
		case <-time.After(time.Millisecond):
		}
	}
}

func TestFaultsMayChangeWhileRequestsRun(t *testing.T) {
	t.Parallel()
	v := visit(t)
	var told, wrong atomic.Int32
	var senders, disturber sync.WaitGroup
	stop := make(chan struct{})
	disturber.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			for _, line := range [][]string{{"429 next=2", "drop next=1"}, {"down", "up"}, {"late calls=2 next=1"}, {"list missing"}, {"clear"}}[n%5] {
				if err := v.s.Order(line); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for range 6 {
		senders.Go(func() {
			for range 25 {
				status, _, err := v.ask("POST", "/configurations/11/relationships/attachments", jsonAPI, hung)
				switch {
				case status == 201 && err == nil:
					told.Add(1)
				case status == 429 || err != nil:
					wrong.Add(1)
				default:
					t.Errorf("answered %d", status)
				}
				v.s.AllAttachments()
			}
		})
	}
	senders.Wait()
	close(stop)
	disturber.Wait()
	v.s.Settle()
	there := int32(len(v.s.AllAttachments()))
	if there < told.Load() || there > told.Load()+wrong.Load() {
		t.Errorf("%d were told to hang, %d failed, %d hang there", told.Load(), wrong.Load(), there)
	}
}
