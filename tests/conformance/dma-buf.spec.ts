// SPDX-License-Identifier: MIT
/**
 * DBF, CAC-06: a buffer as a dma-buf. drivers/dma-buf/dma-buf.c (llseek, mmap, ioctl, poll, fdinfo) and
 * Documentation/driver-api/dma-buf.rst.
 */
import { expect, mapping, newNonce, observed, orSkip, signedBuffer, test } from '../../fixtures/index.ts';
import {
  dmaBufRequests,
  dmaBufSync,
  dmaBufSyncFile,
  dmaBufSyncFlags,
} from '../../harness/profile/dma-buf.ts';
import { drmRequests, primeHandle } from '../../harness/profile/drm.ts';
import { fieldsOf } from '../../harness/profile/ioctls.ts';
import { ioctlStep, lowestFree, repeat } from '../../fixtures/index.ts';

const MIB = 1024 * 1024;
const PAGES = 8;
/** fcntl.h, as DRM_CLOEXEC and DRM_RDWR. */
const O_RDWR = 2;
const O_CLOEXEC = 0o2000000;
const { READ, WRITE, END } = dmaBufSyncFlags;

test.use({ strategy: 'dma-buf' });
test.describe('dma-buf', { tag: '@dma-buf' }, () => {
  test('DBF-01 seeking tells the size, and nothing else', async ({ agent, buffers }) => {
    const buffer = await buffers.allocate({ bytes: PAGES * buffers.pageBytes });
    const { fd } = buffer.allocated;
    expect(await agent.seek(fd, 0, 'end')).toBe(BigInt(buffer.bytes));
    expect(await agent.seek(fd, 0, 'set')).toBe(0n);
    const others = [
      [1, 'end'],
      [-1, 'end'],
      [1, 'set'],
      [buffers.pageBytes, 'set'],
      [0, 'current'],
      [0, 'data'],
      [0, 'hole'],
    ] as const;
    const calls = others.map(([offset, whence]) =>
      observed(`lseek(${offset}, ${whence})`, ['EINVAL'], () => agent.seek(fd, offset, whence)),
    );
    await expect(await Promise.all(calls)).toEndAsExpected();
  });

  test('DBF-02 the size is that of the buffer, in whole pages', async ({ agent, buffers }) => {
    const { pageBytes } = buffers;
    for (const bytes of [1, pageBytes, pageBytes + 1, 5 * pageBytes - 1, MIB + 1]) {
      const buffer = await buffers.allocate({ bytes });
      const size = await agent.seek(buffer.allocated.fd, 0, 'end');
      expect(size, `size of a dma-buf of ${bytes} bytes`).toBe(
        BigInt(Math.ceil(bytes / pageBytes) * pageBytes),
      );
    }
  });

  test('DBF-03 the memory stays when only the dma-buf is left', async ({ agent, buffers }) => {
    const buffer = await buffers.allocate({ bytes: 2 * MIB });
    const nonce = newNonce();
    const first = await buffer.map();
    await first.sign(nonce, 0);
    await first.unmap();
    // A second descriptor of the dma-buf, while everything else that holds the buffer goes.
    const kept = await agent.dup(buffer.allocated.fd);
    await buffer.free();
    await buffer.close();
    const others = [];
    for (let i = 0; i < 4; i++) {
      const other = await (await buffers.allocate({ bytes: 2 * MIB })).map();
      await other.mapping.fill(0xa5);
      others.push(other);
    }
    const again = await agent.mmap({ length: buffer.bytes, fd: kept });
    const order = await again.readSignatures(nonce, 0, buffer.pages);
    expect(order, 'pages of the buffer that the mapping shows').toEqual(order.map((_, page) => page));
  });

  test('DBF-04 mappings lie inside, at any page, and are shared', async ({ agent, buffers }) => {
    const { pageBytes, promises } = buffers;
    const buffer = await buffers.allocate({ bytes: PAGES * pageBytes });
    const nonce = newNonce();
    await (await buffer.map()).sign(nonce, 0);
    for (let page = 0; page < (promises.subOffset ? PAGES : 1); page++) {
      const part = await buffer.map({ at: page * pageBytes, bytes: (PAGES - page) * pageBytes });
      await expect(part).toShowItsOwnPages(nonce);
      await part.unmap();
    }
    const page = BigInt(pageBytes);
    const outside = [
      { at: 0, bytes: buffer.bytes + pageBytes },
      { at: buffer.bytes, bytes: pageBytes },
      { at: buffer.bytes - pageBytes, bytes: 2 * pageBytes },
      ...[1n << 32n, 1n << 40n, 1n << 63n, (1n << 63n) - page, (1n << 64n) - page].map((at) => ({
        at,
        bytes: pageBytes,
      })),
    ].filter(({ at }) => agent.hello.pointerBytes > 4 || BigInt(at) < 1n << 44n);
    const calls = outside.map((range) => {
      const { description, run } = mapping(buffer, range);
      return observed(description, ['EINVAL', 'EOVERFLOW'], run);
    });
    const { fd } = buffer.allocated;
    const copy = observed('a private mapping', ['EINVAL'], () =>
      agent.mmap({ length: buffer.bytes, fd, shared: false }),
    );
    await expect(await Promise.all([...calls, copy])).toEndAsExpected();
  });

  test('DBF-05 importers are independent of each other, and hold the memory by themselves', async ({
    agent,
    buffers,
    importer,
  }) => {
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: PAGES * buffers.pageBytes });
    const { fd } = buffer.allocated;
    const importers: { file: number; handle: bigint }[] = [];
    for (let i = 0; i < 2; i++) {
      const file = await agent.open(importer, 'rdwr');
      const asked = primeHandle.encode({ fd });
      const { data } = await agent.ioctl(file, drmRequests.PRIME_FD_TO_HANDLE, asked);
      importers.push({ file, handle: primeHandle.decode(data).handle });
    }
    // With importers there is something to hand over.
    for (const flags of [READ | WRITE, END | READ | WRITE]) {
      await agent.ioctl(fd, dmaBufRequests.SYNC, dmaBufSync.encode({ flags }));
    }
    await buffer.free();
    await buffer.close();
    buffers.reopen();
    for (const { file, handle } of importers) {
      const other = await (await buffers.allocate({ bytes: buffer.bytes })).map();
      await other.mapping.fill(0xa5);
      const asked = primeHandle.encode({ handle, flags: O_CLOEXEC | O_RDWR });
      const { data } = await agent.ioctl(file, drmRequests.PRIME_HANDLE_TO_FD, asked);
      const again = Number(primeHandle.decode(data).fd);
      const mapping = await agent.mmap({ length: buffer.bytes, fd: again });
      expect(await mapping.verifySign(nonce, 0)).toMatchObject({ pages: PAGES, mismatches: 0 });
      await mapping.unmap();
      await agent.close(again);
      // The other one has it all the same.
      await agent.close(file);
    }
  });

  test('DBF-06 the descriptor has the rights and flags that were asked for', async ({ agent, ioctls }) => {
    const none = 'no ioctl of this driver makes a dma-buf';
    const call = orSkip(
      ioctls.calls.find(({ makesDmaBuf }) => makesDmaBuf !== undefined),
      none,
    );
    const { flags, readOnly, readWrite, closeOnExec } = orSkip(call.makesDmaBuf, none);
    await ioctls.with(call, async ({ situation, argument }) => {
      const exported = async (value: number): Promise<number> => {
        const { data } = await agent.ioctl(situation.fd, call.request, argument({ [flags]: value }));
        const [field] = fieldsOf(call, 'out-descriptor');
        return Number(call.layout.decode(data)[field?.name ?? '']);
      };
      for (const close of [0, closeOnExec]) {
        const fd = await exported(readWrite | close);
        // fcntl.h: F_GETFD is 1, FD_CLOEXEC is 1.
        const { returned } = await agent.request<{ returned: string }>('syscall', 'fcntl', fd, 1);
        expect(Number(returned), 'descriptor flags').toBe(close === 0 ? 0 : 1);
        await (await agent.mmap({ length: agent.pageBytes, fd })).store(0, 1);
      }
      const readable = await exported(readOnly | closeOnExec);
      const seen = await agent.mmap({ length: agent.pageBytes, fd: readable, protection: 'r' });
      const page = { length: agent.pageBytes, fd: readable };
      await expect([
        await observed('a writable mapping of a read-only dma-buf', ['EACCES'], () => agent.mmap(page)),
        await observed('mprotect to writable', ['EACCES'], () => seen.protect('rw')),
        await observed('a store to it', ['SIGSEGV'], () => seen.store(0, 1)),
      ]).toEndAsExpected();
    });
  });

  test('DBF-08 a dma-buf keeps its exporter loaded', async ({ agent, buffers, lifecycle, startAgent }) => {
    // Forked before there is a buffer, it gets the dma-buf and nothing else of it.
    const child = await agent.fork();
    const buffer = await buffers.allocate({ bytes: PAGES * buffers.pageBytes });
    const kept = await child.give(buffer.allocated.fd);
    await buffer.close();
    const scout = await startAgent();
    const unloading = { description: 'unloading the module', run: () => lifecycle.tryToUnload(scout) };
    await expect(unloading).toFailWith(['EAGAIN']);
    await child.agent.mmap({ length: buffer.bytes, fd: kept });
    await child.exit();
    await expect([
      await observed('unloading it when the dma-buf is gone', ['success'], unloading.run),
    ]).toEndAsExpected();
    await scout.end();
  });

  test('DBF-09 fdinfo tells size and exporter, and a name once it has one', async ({
    agent,
    driver,
    buffers,
  }) => {
    const buffer = await buffers.allocate({ bytes: PAGES * buffers.pageBytes });
    const { fd } = buffer.allocated;
    const path = `/proc/self/fdinfo/${fd}`;
    expect(fieldsIn(await agent.readText(path))).toMatchObject({
      size: String(buffer.bytes),
      exp_name: driver.profile.exporterName ?? driver.profile.name,
    });
    const memory = await agent.anonymous(agent.pageBytes);
    await memory.poke(0, Buffer.from('a name\0'));
    // SET_NAME's third argument is the address itself.
    await agent.ioctlAt(fd, dmaBufRequests.SET_NAME, memory.address);
    expect(fieldsIn(await agent.readText(path))).toMatchObject({ name: 'a name' });
    await memory.poke(0, Buffer.alloc(64, 'x'));
    const long = {
      description: 'SET_NAME with 64 bytes',
      run: () => agent.ioctlAt(fd, dmaBufRequests.SET_NAME, memory.address),
    };
    await expect(long).toFailWith(['EINVAL']);
  });

  test('DBF-10 without fences it is ready, and gives a sync file that is signalled', async ({
    agent,
    buffers,
  }) => {
    const { fd } = (await buffers.allocate({ bytes: buffers.pageBytes })).allocated;
    const poll = async (file: number) =>
      (await agent.request<{ events: string[] }>('poll', file, 'in,out', 0)).events;
    expect(await poll(fd)).toEqual(['in', 'out']);
    const argument = dmaBufSyncFile.encode({ flags: READ | WRITE, fd: -1 });
    const answer = await agent.attempt(() => agent.ioctl(fd, dmaBufRequests.EXPORT_SYNC_FILE, argument));
    test.skip(answer.errno === 'ENOTTY', 'this kernel has no sync files of dma-bufs (Linux 6.0)');
    const file = Number(dmaBufSyncFile.decode(answer.ok?.data ?? argument).fd);
    expect(await poll(file)).toContain('in');
  });

  test('DBF-11 exporting over and over leaves nothing', async ({ agent, ioctls, balanceOf }) => {
    const call = orSkip(
      ioctls.calls.find(({ makesDmaBuf }) => makesDmaBuf !== undefined),
      'no ioctl of this driver makes a dma-buf',
    );
    const rounds = 1000;
    const balance = await balanceOf(`${rounds} exports`, () =>
      ioctls.with(call, async ({ situation, argument }) => {
        const before = await agent.openFiles();
        const fd = lowestFree(before.map((file) => file.fd));
        const [exported, closed] = await repeat(agent, rounds, [
          ioctlStep(situation.fd, call.request, argument()),
          ['close', fd],
        ]);
        expect({ exported, closed }).toEqual({
          exported: { ok: rounds, failed: {} },
          closed: { ok: rounds, failed: {} },
        });
      }),
    );
    await expect(balance).toBalance();
  });

  test('CAC-06 bracketing the CPU takes the flags that mean something, in any order', async ({
    agent,
    buffers,
  }) => {
    const { fd } = (await buffers.allocate({ bytes: PAGES * buffers.pageBytes })).allocated;
    const sync = (flags: number | bigint) => () =>
      agent.ioctl(fd, dmaBufRequests.SYNC, dmaBufSync.encode({ flags }));
    const both = READ | WRITE;
    const good = [END | both, READ, READ, END | READ, WRITE, END | WRITE, both, both, END | both, END | both];
    const undefinedBits = Array.from({ length: 61 }, (_, bit) => (1n << BigInt(bit + 3)) | BigInt(READ));
    const calls = [
      ...good.map((flags) => observed(`SYNC ${flags}`, ['success'], sync(flags))),
      ...[0n, BigInt(END), ...undefinedBits].map((flags) =>
        observed(`SYNC 0x${flags.toString(16)}`, ['EINVAL'], sync(flags)),
      ),
    ];
    await expect(await Promise.all(calls)).toEndAsExpected();
  });
});

function fieldsIn(fdinfo: string): Record<string, string> {
  return Object.fromEntries(
    fdinfo.split('\n').map((line) => [line.split(':')[0] ?? '', line.slice(line.indexOf(':') + 1).trim()]),
  );
}
