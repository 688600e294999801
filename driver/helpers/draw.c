// SPDX-License-Identifier: MIT
/*
 * A picture on the screen, from userspace, by a graphics device that takes its
 * orders as batches in contiguous memory: a frame buffer, drawn through its
 * mapping, and a control block that the device fetches by its address and
 * carries out. The devices are those of QEMU's machines: fw_cfg, which does
 * DMA, hands the order to ramfb, which then scans the frame buffer out.
 *
 *   draw [-d /dev/contigbuf] [-s 1920x1080] [-n number]
 *
 * The number decides the pattern, so that two pictures can be told apart. Prints
 * what lies where, then a line that begins with "showing", and holds the buffers
 * until standard input ends. Ends with 0; 1 when a call failed, 2 for a wrong
 * argument, 3 when the machine lacks the devices, 4 when they refused. Needs
 * CAP_SYS_RAWIO, for the addresses and for the registers.
 *
 * Copyright (C) 2026 the bufrig authors
 */
#define _FILE_OFFSET_BITS 64
#include <dirent.h>
#include <endian.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#if defined(__x86_64__) || defined(__i386__)
#include <sys/io.h>
#define HAVE_PORTS 1
#endif

#include <contigbuf.h>

enum { CALL_FAILED = 1, WRONG_ARGUMENT = 2, NO_DEVICE = 3, REFUSED = 4 };

/* A buffer of the driver: mapped, and with the address that a device needs. */
struct buffer {
	uint32_t id;
	void *memory;
	uint64_t bytes;
	uint64_t phys_addr, dma_addr;
};

/* 32 bits for each pixel; rows begin at multiples of 64 bytes, as scanout hardware likes it. */
struct picture {
	uint32_t width, height, stride;
	uint32_t number;
};

/*
 * What the devices read and write, in one buffer; all big-endian. QEMU:
 * docs/specs/fw_cfg.rst, hw/display/ramfb.c.
 */
struct batch {
	volatile struct {
		uint32_t what, bytes;
		uint64_t address;
	} control;
	struct {
		uint64_t address;
		uint32_t format, flags, width, height, stride;
	} __attribute__((packed)) scanout;
	volatile uint32_t files;
	volatile struct {
		uint32_t bytes;
		uint16_t selector, reserved;
		char name[56];
	} file;
};

/* control.what; the selector is in the upper half */
enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SELECT = 8, DMA_WRITE = 16 };

#define FILE_LIST 0x19u			/* selector of the list of files */
#define FORMAT_XRGB8888 0x34325258u	/* 'XR24', as DRM names it */

/* Says what failed, as the system puts it, and ends the program. */
static void die(const char *what)
{
	perror(what);
	exit(CALL_FAILED);
}

static void allocate(int fd, uint64_t bytes, uint32_t cache, struct buffer *buffer)
{
	struct contigbuf_alloc alloc;
	struct contigbuf_resolve resolve;

	memset(&alloc, 0, sizeof(alloc));
	alloc.size = sizeof(alloc);
	alloc.naming = CONTIGBUF_NAMING_COOKIE;
	alloc.bytes = bytes;
	alloc.cache = cache;
	if (ioctl(fd, CONTIGBUF_IOC_ALLOC, &alloc))
		die("CONTIGBUF_IOC_ALLOC");

	memset(&resolve, 0, sizeof(resolve));
	resolve.size = sizeof(resolve);
	resolve.id = alloc.id;
	if (ioctl(fd, CONTIGBUF_IOC_RESOLVE, &resolve))
		die("CONTIGBUF_IOC_RESOLVE");

	buffer->id = alloc.id;
	buffer->bytes = alloc.allocated;
	buffer->phys_addr = resolve.phys_addr;
	buffer->dma_addr = resolve.dma_addr;
	buffer->memory = mmap(NULL, alloc.allocated, PROT_READ | PROT_WRITE,
			      MAP_SHARED, fd, (off_t)alloc.offset);
	if (buffer->memory == MAP_FAILED)
		die("mmap");
}

/* Around what the CPU writes; costs nothing where the buffer is not cached. */
static void sync_writes(int fd, const struct buffer *buffer, uint32_t end)
{
	struct contigbuf_sync sync;

	memset(&sync, 0, sizeof(sync));
	sync.size = sizeof(sync);
	sync.flags = CONTIGBUF_SYNC_WRITE | end;
	sync.id = buffer->id;
	sync.length = buffer->bytes;
	if (ioctl(fd, CONTIGBUF_IOC_SYNC, &sync))
		die("CONTIGBUF_IOC_SYNC");
}

