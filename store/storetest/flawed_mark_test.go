package storetest

import (
	"context"
	"strings"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// mark leaves a mark.
func (s *flawed) mark(user string, why store.Revocation) {
	at := why.At.IsZero()
	if at && !s.is("a mark without a time is at the beginning") {
		why.At = time.Now()
	}
	switch {
	case s.is("RevokeAll leaves no mark"):
		return
	case s.is("the mark does not say by which session"):
		why.By = ""
	case s.is("marks by the millisecond"):
		why.At = why.At.Add(time.Millisecond).Truncate(time.Millisecond)
	case s.is("marks are of all users"):
		user = ""
	}
	if why.Until.IsZero() || s.is("marks last a day") {
		why.Until = why.At.Add(store.TombstoneLifetime)
		if at || s.is("marks last a day from now") {
			why.Until = time.Now().Add(store.TombstoneLifetime)
		}
	}
	if s.is("reasons end at a NUL") {
		why.Reason, _, _ = strings.Cut(why.Reason, "\x00")
	}
	if s.is("marks have By and the reason in one") {
		why.By, why.Reason, _ = strings.Cut(why.By+":"+why.Reason, ":")
	}
	last, ok := s.marks[user]
	if !ok || !time.Now().Before(last.Until) && !s.is("an expired mark stays the later one") {
		s.marks[user] = why
		return
	}
	until := why.Until
	if last.Until.After(until) {
		until = last.Until
	}
	given := why
	if last.At.After(why.At) && !s.is("the last mark stays") || s.is("the first mark stays") {
		why = last
	}
	switch {
	case s.is("the last reason stays"):
		why.Reason, why.By = given.Reason, given.By
	case s.is("a mark ends when the last one says"):
		until = given.Until
	case s.is("a mark ends when the later one says"):
		until = why.Until
	}
	why.Until = until
	s.marks[user] = why
}

// marked returns an error if the mark refuses a session.
func (s *flawed) marked(r store.Record) error {
	user := r.User
	if s.is("marks are of all users") {
		user = ""
	}
	mark, ok := s.marks[user]
	if s.is("marks expire with the sessions") {
		ok = ok && len(s.live(r.User, "")) > 0
	}
	switch {
	case s.fails("a look-up of the mark that fails finds none"):
		return nil
	case !ok, !time.Now().Before(mark.Until) && !s.is("marks never expire"):
		return nil
	case !r.Once.IsZero() && !s.is("Create once ignores the mark") && !(s.is("a Once that has come is none") && r.Once.Before(time.Now())), s.is("the mark refuses every session"):
	case r.CreatedAt.After(mark.At), s.is("what began at the mark is let through") && r.CreatedAt.Equal(mark.At):
		return nil
	}
	if s.is("a refusal for the mark does not say why") {
		return store.ErrRevoked
	}
	if s.refusal == nil || !s.is("returns its own marks") {
		s.refusal = &store.MarkedError{Mark: mark}
	}
	return s.refusal
}

// onceKey is the key of an id that was created once.
func (s *flawed) onceKey(user, id string) [2]string {
	switch {
	case s.is("Once is of all users"):
		user = ""
	case s.is("Once is of all ids"):
		id = ""
	}
	return s.key(user, id)
}

// createdOnce reports whether the session cannot be created again.
func (s *flawed) createdOnce(r store.Record) bool {
	until, ok := s.onces[s.onceKey(r.User, r.ID)]
	switch {
	case s.fails("a look-up of Once that fails finds none"):
		return false
	case s.is("Once refuses those that have it") && r.Once.IsZero():
		return false
	case s.is("Once ends with the session"):
		k := s.kept[s.key(r.User, r.ID)]
		return ok && (k == nil || !s.expired(k))
	case s.is("Once is for ever"):
		return ok
	case s.is("a Once that has come is for ever") && time.Since(until) > 30*time.Second:
		return ok
	}
	return ok && time.Now().Before(until)
}

func (s *flawed) once(r store.Record) {
	key := s.onceKey(r.User, r.ID)
	if _, ok := s.onces[key]; ok && s.is("the first Once stays") {
		return
	}
	if !r.Once.IsZero() && !s.is("Create ignores Once") {
		s.onces[key] = r.Once
	}
}

// mayCreate returns what stands in the way of a session.
func (s *flawed) mayCreate(r store.Record) error {
	k, err := s.find(r.User, r.ID)
	if s.fails("a look-up of the id that fails finds none") {
		k, err = nil, store.ErrNotFound
	}
	marked, once := s.marked(r), s.createdOnce(r)
	s.gap("Create looks first")
	s.gap("Create asks for the mark first")
	s.gap("Create once looks first")
	if !s.is("Create asks for the mark first") {
		marked = s.marked(r)
	}
	if !s.is("Create once looks first") {
		once = s.createdOnce(r)
	}
	if s.kept[s.key(r.User, r.ID)] != nil && s.is("expired sessions keep their id") {
		err = nil
	}
	switch {
	case marked != nil && s.is("the mark is asked first"):
		return marked
	case once && s.is("Once is asked before the session"):
		return store.ErrRevoked
	case err == nil && !s.is("Create overwrites a live session"):
		return store.ErrExists
	case k != nil && err != nil && !s.is("Create overwrites a tombstone"):
		return store.ErrRevoked
	case once:
		return store.ErrRevoked
	}
	return marked
}

// tells passes a notice on.
func (s *flawed) tells(tell chan string, user string) {
	if s.is("whoever revokes waits for subscribers") {
		tell <- user
		return
	}
	select {
	case tell <- user:
	default:
	}
}

// publish tells subscribers of a user, or of all.
func (s *flawed) publish(user, reason string) {
	switch {
	case s.is("Subscribe tells nothing"),
		s.is("Subscribe tells of Revoke only") && reason != "reason of a",
		s.is("Subscribe does not tell of everyone") && user == "":
		return
	case s.is("Subscribe tells of another") && user != "":
		user += " "
	}
	for _, tell := range s.tell {
		s.tells(tell, user)
	}
}

// Subscribe implements [store.Subscriber].
func (s *flawed) Subscribe(ctx context.Context, ended func(user string)) {
	tell := make(chan string, 1000)
	if s.is("whoever revokes waits for subscribers") {
		tell = make(chan string, 1)
	}
	if !s.is("Subscribe does not tell that it does") {
		tell <- ""
	}
	s.mu.Lock()
	if s.is("Subscribe has room for one") {
		s.tell = nil
	}
	s.tell = append(s.tell, tell)
	s.mu.Unlock()
	done := ctx.Done()
	if s.is("Subscribe never returns") {
		done = nil
	}
	for {
		select {
		case <-done:
			return
		case user := <-tell:
			if s.is("Subscribe tells all at once") {
				go ended(user)
			} else {
				ended(user)
			}
			if s.is("Subscribe returns at once") {
				return
			}
		}
	}
}
