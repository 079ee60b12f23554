package page

import (
	"context"
	"encoding/json"
)

// A notice is what a form has done. It waits in the session's data to be shown
// once: there, no link and no other site can make the page show one.
type notice struct {
	Kind   string `json:"kind"`
	Device string `json:"device,omitempty"`
	Count  int    `json:"count,omitempty"`
}

const (
	noticeKey     = "revoke.page.notice"
	noticeRevoked = "revoked"
	noticeOthers  = "revoked_others"
	noticeEnded   = "ended"
)

// leaveNotice leaves a notice, as a string, which every codec can store.
func (p *page) leaveNotice(ctx context.Context, n notice) {
	b, _ := json.Marshal(n) // texts do not fail
	p.sessions.SessionManager().Put(ctx, noticeKey, string(b))
}

func (p *page) takeNotice(ctx context.Context) (n notice) {
	_ = json.Unmarshal([]byte(p.sessions.SessionManager().PopString(ctx, noticeKey)), &n) // no notice otherwise
	return n
}

func (n notice) message(t Texts) *Message {
	switch n.Kind {
	case noticeRevoked:
		return &Message{Text: t.SignedOutOf(n.Device)}
	case noticeOthers:
		return &Message{Text: t.SignedOutOfOthers(n.Count)}
	case noticeEnded:
		return &Message{Text: t.AlreadyEnded}
	}
	return nil
}
