# propexofs - see `make help`.

VERSION := 0.1.0
PREFIX  ?= /usr/local
BINDIR  ?= $(PREFIX)/bin
MANDIR  ?= $(PREFIX)/share/man
DOCDIR  ?= $(PREFIX)/share/doc/propexofs
SYSCONFDIR ?= /etc
# The only place where mount(8) looks for its helpers, whatever PREFIX is.
HELPERDIR ?= /usr/sbin
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
USERUNITDIR ?= $(PREFIX)/lib/systemd/user
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR  ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d

# SAN=asan or SAN=tsan builds a separate tree with the sanitizer.
SAN   ?=
BUILD ?= build$(if $(SAN),/$(SAN))

PKGS := fuse3 sqlite3 libcurl libcjson libmicrohttpd libcrypto libsystemd inih
CC   ?= cc
WARN := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes -Wmissing-prototypes \
        -Wpointer-arith -Wvla -Wno-format-truncation -Wno-missing-field-initializers -Werror
HARDEN := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
ifeq ($(SAN),asan)
OPT := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
HARDEN := -fPIE
else ifeq ($(SAN),tsan)
OPT := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
HARDEN := -fPIE
else
OPT := -O2 -g
endif
CFLAGS   ?= $(OPT)
CPPFLAGS += -D_GNU_SOURCE -DPX_VERSION='"$(VERSION)"' -Iinclude $(PKG_CFLAGS)
ALL_CFLAGS := -std=c11 $(CFLAGS) $(if $(SAN),$(filter-out $(CFLAGS),$(OPT))) $(HARDEN) $(WARN) -pthread -MMD -MP
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS))
PKG_LIBS   := $(shell pkg-config --libs $(PKGS))
ALL_LDFLAGS := -pie -Wl,-z,relro,-z,now -Wl,--as-needed -pthread $(if $(SAN),$(OPT)) $(LDFLAGS)

Q := $(if $(V),,@)

