package hudu

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"belay/configs"
)

// Probe tells what the key can do, without writing anything. It ends with the
// first step that fails.
func (h *Hudu) Probe(ctx context.Context) ([]configs.Check, error) {
	var checks []configs.Check
	var v version
	for _, step := range []struct {
		name string
		look func(op string) (string, error)
	}{
		{"version", func(op string) (_ string, err error) {
			v, err = h.client.version(ctx, op)
			return title + " " + v.text, err
		}},
		{"companies", func(op string) (string, error) {
			seen, err := h.client.companies(ctx, op)
			if err == nil && len(seen) == 0 {
				err = h.client.rest.Declined(op, configs.Unauthorized, "the key sees no company")
			}
			return "the key sees companies", err
		}},
		{"list", func(op string) (string, error) { return h.probeList(ctx, op, v) }},
		{"read back", func(string) (string, error) {
			if !v.pages() {
				return "not before version 2.41: attachments are proven by name alone, or by size where it is told", nil
			}
			return "attachments are read back and compared", nil
		}},
		{"layouts", func(op string) (string, error) { return h.probeLayouts(ctx, op) }},
		{"delete", func(string) (string, error) {
			return "not tried: it needs a key that allows destructive actions; belay docs try shows it", nil
		}},
	} {
		if err := ctx.Err(); err != nil {
			return checks, err
		}
		detail, err := step.look("probe " + step.name)
		c := configs.Check{Name: step.name, OK: err == nil, Detail: detail}
		if err != nil {
			c.Detail = err.Error()
		}
		if checks = append(checks, c); !c.OK {
			break
		}
	}
	return checks, ctx.Err()
}

func (h *Hudu) probeList(ctx context.Context, op string, v version) (string, error) {
	var q url.Values
	if v.pages() {
		q = url.Values{"page": {"1"}, "page_size": {"1"}}
	}
	seen, err := one[upload](ctx, h.client, op, "/uploads", "uploads", q)
	if err == nil && len(seen) > 0 && !seen[0].owned() {
		return "uploads are listed, but not what they hang on: ours are known by their names", nil
	}
	return "uploads are listed", err
}

// probeLayouts warns of layouts that are said not to include files. Whether
// their assets hide what was uploaded is not documented.
func (h *Hudu) probeLayouts(ctx context.Context, op string) (string, error) {
	all, err := h.client.layouts(ctx, op)
	var without []string
	for _, l := range all {
		if l.Files != nil && !*l.Files && (l.Active == nil || *l.Active) {
			without = append(without, fmt.Sprintf("%q", l.Name))
		}
	}
	if len(without) > 0 {
		return "warning: assets of these layouts may not show their files, as include_files is off: " + strings.Join(without, ", "), err
	}
	return "all include files", err
}
