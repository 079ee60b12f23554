// Package revoke lets users see where they are signed in and sign out of their
// other devices. A session that was revoked stays revoked.
//
// It works on top of [github.com/alexedwards/scs/v2]. A [Manager] keeps
// signed-in sessions in a [store.Store], where all of a user's sessions live
// together, and [Manager.Track] takes the place of scs's LoadAndSave:
//
//	sessions := revoke.New(sm, store.NewMemory())
//	sessions.Mount(mux, "/api/auth/sessions")
//	http.ListenAndServe(":4000", sessions.Track(mux))
//
// The promise: once a revocation has been answered, no token of that session
// opens anything again, whatever was in flight at the time, on any node, and
// nobody but its owner could have asked for it.
//
// # Start here
//
// Use [New], [Manager.Track] and [Manager.Mount] as above, and [Manager.Login]
// where users sign in. The page on which users see their sessions is in package
// page. A store of your own implements [store.Store] and proves itself with
// package storetest.
//
// There are only a few types: a [Manager] does everything; a [Session] is one
// signed-in device, as lists show it; an [Event] tells the audit log what
// happened; a [Limiter] bounds how often one may ask.
//
// # What ends a session
//
// A session ends when it is revoked ([Manager.Revoke], [Manager.RevokeOthers],
// [Manager.RevokeAll], [Manager.RevokeEveryone]), when its user signs out
// ([Manager.Logout], or the data names nobody any more), when a sign-in beyond
// [Manager.MaxPerUser] evicts it, or when it expires. What was in flight at that
// time is dropped: every write is conditional, in the store's own atomic step, on
// the session being live under the token that the writer had read.
//
// # Words
//
// A user ID is a person, as the application names them. A user key is the hash of
// it, under which a store keeps that person's sessions. A session has a public id;
// its token, which the cookie holds, is user key, id and secret. A record is a
// session as stored, and its data is what the application put into the scs
// session. A visitor has a session of scs and is not signed in. A tombstone stays
// in a revoked session's place for a while, so that its holder can be told.
package revoke
