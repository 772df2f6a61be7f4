// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin of QEMU (10.0 or later) that counts the instructions which a guest
 * executes between two calls of a function of its kernel, by where they are.
 *
 *	-plugin profile.so,mark=ADDRESS,watch=ADDRESS,out=FILE
 *
 * FILE then has a line for each block of translated code, its address and the
 * number of instructions executed there, in all passes between the first and the
 * second call of the function at the first address.  This is not sampled: with
 * -icount the sum is what the guest's clock shows in nanoseconds.
 *
 * Each place from which the function at the second address has been called has a
 * line as well: where it returns to, how often it was called, and the sum of its
 * third arguments.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What qemu-plugin.h declares of this, which distributions do not have. */
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_scoreboard;
struct qemu_plugin_u64 {
	struct qemu_plugin_scoreboard *score;
	size_t offset;
};
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_CB_R_REGS };
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
	void (*cb)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id,
	void (*cb)(qemu_plugin_id_t id, void *data), void *data);
void qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(struct qemu_plugin_tb *tb,
	enum qemu_plugin_op op, struct qemu_plugin_u64 entry, uint64_t imm);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
	void (*cb)(unsigned int vcpu, void *data), enum qemu_plugin_cb_flags flags, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t idx);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
struct qemu_plugin_register;
struct qemu_plugin_reg_descriptor {
	struct qemu_plugin_register *handle;
	const char *name, *feature;
};
/* GArray and GByteArray of GLib, which QEMU has loaded */
struct array {
	char *data;
	unsigned int len;
};
struct array *g_byte_array_new(void);
struct array *g_byte_array_set_size(struct array *array, unsigned int length);
void qemu_plugin_register_vcpu_init_cb(qemu_plugin_id_t id,
	void (*cb)(qemu_plugin_id_t id, unsigned int vcpu));
struct array *qemu_plugin_get_registers(void);
int qemu_plugin_read_register(struct qemu_plugin_register *handle, struct array *buf);
_Bool qemu_plugin_read_memory_vaddr(uint64_t address, struct array *buf, size_t len);
struct qemu_plugin_scoreboard *qemu_plugin_scoreboard_new(size_t element_size);
uint64_t qemu_plugin_u64_sum(struct qemu_plugin_u64 entry);

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 4;

#define MAX_BLOCKS	(1 << 20)
#define SLOTS		(2 * MAX_BLOCKS)

static struct qemu_plugin_scoreboard *board;
static uint64_t addresses[MAX_BLOCKS], before[MAX_BLOCKS], during[MAX_BLOCKS];
static uint32_t slots[SLOTS];	/* By address: 1 + index */
static uint32_t blocks;
static uint64_t mark, watch;
static const char *out;
static int marks;

#define MAX_CALLERS	4096
static struct {
	uint64_t from, calls, sum;
} callers[MAX_CALLERS];
static struct qemu_plugin_register *rsp, *rdx;
static struct array *buffer;

/* A guest translates the same code again and again; it is one block. */
static uint32_t find(uint64_t address)
{
	uint32_t slot = address * 0x9e3779b97f4a7c15ULL >> 43;

	while (slots[slot] && addresses[slots[slot] - 1] != address)
		slot = (slot + 1) % SLOTS;
	if (!slots[slot]) {
		if (blocks == MAX_BLOCKS) {
			fprintf(stderr, "profile: too much code\n");
			exit(1);
		}
		addresses[blocks] = address;
		slots[slot] = ++blocks;
	}
	return slots[slot] - 1;
}

static void snapshot(uint64_t *counts)
{
	for (uint32_t i = 0; i < blocks; i++)
		counts[i] = qemu_plugin_u64_sum((struct qemu_plugin_u64){
			board, i * sizeof(uint64_t) });
}

static void marked(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	if (marks < 2)
		snapshot(marks ? during : before);
	marks++;
}

static uint64_t register_value(struct qemu_plugin_register *handle)
{
	uint64_t value = 0;

	g_byte_array_set_size(buffer, 0);
	if (qemu_plugin_read_register(handle, buffer) >= (int)sizeof(value))
		memcpy(&value, buffer->data, sizeof(value));
	return value;
}

static void watched(unsigned int vcpu, void *data)
{
	uint64_t from, sum;
	int i;

	(void)vcpu;
	(void)data;
	if (marks != 1)
		return;
	sum = register_value(rdx);
	if (!qemu_plugin_read_memory_vaddr(register_value(rsp), buffer, sizeof(from)))
		return;
	memcpy(&from, buffer->data, sizeof(from));
	for (i = 0; i < MAX_CALLERS - 1; i++)
		if (!callers[i].calls || callers[i].from == from)
			break;
	callers[i].from = from;
	callers[i].calls++;
	callers[i].sum += sum;
}

static void initialised(qemu_plugin_id_t id, unsigned int vcpu)
{
	struct array *registers = qemu_plugin_get_registers();
	struct qemu_plugin_reg_descriptor *r = (void *)registers->data;

	(void)id;
	(void)vcpu;
	for (unsigned int i = 0; i < registers->len; i++) {
		if (!strcmp(r[i].name, "rsp"))
			rsp = r[i].handle;
		else if (!strcmp(r[i].name, "rdx"))
			rdx = r[i].handle;
	}
	buffer = g_byte_array_new();
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	struct qemu_plugin_u64 entry = { board, 0 };
	size_t n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	entry.offset = find(qemu_plugin_tb_vaddr(tb)) * sizeof(uint64_t);
	qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(tb, QEMU_PLUGIN_INLINE_ADD_U64, entry, n);
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		if (qemu_plugin_insn_vaddr(insn) == mark)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, marked,
							       QEMU_PLUGIN_CB_NO_REGS, NULL);
		if (qemu_plugin_insn_vaddr(insn) == watch)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, watched,
							       QEMU_PLUGIN_CB_R_REGS, NULL);
	}
}

static void at_exit(qemu_plugin_id_t id, void *data)
{
	FILE *f = fopen(out, "w");

	(void)id;
	(void)data;
	if (!f || marks != 2) {
		fprintf(stderr, "profile: %d marks, not two\n", marks);
		return;
	}
	for (uint32_t i = 0; i < blocks; i++)
		if (during[i] > before[i])
			fprintf(f, "%016" PRIx64 " %" PRIu64 "\n", addresses[i],
				during[i] - before[i]);
	for (int i = 0; i < MAX_CALLERS && callers[i].calls; i++)
		fprintf(f, "%016" PRIx64 " %" PRIu64 " %" PRIu64 "\n", callers[i].from,
			callers[i].calls, callers[i].sum);
	fclose(f);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "mark=", 5))
			mark = strtoull(argv[i] + 5, NULL, 16);
		else if (!strncmp(argv[i], "watch=", 6))
			watch = strtoull(argv[i] + 6, NULL, 16);
		else if (!strncmp(argv[i], "out=", 4))
			out = strdup(argv[i] + 4);
	}
	if (!mark || !out)
		return -1;
	board = qemu_plugin_scoreboard_new(MAX_BLOCKS * sizeof(uint64_t));
	qemu_plugin_register_vcpu_init_cb(id, initialised);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, at_exit, NULL);
	return 0;
}
