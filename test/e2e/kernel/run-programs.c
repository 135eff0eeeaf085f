/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Repeats, under another kernel, what was recorded under this one: loads the object, and follows a script of map writes and test
 * runs whose outcomes it compares. Lines of the script, numbers and bytes in hexadecimal:
 *   size MAP ENTRIES           before the load
 *   w MAP OFFSET BYTES         bytes into a mapped array
 *   u MAP KEY VALUE            an entry of a hash table
 *   r PROGRAM MARK GSO_SIZE GSO_SEGS FRAME
 *   = RETURNED CB0 CB1 CB2 CB3 MARK FRAME      what the last run must have given
 *   k RECORD                   and the records that it must have sent up, in order, their time zeroed
 * Prints a line for each difference and a last line `done RUNS DIFFERENCES`.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SHARDS 16
#define TIME_AT 32
#define RECORDS_MAX 16

static struct bpf_object *object;
static struct ring_buffer *rings;
static struct {
	int length;
	unsigned char bytes[70000];
} records[RECORDS_MAX];
static int record_count;
static int differences;

static int print_log(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_DEBUG ? 0 : vprintf(format, args);
}

static int bytes_of(const char *hex, unsigned char *to)
{
	int n = 0;

	for (; hex[0] && hex[1] && hex[0] != '\n' && hex[0] != '-'; hex += 2, n++)
		sscanf(hex, "%2hhx", &to[n]);
	return n;
}

static int keep_record(void *context, void *data, size_t length)
{
	(void)context;
	if (record_count == RECORDS_MAX)
		return 0;
	memcpy(records[record_count].bytes, data, length);
	memset(records[record_count].bytes + TIME_AT, 0, 8);
	records[record_count++].length = length;
	return 0;
}

static int load(const char *path)
{
	int error = bpf_object__load(object);
	char name[16];

	printf("load %s %d\n", path, error);
	if (error)
		return error;
	for (int shard = 0; shard < SHARDS; shard++) {
		snprintf(name, sizeof(name), "ring_%d", shard);
		int fd = bpf_object__find_map_fd_by_name(object, name);
		if (!rings)
			rings = ring_buffer__new(fd, keep_record, NULL, NULL);
		else
			ring_buffer__add(rings, fd, keep_record, NULL);
	}
	return rings ? 0 : -1;
}

static unsigned char *mapped(const char *name)
{
	static struct {
		char name[32];
		unsigned char *at;
	} known[32];
	int i;

	for (i = 0; known[i].at; i++)
		if (!strcmp(known[i].name, name))
			return known[i].at;
	struct bpf_map *map = bpf_object__find_map_by_name(object, name);
	size_t length = ((bpf_map__value_size(map) + 7) & ~7ul) * bpf_map__max_entries(map);
	void *at = mmap(NULL, (length + 4095) & ~4095ul, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	if (at == MAP_FAILED) {
		printf("mmap of %s: %s\n", name, strerror(errno));
		exit(1);
	}
	strcpy(known[i].name, name);
	return known[i].at = at;
}

static void differ(long line, const char *what)
{
	printf("line %ld: %s differs\n", line, what);
	differences++;
}

int main(int argc, char **argv)
{
	static char line[300000], program[64], name[64], hex[200000], more[4000];
	static unsigned char frame[70000], out[70000], expected[70000];
	struct __sk_buff before, after;
	long number = 0, runs = 0;
	int is_loaded = 0, consumed = 0, length = 0;
	unsigned int offset, mark, gso_size, gso_segs, w[6];
	LIBBPF_OPTS(bpf_test_run_opts, run);

	libbpf_set_print(print_log);
	object = bpf_object__open_file(argv[1], NULL);
	FILE *script = argc > 2 ? fopen(argv[2], "r") : NULL;
	if (!object || !script)
		return 1;
	while (fgets(line, sizeof(line), script)) {
		number++;
		if (sscanf(line, "size %63s %x", name, &offset) == 2) {
			bpf_map__set_max_entries(bpf_object__find_map_by_name(object, name), offset);
			continue;
		}
		if (!is_loaded && load(argv[1]))
			return 1;
		is_loaded = 1;
		if (sscanf(line, "w %63s %x %199999s", name, &offset, hex) == 3) {
			bytes_of(hex, mapped(name) + offset);
		} else if (sscanf(line, "u %63s %199999s %3999s", name, hex, more) == 3) {
			bytes_of(hex, frame);
			bytes_of(more, out);
			bpf_map_update_elem(bpf_object__find_map_fd_by_name(object, name), frame, out, BPF_ANY);
		} else if (sscanf(line, "r %63s %x %x %x %199999s", program, &mark, &gso_size, &gso_segs, hex) == 5) {
			if (consumed < record_count)
				differ(number, "number of records");
			record_count = consumed = 0;
			memset(&before, 0, sizeof(before));
			before.mark = mark;
			before.gso_size = gso_size;
			before.gso_segs = gso_segs;
			run.data_in = frame;
			run.data_size_in = bytes_of(hex, frame);
			run.data_out = out;
			run.data_size_out = sizeof(out);
			run.ctx_in = &before;
			run.ctx_out = &after;
			run.ctx_size_in = run.ctx_size_out = sizeof(before);
			run.repeat = 1;
			runs++;
			if (bpf_prog_test_run_opts(bpf_program__fd(bpf_object__find_program_by_name(object, program)), &run))
				differ(number, strerror(errno));
			ring_buffer__consume(rings);
		} else if (sscanf(line, "= %x %x %x %x %x %x %199999s", &w[0], &w[1], &w[2], &w[3], &w[4], &w[5], hex) == 7) {
			length = bytes_of(hex, expected);
			if (run.retval != w[0] || memcmp(after.cb, &w[1], 16) || after.mark != w[5]) {
				printf("returned %x cb %x %x %x %x mark %x\n", run.retval, after.cb[0], after.cb[1], after.cb[2],
				       after.cb[3], after.mark);
				differ(number, "verdict");
			}
			if (length != (int)run.data_size_out || memcmp(out, expected, length))
				differ(number, "frame");
		} else if (sscanf(line, "k %199999s", hex) == 1) {
			length = bytes_of(hex, expected);
			if (consumed == record_count || records[consumed].length < length ||
			    memcmp(records[consumed].bytes, expected, length))
				differ(number, "record");
			consumed++;
		}
	}
	printf("done %ld %d\n", runs, differences);
	return 0;
}
