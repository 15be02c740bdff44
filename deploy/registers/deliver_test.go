package registers_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"samvirke.dev/deploy/registers"
	"samvirke.dev/deploy/registers/direkte"
	"samvirke.dev/deploy/registers/persons"
	"samvirke.dev/services/platform/clock"
)

// deliver makes a delivery and reads it: ISO 8859-1, one record a line. It checks what holds for each one.
func (b *bench) deliver(t *testing.T) (direkte.Delivery, []string) {
	t.Helper()
	d, err := b.sim.Deliver(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	raw := read(t, filepath.Join(b.dir, d.File))
	letters := make([]rune, len(raw))
	for i, c := range raw {
		letters[i] = rune(c)
	}
	all, found := strings.CutSuffix(string(letters), "\n")
	lines := strings.Split(all, "\n")
	if head := "000" + "0000000000" + "110901" + d.Production + d.Previous; !found || lines[0] != head {
		t.Errorf("start record %q, want %q", lines[0], head)
	}
	if tail := fmt.Sprintf("999"+"9999999999"+"%08d", len(lines)-2); lines[len(lines)-1] != tail || d.Records != len(lines)-2 {
		t.Errorf("end record %q, want %q", lines[len(lines)-1], tail)
	}
	for _, line := range lines {
		if line != strings.TrimRight(line, " ") {
			t.Errorf("blanks at the end of %q", line)
		}
	}
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			t.Errorf("%s is left over", e.Name())
		}
	}
	return d, lines[1 : len(lines)-1]
}

// of are the records of a person, all types or one.
func of(lines []string, number string, kinds ...string) []string {
	var found []string
	for _, line := range lines {
		if line[3:13] == number && (len(kinds) == 0 || slices.Contains(kinds, line[:3])) {
			found = append(found, line)
		}
	}
	return found
}

// field cuts a record, which may end early.
func field(line string, position, length int) string {
	runes := []rune(line + strings.Repeat(" ", 400))
	return strings.TrimSpace(string(runes[position-1 : position-1+length]))
}

// The published answers come out of deliveries record by record, but for what the register leaves out: see expected.
func TestDeliveriesAsPublished(t *testing.T) {
	t.Parallel()
	b := start(t)
	var all map[string][]string
	if err := json.Unmarshal(read(t, shared(t, "cpr", "cpr-direkte", "demo-answers.json")), &all); err != nil {
		t.Fatal(err)
	}
	for number := range all {
		if err := b.sim.Subscribe(number); err != nil {
			t.Fatal(err)
		}
	}
	danes, err := persons.Danes()
	if err != nil {
		t.Fatal(err)
	}
	d, lines := b.deliver(t)
	if d.Persons != len(all) || len(all) != 40 {
		t.Errorf("%d persons of %d", d.Persons, len(all))
	}
	compared := 0
	for number, answer := range all {
		want := []string{}
		for _, line := range answer {
			if line, ok := expected(line, danes); ok {
				want = append(want, line)
			}
		}
		got := slices.DeleteFunc(of(lines, number), func(line string) bool { return line[:3] == "004" || line[:3] == "099" })
		slices.Sort(want)
		slices.Sort(got)
		compared += len(want)
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		protectionsAsPublished(t, of(answer, number, "004"), of(lines, number, "004"))
	}
	if compared < 300 {
		t.Errorf("compared %d records only", compared)
	}
}

// expected is a published record as the register tells it: without those whose facts it doesn't hold (church, authority over children,
// notes, votes, histories of other things than numbers, addresses and names), and without relatives who are in no published list.
func expected(line string, danes map[string]*persons.Dane) (string, bool) {
	relative := func(position int, none string) {
		if danes[field(line, position, 10)] == nil && len([]rune(line)) >= position+9 {
			runes := []rune(line)
			copy(runes[position-1:], []rune(none))
			line = strings.TrimRight(string(runes), " ")
		}
	}
	switch line[:3] {
	case "001", "002", "003", "005", "006", "007", "008", "009", "010", "013", "022", "023", "026":
	case "012":
		relative(15, strings.Repeat(" ", 10))
	case "014":
		return line, danes[field(line, 14, 10)] != nil
	case "015":
		relative(92, "0000000000")
		relative(25, "0000000000")
		line = cut(cut(line, 113, 35), 102, 11) // birth dates and names stand where there is no number
		line = cut(cut(line, 46, 35), 35, 11)
	default:
		return "", false
	}
	return line, true
}

