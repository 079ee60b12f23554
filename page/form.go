package page

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"github.com/revoke-sessions/revoke"
)

// maxForm is more than a form of the page takes.
const maxForm = 4 << 10 // bytes

// A form is what one of the page's forms asks for: to end one session, or all
// but the current one.
type form struct {
	session   string // an id
	others    bool
	confirmed bool // with others
}

// A formError means that a form could not be read, so nothing was done.
type formError struct{ status int }

func (e *formError) Error() string { return "unreadable form" }

// readForm reads a form. One that names neither a session nor the others is as
// unreadable as one that is too long.
func readForm(w http.ResponseWriter, r *http.Request) (form, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	err := errors.Join(r.ParseForm(), r.ParseMultipartForm(maxForm))
	if !r.PostForm.Has("session") && !r.PostForm.Has("others") {
		var tooLong *http.MaxBytesError
		if errors.As(err, &tooLong) {
			return form{}, &formError{http.StatusRequestEntityTooLarge}
		}
		return form{}, &formError{http.StatusBadRequest}
	}
	return form{
		session:   r.PostForm.Get("session"),
		others:    r.PostForm.Get("others") == "true",
		confirmed: r.PostForm.Get("confirm") == "true",
	}, nil
}

// post does what a form asks for, and sends the browser back to the page, which
// then says once what happened.
func (p *page) post(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(w, r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	var done notice
	if form.others {
		done, err = p.revokeOthers(ctx, form.confirmed)
	} else {
		done, err = p.revoke(ctx, p.texts(r), form.session)
	}
	if err != nil {
		return err
	}
	if _, signedIn := p.sessions.Current(ctx); !signedIn { // it was the user's own session
		p.redirect(w, cmp.Or(p.LoginURL, self(r)))
		return nil
	}
	p.leaveNotice(ctx, done)
	p.redirect(w, self(r))
	return nil
}

func (p *page) revoke(ctx context.Context, t Texts, id string) (notice, error) {
	current, _ := p.sessions.Current(ctx)
	sessions, err := p.sessions.List(ctx, current.UserID)
	if err != nil {
		return notice{}, err
	}
	err = p.sessions.Revoke(ctx, current.UserID, id)
	var refused *revoke.RefusedError
	if errors.Is(err, revoke.ErrNotFound) && !errors.As(err, &refused) {
		return notice{Kind: noticeEnded}, nil
	}
	done := notice{Kind: noticeRevoked}
	for _, s := range sessions {
		if s.ID == id {
			done.Device = t.name(s)
		}
	}
	return done, err
}

func (p *page) revokeOthers(ctx context.Context, confirmed bool) (notice, error) {
	if p.sessions.Confirm && !confirmed {
		current, _ := p.sessions.Current(ctx)
		sessions, err := p.sessions.List(ctx, current.UserID)
		if err != nil {
			return notice{}, err
		}
		return notice{}, &revoke.ConfirmationError{Count: len(others(sessions))}
	}
	ended, err := p.sessions.RevokeOthers(ctx)
	return notice{Kind: noticeOthers, Count: len(ended)}, err
}
