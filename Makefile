# One test: make one TEST=TestRevokedStaysRevoked/R5 PKG=./test/ways
TEST ?= .
PKG ?= .
# Changes for make mutants to try, and which.
N ?= 40
SEED ?= 1
# The tests that make mutants runs, in this order.
TESTS ?= $(PKG)

MODULES = $(shell git ls-files '*go.mod' | xargs -n1 dirname)
WAYS = ./$(shell git grep -l '^//go:build plainscs' -- '*_test.go' | xargs -n1 dirname)
GOLANGCI = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.DEFAULT_GOAL := help
.PHONY: help test short race one ways bench table compare lint mutants ci

help: ## show this
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

test: ## all tests of the root module, with what is installed
	go test ./...

short: ## the same without what takes long
	go test -short ./...

race: ## all tests of the root module with the race detector and real servers
	REVOKE_REAL=1 go test -race ./...

one: ## one test: make one TEST=TestLimit PKG=./store
	go test -count=1 -v -run '$(TEST)' $(PKG)

ways: ## the ways back, with revoke and with plain scs
	go test -run 'TestRevokedStaysRevoked' $(WAYS)
	go test -tags plainscs -run PlainSCS $(WAYS)

bench: ## all benchmarks of the root module
	go test -run '^$$' -bench . -skip Table -benchmem ./...

table: ## the tables of docs/performance.md
	go test -run '^$$' -bench Table ./test/bench

compare: ## benchmarks of this commit and of the one it is based on
	.ci/bench

lint: ## golangci-lint, in every module
	@set -e; for module in $(MODULES); do echo "$$module"; (cd $$module && go run $(GOLANGCI) run ./...); done

mutants: ## changes that no test notices: make mutants PKG=./store N=40 SEED=1 TESTS="./store ."
	go run ./internal/mutate -n $(N) -seed $(SEED) $(PKG) $(TESTS)

ci: ## all that is checked before a change is taken
	.ci/run
