package members

import (
	"fmt"
	"maps"
	"testing"
)

func TestPRNG(t *testing.T) {
	t.Parallel()
	s := splitMix(1234567)
	for _, want := range []uint64{6457827717110365317, 3203168211198807973, 9817491932198370423} {
		if got := s.next(); got != want {
			t.Errorf("drew %d, want %d", got, want)
		}
	}
}

// The golden rows of D.2.
func TestGoldenRows(t *testing.T) {
	t.Parallel()
	golden := [][3]string{
		{"DK", "7004631298", "1963-04-10"}, {"SE", "199011062388", "1990-11-06"}, {"DK", "7601841597", "1984-01-16"}, {"SE", "198007119806", "1980-07-11"},
		{"DK", "9003971543", "1997-03-30"}, {"SE", "200111092391", "2001-11-09"}, {"DK", "6907651639", "1965-07-09"}, {"SE", "198508049817", "1985-08-04"},
		{"DK", "7009651203", "1965-09-10"}, {"SE", "200410252399", "2004-10-25"}, {"DK", "7702801105", "1980-02-17"}, {"SE", "197408029804", "1974-08-02"},
		{"DK", "7409861568", "1986-09-14"}, {"SE", "197604079819", "1976-04-07"}, {"DK", "6611971468", "1997-11-06"}, {"SE", "200102162393", "2001-02-16"},
		{"DK", "9006831203", "1983-06-30"}, {"SE", "198001089815", "1980-01-08"}, {"DK", "7407054258", "2005-07-14"}, {"SE", "197402709807", "1974-02-10"},
		{"DK", "9110024468", "2002-10-31"}, {"SE", "200608072385", "2006-08-07"}, {"DK", "6106651742", "1965-06-01"}, {"SE", "198905309814", "1989-05-30"},
		{"DK", "9101671051", "1967-01-31"}, {"SE", "199605302398", "1996-05-30"}, {"DK", "8206971550", "1997-06-22"}, {"SE", "196408159819", "1964-08-15"},
		{"DK", "7909991972", "1999-09-19"}, {"SE", "198211129807", "1982-11-12"},
	}
	for i, m := range First(len(golden)) {
		if got := [3]string{m.Country, m.Number, m.Born}; got != golden[i] {
			t.Errorf("member %d is %v, want %v", i, got, golden[i])
		}
	}
}

// The table's own amounts, from the worked examples of B.1.
func TestAmounts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		hours    int64
		partTime bool
		want     int64
	}{
		{1250, false, 1587_27}, {2300, false, 2920_58}, {101, false, 128_25}, {50, false, 63_49}, {1033, false, 1311_72}, {1500, false, 1904_73},
		{250, false, 317_45}, {1250, true, 1305_10}, {3000, true, 3132_23}, {1000, true, 1044_08}, {740, false, 939_67}, {600, true, 626_45}, {0, true, 0},
	} {
		if got := Amount(c.hours, c.partTime); got != c.want {
			t.Errorf("%d %v: %d, want %d", c.hours, c.partTime, got, c.want)
		}
	}
}

func TestTotals(t *testing.T) {
	t.Parallel()
	rows, partTime, swedes := map[int]int{}, 0, map[int]int{}
	numbers := map[string]bool{}
	for _, m := range First(3000) {
		if numbers[m.Number] {
			t.Errorf("member %d has somebody else's number", m.Index)
		}
		numbers[m.Number] = true
		if m.Country == Sweden {
			swedes[m.Income.Row]++
			continue
		}
		rows[m.Scenario.Row]++
		if m.PartTime {
			partTime++
		}
		if m.Wage < 180_00 || m.Wage > 300_00 {
			t.Errorf("wage %d", m.Wage)
		}
		if equal := m.Scenario.Outcome == NoDifference; equal && m.Reports()[0].Income != m.DeclaredIncome() {
			t.Errorf("member %d: incomes differ", m.Index)
		}
		if m.Scenario.Outcome == IncomeOnly && m.Reports()[0].Income != m.DeclaredIncome()+500_00 {
			t.Errorf("member %d: incomes differ by something else", m.Index)
		}
	}
	if len(rows) != 15 || len(swedes) != 6 || partTime != 375 {
		t.Errorf("rows %v, Swedish rows %v, %d part-time", rows, swedes, partTime)
	}
	for row, n := range rows {
		if n != 100 {
			t.Errorf("row %d: %d members", row, n)
		}
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	for _, m := range First(240) {
		if m.Country == Denmark && m.PartTime != (m.Index >= 90 && m.Index < 120 || m.Index >= 210) {
			t.Errorf("member %d: part-time %v", m.Index, m.PartTime)
		}
	}
}

// The cohorts of D.2: how many members are in each of 3 000, every row in turn, whatever the month's scenario.
func TestCohorts(t *testing.T) {
	t.Parallel()
	seen, sizes, levels := map[string]int{}, map[string]int{}, map[string]int{}
	for _, m := range First(3000) {
		if m.Karens != nil {
			seen[m.Karens.Row]++
			sizes["karens"]++
		}
		if m.Shortening != nil {
			seen[m.Shortening.Row]++
			sizes["shortening"]++
		}
		if m.Transfer != nil {
			seen[m.Transfer.Row]++
			sizes["transfer "+m.Country]++
			if m.Transfer.Country != m.Country {
				t.Errorf("member %d of %s moves by a row of %s", m.Index, m.Country, m.Transfer.Country)
			}
		}
		if m.Protection != "" {
			sizes["protection"]++
			levels[m.Protection]++
			if m.Protection[:2] != m.Country || m.Country == Denmark && m.Expected().Automatic != (m.Scenario.Outcome == Incomplete) {
				t.Errorf("member %d: %s", m.Index, m.Protection)
			}
		}
		if m.OptedOut != "" {
			sizes["opt-out"]++
		}
		if m.Consented != "" {
			sizes["consent"]++
		}
	}
	want := map[string]int{
		"karens": 215, "shortening": 137, "transfer DK": 116, "transfer SE": 300, "protection": 177, "opt-out": 500, "consent": 334,
	}
	if !maps.Equal(sizes, want) {
		t.Errorf("cohorts %v, want %v", sizes, want)
	}
	for letter, rows := range map[string]int{"K": 14, "S": 17, "T": 10} {
		for n := 1; n <= rows; n++ {
			if row := fmt.Sprintf("%s%02d", letter, n); seen[row] == 0 {
				t.Errorf("nobody lives through %s", row)
			}
		}
	}
	for _, level := range []string{"DK_NAME_ADDRESS", "DK_SPECIAL", "SE_SECRECY_MARK", "SE_PROTECTED_REGISTRATION"} {
		if levels[level] < 40 {
			t.Errorf("%d members have %s", levels[level], level)
		}
	}
}

// What the rows' facts add up to, by the words of the tables of B.2 and B.3.
func TestRowsHoldTheTablesFigures(t *testing.T) {
	t.Parallel()
	hours := map[string]int64{}
	for _, k := range KarensRows() {
		for _, m := range k.Months {
			hours[k.Row] += m.Hours
		}
		if k.Months[0].Month != k.Placed[:7] {
			t.Errorf("%s begins in %s", k.Row, k.Months[0].Month)
		}
	}
	for _, s := range ShorteningRows() {
		for _, m := range append(s.Own, s.DFDG...) {
			if !m.Used {
				hours[s.Row] += m.Hours
			}
		}
	}
	want := map[string]int64{
		"K01": 148_00, "K02": 148_01, "K03": 97_00, "K04": 97_01, "K12": 120_00, "K14": 200_00,
		"S01": 7695_84, "S02": 7856_17, "S03": 6240_00, "S04": 7696_00, "S05": 7695_99, "S06": 7700_00, "S11": 6300_00, "S15": 7700_00, "S17": 5000_00,
	}
	for row, h := range want {
		if hours[row] != h {
			t.Errorf("%s has %d centihours, want %d", row, hours[row], h)
		}
	}
}

// No employer can be a real one: real numbers have a weighted sum divisible by 11.
func TestEmployersAreNoRealOnes(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for n := range 100 {
		e := Employer(n)
		sum := 0
		for i, weight := range []int{2, 7, 6, 5, 4, 3, 2, 1} {
			sum += weight * int(e[i]-'0')
		}
		if len(e) != 8 || sum%11 == 0 {
			t.Errorf("%s may be real", e)
		}
		seen[e] = true
	}
	if len(seen) != 40 {
		t.Errorf("%d employers", len(seen))
	}
}
