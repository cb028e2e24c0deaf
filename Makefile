# SPDX-License-Identifier: GPL-2.0-only
#
# vtx: the module, the VMM, the machine they are tested in.  `make help` lists the targets.

TOP := $(CURDIR)

# The headers to build for: KDIR=, else the running kernel's, else the newest installed.
KDIR ?= $(firstword $(wildcard /lib/modules/$(shell uname -r)/build) \
	$(shell ls -d /usr/src/linux-headers-*-amd64 2>/dev/null | sort -rV | head -n 1))

KERNELS := 6.1 6.12
WATCHING := debug kcsan
STAGE := build/machine
SECONDS ?= 60
BOOTS ?= 1

.DEFAULT_GOAL := module

help:
	@echo 'make              build vtx.ko at the top folder (KDIR= names other kernel headers; W=1, C=1, V=1 as in the kernel)'
	@echo 'make tools        build userspace-vmm/vtx'
	@echo 'make install      tool, man pages, completion, header to $$(DESTDIR)$$(PREFIX), which is /usr/local'
	@echo 'make install-module   vtx.ko to where the kernel of KDIR= looks for modules'
	@echo 'make run          from a bare Debian 12 to a shell in a Linux guest on vtx'
	@echo 'make test         all tests: unit tests, then the machine tests on Linux 6.1 and a shorter set on 6.12'
	@echo 'make unit         unit tests alone (seconds)'
	@echo 'make fuzz         fuzzers, SECONDS=60 each'
	@echo 'make test-tools   perf, trace-cmd, kvm_stat and kvmexit of Debian against vtx, in the machine (minutes)'
	@echo 'make test-qemu    Debian'"'"'s QEMU boots Linux on vtx: machine types, interrupt controllers, snapshots, migration, gdb (40 minutes)'
	@echo 'make test-kvm-selftests   KVM'"'"'s own selftests on vtx, beside kvm_intel (half an hour)'
	@echo 'make test-debug   the machine tests on a kernel that watches memory, locks and leaks; KERNEL=kcsan: data races'
	@echo 'make test-faults  every allocation fails once, in every call'
	@echo 'make coverage     line and branch coverage of the module by the machine tests'
	@echo 'make fuzz-ioctl   random calls from two threads, guided by coverage, SECONDS=60'
	@echo 'make test-ends    reboot, panic and kexec under running guests, a machine each (minutes)'
	@echo 'make bench        ticks per exit, vtx beside kvm_intel in the same boot'
	@echo 'make count        where the instructions of an exit go, by function (machine/count/build first)'
	@echo 'make lint         W=1, sparse, checkpatch, shellcheck'
	@echo 'make man-lint     mandoc -Tlint on the man pages'
	@echo 'make clean        remove what was built'

# ---------------------------------------------------------------- building

module:
	@test -n '$(KDIR)' || { echo 'no kernel headers found: install linux-headers-amd64 or give KDIR='; exit 1; }
	$(MAKE) -C $(KDIR) M=$(TOP) modules

tools:
	@machine/packages build
	$(MAKE) -C userspace-vmm

# The module for one of the machine's kernels is built on a copy, so that two kernels and the user's own do not mix.
# $(call build-copy,KERNEL,FOLDER,FILE,MAKE-ARGUMENTS)
define build-copy
@mkdir -p build/module/$2
@dir=$$(machine/headers $1) && echo "  $3 for $$dir" && \
tar -c --exclude='*.o' --exclude='*.ko' --exclude='*.cmd' --exclude='*.mod*' Kbuild compat vmx ept exits emulate irqchip pv trace uapi | \
	tar -x -C build/module/$2 && \
$(MAKE) -s -j$$(nproc) -C $$dir M=$(TOP)/build/module/$2 $4 modules
@strip -g -o $(STAGE)/$1/$3 build/module/$2/vtx.ko
endef

# $(call stage-programs,KERNEL)
define stage-programs
@mkdir -p $(STAGE)/$1/selftests
@cp userspace-vmm/vtx $(STAGE)/$1/
gcc -O2 -Wall -static -o $(STAGE)/$1/mini userspace-vmm/examples/mini.c
$(MAKE) -s -j$$(nproc) -C selftests/machine OUT=$(TOP)/build/selftests/machine
@cp build/selftests/machine/test_* build/selftests/machine/bench build/selftests/machine/doom build/selftests/machine/fuzz_ioctl \
	selftests/machine/test_example \
	selftests/machine/test_tool selftests/machine/test_explain selftests/machine/run-all selftests/machine/bench-both \
	$(STAGE)/$1/selftests/
endef

