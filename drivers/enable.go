package drivers

import (
	"errors"
	"fmt"
	"strings"

	"belay/devices"
)

// becomePrivileged types the command that leads to the privileged prompt, and the
// secret where it is asked for, once. A device that refuses is not read without
// privileges: see notPrivileged.
func (s *shell) becomePrivileged(e *privilege, secret devices.Secret) error {
	s.fresh()
	if strings.ContainsAny(secret.Reveal(), "\r\n") {
		return &devices.Error{Kind: devices.Usage, Op: becoming, Err: errors.New("the enable secret holds a line end: what follows it would be typed as a command"), Hint: "write the login's enable secret anew"}
	}
	if err := s.send(e.run + s.d.enter); err != nil {
		return err
	}
	asked, err := s.until(e.ask)
	if err != nil {
		return err
	}
	if asked {
		s.fresh()
		if err := s.send(secret.Reveal() + s.d.enter); err != nil {
			return err
		}
		switch again, err := s.until(e.ask); {
		case err != nil && devices.KindOf(err) != devices.Broken:
			return err
		case err != nil: // as behind a password: see lost
			return refusedSecret(fmt.Sprintf("no prompt came after it: %v", err))
		case again:
			return refusedSecret("the device asked for it once more")
		}
	}
	s.line = s.tail()
	if e.until.MatchString(strings.TrimRight(s.line, " ")) {
		s.fresh()
		return nil
	}
	if asked {
		return &devices.Error{Kind: devices.Denied, Op: becoming, Err: fmt.Errorf("%q did not lead to a privileged prompt", e.run), Hint: "check the login's enable secret and the account's privilege"}
	}
	return s.notPrivileged(e.run)
}

func refusedSecret(why string) error {
	return &devices.Error{Kind: devices.Denied, Op: becoming, Err: fmt.Errorf("the enable secret was refused: %s", why), Hint: "check the login's enable secret"}
}

const becoming = "become privileged"

// notPrivileged is the error where the device refused the command itself: there was
// no question, and no secret was typed. To go on would be unsafe. By mode most systems
// refuse the configuration then anyhow; by privilege level, as Cisco IOS and what is
// like it, they show the lines that the level may set and close them with the same
// end mark, and nothing in such a text tells that it is a part.
func (s *shell) notPrivileged(command string) error {
	body, _ := s.prompts(s.buf)
	err := fmt.Errorf("%q did not lead to a privileged prompt, and no password was asked for", command)
	if said := s.d.Rules.Complete.Refusal(s.answer(body, command).text); said != "" {
		err = fmt.Errorf("%q was refused (%q), and no password was asked for", command, said)
	}
	return &devices.Error{Kind: devices.Denied, Op: becoming, Err: err,
		Hint: fmt.Sprintf("let the account log in at the privileged prompt, or let it use %q: without privileges a device may show a part of its configuration as if it were all. belay drivers show %s prints the commands for an account", command, s.d.Name)}
}
