package alarm

import (
	"fmt"
	"strings"
	"time"

	"belay/configs"
)

// listed is how many alarms one message spells out.
const listed = 40

// names are those of the alarms of a message.
func names(list []due) []string {
	var all []string
	for _, d := range list {
		all = append(all, d.Name())
	}
	return all
}

// message makes one of several alarms.
func message(list []due) Message {
	var b strings.Builder
	maybe := false
	for i, d := range list {
		if i == listed {
			fmt.Fprintf(&b, "\nand %d more: belay alarms\n", len(list)-i)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		maybe = maybe || d.maybe
		switch {
		case d.over:
			fmt.Fprintf(&b, "over: %s\nit stood for %s, until %s\n", sentence(d.Alarm), length(d.Cleared.Sub(d.Raised)), clock(d.Cleared))
			if d.Why != "" {
				fmt.Fprintf(&b, "it is over because %s\n", d.Why)
			}
		default:
			fmt.Fprintf(&b, "%s\n%s\n", sentence(d.Alarm), clock(d.At))
			if d.Hint != "" {
				fmt.Fprintf(&b, "next: %s\n", d.Hint)
			}
		}
	}
	if maybe {
		b.WriteString("\nThis may have been told before: Belay was stopped while it was telling it.\n")
	}
	return Message{Subject: subject(list), Text: b.String()}
}

// subject is the one alarm, or how many there are of which cause.
func subject(list []due) string {
	if d := list[0]; len(list) == 1 {
		what := title(d.Alarm)
		if d.Device == "" {
			head, _, _ := strings.Cut(d.What, ": ")
			what += ": " + head
		}
		if d.over {
			what = "over: " + what
		}
		return cut(what, fullSubject)
	}
	var causes []string
	count := map[string]int{}
	stand := 0
	for _, d := range list {
		cause := words(d.Cause)
		if d.over {
			cause = "over"
		} else {
			stand++
		}
		if count[cause] == 0 {
			causes = append(causes, cause)
		}
		count[cause]++
	}
	for i, c := range causes {
		causes[i] = fmt.Sprintf("%d %s", count[c], c)
	}
	if stand == 0 {
		return fmt.Sprintf("%d alarms are over", len(list))
	}
	return fmt.Sprintf("%d alarms: %s", stand, strings.Join(causes, ", "))
}

// fullSubject is how many characters a subject has at most.
const fullSubject = 140

func cut(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// words are a cause as a subject names it that stands alone.
func words(cause string) string {
	switch cause {
	case configs.AlarmDamage:
		return "damage found"
	case configs.AlarmService:
		return "trouble of the service"
	case configs.AlarmDisk:
		return "disk nearly full"
	}
	return cause
}

// title is what an alarm is about.
func title(a configs.Alarm) string {
	switch {
	case a.Device != "":
		return words(a.Cause) + ": " + string(a.Device)
	case a.Customer != "":
		return words(a.Cause) + ": " + a.Customer
	}
	return words(a.Cause)
}

func sentence(a configs.Alarm) string { return title(a) + ": " + a.What }

func clock(t time.Time) string { return t.Format("2006-01-02 15:04 MST") }

// length is a time as people say it.
func length(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
