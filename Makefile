# Belay. "make help" lists what can be made.
SHELL := /bin/bash
GO ?= go
LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)

.PHONY: help build test check demo bench crash release peers
.DEFAULT_GOAL := help

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build ./belay
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o belay ./cmd/belay

demo: build ## watch it keep good copies and refuse bad ones (no network, no root)
	./belay demo

# SQLite itself is translated from C and reaches for its memory millions of times: watched,
# it takes four times the processor, and what it does inside is not ours. Its neighbors
# are watched: what they share with us in generic code would be mistaken for races.
RACE := -race -gcflags='modernc.org/sqlite/lib=-race=false'

# All faults, sessions, snapshots, nights, kills and systems: of these only a share is
# played with the race detector, which makes each ten or twenty times as dear.
DEAR := TestNoBadCopyIsKept|TestSessions|TestStormsOverHTTP|TestThirtyNights|ThroughKills|SurviveKill|NoSecretIsAnywhere|NoSecretOfAChange

test: peers ## run all tests with the race detector, against real OpenSSH, Dropbear, telnetd, TFTP, FRR, net-snmp, git and Chromium
	$(GO) test -p 3 $(RACE) -timeout 14m ./...
	$(GO) test -timeout 8m -run '$(DEAR)' ./drivers ./cmd/belay

check: ## gofmt, go vet and the linter
	@out=$$(gofmt -l .); if [ -n "$$out" ]; then echo "gofmt would change: $$out"; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(LINT) run ./...

bench: ## measure against bare x/crypto/ssh, in the same run; BELAY_BENCH=full takes 10,000 devices and a year, and hours
	$(GO) test -timeout 4h -run '^$$' -bench . -benchmem ./...

crash: peers ## cut the power of a file system in mid-write, 100 times each on ext4 and XFS (root); play every fault; kill the service 300 times
	@command -v mkfs.xfs >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq xfsprogs e2fsprogs >/dev/null; }
	BELAY_POWERCUT=1 $(GO) test -count=1 -timeout 60m -v -run PowerCut ./store/git
	BELAY_FAULTS=all $(GO) test -count=1 -timeout 30m -v -run TestNoBadCopyIsKept ./drivers
	BELAY_KILLS=300 $(GO) test -count=1 -timeout 3h -v -run TestServiceThroughKills ./cmd/belay

release: ## build for Linux and macOS into dist/
	@mkdir -p dist
	@for target in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64; do \
	  CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/} $(GO) build -trimpath -ldflags '$(LDFLAGS)' \
	    -o dist/belay-$${target%/*}-$${target#*/} ./cmd/belay && echo dist/belay-$${target%/*}-$${target#*/} || exit 1; done
	@cd dist && sha256sum belay-* > SHA256SUMS

# The real parts that the tests run against, from Debian. Without root, what is
# missing is named, and the tests that need it say that they skip; under CI=true
# they fail instead.
PEERS := git openssh-server openssh-client openssh-sftp-server dropbear-bin inetutils-telnetd tftp-hpa frr snmpd snmp age zstd jq chromium poppler-utils
peers:
	@missing=; for p in $(PEERS); do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing$$missing"; apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	else echo "skipped: the tests against$$missing (not installed; as root \"make test\" installs them)"; fi
