package change_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"belay/configs"
	"belay/configs/memory"
)

func TestASlowBeforeIsAnnouncedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.policy.NoticeAfter = time.Minute
		s.backup.Puller.(*memory.Puller).Delay = 2 * time.Minute
		var group sync.WaitGroup
		for _, by := range []configs.Person{ada, ben} {
			group.Go(func() {
				o := opening()
				o.By = by
				if _, _, a, err := s.Before(t.Context(), fwOld, o); err != nil || !a.Open {
					t.Errorf("%v, %+v", err, a)
				}
			})
			synctest.Wait()
		}
		group.Wait()
		c, _, _ := s.before()
		if len(s.told) != 1 || !strings.Contains(s.told[0], "takes longer than 1m0s") || len(c.Notices) != 1 || c.Notices[0].Text != s.told[0] {
			t.Errorf("told %q, on record %+v", s.told, c.Notices)
		}
		s.backup.Puller.(*memory.Puller).Delay = time.Second
		quick := newScene(t)
		quick.policy.NoticeAfter = time.Minute
		if c, _, _ := quick.before(); len(c.Notices) != 0 || len(quick.told) != 0 {
			t.Errorf("a quick one was announced: %q", quick.told)
		}
	})
}
