# SPDX-License-Identifier: GPL-2.0-only
#
# What the Makefile needs where no kernel tree is around: the targets all,
# clean, install (INSTALL_PATH=) and run_tests; OUTPUT= for the built programs.

OUTPUT ?= $(CURDIR)
CC ?= cc

built := $(addprefix $(OUTPUT)/,$(TEST_GEN_PROGS) $(TEST_GEN_PROGS_EXTENDED))
scripts := $(TEST_PROGS) $(TEST_PROGS_EXTENDED)

all: $(built)

$(OUTPUT)/%: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.c,$^) $(LDLIBS)

$(built): $(wildcard *.h linux/*.h)

install: all
	$(if $(INSTALL_PATH),,$(error Say where: INSTALL_PATH=/some/directory))
	mkdir -p $(INSTALL_PATH)
	install -m 0755 $(scripts) $(built) $(INSTALL_PATH)
	install -m 0644 $(TEST_FILES) settings config $(INSTALL_PATH)

run_tests: all
	PATH=$(OUTPUT):$$PATH ./run.sh

clean:
	rm -f $(built)

.PHONY: all install run_tests clean
