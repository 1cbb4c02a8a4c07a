package drivers

import "testing"

// TestOnlyRequestsThatReadMayBeSent: whatever could act is refused, POST and GET alike.
func TestOnlyRequestsThatReadMayBeSent(t *testing.T) {
	t.Parallel()
	c := &compiler{}
	for _, line := range []string{
		"POST /api/config", "PUT /api/config", "DELETE /api/config", "PATCH /api/config", "get /api/config", "GET api/config",
		"GET /api/system/reboot", "GET /api/firmware/upgrade", "GET /api/config/restore", "GET /api/%72eboot", "GET /api/service/restart",
		"GET /api/?type=config&action=set&xpath=/config", "GET /api/?type=config&action=delete", "GET /api/?type=commit&cmd=<commit></commit>",
		"GET /api/?type=import&category=configuration", "GET /api/?type=op&cmd=<request><restart><system></system></restart></request>",
		"GET /api/?type=op", "GET /api/?cmd=<show><x></x></show><request></request>", "GET /api?cmd=reload", "GET /api?a=1&reboot=1",
		"GET //evil.example/api", "GET /api/../../x", "GET https://evil.example/", "GET /api?token={token}", "GET /api?p={password}", "GET /{each}", "GET /api/é",
		"POST /api/v2/monitor/system/config/backup?scope=global&x=1", "POST /api/v2/monitor/system/config/restore", "GET /api HTTP/1.1\\r\\nX: y",
	} {
		if c.requestLine(line, "", false) == nil {
			t.Errorf("%q may be sent", line)
		}
	}
	for _, ask := range [][2]string{
		{"POST /api/s/default/cmd/backup", ""}, {"POST /api/s/default/cmd/backup", `{"cmd": "delete-backup", "filename": "x.unf"}`},
		{"POST /api/s/default/cmd/backup", `{"cmd": "backup", "days": 0, "cmd": "delete-backup"}`}, {"POST /api/s/a/../cmd/backup", `{"cmd": "backup", "days": 0}`},
		{"POST /api/s/default/cmd/devmgr", `{"cmd": "backup", "days": 0}`}, {"POST /api/s/default/cmd/backup?x=1", `{"cmd": "backup", "days": 0}`},
		{"POST /webconsole/APIController", ""}, {"POST /webconsole/APIController", sophos("<Set><IPHost></IPHost></Set>")},
		{"POST /webconsole/APIController", sophos("<Get><IPHost></IPHost></Get><Remove><IPHost></IPHost></Remove>")},
		{"POST /webconsole/APIController", sophos("<Get><IPHost></IPHost></Get>") + "&reqxml=<Request></Request>"},
		{"POST /webconsole/APIController", sophos("<Get><A></A></Get></Request><Request><Set><B></B></Set>")},
		{"POST /webconsole/APIController?reqxml=<Request></Request>", sophos("<Get><IPHost></IPHost></Get>")},
		{"GET /api/config", "{}"},
	} {
		if c.requestLine(ask[0], ask[1], false) == nil {
			t.Errorf("%q may be sent", ask)
		}
	}
	for _, ask := range [][2]string{
		{"POST /proxy/network/api/s/{each}/cmd/backup", `{"cmd": "backup", "days": 0}`}, {"POST /api/s/k3x9a1bc/cmd/backup", `{"cmd": "backup", "days": 0}`},
		{"POST /webconsole/APIController", sophos("<Get><IPHost></IPHost><Zone></Zone></Get>")},
	} {
		if err := c.requestLine(ask[0], ask[1], true); err != nil {
			t.Errorf("%q: %v", ask, err)
		}
	}
	for _, line := range []string{
		"GET /api/?type=op&cmd=<show><system><info></info></system></show>", "GET /api/?type=export&category=configuration", "GET /api/{serial}/settings",
		"POST /api/v2/monitor/system/config/backup?scope=global&destination=file",
	} {
		if err := c.requestLine(line, "", false); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// sophos is the body of a request to SFOS.
func sophos(what string) string {
	return "reqxml=<Request><Login><Username>{user}</Username><Password>{password}</Password></Login>" + what + "</Request>"
}
