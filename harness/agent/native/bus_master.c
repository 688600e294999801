// SPDX-License-Identifier: MIT
/*
 * Memory with the eyes of a device: QEMU's fw_cfg reads and writes physical memory by DMA (QEMU
 * docs/specs/fw_cfg.rst). It is made to take some bytes into a file of its own, which it then hands out. Neither the kernel nor the driver has a part in that, so it is a
 * witness where a kernel has no /proc/kcore. The registers are reached through /dev/mem, which only
 * a kernel without a driver for fw_cfg allows.
 */
#include "agent.h"
#include "signature.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#define REGISTER_DMA 16		/* two words of 32 bits, big-endian; the second one starts */
#define DIRECTORY 0x19		/* selector of the list of files */
#define FILE_NAME "etc/vmcoreinfo"	/* 16 bytes that the guest may write, of no consequence */
#define FILE_BYTES 16

enum { FAILED = 1, READ = 2, SELECT = 8, WRITE = 16 };

/* What the device reads first; all big-endian. */
struct control {
	uint32_t what, bytes;
	uint64_t address;
};

struct entry {
	uint32_t bytes;
	uint16_t selector, reserved;
	char name[56];
};

/* A page of ours that the kernel cannot move. Off its start, where signatures are looked for. */
struct scratch {
	uint64_t aside[64];
	volatile struct control control;
	union {
		uint32_t count;
		struct entry entry;
		uint64_t words[FILE_BYTES / 8];
	} data;
};

static struct {
	volatile uint32_t *registers;
	void *page_of_registers;
	struct scratch *scratch;
	uint64_t scratch_at;	/* its physical address */
	int pins[2];
} device = { .pins = { -1, -1 } };

static bool page_frame(const void *page, uint64_t *physical)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;
	bool got = fd >= 0 && pread(fd, &entry, 8, (uintptr_t)page / page_bytes() * 8) == 8;

	if (fd >= 0)
		close(fd);
	*physical = (entry & 0x007fffffffffffffull) * page_bytes();
	if (got && *physical == 0)
		errno = EPERM;
	return got && *physical != 0;
}

/* A page that a pipe refers to is not migrated, neither for compaction nor for CMA. */
static bool make_scratch(void)
{
	struct iovec whole = { .iov_len = page_bytes() };

	whole.iov_base = mmap(NULL, page_bytes(), PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (whole.iov_base == MAP_FAILED)
		return false;
	device.scratch = whole.iov_base;
	memset(device.scratch, 0, sizeof(*device.scratch));
	return pipe2(device.pins, O_CLOEXEC) == 0 &&
	       vmsplice(device.pins[1], &whole, 1, 0) == (ssize_t)page_bytes() &&
	       page_frame(device.scratch, &device.scratch_at);
}

static bool map_registers(uint64_t physical)
{
	uint64_t start = physical & ~(uint64_t)(page_bytes() - 1);
	int fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	void *page;

	if (fd < 0)
		return false;
	page = mmap(NULL, page_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)start);
	close(fd);
	if (page == MAP_FAILED)
		return false;
	device.page_of_registers = page;
	device.registers = (volatile uint32_t *)((char *)page + (physical - start));
	return true;
}

static void release_device(void)
{
	for (int end = 0; end < 2; end++) {
		if (device.pins[end] >= 0)
			close(device.pins[end]);
		device.pins[end] = -1;
	}
	if (device.scratch)
		munmap(device.scratch, page_bytes());
	if (device.page_of_registers)
		munmap(device.page_of_registers, page_bytes());
	device.scratch = NULL;
	device.page_of_registers = NULL;
}

/* One transfer between the selected file and physical memory; the device is done when this returns. */
static bool transfer(uint32_t what, uint64_t physical, uint32_t bytes)
{
	volatile struct control *control = &device.scratch->control;
	uint64_t at = device.scratch_at + offsetof(struct scratch, control);

	control->what = htobe32(what);
	control->bytes = htobe32(bytes);
	control->address = htobe64(physical);
	__sync_synchronize();
	device.registers[REGISTER_DMA / 4] = htobe32(at >> 32);
	device.registers[REGISTER_DMA / 4 + 1] = htobe32((uint32_t)at);
	/* QEMU is done by now; anything else must not make us wait for ever. */
	for (int tries = 1000000; tries > 0 && be32toh(control->what) & ~(uint32_t)FAILED; tries--)
		;
	__sync_synchronize();
	if (be32toh(control->what) == 0)
		return true;
	errno = EIO;
	return false;
}

static uint64_t data_at(void)
{
	return device.scratch_at + offsetof(struct scratch, data);
}

/* The selector of the file that takes what we want to see. */
static bool find_file(uint32_t *selector)
{
	struct entry *entry = &device.scratch->data.entry;
	uint32_t count;

	if (!transfer(DIRECTORY << 16 | SELECT | READ, data_at(), sizeof(count)))
		return false;
	count = be32toh(device.scratch->data.count);
	while (count-- > 0) {
		if (!transfer(READ, data_at(), sizeof(*entry)))
			return false;
		*selector = be16toh(entry->selector);
		if (strcmp(entry->name, FILE_NAME) == 0 && be32toh(entry->bytes) == FILE_BYTES)
			return true;
	}
	errno = ENOENT;
	return false;
}

/* Out of physical memory into the scratch page, by way of the device's file. */
static bool take(uint32_t selector, uint64_t physical)
{
	return transfer(selector << 16 | SELECT | WRITE, physical, FILE_BYTES) &&
	       transfer(selector << 16 | SELECT | READ, data_at(), FILE_BYTES);
}

