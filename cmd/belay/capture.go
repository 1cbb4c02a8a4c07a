package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"belay/configs"
	"belay/configs/fleet"
	"belay/configs/report"
	"belay/configs/round"
	"belay/devices"
	"belay/store/ledger"
)

// chosen is which devices a command is about.
type chosen struct {
	customer, site string
	all            bool
}

func (c *chosen) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.customer, "customer", "", "all devices of this customer")
	cmd.Flags().StringVar(&c.site, "site", "", "all devices of this site (SITE or CUSTOMER/SITE)")
	cmd.Flags().BoolVar(&c.all, "all", false, "all devices")
}

// pick is the devices that names and flags choose, each once.
func (c *chosen) pick(inv *devices.Inventory, names []string) ([]devices.Device, error) {
	var list []devices.Device
	if len(names) == 0 && !c.all && c.customer == "" && c.site == "" {
		return nil, &devices.Error{Kind: devices.Usage, Err: errors.New("which devices?"), Hint: "name them, or say --customer C, --site S or --all"}
	}
	if len(names) > 0 && (c.all || c.customer != "" || c.site != "") {
		return nil, &devices.Error{Kind: devices.Usage, Err: errors.New("name devices or choose by flag, not both")}
	}
	for _, n := range names {
		d, err := inv.Find(n)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(list, func(e devices.Device) bool { return e.ID() == d.ID() }) {
			list = append(list, d)
		}
	}
	if len(names) > 0 {
		return list, nil
	}
	return inv.Select(c.customer, c.site)
}

func (p *program) captureCommand() *cobra.Command {
	var c chosen
	var o captureOptions
	cmd := &cobra.Command{
		Use:   "capture DEVICE… | --customer C | --site S | --all",
		Short: "Take devices' configurations, prove them whole and keep them",
		Long: `Reads each device over SSH, checks that the configuration is whole and of the right
device, replaces its secrets by fingerprints and commits it to the customer's git
repository. What fails a check is quarantined, never kept.

With --json one object per device and line: device, result (kept, unchanged, refused,
unreachable, denied, failed), verified, version, grade, checks, error, hint, seconds.
` + exitHelp,
		Example: "  belay capture acme/fw-hq\n  belay capture --customer acme --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.byService, o.waits = !o.firstUse && o.concurrency == 0, len(args) > 0
			if o.byService && o.waits && c == (chosen{}) {
				if w, list, ok := p.openToAsk(cmd.Context(), args); ok {
					err := p.runCapture(cmd.Context(), w, list, o)
					w.close()
					if !errors.Is(err, errNoService) {
						return err
					}
				}
			}
			w, err := p.open(cmd.Context(), openOptions{firstUse: o.firstUse})
			if err != nil {
				return err
			}
			defer w.close()
			list, err := c.pick(w.inventory, args)
			if err != nil {
				return err
			}
			return p.runCapture(cmd.Context(), w, list, o)
		},
	}
	c.flags(cmd)
	cmd.Flags().IntVar(&o.concurrency, "concurrency", 0, "sessions open at once (default: concurrency.all of the settings, 50)")
	cmd.Flags().StringVar(&o.order.Ticket, "ticket", "", "ticket that the captures belong to")
	cmd.Flags().BoolVar(&o.firstUse, "first-use", false, "pin the host key of a device that has none pinned; recorded")
	return cmd
}

type captureOptions struct {
	order       configs.Order
	concurrency int
	firstUse    bool
	byService   bool // a running service may do it
	waits       bool // a person waits for the devices that were named: they go first there
}

// runCapture captures a list of devices, tells each result as it comes, and
// records the run in the ledger.
func (p *program) runCapture(ctx context.Context, w *workspace, list []devices.Device, o captureOptions) error {
	o.order.By = w.by
	limits := fleet.Limits{All: w.settings.Concurrency.All, Site: w.settings.Concurrency.Site, JumpHost: w.settings.Concurrency.JumpHost}
	if o.concurrency < 0 {
		return &devices.Error{Kind: devices.Usage, Err: fmt.Errorf("--concurrency %d: want at least 1", o.concurrency)}
	}
	if o.concurrency > 0 {
		limits = fleet.Limits{All: o.concurrency, Site: max(o.concurrency, limits.Site), JumpHost: max(o.concurrency, limits.JumpHost)}
	}
	// A device whose session has ended is still being kept and proven: it takes
	// no other's place.
	w.sessions = make(chan struct{}, limits.All)
	limits.All += limits.All / 2
	limits.Asked = limits.All
	began := p.now()
	t := p.newTeller(list)
	var results []configs.Result
	told := func(r configs.Result) {
		results = append(results, r.Brief())
		t.tell(r)
	}
	served, recorded, err := p.byService(ctx, w, list, o, told)
	if !served && w.backup == nil { // it was opened to ask a service, which has ended since
		t.end()
		return errNoService
	}
	if !served {
		w.captureAll(ctx, list, limits, o, told)
	}
	if served { // it may have ended, and so may we
		toldMissing(list, results, told)
	}
	t.end()
	if !recorded {
		err = errors.Join(err, w.record(context.WithoutCancel(ctx), o.order, began, results))
	}
	if !p.json && len(list) > 1 {
		fmt.Fprintln(p.out, summary(results, p.now().Sub(began)))
	}
	switch {
	case served: // it packs and sends, too
	case len(list) > 1:
		w.maintain(ctx, p.err, results)
		w.drain(ctx, p, time.Hour)
	default:
		w.maintain(ctx, p.err, results)
		w.drain(ctx, p, aMoment)
	}
	w.tellNow(ctx, p)
	if err != nil {
		return err
	}
	if code := worst(results); code != 0 {
		return exitStatus(code)
	}
	return nil
}

