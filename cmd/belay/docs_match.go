package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"belay/configs"
	"belay/configs/outbox"
	"belay/devices"
)

func (p *program) docsMatch() *cobra.Command {
	var c chosen
	var item, to string
	var confirm bool
	cmd := &cobra.Command{
		Use: "match [DEVICE…]", Short: "Show which configuration item each device has; confirm one", Args: cobra.ArbitraryArgs,
		Long: `Shows the whole mapping before anything is attached: the item that is remembered, or the one
with the device's serial number, else its MAC address, in the customer's organization. Several or
none is shown with the candidates; the name of an item decides nothing.

--confirm remembers all that is beyond doubt. DEVICE --item ID says which item is the device's,
in your name; it must be in the customer's organization.

Exit status: 0 every device has its item; 6 some do not.`,
		Example: "  belay docs match --all\n  belay docs match acme/fw-hq --item 88121",
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withWorkspace(cmd.Context(), func(w *workspace) error {
				if len(args) == 0 && c.customer == "" && c.site == "" {
					c.all = true
				}
				list, err := c.pick(w.inventory, args)
				if err != nil {
					return err
				}
				if item != "" {
					return p.confirmItem(cmd.Context(), w, list, to, item)
				}
				return p.listItems(cmd.Context(), w, list, to, confirm)
			})
		},
	}
	c.flags(cmd)
	cmd.Flags().StringVar(&item, "item", "", "`ID` of the item that is the device's")
	cmd.Flags().StringVar(&to, "to", "", "only in this documentation system of the settings")
	cmd.Flags().BoolVar(&confirm, "confirm", false, "remember every item that is beyond doubt")
	return cmd
}

// in are a customer's documentation systems that have items, or the one named.
func (w *workspace) in(customer, to string) []outbox.Place {
	var places []outbox.Place
	for _, place := range w.places(customer) {
		if to == "" || place.Name == to {
			places = append(places, place)
		}
	}
	return places
}

func (p *program) confirmItem(ctx context.Context, w *workspace, list []devices.Device, to, item string) error {
	if len(list) != 1 {
		return &devices.Error{Kind: devices.Usage, Err: errors.New("--item is one device's: which one?")}
	}
	places := w.in(list[0].Customer, to)
	if len(places) != 1 {
		return &devices.Error{Kind: devices.Usage, Op: "match", Device: list[0].String(), Err: fmt.Errorf("its attachments go to %d documentation systems: which one?", len(places)), Hint: "--to NAME"}
	}
	m, err := w.office.Confirm(ctx, places[0], list[0], item, w.by)
	if err != nil {
		return err
	}
	err = p.say("%s is %s in %s; remembered\n", list[0], m.Item, places[0].System.Name())
	return err
}

func (p *program) listItems(ctx context.Context, w *workspace, list []devices.Device, to string, confirm bool) error {
	rows := [][]string{{"DEVICE", "IN", "ITEM", "NAME", "ORGANIZATION", "BY", ""}}
	var open, unasked int
	var silent error // the first one
	for _, d := range list {
		for _, place := range w.in(d.Customer, to) {
			m, remembered, err := w.office.Match(ctx, place, d, w.by)
			if err != nil && ctx.Err() != nil {
				return err
			}
			if err == nil && confirm && !remembered {
				if err := w.ledger.Map(ctx, m); err != nil {
					return err
				}
				remembered = true
				if _, err := w.office.Retry(ctx, configs.LetterFilter{To: place.Name, Device: d.ID()}); err != nil {
					return err
				}
			}
			row := []string{d.String(), place.Name, m.Item.ID, m.Item.Name, m.Item.Organization, m.How, ""}
			problem := ""
			switch {
			case err != nil:
				if devices.KindOf(err) == devices.AttachmentPending {
					open++
				} else {
					unasked, silent = unasked+1, cmp.Or(silent, err)
				}
				problem = oneLine(strings.TrimPrefix(err.Error(), "find the item in "+place.System.Name()+" of "+string(d.ID())+": "))
				row[2], row[6] = "?", problem
			case remembered:
				row[6] = "remembered"
			default:
				row[6] = "found now; --confirm remembers it"
			}
			rows = append(rows, row)
			if p.json {
				if err := p.printJSON(map[string]any{"device": d.String(), "in": place.Name, "item": m.Item, "how": m.How, "remembered": remembered, "error": problem}); err != nil {
					return err
				}
			}
		}
	}
	switch {
	case len(rows) == 1 && !p.json:
		return &devices.Error{Kind: devices.Usage, Err: errors.New("none of these customers has a documentation system"), Hint: "documentation: in the settings; belay init --print shows how"}
	case !p.json:
		columns(p.out, rows)
	}
	if unasked > 0 {
		return &devices.Error{Kind: devices.AttachmentPending, Err: fmt.Errorf("%d items could not be looked for", unasked), Hint: devices.HintOf(silent)}
	}
	if open > 0 {
		return &devices.Error{Kind: devices.AttachmentPending, Err: fmt.Errorf("%d devices have no item beyond doubt", open), Hint: "belay docs match DEVICE --item ID"}
	}
	return nil
}
