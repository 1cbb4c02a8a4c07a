package round

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"belay/configs"
)

// Record appends one event for each customer: the counts, and every device with
// which something was else than unchanged.
func Record(ctx context.Context, l configs.Ledger, act string, by configs.Person, o configs.Order, began time.Time, results []configs.Result) error {
	var errs []error
	for _, e := range eventsOf(act, by, o, began, results) {
		errs = append(errs, l.Append(ctx, e))
	}
	return errors.Join(errs...)
}

// eventsOf are the events of Record, by customer.
func eventsOf(act string, by configs.Person, o configs.Order, began time.Time, results []configs.Result) (list []configs.Event) {
	byCustomer := map[string]map[string]any{}
	for _, r := range results {
		customer := r.ID.Customer()
		detail := byCustomer[customer]
		if detail == nil {
			detail = map[string]any{}
			byCustomer[customer] = detail
			if o.Ticket != "" {
				detail["ticket"] = o.Ticket
			}
			if o.Vouched != "" {
				detail["reason"] = o.Vouched
			}
		}
		n, _ := detail[string(r.Result)].(int)
		detail[string(r.Result)] = n + 1
		if r.Result == configs.Unchanged && r.Err == nil {
			continue
		}
		exceptions, _ := detail["devices"].(map[string]any)
		if exceptions == nil {
			exceptions = map[string]any{}
			detail["devices"] = exceptions
		}
		exceptions[r.Device] = exception(r)
	}
	for _, customer := range slices.Sorted(maps.Keys(byCustomer)) {
		list = append(list, configs.Event{At: began, Customer: customer, By: by, Act: act, Detail: byCustomer[customer]})
	}
	return list
}

// exception is what is recorded of one device.
func exception(r configs.Result) map[string]any {
	entry := map[string]any{"result": r.Result}
	if r.Version != "" {
		entry["version"] = r.Version
	}
	if r.Error != "" {
		entry["error"] = r.Error
	}
	if len(r.Reached.Weak) > 0 {
		entry["weak"] = r.Reached.Weak
	}
	return entry
}
