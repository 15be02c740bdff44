package edge

import (
	"net/http"
	"sync"
)

// waiting is how many goroutines stand ready for requests; when all are busy, requests run where they came in.
const waiting = 64

// Workers are goroutines that answer requests. The way through the edge and gRPC is deep: goroutines that last keep their grown stacks,
// while each of net/http's begins with a small one that has to be copied several times.
type Workers struct {
	jobs chan *job
	stop chan struct{}
	idle sync.Pool // of *job
}

type job struct {
	next http.Handler
	w    http.ResponseWriter
	r    *http.Request
	done chan any // what next panicked with, or nil
}

// NewWorkers starts them; Close ends them.
func NewWorkers() *Workers {
	w := &Workers{jobs: make(chan *job), stop: make(chan struct{})}
	w.idle.New = func() any { return &job{done: make(chan any, 1)} }
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
			j.done <- j.caught()
		case <-w.stop:
			return
		}
	}
}

func (j *job) caught() (panicked any) {
	defer func() { panicked = recover() }()
	j.next.ServeHTTP(j.w, j.r)
	return nil
}

// serve is a step. A panic goes on where net/http expects it.
func (w *Workers) serve(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		j, ok := w.idle.Get().(*job)
		if !ok { // the pool holds nothing else
			return
		}
		j.next, j.w, j.r = next, rw, r
		var panicked any
		select {
		case w.jobs <- j:
			panicked = <-j.done
		default:
			next.ServeHTTP(rw, r)
		}
		j.next, j.w, j.r = nil, nil, nil
		w.idle.Put(j)
		if panicked != nil {
			panic(panicked) //nolint:forbidigo // net/http ends the connection
		}
	})
}