/*
 * A chart on which every mistake shows: red grows to the right, green downwards,
 * and blue tells pixels apart that have the same red and green, so that no two
 * pixels up to 2048 x 2048 are alike. A board of squares, irregular by the
 * number, a disc in the upper left and a wedge in the lower right.
 */
static uint32_t colour(const struct picture *picture, uint32_t x, uint32_t y)
{
	int64_t width = picture->width, height = picture->height;
	int64_t aside = x - width / 3, below = y - height * 2 / 5;
	uint32_t column = x / 64, row = y / 64;
	uint32_t red = (uint32_t)(x * 256 / width);
	uint32_t green = (uint32_t)(y * 256 / height);
	uint32_t blue = (x & 7) << 5 | (y & 7) << 2;

	if (aside * aside + below * below < height * height / 16)
		return (red ^ 255) << 16 | (green ^ 255) << 8 | blue | 2;
	if (2 * (width - x) * height < (2 * y - height) * width)
		return green << 16 | red << 8 | blue | 3;
	if ((column + row + (picture->number >> (column + 5 * row) % 32)) & 1)
		return (red ^ 32) << 16 | (green ^ 32) << 8 | blue | 1;
	return red << 16 | green << 8 | blue;
}

static void draw(const struct picture *picture, void *frame)
{
	uint32_t x, y;

	for (y = 0; y < picture->height; y++) {
		uint32_t *row = (uint32_t *)((char *)frame + (size_t)y * picture->stride);

		for (x = 0; x < picture->width; x++)
			row[x] = htole32(colour(picture, x, y));
	}
}

#ifdef HAVE_PORTS

#define PORT 0x510	/* selector; then data, and at 4 the DMA address */

/* The first file, of number 0, says "QEMU". */
static void open_registers(void)
{
	const char *letter;

	if (ioperm(PORT, 12, 1))
		die("ioperm");
	outw(0, PORT);
	for (letter = "QEMU"; *letter; letter++) {
		if (inb(PORT + 1) != *letter) {
			fprintf(stderr, "this machine has no fw_cfg\n");
			exit(NO_DEVICE);
		}
	}
}

/* Tells the device where a control block is. Stores to memory are done before. */
static void ring(uint64_t address)
{
	__sync_synchronize();
	outl(htobe32((uint32_t)(address >> 32)), PORT + 4);
	outl(htobe32((uint32_t)address), PORT + 8);
}

#else

static volatile uint32_t *registers;

/* The device tree tells where they are: the node is called fw-cfg@ADDRESS. */
static uint64_t address_of_registers(void)
{
	DIR *directory = opendir("/proc/device-tree");
	struct dirent *entry;
	uint64_t address = 0;

	while (directory && !address && (entry = readdir(directory)))
		if (strncmp(entry->d_name, "fw-cfg@", 7) == 0)
			address = strtoull(entry->d_name + 7, NULL, 16);
	if (directory)
		closedir(directory);
	return address;
}

static void open_registers(void)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t address = address_of_registers();
	char *start;
	int fd;

	if (!address) {
		fprintf(stderr, "this machine's device tree has no fw-cfg\n");
		exit(NO_DEVICE);
	}
	fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	if (fd < 0)
		die("/dev/mem");
	start = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		     (off_t)(address & ~(page - 1)));
	if (start == MAP_FAILED)
		die("mmap of fw_cfg's registers, which a driver may have taken");
	close(fd);
	registers = (volatile uint32_t *)(start + (address & (page - 1)));
}

/* Tells the device where a control block is. Stores to memory are done before. */
static void ring(uint64_t address)
{
	__asm__ volatile("dsb sy" : : : "memory");
	registers[4] = htobe32((uint32_t)(address >> 32));
	registers[5] = htobe32((uint32_t)address);
}

#endif

/*
 * Has fw_cfg carry out the control block at the beginning of a batch: a transfer
 * between the file it has selected and another place in the batch.
 */