$(KERNELS:%=stage-%): stage-%: tools
	@machine/packages build run
	@mkdir -p $(STAGE)/$*
	$(call build-copy,$*,$*,vtx.ko)
	$(call stage-programs,$*)

# For the watching kernels three modules: as it is, for a fuzzer that is guided by coverage, and one that counts its lines.
$(WATCHING:%=stage-%): stage-%: tools
	@machine/packages build run
	@mkdir -p $(STAGE)/$*/kcov $(STAGE)/$*/gcov
	$(call build-copy,$*,$*,vtx.ko,LINES=1)
	$(call stage-programs,$*)
	@cp selftests/watching/with-module $(STAGE)/$*/

stage-kcov: stage-debug
	$(call build-copy,debug,debug-kcov,kcov/vtx.ko,LINES=1 KCOV=1)

stage-gcov: stage-debug
	$(call build-copy,debug,debug-gcov,gcov/vtx.ko,GCOV=1)

# vtx without counters and flight recorder, to measure what they cost.
stage-plain: stage-6.1
	$(call build-copy,6.1,6.1-plain,vtx-plain.ko,NO_RECORDER=1)

# ---------------------------------------------------------------- installing

PREFIX ?= /usr/local

install: tools
	install -D -m 755 userspace-vmm/vtx '$(DESTDIR)$(PREFIX)/bin/vtx'
	install -D -m 644 userspace-vmm/completion/vtx '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/vtx'
	install -D -m 644 uapi/vtx.h '$(DESTDIR)$(PREFIX)/include/linux/vtx.h'
	install -d '$(DESTDIR)$(PREFIX)/share/man/man1' '$(DESTDIR)$(PREFIX)/share/man/man4'
	install -m 644 docs/man/*.1 '$(DESTDIR)$(PREFIX)/share/man/man1/'
	install -m 644 docs/man/*.4 '$(DESTDIR)$(PREFIX)/share/man/man4/'

# depmod of the running system is not run for a DESTDIR: the package's own script does that.
install-module: module
	$(MAKE) -C $(KDIR) M=$(TOP) INSTALL_MOD_PATH='$(DESTDIR)' $(if $(DESTDIR),DEPMOD=true) modules_install

# ---------------------------------------------------------------- the two commands

run: stage-6.1
	@machine/guest

test:
	@selftests/run-all-tests

# ---------------------------------------------------------------- the parts of `make test`, and more

unit: tools
	@machine/packages test
	$(MAKE) -s -j$$(nproc) -C selftests/unit
	$(MAKE) -s -C selftests/unit check
	$(MAKE) -s -j$$(nproc) -C selftests/unit-vmm
	$(MAKE) -s -C selftests/unit-vmm check
	selftests/unit-vmm/check-options userspace-vmm/vtx

fuzz:
	@machine/packages test fuzz
	$(MAKE) -s -C selftests/fuzz run SECONDS=$(SECONDS)

test-tools: stage-6.1
	selftests/machine/tools/run

test-qemu: stage-6.1
	@selftests/qemu/run

# Fetches and builds them on first use.
test-kvm-selftests: stage-6.1 stage-6.12
	@selftests/kvm/test-kvm-selftests

# Reboot, panic, kexec under running guests: a machine each.
test-ends: stage-6.1
	selftests/machine-ends

# Needs a Bochs of its own: machine/count/build.
count: stage-6.1
	@machine/count/run

bench: stage-plain
	machine/run --kernel 6.1 -- /vtx/selftests/bench-both
	machine/run --kernel 6.1 --cpus 2 -- /vtx/selftests/bench-both

# Of these each builds its kernel on first use, a quarter of an hour.
KERNEL ?= debug

test-debug: stage-$(KERNEL)
	@selftests/watching/test-debug $(KERNEL)

test-faults: stage-debug
	@selftests/watching/test-faults

coverage: stage-gcov
	@selftests/watching/coverage

fuzz-ioctl: stage-kcov
	@selftests/watching/fuzz-ioctl $(SECONDS)

lint:
	@machine/packages lint
	selftests/lint

man-lint:
	@machine/packages lint
	mandoc -Tlint -Wwarning docs/man/*.[14]

compile_commands.json:
	$(KDIR)/scripts/clang-tools/gen_compile_commands.py -d . -o $@ .

clean:
	rm -rf build
	$(MAKE) -s -C userspace-vmm clean
	-test -n '$(KDIR)' && $(MAKE) -s -C $(KDIR) M=$(TOP) clean

.PHONY: help module tools install install-module run test test-tools test-kvm-selftests test-qemu test-ends unit fuzz bench count lint man-lint clean test-debug test-faults coverage fuzz-ioctl stage-plain stage-kcov stage-gcov \
	$(KERNELS:%=stage-%) $(WATCHING:%=stage-%)
