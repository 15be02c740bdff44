package soap

import "bytes"

// memory is what reading needs and a client uses again for the next message.
type memory struct {
	raw   bytes.Buffer // the message
	names names
	nodes []node
}

func newMemory() *memory { return &memory{names: names{}} }

// Most of it that is kept: more is no usual answer's.
const (
	keptNames = 512
	keptBytes = 64 << 10
	keptNodes = 1 << 10
)

// memory returns memory that no other call uses at present.
func (c *Client) memory() *memory {
	if m, ok := c.memories.Get().(*memory); ok {
		return m
	}
	return newMemory()
}

// keep takes memory back after everything that the answer wants was copied.
func (c *Client) keep(m *memory) {
	if len(m.names) > keptNames || m.raw.Cap() > keptBytes || cap(m.nodes) > keptNodes {
		return
	}
	m.raw.Reset()
	clear(m.nodes)
	m.nodes = m.nodes[:0]
	c.memories.Put(m)
}
