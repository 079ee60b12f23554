package firstbyte_test

import (
	"errors"
	"net/http"
)

// A trace is what reached a writer, in order, with the calls of begin.
type trace []string

func (l *trace) add(what string) { *l = append(*l, what) }

// The parts of writers, each of which has one ability and leaves a trace.
type (
	plain          struct{ log *trace }
	flusher        struct{ log *trace }
	errorFlusher   struct{ log *trace }
	hijacker       struct{ log *trace }
	pusher         struct{ log *trace }
	closeNotifier  struct{ log *trace }
	readerFrom     struct{ log *trace }
	stringWriter   struct{ log *trace }
	deadlineSetter struct{ log *trace }
	unwrapper      struct{ w http.ResponseWriter }
)

func (w plain) Header() http.Header { return http.Header{} }

func (w plain) WriteHeader(code int) { w.log.add("header " + http.StatusText(code)) }

func (w plain) Write(b []byte) (int, error) { w.log.add("write " + string(b)); return len(b), nil }

var (
	errFlush  = errors.New("the error of a flush")
	errHijack = errors.New("the error of a hijack")
	errBegin  = errors.New("the error of begin")
)

// writers are made of the parts.
func writers(l *trace) map[string]http.ResponseWriter {
	w, f, h, p, c := plain{l}, flusher{l}, hijacker{l}, pusher{l}, closeNotifier{l}
	type (
		W = plain
		F = flusher
		H = hijacker
		P = pusher
		C = closeNotifier
	)
	all := struct {
		W
		F
		H
		P
		C
	}{w, f, h, p, c}
	return map[string]http.ResponseWriter{
		"plain": w,
		"F": struct {
			W
			F
		}{w, f},
		"H": struct {
			W
			H
		}{w, h},
		"P": struct {
			W
			P
		}{w, p},
		"FH": struct {
			W
			F
			H
		}{w, f, h},
		"FP": struct {
			W
			F
			P
		}{w, f, p},
		"FHP": struct {
			W
			F
			H
			P
		}{w, f, h, p},
		"FHC": struct {
			W
			F
			H
			C
		}{w, f, h, c},
		"FPC": struct {
			W
			F
			P
			C
		}{w, f, p, c},
		"FHPC": all,

		"with FlushError only": struct {
			W
			errorFlusher
		}{w, errorFlusher{l}},
		"with FlushError as well": struct {
			W
			errorFlusher
			F
		}{w, errorFlusher{l}, f},
		"with ReadFrom and WriteString": struct {
			W
			readerFrom
			stringWriter
		}{w, readerFrom{l}, stringWriter{l}},
		"with all behind Unwrap": struct {
			W
			unwrapper
		}{w, unwrapper{all}},
		"with all behind two Unwraps": struct {
			W
			unwrapper
		}{w, unwrapper{struct {
			W
			unwrapper
		}{w, unwrapper{all}}}},
		"with FlushError behind Unwrap": struct {
			W
			unwrapper
		}{w, unwrapper{struct {
			W
			errorFlusher
		}{w, errorFlusher{l}}}},
		"with deadlines behind Unwrap": struct {
			W
			F
			unwrapper
		}{w, f, unwrapper{struct {
			W
			deadlineSetter
		}{w, deadlineSetter{l}}}},
		"with an Unwrap that ends nowhere": struct {
			W
			unwrapper
		}{w, unwrapper{nil}},
	}
}

// can reports whether a writer has an ability itself.
func can[A any](w http.ResponseWriter) bool { _, ok := w.(A); return ok }

// reaches reports whether a response controller finds an ability.
func reaches[A any](w http.ResponseWriter) bool {
	for w != nil {
		if can[A](w) {
			return true
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = u.Unwrap()
	}
	return false
}

type (
	errorFlush = interface{ FlushError() error }
	notifier   = interface{ CloseNotify() <-chan bool }
)

// kept are the writers of which Push and CloseNotify are kept: those with the
// abilities of a connection's own.
var kept = map[string]map[string]bool{
	"Push":        {"FP": true, "FPC": true},
	"CloseNotify": {"FHC": true, "FPC": true, "FHPC": true},
}
