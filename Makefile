# SPDX-License-Identifier: GPL-2.0
# `make help` tells what there is.

help:
	@echo 'make demo          real clients, the kernel does their handshakes (start here)'
	@echo 'make test          all tests; the last line says how many passed'
	@echo 'make test-host     only those that need no kernel'
	@echo 'make unmodified    servers that know nothing of TLS, by tlshs run; writes the table of the guide'
	@echo 'make userspace     build tlshs, which loads keys and starts such servers'
	@echo 'make interop       every TLS client that can be had; writes tests/matrix/RESULTS.md'
	@echo 'make test-load     10,000 responses over a bad network, by each of four kinds of server'
	@echo 'make test-nfsd     NFSD with TLS by the kernel, with Debian'"'"'s programs (FULL=1: the long form)'
	@echo 'make test-nvmet    likewise the target of NVMe/TCP, with pre-shared keys'
	@echo 'make test-patches  build the kernel after each patch of the series (slow)'
	@echo 'make test-operations  each operation on TCP and on AF_TLS, the long form'
	@echo 'make check         checkpatch, rustfmt, clippy, rustdoc, kernel-doc, codespell'
	@echo 'make constant-time look for branches on secrets, with Valgrind'
	@echo 'make dudect        measure whether times depend on secrets (some minutes, a quiet machine)'
	@echo 'make test-differential  10^6 random inputs, compared with other libraries (an hour)'
	@echo 'make test-targets  the portable code on s390x, i686 and aarch64, with qemu'
	@echo 'make test-sanitizer  the tests of test-host under AddressSanitizer'
	@echo 'make fuzz TIME=60  fuzz the engine and the parsers, so many seconds for each'
	@echo 'make differential-hello  many ClientHellos for our engine, rustls and OpenSSL'
	@echo 'make tlsfuzzer     its scripts; TLSFUZZER=DIR names a checkout of it'
	@echo 'make scanners      testssl.sh, sslyze, sslscan and nmap against the example server'
	@echo 'make bench-crypto  our primitives beside other libraries and the kernel'"'"'s own'
	@echo 'make bench         instructions of handshakes and requests, beside nginx, haproxy, rustls and Go'
	@echo 'make bench-scale   instructions of a handshake beside many others; writes host/bench/scale.svg'
	@echo 'make profile-handshake  where the instructions of a handshake go, by function'
	@echo 'make bench-bulk    instructions of each byte of bulk data, beside kTLS by a process'
	@echo 'make bench-bystander  what a flood of handshakes does to others, beside rustls'
	@echo 'make bench-memory  bytes of a connection in each state'
	@echo 'make bench-nfsd    instructions of a mount with TLS, its handshake by the kernel and by tlshd'
	@echo 'make patches       write patches/ from series/, hooks/ and the folders'
	@echo '                   SUBMITTER="Name <mail>" writes patches-signed/ to be posted'
	@echo 'make kernel        build the patched kernel (ARCH=um|x86, KIND=fast|debug)'
	@echo 'make tree DIR=...  a patched kernel tree to work in'
	@echo 'make clean         remove what was built, but for downloaded sources'
	@echo 'make distclean     remove these too'
	@echo
	@echo 'What is built goes to $$TLS_HS_CACHE (~/.cache/tls-handshake).  $$KERNEL_TREE names'
	@echo 'kernel sources to be used instead of linux-submodule/ or the Debian package.'

ARCH ?= um
KIND ?= fast
cache := $(or $(TLS_HS_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tls-handshake)

demo:
	@scripts/deps kernel tests
	@scripts/build-kernel um fast
	@tests/build >/dev/null
	@scripts/guest --kernel=um -- demo/run.sh

test:
	@scripts/test

test-host:
	@scripts/test host

interop:
	@scripts/interop

unmodified:
	@scripts/unmodified

userspace:
	@scripts/build-userspace

test-operations:
	@scripts/deps kernel tests
	@scripts/build-kernel um fast
	@tests/build >/dev/null
	@scripts/guest --timeout=1800 -- tests/run-guest-tests --full operations

test-load:
	@scripts/deps kernel tests
	@scripts/build-kernel um fast
	@tests/build >/dev/null
	@scripts/guest --timeout=14400 -- tests/run-guest-tests --full load

test-nfsd test-nvmet:
	@scripts/deps kernel tests
	@scripts/nfsd-root
	@scripts/build-kernel um nfsd
	@scripts/build-ktls-utils $(KTLS_UTILS) >/dev/null || echo 'without the patched tlshd: KTLS_UTILS=DIR names a checkout' >&2
	@scripts/guest --kind=nfsd --mem=$(if $(FULL),4G,1G) --timeout=$(if $(FULL),5400,1800) -- tests/$(@:test-%=%)/run.py $(if $(FULL),--full)

test-patches:
	@scripts/test-patches

check:
	@scripts/check

constant-time:
	@scripts/constant-time
	@scripts/constant-time --overflow-checks

dudect:
	@scripts/dudect

test-differential test-targets test-sanitizer:
	@scripts/test $(@:test-%=%)

fuzz:
	@scripts/fuzz --time=$(or $(TIME),60)

differential-hello:
	@scripts/deps host
	@cd host && TLS_HS_HELLOS=$(or $(COUNT),100000) TLS_HS_TABLE=tests/differential.md \
		CARGO_TARGET_DIR=$(cache)/host cargo test --quiet --release --test differential

tlsfuzzer:
	@scripts/tlsfuzzer "$(TLSFUZZER)"

scanners:
	@scripts/scanners

bench-crypto:
	@scripts/bench-crypto

bench:
	@scripts/bench

bench-scale:
	@scripts/bench-scale --plot

profile-handshake:
	@scripts/profile-handshake

bench-bulk:
	@scripts/bench-bulk

bench-bystander:
	@scripts/bench-bystander

bench-memory:
	@scripts/bench-memory

bench-nfsd:
	@scripts/bench-nfsd

patches:
	@scripts/patches $(if $(SUBMITTER),--submitter='$(SUBMITTER)')

kernel:
	@scripts/build-kernel $(ARCH) $(KIND)

tree:
	@scripts/dev-tree $(or $(DIR),$(error DIR is not set))

clean:
	rm -rf "$(cache)/build" "$(cache)/tree" "$(cache)/patch-tree" "$(cache)/user" \
		"$(cache)/host" "$(cache)/log"

distclean: clean
	rm -rf "$(cache)"

.PHONY: help demo test test-host test-operations test-load test-nfsd test-nvmet test-patches test-differential test-targets test-sanitizer \
	check constant-time dudect fuzz differential-hello interop unmodified userspace tlsfuzzer scanners bench bench-scale bench-crypto bench-bulk \
	profile-handshake bench-bystander bench-memory bench-nfsd \
	patches kernel tree clean distclean
