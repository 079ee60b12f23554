// Package openapi shows that docs/openapi.yaml is valid, and that it describes what
// the API answers. It is a module of its own because of the validator.
package openapi
