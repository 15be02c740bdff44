package direkte_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"testing"

	"samvirke.dev/services/identity/internal/register/cpr/direkte"
)

// block returns the records of one person made by hand who has about as many as the published ones, without those that stand apart, and the
// address that may stand there.
func block(t testing.TB) (records [][]byte, address []byte) {
	t.Helper()
	for _, line := range lines(hand(t)) {
		if line[3:13] != "6101801003" {
			continue
		}
		if line[:3] == "003" {
			address = []byte(line + "\n")
			continue
		}
		records = append(records, []byte(line+"\n"))
	}
	if len(records) == 0 || address == nil {
		t.Fatal("the delivery made by hand has changed")
	}
	return records, address
}

// bulk writes a delivery of many persons and returns how many lines it has. All are alike but for their numbers.
func bulk(t testing.TB, out io.Writer, persons int, apart bool) int {
	t.Helper()
	w := bufio.NewWriterSize(out, 1<<20)
	records, address := block(t)
	put := func(line []byte, i int) {
		copy(line[3:13], fmt.Appendf(nil, "%02d%02d%02d%04d", 61+i%28, 1+i/28%12, 50+i/336%40, i/13440%4000))
		_, _ = w.Write(line) // Flush tells of errors
	}
	_, _ = fmt.Fprintf(w, "0000000000000110901%s%s\n", "20261123", "20261120")
	for i := range persons {
		for j, line := range records {
			put(line, i)
			if j == 1 && !apart {
				put(address, i)
			}
		}
	}
	for i := range persons {
		if apart {
			put(address, persons-1-i)
		}
	}
	count := persons * (len(records) + 1)
	_, _ = fmt.Fprintf(w, "9999999999999%08d\n", count)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return count + 2
}

// BenchmarkDelivery measures one person after the other on one core: scan goes over the lines, check reads a delivery once, and apply is what
// an operator waits for: checked, read again, and every person put together. bufio reads the same lines and looks at nothing.
func BenchmarkDelivery(b *testing.B) {
	const persons = 20_000
	reader := direkte.New()
	for name, apart := range map[string]bool{"inline": false, "apart": true} {
		var buf bytes.Buffer
		bulk(b, &buf, persons, apart)
		raw := buf.Bytes()
		run := func(what string, do func() error) {
			b.Run(name+"/"+what, func(b *testing.B) {
				b.SetBytes(int64(len(raw)))
				b.ReportAllocs()
				for b.Loop() {
					if err := do(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		run("bufio", func() error {
			lines := bufio.NewScanner(bytes.NewReader(raw))
			for lines.Scan() {
			}
			return lines.Err()
		})
		run("scan", func() error {
			lines := reader.NewScanner(bytes.NewReader(raw))
			for lines.Scan() {
			}
			return lines.Err()
		})
		run("check", func() error {
			_, err := reader.Check(b.Context(), bytes.NewReader(raw))
			return err
		})
		run("apply", func() error {
			return reader.Apply(b.Context(), bytes.NewReader(raw), func(direkte.Update) error { return nil })
		})
	}
}