// cut blanks a field.
func cut(line string, position, length int) string {
	runes := []rune(line)
	for i := position - 1; i < min(position-1+length, len(runes)); i++ {
		runes[i] = ' '
	}
	return strings.TrimRight(string(runes), " ")
}

// protectionsAsPublished compares records 004: those that had ended are left out, and planned ends that are long over are not told.
func protectionsAsPublished(t *testing.T, published, got []string) {
	t.Helper()
	var want []string
	for _, line := range published {
		switch until := field(line, 28, 10); {
		case until > "2100", until == "":
			want = append(want, line)
		case until > persons.AsOf:
			want = append(want, line[:27])
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// All 80 persons fit into a delivery.
func TestEveryDaneIsDelivered(t *testing.T) {
	t.Parallel()
	b := start(t)
	danes, err := persons.Danes()
	if err != nil {
		t.Fatal(err)
	}
	for number := range danes {
		if err := b.sim.Subscribe(number); err != nil {
			t.Fatal(err)
		}
	}
	d, lines := b.deliver(t)
	if d.Persons != 80 {
		t.Errorf("%d persons", d.Persons)
	}
	for number, p := range danes {
		records := of(lines, number)
		if len(records) == 0 || records[0][:3] != "001" || len(of(lines, number, "003")) != 1 || len(of(lines, number, "008")) != 1 ||
			!slices.IsSortedFunc(records, func(a, b string) int { return strings.Compare(a[:3], b[:3]) }) {
			t.Errorf("%s: %q", number, records)
			continue
		}
		if field(records[0], 24, 2) != p.Status || field(records[0], 14, 10) != p.Current {
			t.Errorf("%s: %q", number, records[0])
		}
		if hasAddress := len(of(lines, number, "002")) == 1; hasAddress != (p.Address != nil && p.Status < "30") {
			t.Errorf("%s: address is %v", number, hasAddress)
		}
	}
}

// What happens to a person between deliveries is in the next one, with its event, once; nobody else is.
func TestDeliveryAfterChanges(t *testing.T) {
	t.Parallel()
	b := start(t)
	const moving, hiding, dying, still = "0709614126", "0709614045", "0707614226", "0709614231"
	if err := b.sim.Subscribe(moving, hiding, dying, still); err != nil {
		t.Fatal(err)
	}
	if d, lines := b.deliver(t); d.Persons != 4 || len(of(lines, still, "099")) != 1 || of(lines, still, "099")[0] != "099"+still+"202611231130A45" {
		t.Errorf("first: %v, %q", d, of(lines, still, "099"))
	}
	b.clk.Advance(24 * time.Hour)
	if d, lines := b.deliver(t); d.Persons+len(lines) != 0 {
		t.Errorf("nothing happened, but %v, %q", d, lines)
	}
	b.clk.Advance(24 * time.Hour)
	change := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	change(b.sim.SetDanishAddress(moving, persons.DanishAddress{
		Municipality: "0101", Road: "1234", House: "007B", Floor: "02", Door: "tv", CareOf: "c/o Ærø", Standard: "Ny Vej 7B,2 tv", Street: "Ny Vej",
		PostalCode: "2100", District: "København Ø",
	}))
	change(b.sim.SetDanishProtection(hiding, persons.NameAndAddress, true))
	change(b.sim.SetDanishDeath(dying, "2026-11-24"))
	_, lines := b.deliver(t)
	for number, want := range map[string][]string{
		moving: {"099" + moving + "202611251130A01"}, hiding: {"099" + hiding + "202611251130A33"}, dying: {"099" + dying + "202611251130A21"}, still: nil,
	} {
		if got := of(lines, number, "099"); !slices.Equal(got, want) {
			t.Errorf("events %q, want %q", got, want)
		}
	}
	if a := of(lines, moving, "002")[0]; a != "002"+moving+"01011234007B02  tv    c/o Ærø                           202611251130 202611251130 0851202611251130 0000" {
		t.Errorf("address %q", a)
	}
	if w := of(lines, moving, "003")[0]; field(w, 116, 34) != "Ny Vej 7B,2 tv" || field(w, 184, 4) != "2100" || field(w, 188, 20) != "København Ø" {
		t.Errorf("written address %q", w)
	}
	if h := of(lines, moving, "023"); len(h) == 0 || field(h[len(h)-1], 84, 12) != "202611251130" || field(h[len(h)-1], 19, 4) != "8511" {
		t.Errorf("earlier address %q", h)
	}
	if got := of(lines, hiding, "004"); !slices.Contains(got, "004"+hiding+"00012026-11-25") {
		t.Errorf("protection %q", got)
	}
	if p := of(lines, dying, "001")[0]; field(p, 24, 2) != "90" || field(p, 26, 12) != "202611240000" || len(of(lines, dying, "002")) > 0 {
		t.Errorf("the dead %q", of(lines, dying))
	}
	protectionEnds(t, b, hiding)
}

func protectionEnds(t *testing.T, b *bench, number string) {
	t.Helper()
	for range 2 { // the second time there is nothing left to end
		if err := b.sim.SetDanishProtection(number, persons.NameAndAddress, false); err != nil {
			t.Error(err)
		}
	}
	_, lines := b.deliver(t)
	if got := of(lines, number, "099"); len(got) != 1 || field(got[0], 26, 3) != "P11" || slices.ContainsFunc(of(lines, number, "004"), func(l string) bool { return l[13:17] == "0001" }) {
		t.Errorf("end of the protection: %q", of(lines, number, "004", "099"))
	}
	if text(answered(t, b.cpr(t, number)), "adressebeskyttelse/beskyttet") != "false" {
		t.Error("SF1520 tells of a protection that ended")
	}
}

// The chain of production dates has no gap and no date twice, also when several deliveries are made on one day, and across a restart.
func TestChainOfDeliveries(t *testing.T) {
	t.Parallel()
	b := start(t)
	previous := "00000000"
	for _, want := range []string{"20261123", "20261124", "20261125"} {
		d, _ := b.deliver(t)
		if d.Production != want || d.Previous != previous || d.File != "D"+want[2:]+".L110901" {
			t.Errorf("got %v, want %s after %s", d, want, previous)
		}
		previous = d.Production
	}
	again := start(t, func(c *registers.Config) { c.Deliveries = b.dir })
	again.clk.Advance(9 * 24 * time.Hour)
	if d, _ := again.deliver(t); d.Production != "20261202" || d.Previous != previous {
		t.Errorf("after a restart: %v", d)
	}
	if _, err := b.sim.Deliver(t.Context()); err != nil {
		t.Error(err)
	}
}

// Days are those of the country: late in the evening of UTC it is tomorrow there.
func TestCivilDays(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.clk.Set(time.Date(2026, 12, 31, 23, 30, 0, 0, time.UTC))
	if d, _ := b.deliver(t); d.Production != "20270101" {
		t.Errorf("produced on %s", d.Production)
	}
	if err := errors.Join(b.sim.SetSwedishDeath("195704133106", "2027-01-01"), b.sim.SetDanishDeath("0709614126", "2027-01-01")); err != nil {
		t.Error(err)
	}
	if got := text(b.spar(t, question{number: "195704133106"}), "SenasteAndringSPAR"); got != "2027-01-01" {
		t.Errorf("changed on %s", got)
	}
}

// A file is never written over, and what failed comes in the next delivery.
func TestDeliveryThatFails(t *testing.T) {
	t.Parallel()
	b := start(t)
	const number = "0709614126"
	if err := b.sim.Subscribe(number); err != nil {
		t.Fatal(err)
	}
	taken := filepath.Join(b.dir, "D261123.L110901")
	if err := os.WriteFile(taken, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.sim.Deliver(t.Context()); !errors.Is(err, direkte.ErrExists) || string(read(t, taken)) != "mine" {
		t.Errorf("error %v", err)
	}
	if err := os.Remove(taken); err != nil {
		t.Fatal(err)
	}
	if d, lines := b.deliver(t); d.Persons != 1 || len(of(lines, number, "099")) != 1 {
		t.Errorf("got %v", d)
	}
	if err := os.RemoveAll(b.dir); err != nil {
		t.Fatal(err)
	}
	if _, err := b.sim.Deliver(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func TestUnsubscribedAndUnknown(t *testing.T) {
	t.Parallel()
	b := start(t)
	if err := b.sim.Subscribe("0709614126", "0101010101"); err != nil {
		t.Fatal(err)
	}
	if err := b.sim.Subscribe("0709614126", "07096141"); !errors.Is(err, direkte.ErrNumber) {
		t.Errorf("error %v", err)
	}
	_, lines := b.deliver(t)
	if got := of(lines, "0101010101"); len(got) != 1 || field(got[0], 1, 3) != "910" || field(got[0], 14, 75) != "0101010101" || field(got[0], 89, 4) != "0172" {
		t.Errorf("error record %q", got)
	}
	b.sim.Unsubscribe("0709614126", "0709614126", "0909610036")
	if _, lines = b.deliver(t); len(lines) != 1 || lines[0] != "9970709614126202611231130A45" {
		t.Errorf("receipts %q", lines)
	}
	if _, lines = b.deliver(t); len(lines) != 0 {
		t.Errorf("once more %q", lines)
	}
}

// New and Start are quick and refuse what they can't run with.
func TestNew(t *testing.T) {
	t.Parallel()
	for name, bend := range map[string]func(*registers.Config, *registers.Deps){
		"no clock":               func(_ *registers.Config, d *registers.Deps) { d.Clock = nil },
		"no logger":              func(_ *registers.Config, d *registers.Deps) { d.Logger = nil },
		"no TLS":                 func(c *registers.Config, _ *registers.Deps) { c.TLS = nil },
		"TLS of one side":        func(c *registers.Config, _ *registers.Deps) { c.TLS.ClientAuth = 0 },
		"no folder":              func(c *registers.Config, _ *registers.Deps) { c.Deliveries = "" },
		"a folder that is none":  func(c *registers.Config, _ *registers.Deps) { c.Deliveries = filepath.Join(c.Deliveries, "x") },
		"admin for everybody":    func(c *registers.Config, _ *registers.Deps) { c.Admin = "0.0.0.0:0" },
		"admin on no address":    func(c *registers.Config, _ *registers.Deps) { c.Admin = ":0" },
		"admin without a port":   func(c *registers.Config, _ *registers.Deps) { c.Admin = "127.0.0.1" },
		"two services, one path": func(c *registers.Config, _ *registers.Deps) { c.SubscriptionPath, c.SF1520Path = "/x", "/x" },
	} {
		ca := start(t).ca
		cfg := registers.Config{TLS: serverTLS(t, ca), Deliveries: t.TempDir()}
		deps := registers.Deps{Clock: clock.System(), Logger: slog.New(slog.DiscardHandler)}
		bend(&cfg, &deps)
		if _, err := registers.New(cfg, deps); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestStartThatFails(t *testing.T) {
	t.Parallel()
	b := start(t)
	for _, bend := range []func(*registers.Config){
		func(c *registers.Config) { c.SPAR = b.sim.SPARAddr() }, func(c *registers.Config) { c.SF1520 = b.sim.SPARAddr() },
		func(c *registers.Config) { c.Admin = b.sim.AdminAddr() },
	} {
		cfg := registers.Config{SPAR: "127.0.0.1:0", SF1520: "127.0.0.1:0", TLS: serverTLS(t, b.ca), Deliveries: t.TempDir()}
		bend(&cfg)
		sim, err := registers.New(cfg, registers.Deps{Clock: b.clk, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if err := sim.Start(t.Context()); err == nil {
			t.Error("two listeners on one address")
		}
		sim.Close() // a second time
	}
}

func BenchmarkStart(b *testing.B) {
	ca := benchCA(b)
	dir := b.TempDir()
	b.ReportAllocs()
	for b.Loop() {
		sim, err := registers.New(registers.Config{
			SPAR: "127.0.0.1:0", SF1520: "127.0.0.1:0", Admin: "127.0.0.1:0", TLS: ca, Deliveries: dir,
		}, registers.Deps{Clock: clock.System(), Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		if err := sim.Start(b.Context()); err != nil {
			b.Fatal(err)
		}
		sim.Close()
	}
}
