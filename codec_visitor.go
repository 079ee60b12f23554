package revoke

import (
	"fmt"
	"time"

	"github.com/revoke-sessions/revoke/internal/codec"
)

// A visitorCodec is the codec that New installs. It writes a visitor's session as
// plain scs does, for the nodes that still run it and for a way back, until
// Manager.AdoptUntil has passed.
type visitorCodec struct{ m *Manager }

func (c visitorCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	if c.m.idOf(values) == "" && c.m.hasPlainNodes() {
		return encodeGob(deadline, values)
	}
	return Codec{}.Encode(deadline, values)
}

func (visitorCodec) Decode(data []byte) (time.Time, map[string]any, error) {
	return Codec{}.Decode(data)
}

// hasPlainNodes reports whether nodes of plain scs may read what is written.
func (m *Manager) hasPlainNodes() bool {
	return m.AdoptUntil.IsZero() || time.Now().Before(m.AdoptUntil)
}

// encodeForPlainSCS encodes a session of the visitors' store whose data names a user.
func (m *Manager) encodeForPlainSCS(deadline time.Time, values map[string]any) ([]byte, error) {
	if _, ours := m.sm.Codec.(visitorCodec); ours {
		return encodeGob(deadline, values)
	}
	return m.sm.Codec.Encode(deadline, values)
}

func encodeGob(deadline time.Time, values map[string]any) ([]byte, error) {
	data, err := codec.EncodeGob(deadline, values)
	if err != nil {
		return nil, fmt.Errorf("revoke: encode session data: %w", err)
	}
	return data, nil
}

// isFromPlainSCS reports whether a visitor's data was last written by plain scs.
// Under a codec of the application's own that cannot be told.
func (m *Manager) isFromPlainSCS(data []byte) bool {
	_, ours := m.sm.Codec.(visitorCodec)
	return ours && codec.IsFromPlainSCS(data)
}
