package storetest

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"samvirke.dev/services/insurance/internal/core"
	"samvirke.dev/services/insurance/internal/store"
)

func page(t *testing.T, s store.Store) {
	const members = 5
	ctx := t.Context()
	for i := range members {
		h := fmt.Sprintf("h%d", i)
		id := Member(t, s, h)
		for c := range i {
			must(t, s.PutConsent(ctx, id, &core.Consent{ID: fmt.Sprint("c", c), Purpose: core.Marketing}, Moment(c)))
			_, err := s.PutRefusal(ctx, id, core.StoredRefusal{Kind: core.KindOptOut, Partner: fmt.Sprint("DK:", c), Channel: 2, At: Moment(c)})
			must(t, err)
		}
		one := aShare(id, h)
		one.Stopped = i == 4
		must(t, s.PutShare(ctx, one))
		must(t, s.Append(ctx, box(), one.ID, core.ItemNew, Moment(i)))
		must(t, s.Append(ctx, box(), one.ID, core.ItemStopUse, Moment(i)))
	}
	got, err := s.ItemRows(ctx, box(), 2, 7)
	must(t, err)
	if len(got) != 7 {
		t.Fatalf("%d items", len(got))
	}
	for _, r := range got {
		i := int(r.Seq-1) / 2
		h, data := fmt.Sprintf("h%d", i), r.Kind == core.ItemNew && i < 4
		if r.Share.Handle != h || r.Share.Subject != h || data != (string(r.Sealed) == "sealed "+h) {
			t.Errorf("%+v", r)
		}
		if data && (len(r.Known.Consents) != i || len(r.Known.Refusals) != i) {
			t.Errorf("%s has %d consents and %d refusals", h, len(r.Known.Consents), len(r.Known.Refusals))
		}
	}
	must(t, s.MarkDelivered(ctx, box(), []int64{3, 5, 7}, Moment(9)))
	if got, err = s.ItemRows(ctx, box(), 2, 7); err != nil || !got[0].Delivered || got[1].Delivered || !got[2].Delivered || !got[4].Delivered || got[6].Delivered {
		t.Errorf("%+v %v", got, err)
	}
}

func reads(t *testing.T, s store.Store) {
	ctx := t.Context()
	var ids []int64
	for i := range 200 { // more than one statement names
		id := Member(t, s, fmt.Sprintf("h%d", i))
		one := aShare(id, strconv.Itoa(i))
		one.Until = time.Time{}
		must(t, s.PutShare(ctx, one))
		ids = append(ids, one.ID)
	}
	must(t, s.CountReads(ctx, append(append([]int64{}, ids...), ids[0], ids[0], ids[199])))
	all, err := s.SharesAfter(ctx, 0, 1000)
	must(t, err)
	for i, one := range all {
		want := map[int]int{0: 3, 199: 2}[i]
		if want == 0 {
			want = 1
		}
		if one.Reads != want || !one.Delivered {
			t.Errorf("share %d: %d reads, want %d", i, one.Reads, want)
		}
	}
	if len(all) != 200 {
		t.Errorf("%d shares", len(all))
	}
}