static void execute(struct buffer *buffer, uint32_t what, size_t place, uint32_t bytes)
{
	struct batch *batch = buffer->memory;
	int tries = 1000000;

	batch->control.bytes = htobe32(bytes);
	batch->control.address = htobe64(buffer->dma_addr + place);
	batch->control.what = htobe32(what);
	ring(buffer->dma_addr);
	while (batch->control.what && batch->control.what != htobe32(DMA_ERROR) && --tries)
		;
	__sync_synchronize();
	if (!batch->control.what)
		return;
	fprintf(stderr, "fw_cfg %s the control block at %#llx\n",
		tries ? "refused" : "did not carry out",
		(unsigned long long)buffer->dma_addr);
	exit(REFUSED);
}

static uint32_t selector_of(struct buffer *buffer, const char *name)
{
	struct batch *batch = buffer->memory;
	uint32_t files;

	execute(buffer, FILE_LIST << 16 | DMA_SELECT | DMA_READ,
		offsetof(struct batch, files), sizeof(batch->files));
	for (files = be32toh(batch->files); files > 0; files--) {
		execute(buffer, DMA_READ, offsetof(struct batch, file), sizeof(batch->file));
		if (strcmp((const char *)batch->file.name, name) == 0)
			return be16toh(batch->file.selector);
	}
	fprintf(stderr, "this machine has no %s\n", name);
	exit(NO_DEVICE);
}

/* ramfb never stops; once this program has ended, it shows what becomes of the memory. */
static void show(const struct picture *picture, const struct buffer *frame, struct buffer *orders)
{
	struct batch *batch = orders->memory;
	uint32_t selector = selector_of(orders, "etc/ramfb");

	/* fw_cfg masters the bus; ramfb takes an address of memory as the CPU sees it. */
	batch->scanout.address = htobe64(frame->phys_addr);
	batch->scanout.format = htobe32(FORMAT_XRGB8888);
	batch->scanout.width = htobe32(picture->width);
	batch->scanout.height = htobe32(picture->height);
	batch->scanout.stride = htobe32(picture->stride);
	execute(orders, selector << 16 | DMA_SELECT | DMA_WRITE,
		offsetof(struct batch, scanout), sizeof(batch->scanout));
}

static void tell(const char *what, const struct buffer *buffer)
{
	printf("%s: buffer %u, %llu bytes at %#llx, for the device at %#llx\n", what, buffer->id,
	       (unsigned long long)buffer->bytes, (unsigned long long)buffer->phys_addr,
	       (unsigned long long)buffer->dma_addr);
}

/* 0 when there is no such picture. */
static int parse(const char *size, struct picture *picture)
{
	char after;

	if (sscanf(size, "%ux%u%c", &picture->width, &picture->height, &after) != 2)
		return 0;
	picture->stride = (picture->width * 4 + 63) & ~63u;
	return picture->width >= 16 && picture->width <= 16000 &&
	       picture->height >= 16 && picture->height <= 12000;
}

static void usage(const char *name)
{
	fprintf(stderr, "usage: %s [-d node] [-s WIDTHxHEIGHT, 16x16 to 16000x12000] [-n number]\n",
		name);
	exit(WRONG_ARGUMENT);
}

int main(int argc, char **argv)
{
	struct picture picture = { .width = 1920, .height = 1080, .stride = 7680 };
	const char *node = "/dev/contigbuf";
	struct buffer frame, orders;
	int fd, option;

	while ((option = getopt(argc, argv, "d:s:n:")) != -1) {
		if (option == 'd')
			node = optarg;
		else if (option == 'n')
			picture.number = (uint32_t)strtoul(optarg, NULL, 0);
		else if (option != 's' || !parse(optarg, &picture))
			usage(argv[0]);
	}
	if (optind < argc)
		usage(argv[0]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	open_registers();

	fd = open(node, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die(node);
	/* Both sides watch the control block; the frame is written once and then read. */
	allocate(fd, sizeof(struct batch), CONTIGBUF_CACHE_COHERENT, &orders);
	allocate(fd, (uint64_t)picture.stride * picture.height, CONTIGBUF_CACHE_DEFAULT, &frame);
	tell("control block", &orders);
	tell("frame", &frame);

	sync_writes(fd, &frame, 0);
	draw(&picture, frame.memory);
	sync_writes(fd, &frame, CONTIGBUF_SYNC_END);
	show(&picture, &frame, &orders);
	printf("showing %ux%u, stride %u, number %u\n", picture.width, picture.height,
	       picture.stride, picture.number);

	while (getchar() != EOF)
		;
	return EXIT_SUCCESS;
}
