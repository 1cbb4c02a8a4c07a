package main

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"belay/devices"
)

//go:embed starter/belay.yaml
var starterSettings []byte

//go:embed starter/devices.yaml
var starterDevices []byte

func (p *program) initCommand() *cobra.Command {
	var print bool
	cmd := &cobra.Command{
		Use: "init [FOLDER]", Short: "Write commented settings, an inventory and keys to start from", Args: cobra.MaximumNArgs(1),
		Long: `Writes belay.yaml and devices.yaml, with comments, into a folder (here without one),
and makes the master identity where there is none. What is there already stays.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if print {
				_, err := p.out.Write(starterSettings)
				return err
			}
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return &devices.Error{Kind: devices.Usage, Op: "make the folder", Err: err}
			}
			for _, f := range []struct {
				name string
				text []byte
			}{{settingsFile, starterSettings}, {"devices.yaml", starterDevices}} {
				if err := p.writeNew(filepath.Join(dir, f.name), f.text); err != nil {
					return err
				}
			}
			if p.config == "" {
				p.config = filepath.Join(dir, settingsFile)
			}
			return p.withWorkspace(cmd.Context(), func(w *workspace) error {
				if err := w.vault.Unlock(cmd.Context()); err != nil {
					return err
				}
				_, err := fmt.Fprintf(p.out, "next: put a login into %s, add a device (belay devices add CUSTOMER/NAME ADDRESS --driver NAME),\nthen belay devices trust CUSTOMER/NAME and belay capture CUSTOMER/NAME\n", filepath.Join(dir, settingsFile))
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&print, "print", false, "print the commented settings, write nothing")
	return cmd
}

// writeNew writes a file that is not there yet, and leaves one that is.
func (p *program) writeNew(file string, text []byte) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		_, err = fmt.Fprintf(p.out, "%s stands as it was\n", file)
		return err
	}
	if err != nil {
		return &devices.Error{Kind: devices.Usage, Op: "write the settings", Err: err}
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "wrote %s\n", file)
	return err
}
