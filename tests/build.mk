# SPDX-License-Identifier: GPL-2.0
# Used by tests/build.
CC ?= cc
CFLAGS := -O2 -g -Wall -Wextra -I$(OUT)/include
HEADER := $(OUT)/include/linux/tls.h

all: $(OUT)/tls_server $(OUT)/tls12_proxy $(OUT)/tls_handshake $(OUT)/handshakes $(OUT)/bulk $(OUT)/load $(OUT)/flood $(OUT)/operations

$(OUT)/tls_server: $(TOP)/demo/tls_server.c $(HEADER)
	$(CC) $(CFLAGS) -o $@ $<

$(OUT)/tls12_proxy: $(TOP)/demo/tls12_proxy.c
	$(CC) $(CFLAGS) -o $@ $< -lssl -lcrypto

$(OUT)/tls_handshake: $(TOP)/selftests/tls_handshake.c $(TOP)/selftests/tls_handshake_keys.h $(HEADER)
	$(CC) $(CFLAGS) -Wno-unused-parameter -I$(TREE)/tools/testing/selftests -o $@ $< -lpthread

$(OUT)/handshakes: $(TOP)/tests/bench/handshakes.c $(HEADER)
	$(CC) $(CFLAGS) -o $@ $< -lssl -lcrypto

$(OUT)/bulk: $(TOP)/tests/bench/bulk.c $(HEADER)
	$(CC) $(CFLAGS) -o $@ $< -lssl -lcrypto

$(OUT)/load: $(addprefix $(TOP)/tests/load/, load.c servers.c load.h) $(TOP)/selftests/tls_handshake_keys.h \
		$(HEADER)
	$(CC) $(CFLAGS) -Wno-unused-parameter -o $@ $(filter %.c,$^) -lssl -lcrypto -lpthread

$(OUT)/flood: $(TOP)/tests/listener/flood.c
	$(CC) $(CFLAGS) -o $@ $<

OPERATIONS := $(addprefix $(TOP)/tests/differential/, main.c connection.c reading.c writing.c \
	ready.c options.c ends.c uring.c)
$(OUT)/operations: $(OPERATIONS) $(TOP)/tests/differential/common.h \
		$(TOP)/selftests/tls_handshake_keys.h $(HEADER)
	$(CC) $(CFLAGS) -Wno-unused-parameter -o $@ $(OPERATIONS) -lssl -lcrypto -lpthread