// actOf is the act that captures by an order are recorded as.
func actOf(o configs.Order) string {
	if o.Vouched != "" {
		return "accept"
	}
	return "capture"
}

// record records captures in the ledger, which a command that only asks a service has
// not opened.
func (w *workspace) record(ctx context.Context, o configs.Order, began time.Time, results []configs.Result) (err error) {
	if w.ledger == nil {
		if w.ledger, err = ledger.Open(ctx, w.settings.Data); err != nil {
			return err
		}
		w.ledger.Now = w.now
	}
	return round.Record(ctx, w.ledger, actOf(o), o.By, o, began, results)
}

// captureAll captures the devices in this process. Those that a person named are
// tried whatever rests after a refused login; a fleet goes by the limits.
func (w *workspace) captureAll(ctx context.Context, list []devices.Device, limits fleet.Limits, o captureOptions, told func(configs.Result)) {
	why := fleet.Nightly
	if o.waits {
		why = fleet.Asked
	}
	jobs := make([]fleet.Job, len(list))
	for i, d := range list {
		jobs[i] = fleet.Job{Device: d, Order: o.order, Why: why}
	}
	e := &fleet.Engine{
		Limits: limits, Now: w.now, Rests: &fleet.Rests{Marks: w.ledger, Now: w.now},
		Capture: func(ctx context.Context, j fleet.Job) configs.Result { return w.backup.Capture(ctx, j.Device, j.Order) },
	}
	e.Run(ctx, jobs, func(f fleet.Final) { told(hintOfRest(e.Rests, f.Result)) })
}

// hintOfRest adds to the hint of a login that was refused just now what becomes of
// the device, and how it is asked again.
func hintOfRest(rests *fleet.Rests, r configs.Result) configs.Result {
	if _, before := errors.AsType[*fleet.Resting](r.Err); before || devices.KindOf(r.Err) != devices.Denied {
		return r // one that rested says so itself
	}
	if rest, ok := rests.Of(r.ID); ok {
		next := fmt.Sprintf("put that right: %s rests until %s, and belay capture %s asks it again at once", r.Device, rest.Until.Local().Format("2006-01-02 15:04"), r.Device)
		r.Hint = strings.TrimPrefix(r.Hint+"; "+next, "; ")
	}
	return r
}

// toldMissing tells of those that a service has not answered for.
func toldMissing(list []devices.Device, results []configs.Result, told func(configs.Result)) {
	seen := map[devices.ID]bool{}
	for _, r := range results {
		seen[r.ID] = true
	}
	for _, d := range list {
		if !seen[d.ID()] {
			told(configs.Result{Device: d.String(), ID: d.ID(), Result: configs.Failed, Checks: []configs.Check{}, Error: "interrupted before it began", Err: context.Canceled})
		}
	}
}

// byService has a running service capture the devices: it knows what is under way,
// what rests and what a site bears. served is false where none runs. What it was
// interrupted in is recorded there, when it has ended.
func (p *program) byService(ctx context.Context, w *workspace, list []devices.Device, o captureOptions, told func(configs.Result)) (served, recorded bool, err error) {
	if !o.byService {
		return false, false, nil
	}
	q := captureRequest{Order: o.order, Waits: o.waits, By: w.by, Record: true}
	for _, d := range list {
		q.Devices = append(q.Devices, d.ID())
	}
	recorded, err = askService(ctx, w.settings.Data, q, told)
	if errors.Is(err, errNoService) {
		return false, false, nil
	}
	if ctx.Err() != nil {
		recorded, err = true, nil // those that are missing are told as interrupted
	}
	return true, recorded, err
}

// worst is the exit status of several results.
func worst(results []configs.Result) int {
	code := 0
	for _, r := range results {
		if r.Err == nil {
			continue
		}
		if c := exitCode(devices.KindOf(r.Err)); worse(c, code) {
			code = c
		}
	}
	// What is wrong with one device's entry is not a wrong command line.
	if code == 2 && len(results) > 1 {
		code = 1
	}
	return code
}

// summary counts the results: "412 devices: 3 kept, 409 unchanged, in 12s".
func summary(results []configs.Result, took time.Duration) string {
	count := map[configs.Outcome]int{}
	verified := 0
	for _, r := range results {
		count[r.Result]++
		if r.Verified {
			verified++
		}
	}
	var parts []string
	for _, o := range []configs.Outcome{configs.Kept, configs.Unchanged, configs.Refused, configs.Unreachable, configs.Denied, configs.Failed} {
		if count[o] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[o], o))
		}
	}
	return fmt.Sprintf("%s: %s; %d verified; in %v", report.Plural(len(results), "device"), strings.Join(parts, ", "), verified, took.Round(100*time.Millisecond))
}

func (p *program) printJSON(v any) error {
	enc := json.NewEncoder(p.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// maintain packs the histories to which something came, where they have come to
// many packs.
func (w *workspace) maintain(ctx context.Context, told io.Writer, results []configs.Result) {
	var customers []string
	for _, r := range results {
		if c := r.ID.Customer(); r.Result == configs.Kept && !slices.Contains(customers, c) {
			customers = append(customers, c)
		}
	}
	if len(customers) == 0 {
		return // none named would be all of them
	}
	if _, err := w.store.Maintenance(ctx, customers...); err != nil && ctx.Err() == nil {
		warn(told, "%v", err)
	}
}