MODULES  := base model codec conf api hooks store ingest sync verify control check webhook metrics status fs daemon cli
LIB_SRCS := $(sort $(wildcard $(addsuffix /*.c,$(addprefix src/,$(MODULES)))))
SIM_SRCS := $(sort $(wildcard src/sim/*.c))
UNIT_SRCS := $(sort $(wildcard tests/unit/test_*.c))
FUZZ_SRCS := $(sort $(wildcard tests/fuzz/fuzz_*.c))
TOOL_SRCS := $(sort $(wildcard tests/fs/harness/*.c) $(wildcard tests/tools/*.c))

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
LIB   := $(BUILD)/libpropexofs.a
UNITS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(UNIT_SRCS))
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/%,$(FUZZ_SRCS))
TOOLS := $(patsubst %.c,$(BUILD)/tests/%,$(notdir $(TOOL_SRCS)))
PROGRAMS := $(BUILD)/propexofs $(BUILD)/propexofs-sim

.PHONY: all tests check check-unit check-fuzz check-fs lint check-layers hdr-check format-check fmt tidy cppcheck \
        shellcheck asan tsan install uninstall deb clean help
.DEFAULT_GOAL := all
.SECONDARY:

all: $(PROGRAMS) ## build build/propexofs and build/propexofs-sim

tests: $(UNITS) $(FUZZERS) $(TOOLS) ## build every test program

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	@$(if $(Q),echo "  CC      $<")
	$(Q)$(CC) $(CPPFLAGS) -include include/propexofs/banned.h $(ALL_CFLAGS) -c $< -o $@

$(LIB): $(call obj,$(LIB_SRCS))
	@$(if $(Q),echo "  AR      $@")
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/propexofs: $(call obj,src/main.c) $(LIB)
	@$(if $(Q),echo "  LD      $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(BUILD)/propexofs-sim: $(call obj,$(SIM_SRCS)) $(LIB)
	@$(if $(Q),echo "  LD      $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(BUILD)/tests/test_%: $(BUILD)/obj/tests/unit/test_%.o $(LIB)
	@mkdir -p $(@D)
	@$(if $(Q),echo "  LD      $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) -lcmocka

$(BUILD)/tests/fuzz_%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $(BUILD)/obj/tests/fuzz/driver.o $(LIB)
	@mkdir -p $(@D)
	@$(if $(Q),echo "  LD      $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(BUILD)/tests/%: $(BUILD)/obj/tests/fs/harness/%.o $(LIB)
	@mkdir -p $(@D)
	@$(if $(Q),echo "  LD      $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(BUILD)/tests/%: $(BUILD)/obj/tests/tools/%.o $(LIB)
	@mkdir -p $(@D)
	@$(if $(Q),echo "  LD      $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

check: all tests ## run every test (scripts/test does this after installing what is missing)
	scripts/run-tests

check-unit: tests ## run the unit tests and replay the fuzz corpus
	scripts/run-tests unit fuzz

check-fs: all tests ## run the tests on real mounts
	scripts/run-tests fs

asan: ## build with AddressSanitizer and UBSan in build/asan and run every test there
	$(MAKE) SAN=asan all tests
	BUILD=build/asan scripts/run-tests

tsan: ## build with ThreadSanitizer in build/tsan and run the unit tests there
	$(MAKE) SAN=tsan all tests
	BUILD=build/tsan scripts/run-tests unit

C_FILES := $(LIB_SRCS) $(SIM_SRCS) src/main.c $(UNIT_SRCS) $(FUZZ_SRCS) $(TOOL_SRCS) $(wildcard tests/fuzz/driver.c)
H_FILES := $(wildcard include/propexofs/*.h src/*/*.h tests/*/*.h)
SH_FILES := $(shell grep -lE '^\#!/(bin/sh|usr/bin/env bash|bin/bash)' scripts/* .ci/run 2>/dev/null) completions/propexofs.bash

lint: check-layers hdr-check format-check cppcheck shellcheck tidy ## every static check

check-layers: ## a module must not include what it must not know
	$(Q)scripts/check-layers

hdr-check: ## each public header compiles alone
	$(Q)for h in include/propexofs/*.h; do \
		case $$h in */banned.h) continue;; esac; \
		printf '#include "%s"\n' "$$h" | $(CC) -std=c11 -I. $(CPPFLAGS) $(WARN) -fsyntax-only -xc - || exit 1; \
	done

format-check: ## clang-format finds nothing to change
	$(Q)clang-format --dry-run --Werror $(filter-out src/model/table.c,$(C_FILES)) $(H_FILES)

fmt: ## clang-format in place
	clang-format -i $(filter-out src/model/table.c,$(C_FILES)) $(H_FILES)

tidy: ## clang-tidy
	$(Q)clang-tidy --quiet $(filter-out src/model/table.c,$(LIB_SRCS) $(SIM_SRCS) src/main.c) -- -std=c11 $(CPPFLAGS)

cppcheck: ## cppcheck
	$(Q)cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
		--suppress=missingIncludeSystem -Iinclude -D_GNU_SOURCE -DPX_VERSION='""' -j2 $(LIB_SRCS) $(SIM_SRCS) src/main.c

shellcheck: ## shellcheck of every script
	$(Q)shellcheck $(SH_FILES)
	$(Q)shellcheck --include=SC2314,SC2315 $(wildcard tests/*/*.bats) # a `!` that cannot fail

MANUALS := $(wildcard man/*.[1-8])
TEXTS   := README.md LICENSE $(wildcard docs/*.md docs/*.yml docs/*.yaml docs/*.rules)
BASH_COMPLETIONS := $(wildcard completions/*.bash)
ZSH_COMPLETIONS  := $(wildcard completions/_*)
FISH_COMPLETIONS := $(wildcard completions/*.fish)
HELPERS := mount.propexofs mount.fuse.propexofs

# What is installed, a line each: mode, file here, file there. Units name the programs where they are installed.
define INSTALLED
755 $(BUILD)/propexofs $(BINDIR)/propexofs
755 $(BUILD)/propexofs-sim $(BINDIR)/propexofs-sim
644 $(BUILD)/systemd/system/propexofs@.service $(UNITDIR)/propexofs@.service
644 $(BUILD)/systemd/user/propexofs@.service $(USERUNITDIR)/propexofs@.service
$(foreach f,$(MANUALS),644 $(f) $(MANDIR)/man$(subst .,,$(suffix $(f)))/$(notdir $(f))
)
$(foreach f,$(TEXTS),644 $(f) $(DOCDIR)/$(notdir $(f))
)
644 docs/example.conf $(DOCDIR)/example.conf
644 systemd/sysusers.d/propexofs.conf $(SYSUSERSDIR)/propexofs.conf
$(foreach f,$(BASH_COMPLETIONS),644 $(f) $(BASHDIR)/$(notdir $(basename $(f)))
)
$(foreach f,$(ZSH_COMPLETIONS),644 $(f) $(ZSHDIR)/$(notdir $(f))
)
$(foreach f,$(FISH_COMPLETIONS),644 $(f) $(FISHDIR)/$(notdir $(f))
)
endef
export INSTALLED

.PHONY: units
units:
	@mkdir -p $(BUILD)/systemd/system $(BUILD)/systemd/user
	$(Q)for s in system user; do \
		f=systemd/$${s#system}/propexofs@.service; \
		sed 's|/usr/bin/propexofs|$(BINDIR)/propexofs|' $$f >$(BUILD)/systemd/$$s/propexofs@.service || exit 1; \
	done

install: all units ## install to DESTDIR and PREFIX; mount(8)'s helpers to HELPERDIR, an example to SYSCONFDIR
	$(Q)printf '%s\n' "$$INSTALLED" | while read -r mode from to; do \
		[ -z "$$mode" ] || install -D -m "$$mode" "$$from" "$(DESTDIR)$$to" || exit 1; \
	done
	$(Q)install -d "$(DESTDIR)$(HELPERDIR)"
	$(Q)for h in $(HELPERS); do ln -sf "$(BINDIR)/propexofs" "$(DESTDIR)$(HELPERDIR)/$$h" || exit 1; done
	$(Q)[ -e "$(DESTDIR)$(SYSCONFDIR)/propexofs/example.conf" ] || \
		install -D -m 644 docs/example.conf "$(DESTDIR)$(SYSCONFDIR)/propexofs/example.conf"

uninstall: ## remove what install put there; configurations and stores stay
	$(Q)printf '%s\n' "$$INSTALLED" | while read -r mode from to; do \
		[ -z "$$mode" ] || rm -f "$(DESTDIR)$$to" || exit 1; \
	done
	$(Q)for h in $(HELPERS); do rm -f "$(DESTDIR)$(HELPERDIR)/$$h" || exit 1; done
	$(Q)! cmp -s docs/example.conf "$(DESTDIR)$(SYSCONFDIR)/propexofs/example.conf" || \
		rm -f "$(DESTDIR)$(SYSCONFDIR)/propexofs/example.conf"
	$(Q)for d in "$(DESTDIR)$(DOCDIR)" "$(DESTDIR)$(SYSCONFDIR)/propexofs"; do \
		[ ! -d "$$d" ] || rmdir --ignore-fail-on-non-empty "$$d" || exit 1; \
	done

deb: ## build/propexofs_VERSION_amd64.deb and build/propexofs-sim_VERSION_amd64.deb
	scripts/build-deb

clean: ## remove build/
	rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-zA-Z_-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
