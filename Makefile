# SPDX-License-Identifier: GPL-2.0-only
#
# make                            everything: programs, and the module for KDIR
# make user | modules             one of the two
# make install modules_install    into DESTDIR and INSTALL_MOD_PATH
# make unit | check               unit tests; everything, in virtual machines
# make fuzz                       fuzz targets (clang); scripts/fuzz runs them
# make examples                   programs that show how the library is used
# make bench                      what bench/scale uses
#
# V=1 shows the commands, WERROR=0 lets warnings pass, SANITIZE=1 builds the
# programs with ASan and UBSan below build/asan, COVERAGE=1 for gcov below
# build/coverage, SYSTEMD=0 leaves libsystemd out, which otherwise is used where
# it is: tapdisks then outlive the service that started them.

PREFIX ?= /usr
DESTDIR ?=
SBINDIR ?= $(PREFIX)/sbin
LIBDIR ?= $(PREFIX)/lib
LIBEXECDIR ?= $(PREFIX)/libexec
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
PKGCONFIGDIR ?= $(LIBDIR)/pkgconfig
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR ?= $(PREFIX)/share/zsh/site-functions
UDEVRULESDIR ?= $(PREFIX)/lib/udev/rules.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
SYSCTLDIR ?= $(PREFIX)/lib/sysctl.d
SYSTEMDUNITDIR ?= $(PREFIX)/lib/systemd/system

KDIR ?= /lib/modules/$(shell uname -r)/build
INSTALL_MOD_PATH ?= $(DESTDIR)

PKG_CONFIG ?= pkg-config
INSTALL ?= install
CFLAGS ?= -O2 -g
FUZZ_CC ?= clang
WERROR ?= 1
SANITIZE ?= 0
COVERAGE ?= 0
FUZZ ?= 0
SYSTEMD ?= $(shell $(PKG_CONFIG) --exists libsystemd && echo 1)

# These are words of rules; install and uninstall must not see them as several.
$(foreach v,DESTDIR PREFIX SBINDIR LIBDIR LIBEXECDIR INCLUDEDIR MANDIR PKGCONFIGDIR BASHCOMPDIR ZSHCOMPDIR \
		UDEVRULESDIR TMPFILESDIR SYSCTLDIR SYSTEMDUNITDIR,\
	$(if $(word 2,$($v)),$(error $v holds a blank: $($v))))

VERSION := $(shell cat VERSION)
SONAME := libblktap.so.0
LIBS := libnl-3.0 libnl-genl-3.0 jansson
B := $(if $(filter 1,$(FUZZ)),build/fuzz,$(if $(filter 1,$(SANITIZE)),build/asan,$(if $(filter 1,$(COVERAGE)),build/coverage,build)))
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(Q),@printf '  %-8s%s\n' $(1) $(2))

