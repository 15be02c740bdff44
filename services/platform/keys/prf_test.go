package keys_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync"
	"testing"

	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	"pgregory.net/rapid"

	"samvirke.dev/services/platform/keys"
)

// tinkSet reads a ring's keyset as Tink itself does.
func tinkSet(t *testing.T, k *kit, name, kek string) *prf.Set {
	t.Helper()
	wrapper := must[keys.Wrapper](t)(k.vault.wrap(kek))
	h, err := keyset.ReadWithContext(t.Context(), keyset.NewBinaryReader(bytes.NewReader(k.store.get(name).wrapped)), wrapper,
		[]byte("samvirke/keyset/v1\x00prf\x00"+name))
	if err != nil {
		t.Fatal(err)
	}
	return must[*prf.Set](t)(prf.NewPRFSet(h))
}

// Pseudonyms and digests are those that Tink computes, under every version, so that what rests stays readable by either.
func TestSameAsTink(t *testing.T) {
	t.Parallel()
	k := newKit()
	ring := k.open(t)
	if err := ring.Rotate(t.Context(), fundA); err != nil {
		t.Fatal(err)
	}
	set, p := tinkSet(t, k, fundA, "kek-handle"), prfOf(t, ring, fundA)
	if len(set.PRFs) != 2 {
		t.Fatalf("%d versions", len(set.PRFs))
	}
	rapid.Check(t, func(t *rapid.T) {
		input := rapid.StringN(1, 200, 400).Draw(t, "input")
		all, err := p.All(input)
		if err != nil || len(all) != len(set.PRFs) {
			t.Fatalf("%d pseudonyms, %v", len(all), err)
		}
		for i, text := range all {
			got, err := keys.ParsePseudonym(text)
			if err != nil || (i == 0) != (got.Version == set.PrimaryID) {
				t.Fatalf("pseudonym %d of version %08x, %v", i, got.Version, err)
			}
			want, err := set.PRFs[got.Version].ComputePRF(append([]byte{1}, input...), 20)
			if err != nil || !bytes.Equal(got.Sum[:], want) {
				t.Fatalf("%x, Tink computes %x, %v", got.Sum, want, err)
			}
		}
		parts := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 300), 0, 3).Draw(t, "parts")
		framed := []byte{2}
		for _, b := range parts {
			framed = append(binary.AppendUvarint(framed, uint64(len(b))), b...)
		}
		want, err1 := set.ComputePrimaryPRF(framed, 32)
		got, err2 := p.Digest(parts...)
		if err1 != nil || err2 != nil || !bytes.Equal(got.Sum[:], want) {
			t.Fatalf("%x, Tink computes %x, %v, %v", got.Sum, want, err1, err2)
		}
	})
}

// The keyed state is shared by turns and never by two at once.
func TestPseudonymsAtTheSameTime(t *testing.T) {
	t.Parallel()
	p := prfOf(t, newKit().open(t), fundA)
	inputs := []string{"SE:198503149802", "DK:7403851013", "x"}
	want := make([]string, len(inputs))
	for i, in := range inputs {
		want[i] = must[string](t)(p.Pseudonym(in))
	}
	var all sync.WaitGroup
	for i, in := range slices.Repeat(inputs, 8) {
		all.Go(func() {
			for range 200 {
				if got, err := p.Pseudonym(in); err != nil || got != want[i%len(inputs)] {
					t.Errorf("%q, %v", got, err)
					return
				}
			}
		})
	}
	all.Wait()
}
