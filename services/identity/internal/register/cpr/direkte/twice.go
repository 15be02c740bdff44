package direkte

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
)

// chunk is how much of a file one checksum covers, in bytes.
const chunk = 256 << 10

// checksums tell whether a file is the same when it is read again, piece by piece: no byte of a changed piece is handed on.
type checksums struct {
	seed maphash.Seed
	sums []uint64
}

func newChecksums() *checksums { return &checksums{seed: maphash.MakeSeed()} }

// first returns a reader that notes the checksums of in.
func (c *checksums) first(in io.Reader) io.Reader {
	c.sums = nil
	return &pieces{in: in, each: func(_ int, sum uint64) bool {
		c.sums = append(c.sums, sum)
		return true
	}, seed: c.seed}
}

// again returns a reader that fails with ErrChanged where in is not what it was.
func (c *checksums) again(in io.Reader) io.Reader {
	return &pieces{in: in, each: func(i int, sum uint64) bool { return i < len(c.sums) && c.sums[i] == sum }, seed: c.seed}
}

// pieces reads in whole chunks.
type pieces struct {
	in   io.Reader
	each func(i int, sum uint64) bool
	seed maphash.Seed
	read int
	buf  []byte
	rest []byte
	err  error
}

// Read implements io.Reader.
func (p *pieces) Read(out []byte) (int, error) {
	for len(p.rest) == 0 {
		if p.err != nil {
			return 0, p.err
		}
		p.fill()
	}
	n := copy(out, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

func (p *pieces) fill() {
	if p.buf == nil {
		p.buf = make([]byte, chunk)
	}
	n, err := io.ReadFull(p.in, p.buf)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		p.err = io.EOF
	case err != nil:
		p.err = err
		return
	}
	if n == 0 {
		return
	}
	if !p.each(p.read, maphash.Bytes(p.seed, p.buf[:n])) {
		p.err = ErrChanged
		return
	}
	p.read++
	p.rest = p.buf[:n]
}

// cursor reads a file on from its own position, also if the file was moved in between.
type cursor struct {
	file io.ReadSeeker
	at   int64
	lost bool // the file stands elsewhere
}

// Read implements io.Reader.
func (c *cursor) Read(p []byte) (int, error) {
	if c.lost {
		if _, err := c.file.Seek(c.at, io.SeekStart); err != nil {
			return 0, fmt.Errorf("cpr direkte: %w", err)
		}
		c.lost = false
	}
	n, err := c.file.Read(p)
	c.at += int64(n)
	return n, err
}

// lineAt returns the line at an offset, without line end. It leaves the cursor where it was.
func (c *cursor) lineAt(buf []byte, at int64) ([]byte, error) {
	c.lost = true
	if _, err := c.file.Seek(at, io.SeekStart); err != nil {
		return nil, fmt.Errorf("cpr direkte: %w", err)
	}
	n, err := io.ReadFull(c.file, buf)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("cpr direkte: %w", err)
	}
	end := bytes.IndexByte(buf[:n], '\n')
	if end < 0 {
		return nil, ErrChanged
	}
	return withoutEnd(buf[:end+1]), nil
}
