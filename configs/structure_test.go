package configs_test

import (
	"strings"
	"testing"

	"belay/configs"
)

func TestBlocksMustBeClosed(t *testing.T) {
	t.Parallel()
	const closed, open = true, false
	for _, c := range []struct {
		name   string
		form   configs.Structure
		text   string
		closed bool
	}{
		{"no form", configs.NoStructure, "} {{ <a> end", closed},

		{"braces", configs.Braces, "system {\n    host-name a;\n}\n", closed},
		{"one is missing", configs.Braces, "system {\n    services {\n        ssh;\n    }\n", open},
		{"one too many", configs.Braces, "system {\n}\n}\n", open},
		{"closed before it was opened", configs.Braces, "}\nsystem {\n", open},
		{"braces in quotes", configs.Braces, "a {\n    b \"{{{\";\n}\n", closed},
		{"a quote within quotes", configs.Braces, `a { b "say \"}\" {"; }`, closed},
		{"a backslash at the end of quotes", configs.Braces, `a { b "C:\\"; }`, closed},
		{"quotes over lines", configs.Braces, "a {\n  cert \"-----BEGIN\n}}}\n-----END\";\n}\n", closed},
		{"quotes cut short", configs.Braces, "a {\n  cert \"-----BEGIN\n}\n", open},
		{"an apostrophe is no quote", configs.Braces, "a {\n    description it's;\n    b {\n    }\n}\n", closed},
		{"and hides no missing brace", configs.Braces, "a {\n    description it's;\n    b {\n}\n", open},
		{"a comment", configs.Braces, "/* { */\na {\n    /* }\n } */ b;\n}\n", closed},
		{"a comment cut short", configs.Braces, "a {\n}\n/* last chan", open},
		{"a pattern is no comment", configs.Braces, "a {\n    url example.com/*;\n    b {\n    }\n}\n", closed},
		{"and hides no missing brace", configs.Braces, "a {\n    url example.com/*;\n    b {\n}\n", open},
		{"a line comment", configs.Braces, "## Last commit: {\na {\n}\n", closed},
		{"a number sign in a word", configs.Braces, "a {\n    b x#{;\n    }\n}\n", closed},

		{"XML", configs.XML, "<?xml version=\"1.0\"?>\n<a>\n<b/><c>x</c>\n</a>\n\n", closed},
		{"an element is not closed", configs.XML, "<a><b></b>", open},
		{"cut within a tag", configs.XML, "<a><b></b></a", open},
		{"crossed elements", configs.XML, "<a><b></a></b>", open},
		{"two roots", configs.XML, "<a></a><b></b>", open},
		{"no root", configs.XML, "<?xml version=\"1.0\"?>\n", open},
		{"text behind the root", configs.XML, "<a></a>\nConnection closed.\n", open},
		{"text before the root", configs.XML, "cat: warning\n<a></a>\n", open},
		{"another character set", configs.XML, "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><a>x</a>", closed},
		{"names of characters", configs.XML, "<a>caf&eacute; &amp; bar</a>", closed},
		{"markup that is text", configs.XML, "<a><![CDATA[<b>]]><!-- <c> --></a>", closed},

		{"JSON", configs.JSON, "{\"a\": [1, {\"b\": \"}\"}]}\n", closed},
		{"cut short", configs.JSON, "{\"a\": [1, {\"b\": 2}]", open},
		{"two values", configs.JSON, "{}{}", open},
		{"text behind", configs.JSON, "{}\nok\n", open},
		{"nothing", configs.JSON, " ", open},

		{"config and end", configs.ConfigEnd, "config system global\n    set hostname a\nend\n", closed},
		{"edit and next", configs.ConfigEnd, "config system dns\n    edit 1\n        config hosts\n            edit 2\n            next\n        end\n    next\nend\n", closed},
		{"without the last end", configs.ConfigEnd, "config system dns\n    edit 1\n    next\n", open},
		{"without next and end", configs.ConfigEnd, "config system dns\n    edit 1\n        set a b\n", open},
		{"an end too many", configs.ConfigEnd, "config system dns\nend\nend\n", open},
		{"next without edit", configs.ConfigEnd, "config system dns\nnext\nend\n", open},
		{"end closes an edit", configs.ConfigEnd, "config global\nconfig system global\nend\nend\nconfig vdom\nedit root\nconfig system settings\nend\nend\n", closed},
		{"but one edit only", configs.ConfigEnd, "config vdom\nedit root\nconfig system settings\nedit 1\nend\n", open},
		{"quotes over lines", configs.ConfigEnd, "config a\n    set cert \"-----BEGIN\nend\nnext\n-----END\"\nend\n", closed},
		{"a quote within quotes", configs.ConfigEnd, "config a\n    set b \"say \\\"\nend\n\\\"\"\nend\n", closed},
		{"quotes cut short", configs.ConfigEnd, "config a\n    set cert \"-----BEGIN\nend\n", open},
		{"an apostrophe is no quote", configs.ConfigEnd, "config a\n    set comment it's\nend\n", closed},
		{"end as part of a word", configs.ConfigEnd, "config a\n    set end-ip 192.0.2.1\n    endpoint\nend\n", closed},
	} {
		t.Run(strings.ReplaceAll(string(c.form)+": "+c.name, "/", " "), func(t *testing.T) {
			t.Parallel()
			system := configs.Rules{Complete: configs.Completeness{Agree: 2, Balance: c.form}}
			bad := failed(says(system, c.text).capture.Check())
			for _, name := range bad {
				if name != configs.CheckBalance && c.text != " " {
					t.Errorf("failed %q", name)
				}
			}
			if got := !strings.Contains(strings.Join(bad, ","), configs.CheckBalance); got != c.closed {
				t.Errorf("closed: %t, want %t", got, c.closed)
			}
		})
	}
}

// Behind its first word, a configuration that is cut anywhere is open.
func TestATextCutAnywhereIsOpen(t *testing.T) {
	t.Parallel()
	for form, text := range map[configs.Structure]string{
		configs.Braces:    "config {\n  a \"x } y\";\n  /* no { */\n  b {\n    c \"1\n}\n2\";\n  }\n}",
		configs.XML:       "<a>\n<b c=\"d\">e &amp; f</b>\n<![CDATA[</a>]]>\n<g/>\n</a>",
		configs.JSON:      `{"a": ["}", {"b": "]\""}], "c": 12}`,
		configs.ConfigEnd: "config a\n  edit 1\n    set b \"end\nend\n\"\n    config c\n    end\n  next\nend",
	} {
		system := configs.Rules{Complete: configs.Completeness{Agree: 2, Balance: form}}
		wantFailed(t, says(system, text).capture.Check())
		for n := len("config {"); n < len(text); n++ {
			if bad := failed(says(system, text[:n]).capture.Check()); len(bad) == 0 {
				t.Errorf("%s: %q counts as whole", form, text[:n])
			}
		}
	}
}
