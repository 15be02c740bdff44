package people_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"samvirke.dev/deploy/internal/people"
)

func TestWriteFile(t *testing.T) {
	t.Parallel()
	const n = 500
	file := filepath.Join(t.TempDir(), "import.jsonl")
	if err := people.WriteFile(file, people.Members(n)); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	seen := map[string]bool{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var p struct {
			Number     string `json:"number"`
			GivenNames string `json:"given_names"`
			BirthDate  string `json:"birth_date"`
			Address    struct {
				City string `json:"city"`
			} `json:"address"`
		}
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		if seen[p.Number] || p.GivenNames == "" || len(p.BirthDate) != len("2006-01-02") || p.Address.City == "" {
			t.Errorf("line is %s", lines.Text())
		}
		seen[p.Number] = true
	}
	if len(seen) != n {
		t.Errorf("%d persons", len(seen))
	}
}

func TestMembersStopsWhenTold(t *testing.T) {
	t.Parallel()
	count := 0
	for range people.Members(1000) {
		if count++; count == 3 {
			break
		}
	}
	if count != 3 {
		t.Errorf("%d members", count)
	}
}

func TestWriteFileReportsWhereItCannot(t *testing.T) {
	t.Parallel()
	if err := people.WriteFile(filepath.Join(t.TempDir(), "no", "such", "folder"), people.Members(1)); err == nil {
		t.Error("wrote into nowhere")
	}
}