static bool look_at(uint32_t selector, uint64_t nonce, uint64_t pages, uint64_t physical)
{
	const uint64_t *words = device.scratch->data.words;
	uint64_t page;

	if (!take(selector, physical))
		return false;
	page = little_endian(words[1]) ^ nonce;
	if (little_endian(words[0]) != signature_word(nonce, page, 0) || page >= pages)
		return true;
	reply_open(NULL, '[');
	reply_u64(NULL, page);
	reply_hex(NULL, physical);
	reply_u64(NULL, 1);
	reply_close(']');
	return true;
}

static bool look_around(struct request *request, uint32_t selector)
{
	uint64_t nonce = arg_u64(request, 1), pages = arg_u64(request, 2);

	for (int at = 3; arg_given(request, at); at += 2) {
		uint64_t physical = arg_u64(request, at), end = physical + arg_u64(request, at + 1);

		for (; physical < end; physical += page_bytes())
			if (!look_at(selector, nonce, pages, physical))
				return false;
	}
	return true;
}

/* Replies itself when it fails. release_device() in either case. */
static bool open_device(uint64_t registers, uint32_t *selector)
{
	reply_flush();
	if (!map_registers(registers))
		reply_error("mapping /dev/mem");
	else if (!make_scratch())
		reply_error("pinning a page");
	else if (!find_file(selector))
		reply_error("looking for " FILE_NAME);
	else
		return true;
	return false;
}

static void verb_device_look(struct request *request)
{
	uint64_t registers = arg_u64(request, 0);
	uint32_t selector;

	for (int at = 1; arg_given(request, at); at++)
		arg_u64(request, at);
	if (request_bad(request))
		return;
	if (open_device(registers, &selector)) {
		reply_open("runs", '[');
		if (look_around(request, selector))
			reply_close(']');
		else
			reply_error("DMA");
	}
	release_device();
}

static void scan(uint32_t selector, uint8_t expected, uint64_t physical, uint64_t bytes)
{
	const uint8_t *data = (const uint8_t *)device.scratch->data.words;
	uint64_t compared = 0, mismatches = 0, first = 0;
	uint8_t value = 0;

	for (; compared < bytes; compared += FILE_BYTES) {
		if (!take(selector, physical + compared))
			return reply_error("DMA");
		for (int at = 0; at < FILE_BYTES; at++) {
			if (data[at] == expected)
				continue;
			if (mismatches++ == 0) {
				first = compared + at;
				value = data[at];
			}
		}
	}
	reply_u64("compared", compared);
	reply_u64("mismatches", mismatches);
	if (mismatches == 0)
		return;
	reply_open("first", '{');
	reply_u64("offset", first);
	reply_u64("value", value);
	reply_close('}');
}

static void verb_device_scan(struct request *request)
{
	uint64_t registers = arg_u64(request, 0), expected = arg_u64(request, 1);
	uint64_t physical = arg_u64(request, 2), bytes = arg_u64(request, 3);
	uint32_t selector;

	if (request_bad(request))
		return;
	if (open_device(registers, &selector))
		scan(selector, expected, physical, bytes);
	release_device();
}

static void verb_device_take(struct request *request)
{
	uint64_t registers = arg_u64(request, 0);
	uint32_t selector;
	bool good = true;

	for (int at = 1; arg_given(request, at); at++)
		arg_u64(request, at);
	if (request_bad(request))
		return;
	if (open_device(registers, &selector)) {
		reply_open("data", '[');
		for (int at = 1; good && arg_given(request, at); at++) {
			good = take(selector, arg_u64(request, at));
			if (good)
				reply_bytes(NULL, (const uint8_t *)device.scratch->data.words, FILE_BYTES);
		}
		if (good)
			reply_close(']');
		else
			reply_error("DMA");
	}
	release_device();
}

static void verb_device_put(struct request *request)
{
	uint64_t registers = arg_u64(request, 0);
	size_t bytes;
	uint8_t *data = arg_hex(request, 1, &bytes);
	uint32_t selector;
	bool good = true;

	for (int at = 2; arg_given(request, at); at++)
		arg_u64(request, at);
	if (!request_bad(request) && bytes != FILE_BYTES)
		request_complain(request, "%d bytes are wanted", FILE_BYTES);
	if (request_bad(request))
		return;
	if (open_device(registers, &selector)) {
		memcpy(device.scratch->data.words, data, FILE_BYTES);
		good = transfer(selector << 16 | SELECT | WRITE, data_at(), FILE_BYTES);
		for (int at = 2; good && arg_given(request, at); at++)
			good = transfer(selector << 16 | SELECT | READ, arg_u64(request, at), FILE_BYTES);
		if (!good)
			reply_error("DMA");
	}
	release_device();
}

const struct verb bus_master_verbs[] = {
	{ "device-look", "REGISTERS NONCE PAGES PHYSICAL BYTES [PHYSICAL BYTES]...",
	  "signed pages in ranges of physical memory, as QEMU's fw_cfg device reads it", verb_device_look },
	{ "device-scan", "REGISTERS BYTE PHYSICAL BYTES",
	  "looks for any other byte, as that device reads it", verb_device_scan },
	{ "device-take", "REGISTERS PHYSICAL...", "16 bytes of each place, as that device reads them",
	  verb_device_take },
	{ "device-put", "REGISTERS HEX PHYSICAL...", "has that device write 16 bytes to each place",
	  verb_device_put },
	{ 0 },
};
