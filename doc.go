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
// The promise: once a revocation has been answered, no token of that session opens
// anything again, on any node, whatever was under way at the time. Through the API and
// the page, only its owner can revoke a session.
//
// # Start here
//
// Call [New], [Manager.Track] and [Manager.Mount] as above. Call [Manager.Login] and
// [Manager.Logout] in the handlers that sign users in and out. If your application does
// that by a value in scs's session data, set [Manager.UserIDKey] to the key of that value,
// and keep your code.
//
// The page on which users see their sessions is in package page. Stores are in
// package store: [store.NewMemory], [store.NewRedis], and [store.Encrypt] around
// either. If you write a store, implement [store.Store] and prove it with package
// storetest. To test your own handlers, sign in with package revoketest.
//
// There are only a few types. A [Manager] does everything. A [Session] is one
// signed-in device, as lists show it. An [Event] tells the audit log what happened. A
// [Problem] is an error as the HTTP API answers it. A [Limiter] bounds how often one
// may ask.
//
// # What ends a session
//
// A session ends when
//
//   - it is revoked: [Manager.Revoke], [Manager.RevokeOthers], [Manager.RevokeAll],
//     [Manager.RevokeEveryone];
//   - its user signs out by [Manager.Logout], or its data comes to name nobody, or somebody
//     else;
//   - a sign-in beyond [Manager.MaxPerUser] evicts it;
//   - it expires, by scs's Lifetime, IdleTimeout or SetDeadline.
//
// If a request is under way at that time, its writes are dropped. Each write has a
// condition, which the store checks in the same atomic step: the session must be live
// under the token that the writer had read. The response is delivered all the same. But if
// it would say that the user has just signed in, it is 401 instead.
//
// [Manager.Err] tells the holder of a token why its session is over. If something goes on
// long after its request was let in, such as an event stream, end it with [Manager.Watch].
//
// # Settings
//
// The fields of [Manager] are all settings. Set them before it serves requests. Most
// applications need these:
//
//   - [Manager.UserIDKey] or [Manager.UserID]: who is signed in;
//   - [Manager.ClientIP]: behind a proxy;
//   - [Manager.Logger] and [Manager.OnEvent]: the audit log, and alarms;
//   - [Manager.AdoptUntil]: if users were signed in before revoke came;
//   - [Manager.Authorize]: if users have to prove who they are before they end sessions;
//   - [Manager.Limiter]: if there is more than one process;
//   - [Manager.Bearer]: if there are clients that keep their token themselves.
//
// [Secure] sets what the cookie should be in production. Lifetime, IdleTimeout and the
// cookie are fields of [scs.SessionManager].
//
// # Words
//
// A user ID is a person, as the application names them. A user key is a hash of it,
// under which a store keeps that person's sessions. A session is one signed-in
// device, from sign-in to its end. It has a public id, and a secret, of which stores
// have the hash. Its token, which the cookie holds, is user key, id and secret.
//
// A record is a session as stored, and its data is what the application put into the
// scs session. A visitor has a session of scs and is not signed in. To touch a session
// is to note its last use. To renew it is to give it a new secret; the old token is
// retired once the new one was used. To adopt a session is to take it over from before
// revoke came.
//
// A tombstone stays in a revoked session's place for a while, so that its holder can be
// told why. When all sessions of a user are revoked, a mark is left: if a sign-in began
// before the mark, it is refused.
package revoke
