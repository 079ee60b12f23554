// Package hostile sends an application what strangers may send: cookies, ids and
// headers of any shape and size. Nothing of it opens a session, costs a look-up that
// a token's shape does not earn, or reaches the log unescaped.
package hostile
