package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"belay/devices"
	"belay/devices/simulator"
	"belay/drivers"
	"belay/store/docsystem/itglue/standin"
)

// demoDevices are the made-up customer's. Each is made from the first
// transcript of its driver.
var demoDevices = []struct {
	name, driver, site string
	fault              string // what it does wrong, in the simulator's words
	masked             bool   // its login may not see secrets
	about              string
}{
	{name: "fw-hq", driver: "fortios", site: "hq", about: "FortiGate at headquarters, fine"},
	{name: "sw-core", driver: "cisco_ios", site: "hq", about: "Catalyst switch, fine; its configuration changes later"},
	{name: "rt-edge", driver: "mikrotik_routeros", site: "hq", about: "MikroTik router, fine"},
	{name: "gw-lab", driver: "frr", site: "lab", about: "FRR router, fine"},
	{name: "sw-depot", driver: "arista_eos", site: "depot", fault: "cut-line=40", about: "cuts its configuration short, then shows a clean prompt"},
	{name: "fw-depot", driver: "juniper_junos", site: "depot", fault: "wrong-box", about: "not the box the inventory says: somebody else's firewall has its address"},
	{name: "fw-lab", driver: "cisco_asa", site: "lab", masked: true, about: "fine, but its login may not see the secrets"},
}

// demoWants is what each of them must come to: the demo checks itself.
var demoWants = map[string]string{
	"acme/fw-hq": "kept", "acme/sw-core": "kept", "acme/rt-edge": "kept", "acme/gw-lab": "kept",
	"acme/sw-depot": "refused", "acme/fw-depot": "refused", "acme/fw-lab": "kept",
}

