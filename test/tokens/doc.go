// Package tokens tests the tokens of clients that are not browsers: how they are
// issued, rotated and refreshed, what each header opens, and that none opens anything
// once its session has ended.
package tokens
