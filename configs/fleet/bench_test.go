package fleet

import (
	"context"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"belay/configs"
	"belay/configs/memory"
	"belay/devices"
)

// BenchmarkEngine puts a night of 10,000 devices through the engine, whose
// captures do nothing: processor and memory for each job are the engine's own.
// "alone" are devices without sites; "bastion" are 200 customers behind one jump
// host that is the narrowest place; "hosts" is one customer with as many jump
// hosts as sites, all of them full.
func BenchmarkEngine(b *testing.B) {
	const n = 10_000
	shapes := map[string]struct {
		limits Limits
		device func(i int) devices.Device
	}{
		"sites":   {Limits{All: 200, Site: 10}, func(i int) devices.Device { return device(i%200, i%2000, "") }},
		"alone":   {Limits{All: 200, Site: 10}, func(i int) devices.Device { return device(i%200, -1, "") }},
		"bastion": {Limits{All: 200, Site: 10, JumpHost: 20}, func(i int) devices.Device { return device(i%200, i%2000, "bastion") }},
		"hosts":   {Limits{Site: 2, JumpHost: 1}, func(i int) devices.Device { return device(0, i%2000, fmt.Sprint("hop", i%2000)) }},
	}
	for name, s := range shapes {
		jobs := make([]Job, n)
		for i := range jobs {
			jobs[i].Device = s.device(i)
			jobs[i].Device.Name = fmt.Sprint("d", i)
		}
		for _, by := range []string{"run", "submit"} {
			b.Run(name+"/"+by, func(b *testing.B) {
				b.ReportAllocs()
				before := processor(b)
				for b.Loop() {
					e := &Engine{Limits: s.limits, Now: time.Now, Rests: &Rests{Marks: &memory.Marks{}, Now: time.Now},
						Capture: func(context.Context, Job) configs.Result {
							runtime.Gosched()
							return configs.Result{Result: configs.Unchanged}
						}}
					if by == "run" {
						e.Run(b.Context(), jobs, func(Final) {})
						continue
					}
					for i := range jobs {
						e.Submit(b.Context(), jobs[i], func(Final) {})
					}
					if err := e.Wait(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(processor(b)-before)/float64(b.N)/n, "cpu-ns/job")
			})
		}
	}
}

// BenchmarkWaiting measures what 10,000 jobs take that wait behind one that
// hangs: memory and goroutines.
func BenchmarkWaiting(b *testing.B) {
	const n = 10_000
	for b.Loop() {
		stop := make(chan struct{})
		e := &Engine{Limits: Limits{All: 1}, Capture: func(context.Context, Job) configs.Result {
			<-stop
			return configs.Result{Result: configs.Unchanged}
		}}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		goroutines := runtime.NumGoroutine()
		for i := range n {
			d := device(i%200, i%2000, "")
			d.Name = fmt.Sprint("d", i)
			e.Submit(b.Context(), Job{Device: d}, func(Final) {})
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "heap-B/job")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines), "goroutines")
		close(stop)
		if err := e.Wait(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func device(customer, site int, hop string) devices.Device {
	d := devices.Device{Customer: fmt.Sprint("c", customer)}
	if site >= 0 {
		d.Site = fmt.Sprint("s", site)
	}
	if hop != "" {
		d.Jump = []string{hop}
	}
	return d
}

// processor is the processor time of this process so far.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
