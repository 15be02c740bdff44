package resilience_test

import (
	"context"
	"testing"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"samvirke.dev/services/platform/resilience"
)

// BenchmarkDo is what the guard costs a call whose register answers at once, with metrics as in production. The goal is a few µs.
func BenchmarkDo(b *testing.B) {
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			if _, err := answers(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	hedging, open := resilience.DefaultConfig(), plain()
	open.MinCalls = 1
	for name, cfg := range map[string]resilience.Config{"guarded": plain(), "hedging": hedging, "open": open} {
		d := deps()
		d.Meter = sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())).Meter("bench")
		g := guard(b, cfg, d)
		if name == "open" {
			_, _ = resilience.Do(b.Context(), g, fails)
			cfg.OpenFor = 1 << 40
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = resilience.Do(b.Context(), g, answers)
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				ctx, cancel := context.WithCancel(b.Context())
				defer cancel()
				for pb.Next() {
					_, _ = resilience.Do(ctx, g, answers)
				}
			})
		})
	}
}