func (p *program) demoCommand() *cobra.Command {
	var keep string
	cmd := &cobra.Command{
		Use: "demo", Short: "Watch good copies kept and bad ones refused, on simulated devices", Args: cobra.NoArgs,
		Long: `Makes a customer with simulated devices of several vendors, each behind real SSH on this
machine's loopback address, and captures them: some are fine, one cuts its configuration
short, one is another box than the inventory says, one masks its secrets. Then one
configuration changes, and a firewall is replaced: the gate refuses and opens, both
configurations hang in a stand-in for IT Glue, a waiver is refused and accepted, the receipt
is signed. Leaves nothing behind unless --keep names a folder.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.runDemo(cmd.Context(), keep) },
	}
	cmd.Flags().StringVar(&keep, "keep", "", "leave the demo's `FOLDER` behind, to look around in")
	return cmd
}

func (p *program) runDemo(ctx context.Context, keep string) (err error) {
	dir := keep
	if keep == "" {
		if dir, err = os.MkdirTemp("", "belay-demo-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	} else if err := os.MkdirAll(dir, 0o700); err != nil {
		return &devices.Error{Kind: devices.Usage, Op: "make the folder", Err: err}
	} else if _, err := os.Stat(filepath.Join(dir, settingsFile)); err == nil {
		return &devices.Error{Kind: devices.Usage, Op: "demo", Err: fmt.Errorf("%s holds a %s already", dir, settingsFile), Hint: "name a new folder"}
	}
	d := &demo{p: p, dir: dir, files: map[string]*simulator.Device{}}
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.serve(); err != nil {
		return err
	}
	if err := d.settings(); err != nil {
		return err
	}
	if _, err := d.quiet(ctx, io.Discard, io.Discard, "keys", "make", "acme"); err != nil {
		return err
	}
	return d.play(ctx, keep != "")
}

const demoSettings = `inventory: [devices.yaml]
host_keys: first-use
master: {file: master.age}
logins:
  default: {user: belay, password: {file: password}, enable: {file: password}}
`

// A demo is a customer that does not exist.
type demo struct {
	p       *program
	dir     string
	servers []*simulator.Server
	files   map[string]*simulator.Device // by name
	rows    strings.Builder              // of the inventory
	glue    *standin.Server              // its IT Glue
	url     string                       // of it
}

func (d *demo) close() error {
	var errs []error
	if d.glue != nil {
		d.glue.Close()
	}
	for _, s := range d.servers {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// serve starts a simulated device behind SSH for each of the list.
func (d *demo) serve() error {
	catalog, err := drivers.Load("")
	if err != nil {
		return err
	}
	d.glue = standin.New()
	d.glue.AddOrganization(standin.Organization{ID: demoOrganization, Name: "Acme"})
	if d.url, err = d.glue.Start("127.0.0.1:0"); err != nil {
		return err
	}
	for i, made := range demoDevices {
		script := catalog.Transcripts(made.driver)[0]
		t, err := simulator.Parse(script.Name, script.Text)
		if err != nil {
			return err
		}
		fault, err := simulator.ParseFault(made.fault)
		if err != nil {
			return err
		}
		dev := &simulator.Device{T: t, Fault: fault, Login: &simulator.Login{User: "belay", Password: "demo", Enable: "demo"}}
		if made.masked {
			for command := range t.Answers {
				text := dev.Configuration(command)
				for _, secret := range t.Gone {
					text = strings.ReplaceAll(text, secret, "*****")
				}
				dev.Say(command, text)
			}
		}
		s := &simulator.Server{Device: dev}
		if err := s.Start("127.0.0.1:0"); err != nil {
			return err
		}
		d.servers, d.files[made.name] = append(d.servers, s), dev
		host, port, err := net.SplitHostPort(s.Address())
		if err != nil {
			return err
		}
		fmt.Fprintf(&d.rows, "  - {name: %s, customer: acme, site: %s, address: %s, port: %s, driver: %s", made.name, made.site, host, port, made.driver)
		serials := t.Facts.Serials
		if len(serials) == 0 { // it names none itself: the label's
			serials = []string{fmt.Sprintf("LAB%04d", i)}
		}
		fmt.Fprintf(&d.rows, ", serial: [%s]", strings.Join(serials, ", "))
		d.glue.AddConfiguration(standin.Configuration{ID: demoItem + i, Organization: demoOrganization, Name: strings.ToUpper(made.name), Serial: serials[0]})
		d.rows.WriteString("}\n")
	}
	return nil
}

// settings writes what belay init would, for these devices.
func (d *demo) settings() error {
	for name, text := range map[string]string{
		"password":     "demo\n",
		"itglue-key":   standin.Key + "\n",
		"belay.yaml":   demoSettings + fmt.Sprintf(demoDocumentation, d.url, demoOrganization),
		"devices.yaml": "devices:\n" + d.rows.String(),
	} {
		if err := os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// belay runs one command as a person would type it.
func (d *demo) belay(ctx context.Context, args ...string) (int, error) {
	var quoted []string
	for _, a := range args {
		if strings.ContainsAny(a, " ") {
			a = `"` + a + `"`
		}
		quoted = append(quoted, a)
	}
	fmt.Fprintf(d.p.out, "\n$ belay %s\n", strings.Join(quoted, " "))
	return d.quiet(ctx, d.p.out, d.p.err, args...)
}

func (d *demo) quiet(ctx context.Context, out, errs io.Writer, args ...string) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	sub := &program{in: d.p.in, out: out, err: errs, now: d.p.now}
	root := sub.root()
	root.SetArgs(append([]string{"--config", filepath.Join(d.dir, settingsFile)}, args...))
	err := root.ExecuteContext(ctx)
	var status exitStatus
	switch {
	case err == nil:
		return 0, nil
	case errors.As(err, &status):
		return int(status), nil
	case ctx.Err() != nil:
		return 0, err
	}
	tell(errs, err)
	return exitCode(devices.KindOf(err)), nil
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.p.out, format+"\n", args...) }

func (d *demo) play(ctx context.Context, kept bool) error {
	d.say("The customer acme has %d devices, simulated, each behind real SSH on 127.0.0.1:\n", len(demoDevices))
	for _, made := range demoDevices {
		d.say("  %-9s %-18s %s", made.name, made.driver, made.about)
	}
	code, err := d.belay(ctx, "capture", "--all")
	if err != nil {
		return err
	}
	d.say("\nExit status %d: of several devices the worst. The bad copies are quarantined; nothing that\nis not whole and of the right device is ever kept.", code)
	if err := d.check(ctx); err != nil {
		return err
	}

	d.say("\nNow somebody changes sw-core: a new description and a new community.")
	if err := d.change("sw-core"); err != nil {
		return err
	}
	if _, err := d.belay(ctx, "capture", "acme/sw-core", "--ticket", "T20391"); err != nil {
		return err
	}
	if err := d.history(ctx); err != nil {
		return err
	}
	if _, err := d.belay(ctx, "search", "^hostname"); err != nil {
		return err
	}
	if err := d.replace(ctx); err != nil {
		return err
	}
	if err := d.waive(ctx); err != nil {
		return err
	}
	if _, err := d.belay(ctx, "verify"); err != nil {
		return err
	}
	d.say("\nWhere to look next:")
	if kept {
		d.say("  cd %s", d.dir)
		d.say("  belay devices list;  belay log acme/sw-core;  belay diff acme/sw-core;  belay reveal acme/fw-hq --reason demo")
		d.say("  (the simulated devices have ended with the demo: a capture now finds nobody there)")
	} else {
		d.say("  belay demo --keep demo   leaves this customer's folder behind, to look around in")
	}
	d.say("  belay drivers list       the systems that can be read")
	d.say("  belay init               settings for devices of your own")
	return nil
}

// check holds the demo to what it promises.
func (d *demo) check(ctx context.Context) error {
	w, err := (&program{in: d.p.in, out: io.Discard, err: io.Discard, now: d.p.now, config: filepath.Join(d.dir, settingsFile)}).open(ctx, openOptions{})
	if err != nil {
		return err
	}
	defer w.close()
	for _, dev := range w.inventory.Devices {
		r, err := w.row(ctx, dev)
		if err != nil {
			return err
		}
		if want := demoWants[dev.String()]; string(r.Result) != want || (want == "refused") != (r.Version == "") {
			return fmt.Errorf("the demo has failed: %s was %s (%s), want %s", dev, r.Result, r.CheckErr, want)
		}
	}
	return nil
}

// change configures a simulated device, as somebody at its console would.
func (d *demo) change(name string) error {
	dev := d.files[name]
	const command = "show running-config"
	text := dev.Configuration(command)
	at := strings.Index(text, "\ninterface ")
	if at < 0 {
		return errors.New("the demo's switch has no interface to change")
	}
	end := at + 1 + strings.IndexByte(text[at+1:], '\n')
	dev.Say(command, text[:end]+"\n description uplink to the new firewall"+strings.Replace(text[end:], "snmp-server community ", "snmp-server community demo-new-", 1))
	return nil
}

// history shows the change as plain git shows it.
func (d *demo) history(ctx context.Context) error {
	program, err := exec.LookPath("git")
	if err != nil {
		_, err := d.belay(ctx, "diff", "acme/sw-core")
		return err
	}
	repo := filepath.Join(d.dir, "belay-data", "customers", "acme", "history.git")
	d.say("\n$ git --git-dir belay-data/customers/acme/history.git log -p -1 -- sw-core/running.conf")
	cmd := exec.CommandContext(ctx, program, "--no-pager", "--git-dir", repo, "-c", "safe.directory=*", "log", "-p", "-1", "--", "sw-core/running.conf")
	cmd.Stdout, cmd.Stderr = d.p.out, d.p.err
	return cmd.Run()
}