flags := -std=gnu11 -Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes -fPIC -pthread
flags += $(if $(filter 1,$(WERROR)),-Werror)
flags += $(if $(filter 1,$(SANITIZE)),-fsanitize=address -fsanitize=undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
flags += $(if $(filter 1,$(FUZZ)),-fsanitize=fuzzer-no-link)
flags += $(if $(filter 1,$(COVERAGE)),--coverage -fprofile-update=atomic)
flags += -D_GNU_SOURCE -DBLKTAP_VERSION='"$(VERSION)"' -DBLKTAP_TAPDISK='"$(LIBEXECDIR)/blktap/tapdisk"'
flags += -Iuser -Ikernel/uapi $(shell $(PKG_CONFIG) --cflags $(LIBS) 2>/dev/null)
libs = $(or $(shell $(PKG_CONFIG) --libs $(LIBS)),$(error $(LIBS): not found by $(PKG_CONFIG); on Debian run scripts/deps build))

ifeq ($(SYSTEMD),1)
flags += -DTAPDISK_SYSTEMD $(shell $(PKG_CONFIG) --cflags libsystemd)
tapdisk_libs = $(or $(shell $(PKG_CONFIG) --libs libsystemd),$(error SYSTEMD=1, and $(PKG_CONFIG) finds no libsystemd))
endif
tapdisk_pkgs := libseccomp libcap
flags += $(shell $(PKG_CONFIG) --cflags $(tapdisk_pkgs) 2>/dev/null)
tapdisk_libs += -laio $(or $(shell $(PKG_CONFIG) --libs $(tapdisk_pkgs)),$(error $(tapdisk_pkgs): not found by $(PKG_CONFIG); on Debian run scripts/deps build))

# What the pkg-config file says.
places = $(PREFIX) $(LIBDIR) $(INCLUDEDIR)

objects = $(patsubst %.c,$(B)/obj/%.o,$(wildcard $(1)))
lib_objects := $(call objects,user/*.c)
ctl_objects := $(call objects,ctl/*.c tapdisk/protect.c)
tapdisk_objects := $(call objects,tapdisk/*.c tapdisk/drivers/*.c user/image-identity.c user/disk-seq.c)
test_objects := $(call objects,user/tests/test-*.c ctl/tests/test-*.c tapdisk/tests/test-*.c)
tests := $(test_objects:.o=)
fuzz_objects := $(call objects,fuzz/*.c)
fuzzers := $(patsubst %.c,$(B)/obj/%,$(wildcard fuzz/fuzz-*.c))
programs := $(if $(ctl_objects),$(B)/tap-ctl) $(if $(tapdisk_objects),$(B)/tapdisk)
libraries := $(if $(lib_objects),$(B)/$(SONAME) $(B)/libblktap.a $(B)/libblktap.pc)
examples := $(patsubst %.c,$(B)/%,$(wildcard Documentation/examples/*.c))
bench := $(patsubst %.c,$(B)/%,$(wildcard bench/*.c))
manuals := $(wildcard Documentation/man/*.[1-8])

all: user modules
user: $(libraries) $(programs)

# Recompile when the flags change.
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(CC) $(CFLAGS) $(CPPFLAGS) $(LDFLAGS) $(flags) $(places))' | cmp -s - $@ || \
		echo '$(subst ','\'',$(CC) $(CFLAGS) $(CPPFLAGS) $(LDFLAGS) $(flags) $(places))' >$@

$(B)/obj/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(flags) $(if $(filter tapdisk/% fuzz/%,$<),-Itapdisk) -MMD -MP -c -o $@ $<

$(B)/libblktap.a: $(lib_objects)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(B)/$(SONAME): $(lib_objects) user/libblktap.map
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(flags) $(LDFLAGS) -shared -Wl,-soname,$(SONAME) -Wl,--version-script,user/libblktap.map \
		-Wl,-z,defs -o $@ $(lib_objects) $(libs)
	$(Q)ln -sf $(SONAME) $(B)/libblktap.so

$(B)/libblktap.pc: user/libblktap.pc.in VERSION $(B)/flags
	$(Q)sed -e 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@INCLUDEDIR@|$(INCLUDEDIR)|' \
		-e 's|@VERSION@|$(VERSION)|' $< >$@

$(B)/tap-ctl: $(ctl_objects) $(B)/$(SONAME)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(flags) $(LDFLAGS) -o $@ $(ctl_objects) -L$(B) -lblktap $(libs)

$(B)/tapdisk: $(tapdisk_objects) $(B)/$(SONAME)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(flags) $(LDFLAGS) -o $@ $(tapdisk_objects) -L$(B) -lblktap $(libs) $(tapdisk_libs)

# Tests see the insides: they are linked with the static library, and those of
# the programs with all of them but main(), and what these have from the library.
$(filter $(B)/obj/user/%,$(tests)): %: %.o $(B)/libblktap.a
$(filter $(B)/obj/ctl/%,$(tests)): %: %.o $(filter-out %/main.o,$(ctl_objects)) $(B)/libblktap.a
$(filter $(B)/obj/tapdisk/%,$(tests)): %: %.o $(filter-out %/main.o $(B)/obj/user/%,$(tapdisk_objects)) $(B)/libblktap.a
$(tests):
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(flags) $(LDFLAGS) -o $@ $^ $(libs) $(tapdisk_libs) -lcmocka

unit:
	$(Q)$(MAKE) --no-print-directory SANITIZE=1 unit-run
unit-run: $(tests) $(examples) header
	$(Q)scripts/unit $(tests)

# As the tests, but for clang's fuzzer. No file of the machine is opened.
fuzz:
	$(Q)$(MAKE) --no-print-directory FUZZ=1 SANITIZE=1 CC='$(FUZZ_CC)' fuzz-build
fuzz-build: $(fuzzers)
$(fuzzers): %: %.o $(B)/obj/fuzz/files.o $(filter-out %/main.o $(B)/obj/user/%,$(tapdisk_objects)) $(B)/libblktap.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(flags) -fsanitize=fuzzer $(LDFLAGS) -Wl,--wrap=open,--wrap=stat -o $@ $^ $(libs) $(tapdisk_libs)

examples: $(examples)
bench: $(bench)
$(examples) $(bench): $(B)/%: %.c $(B)/$(SONAME) user/libblktap.h
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS) $(flags) $(LDFLAGS) -o $@ $< -L$(B) -lblktap $(libs) $(if $(filter bench/%,$<),-laio)

# For programs that read the sources.
print-flags:
	@printf '%s\n' "$(subst ",\",$(flags))"

# The library's header serves C++ as well.
header:
	$(Q)! command -v $(CXX) >/dev/null || $(CXX) -Iuser -Ikernel/uapi -Wall -Wextra -Werror \
		-x c++ -fsyntax-only user/libblktap.h

selftests: FORCE
	$(Q)$(MAKE) --no-print-directory -C selftests OUTPUT=$(CURDIR)/build/selftests

modules:
	$(Q)test -e $(KDIR)/Makefile || { echo "No kernel headers in $(KDIR): install them, name others with" \
		"KDIR=, or build the programs alone with 'make user'." >&2; exit 1; }
	$(Q)$(MAKE) -C $(KDIR) M=$(CURDIR)/kernel V=$(or $(V),0) modules

modules_install:
	$(Q)$(MAKE) -C $(KDIR) M=$(CURDIR)/kernel INSTALL_MOD_PATH=$(INSTALL_MOD_PATH) \
		$(if $(INSTALL_MOD_PATH),DEPMOD=true) modules_install

install: user
	$(Q)$(INSTALL) -d $(addprefix $(DESTDIR),$(SBINDIR) $(LIBEXECDIR)/blktap $(LIBDIR) $(PKGCONFIGDIR) $(INCLUDEDIR)/linux)
	$(Q)$(INSTALL) -m 755 $(B)/tap-ctl $(DESTDIR)$(SBINDIR)/
	$(Q)$(INSTALL) -m 755 $(B)/tapdisk $(DESTDIR)$(LIBEXECDIR)/blktap/
	$(Q)$(INSTALL) -m 644 $(B)/$(SONAME) $(B)/libblktap.a $(DESTDIR)$(LIBDIR)/
	$(Q)ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libblktap.so
	$(Q)$(INSTALL) -m 644 $(B)/libblktap.pc $(DESTDIR)$(PKGCONFIGDIR)/
	$(Q)$(INSTALL) -m 644 user/libblktap.h $(DESTDIR)$(INCLUDEDIR)/
	$(Q)$(INSTALL) -m 644 kernel/uapi/linux/blktap.h $(DESTDIR)$(INCLUDEDIR)/linux/
	$(Q)$(INSTALL) -D -m 644 udev/60-blktap.rules $(DESTDIR)$(UDEVRULESDIR)/60-blktap.rules
	$(Q)$(INSTALL) -D -m 644 systemd/blktap.conf $(DESTDIR)$(TMPFILESDIR)/blktap.conf
	$(Q)$(INSTALL) -D -m 644 systemd/sysctl.conf $(DESTDIR)$(SYSCTLDIR)/60-blktap.conf
	$(Q)$(INSTALL) -d $(DESTDIR)$(SYSTEMDUNITDIR)
	$(Q)sed 's|@SBINDIR@|$(SBINDIR)|' systemd/blktap-supervisor.service >$(DESTDIR)$(SYSTEMDUNITDIR)/blktap-supervisor.service
	$(Q)$(foreach m,$(manuals),$(INSTALL) -D -m 644 $(m) $(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(m)))/$(notdir $(m)) &&) true
	$(Q)$(INSTALL) -D -m 644 completion/bash/tap-ctl $(DESTDIR)$(BASHCOMPDIR)/tap-ctl
	$(Q)$(INSTALL) -D -m 644 completion/zsh/_tap-ctl $(DESTDIR)$(ZSHCOMPDIR)/_tap-ctl
	$(if $(DESTDIR),,$(Q)-ldconfig)

uninstall:
	$(Q)rm -f $(addprefix $(DESTDIR),$(SBINDIR)/tap-ctl $(LIBDIR)/$(SONAME) $(LIBDIR)/libblktap.so $(LIBDIR)/libblktap.a \
		$(PKGCONFIGDIR)/libblktap.pc $(INCLUDEDIR)/libblktap.h $(INCLUDEDIR)/linux/blktap.h \
		$(BASHCOMPDIR)/tap-ctl $(ZSHCOMPDIR)/_tap-ctl \
		$(UDEVRULESDIR)/60-blktap.rules $(TMPFILESDIR)/blktap.conf $(SYSCTLDIR)/60-blktap.conf \
		$(SYSTEMDUNITDIR)/blktap-supervisor.service \
		$(foreach m,$(manuals),$(MANDIR)/man$(subst .,,$(suffix $(m)))/$(notdir $(m))))
	$(Q)rm -rf $(DESTDIR)$(LIBEXECDIR)/blktap

check:
	$(Q)scripts/check

clean:
	$(Q)rm -rf build
	$(Q)test ! -e $(KDIR)/Makefile || $(MAKE) -s -C $(KDIR) M=$(CURDIR)/kernel clean

-include $(patsubst %.o,%.d,$(lib_objects) $(ctl_objects) $(tapdisk_objects) $(test_objects) $(fuzz_objects))

.PHONY: all user examples bench header unit unit-run fuzz fuzz-build selftests modules modules_install install uninstall check clean FORCE
.SECONDARY:
