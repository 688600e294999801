// SPDX-License-Identifier: MIT
/** SHR: descriptors that are passed, copied and opened again; two processes at work on one buffer. */
import { expect, forEachStrategy, observed, signedBuffer, test, NOBODY } from '../../fixtures/index.ts';

/** fcntl.h: F_GETFD, FD_CLOEXEC. */
const F_GETFD = 1;
const FD_CLOEXEC = 1n;

forEachStrategy(() => {
  test('SHR-01 whoever is passed a descriptor can map the buffer after its sender closed it', async ({
    buffers,
    agent,
  }) => {
    const receiver = await agent.fork();
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: 4 * buffers.pageBytes });
    const { mmapOffset: offset } = buffer.allocated;
    const fd = await receiver.give(buffer.allocated.fd);
    await buffer.close();
    const mapping = await receiver.agent.mmap({ length: buffer.bytes, fd, offset });
    expect(await mapping.verifySign(nonce, 0)).toMatchObject({ pages: 4, mismatches: 0 });
    await receiver.agent.close(fd);
    expect(await mapping.verifySign(nonce, 0)).toMatchObject({ pages: 4, mismatches: 0 });
    await receiver.exit();
  });

  test('SHR-02 a duplicated descriptor is the same one, and outlives it', async ({ buffers, agent }) => {
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: 4 * buffers.pageBytes });
    const { fd, mmapOffset: offset } = buffer.allocated;
    const copy = await agent.dup(fd);
    await agent.close(fd);
    const mapping = await agent.mmap({ length: buffer.bytes, fd: copy, offset });
    expect(await mapping.verifySign(nonce, 0)).toMatchObject({ pages: 4, mismatches: 0 });
  });

  test('SHR-02 opening a descriptor anew gives no way to the buffer', async ({ buffers, agent }) => {
    const { buffer } = await signedBuffer(buffers, { bytes: 4 * buffers.pageBytes });
    const { fd, mmapOffset: offset } = buffer.allocated;
    const opened = await agent.attempt(() => agent.open(`/proc/self/fd/${fd}`, 'rdwr'));
    // A descriptor that belongs to no file system cannot be opened at all: fs/inode.c: no_open().
    if (opened.ok === undefined) {
      expect(opened.errno).toBe('ENXIO');
      return;
    }
    const again = opened.ok;
    const map = () => agent.mmap({ length: buffer.bytes, fd: again, offset });
    await expect([
      await observed('mmap of a file that was opened anew', buffers.promises.outOfBounds, map),
    ]).toEndAsExpected();
  });

  test('SHR-03 descriptors that the driver makes are closed on exec when that was asked for', async ({
    buffers,
    agent,
    strategy,
  }) => {
    test.skip(strategy !== 'dma-buf', 'descriptors of this strategy are made by open()');
    const buffer = await buffers.allocate({ bytes: buffers.pageBytes });
    const { returned } = await agent.request<{ returned: string }>(
      'syscall',
      'fcntl',
      buffer.allocated.fd,
      F_GETFD,
    );
    expect(BigInt(returned) & FD_CLOEXEC).toBe(FD_CLOEXEC);
  });

  test('SHR-04 two processes that take turns never miss what the other one wrote', async ({
    buffers,
    agent,
  }) => {
    const { buffer } = await signedBuffer(buffers, { bytes: 2 * buffers.pageBytes });
    // Two mappings at different addresses, so that no cache line is found by its virtual address.
    const mine = (await buffer.map()).mapping;
    const child = await agent.fork();
    const theirs = (await buffer.in(child.agent).map()).mapping;
    await mine.store(64, 0);
    const turns = Array.from({ length: 400 }, (_, turn) => {
      const { agent: player, address } = turn % 2 === 0 ? mine : theirs;
      return player.request<{ exchanged?: boolean }>('exchange', address + 64, 8, turn, turn + 1);
    });
    await Promise.all(turns);
    expect(await mine.load(64), 'turns that were taken').toBe(400n);
    await child.exit();
  });

  test('SHR-07 a descriptor is taken from a process only by who may debug it', async ({ buffers, agent }) => {
    const owner = await agent.fork();
    const theirs = buffers.others({ agent: owner.agent });
    const { buffer, nonce } = await signedBuffer(theirs, { bytes: 4 * buffers.pageBytes });
    const { fd, mmapOffset: offset } = buffer.allocated;
    const opened = await agent.request<{ returned: string }>('syscall', 'pidfd_open', owner.pid, 0);
    const process = Number(opened.returned);
    const stranger = await agent.fork();
    await stranger.agent.request('setuid', NOBODY);
    await expect([
      await observed('pidfd_getfd() by another user', ['EPERM'], () =>
        stranger.agent.request('syscall', 'pidfd_getfd', process, fd, 0),
      ),
    ]).toEndAsExpected();
    const got = await agent.request<{ returned: string }>('syscall', 'pidfd_getfd', process, fd, 0);
    await buffer.close();
    const mapping = await agent.mmap({ length: buffer.bytes, fd: Number(got.returned), offset });
    expect(await mapping.verifySign(nonce, 0)).toMatchObject({ pages: 4, mismatches: 0 });
    await stranger.exit();
    await owner.exit();
  });

  test('SHR-06 calls that have nothing to do with buffers end as the driver says', async ({
    buffers,
    agent,
  }) => {
    const { file } = buffers.promises;
    const { fd } = (await buffers.allocate({ bytes: buffers.pageBytes })).allocated;
    await expect([
      await observed('read()', file.read, () => agent.read(fd, 8)),
      await observed('write()', file.write, () => agent.write(fd, Buffer.alloc(8))),
      await observed('lseek() to where it stands', file.seek, () => agent.seek(fd, 0, 'current')),
    ]).toEndAsExpected();
  });
});
