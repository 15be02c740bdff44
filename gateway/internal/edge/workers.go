package edge

import "net/http"

// waiting is how many goroutines stand ready for requests; when all are busy, requests run where they came in.
const waiting = 64

// Workers are goroutines that answer requests. The way through the edge and gRPC is deep: goroutines that last keep their grown stacks,
// while each of net/http's begins with a small one that has to be copied several times.
type Workers struct {
	jobs chan job
	stop chan struct{}
}

type job struct {
	serve func()
	done  chan any // what serve panicked with, or nil
}

// NewWorkers starts them; Close ends them.
func NewWorkers() *Workers {
	w := &Workers{jobs: make(chan job), stop: make(chan struct{})}
	for range waiting {
		go w.run()
	}
	return w
}

// Close lets idle workers go. Nothing may be served afterwards.
func (w *Workers) Close() { close(w.stop) }

func (w *Workers) run() {
	for {
		select {
		case j := <-w.jobs:
			j.done <- caught(j.serve)
		case <-w.stop:
			return
		}
	}
}

func caught(f func()) (panicked any) {
	defer func() { panicked = recover() }()
	f()
	return nil
}

// serve is a step. A panic goes on where net/http expects it.
func (w *Workers) serve(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		j := job{serve: func() { next.ServeHTTP(rw, r) }, done: make(chan any, 1)}
		select {
		case w.jobs <- j:
			if p := <-j.done; p != nil {
				panic(p) //nolint:forbidigo // net/http ends the connection
			}
		default:
			next.ServeHTTP(rw, r)
		}
	})
}
