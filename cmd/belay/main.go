// Command belay keeps verified backups of network devices' configurations.
//
// One file holds one command: it parses, then calls a run function that knows
// no flags. wire.go alone knows every part and puts them together; settings.go
// reads the program's own settings; print.go holds the rules of the terminal.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"os/user"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"belay/configs"
	"belay/devices"
)

// version is set by the release build.
var version = "dev"

func main() {
	limitMemory()
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// limitMemory has the process tidy up more eagerly near what 200 sessions of large
// devices need. GOMEMLIMIT in the environment goes before.
func limitMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(192 << 20)
	}
}

// A program is one run of the command line.
type program struct {
	in       io.Reader
	out, err io.Writer
	now      func() time.Time

	config string // --config
	as     string // --as
	json   bool   // --json
	began  bool   // the arguments were understood
}

// An exitStatus ends the program with a status and nothing more to say.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// run is the program without the process around it.
func run(args []string, in io.Reader, out, errs io.Writer) int {
	return runAt(time.Now, args, in, out, errs)
}

// runAt is run by a clock of the caller's: all that the program dates, waits for
// and lets end goes by it.
func runAt(now func() time.Time, args []string, in io.Reader, out, errs io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends at once
	p := &program{in: in, out: out, err: errs, now: now}
	root := p.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	cmd, err := root.ExecuteContextC(ctx)
	var status exitStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	case !p.began:
		err = &devices.Error{Kind: devices.Usage, Err: err, Hint: usage(cmd)}
	case ctx.Err() != nil:
		err = errors.New("interrupted")
	}
	tell(errs, err)
	return exitCode(devices.KindOf(err))
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "belay",
		Short: "Verified configuration backups of network devices",
		Long: `Belay takes the configurations of firewalls, routers and switches over SSH, proves
each copy whole, and keeps it in git with its secrets replaced by fingerprints.
Start with "belay demo", then "belay init".`,
		SilenceUsage:     true,
		SilenceErrors:    true,
		PersistentPreRun: func(*cobra.Command, []string) { p.began = true },
	}
	f := root.PersistentFlags()
	f.StringVar(&p.config, "config", "", "settings `file` (default ./"+settingsFile+")")
	f.StringVar(&p.as, "as", "", "act as `NAME`; recorded as claimed, for nobody checks it")
	f.BoolVar(&p.json, "json", false, "write JSON for scripts")
	root.AddCommand(
		p.initCommand(), p.demoCommand(), p.devicesCommand(), p.captureCommand(), p.acceptCommand(),
		p.beforeCommand(), p.gateCommand(), p.afterCommand(), p.closeCommand(), p.waiveCommand(), p.importCommand(), p.attestCommand(),
		p.receiptCommand(), p.changesCommand(), p.docsCommand(), p.openCommand(),
		p.logCommand(), p.showCommand(), p.diffCommand(), p.blameCommand(), p.searchCommand(), p.indexCommand(), p.revealCommand(),
		p.serveCommand(), p.scheduleCommand(), p.digestCommand(), p.alarmsCommand(), p.tellCommand(), p.canariesCommand(), p.verifyCommand(), p.scrubCommand(), p.doctorCommand(), p.backupCommand(), p.restoreCommand(), p.driversCommand(), p.keysCommand(), p.versionCommand(),
	)
	for _, c := range root.Commands() {
		refuseUnknown(c)
	}
	return root
}

// usage is how a command is written.
func usage(c *cobra.Command) string {
	help := c.CommandPath() + " --help"
	if !c.HasParent() || c.HasSubCommands() {
		return help
	}
	return strings.TrimSuffix(c.UseLine(), " [flags]") + " (" + help + ")"
}

// refuseUnknown has a command that does nothing itself refuse what is none of its
// own: cobra would show the help, and a script would read the 0 as a yes.
func refuseUnknown(c *cobra.Command) {
	if !c.HasSubCommands() || c.Runnable() {
		return
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return &devices.Error{Kind: devices.Usage, Err: fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath()), Hint: usage(cmd)}
	}
}

// person is who acts: the operating system's user, or who --as claims to be.
func (p *program) person(domain string) (configs.Person, error) {
	if p.as != "" {
		name := strings.TrimSpace(p.as)
		if strings.ContainsAny(name, "<>\n\r\x00") || name == "" {
			return configs.Person{}, &devices.Error{Kind: devices.Usage, Err: fmt.Errorf("--as %q is no name", p.as)}
		}
		return configs.Person{Name: name, Email: mailOf(name, domain), Claimed: true}, nil
	}
	u, err := user.Current()
	if err != nil {
		return configs.Person{}, &devices.Error{Kind: devices.Usage, Op: "find out who you are", Err: err, Hint: "name yourself with --as"}
	}
	name, _, _ := strings.Cut(u.Name, ",") // the GECOS field holds more than the name
	if name == "" {
		name = u.Username
	}
	return configs.Person{Name: name, Email: mailOf(u.Username, domain)}, nil
}

// mailOf makes the address that git wants of every author.
func mailOf(name, domain string) string {
	if domain == "" {
		domain = "belay.invalid"
	}
	return strings.Join(strings.Fields(strings.ToLower(name)), ".") + "@" + domain
}

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if p.json {
				return p.printJSON(map[string]string{"version": version})
			}
			_, err := fmt.Fprintln(p.out, "belay", version)
			return err
		},
	}
}
