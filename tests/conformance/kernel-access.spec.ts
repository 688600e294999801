// SPDX-License-Identifier: MIT
/**
 * GUP, DBG: how the kernel itself gets at mapped memory for others. What follows from the mapping class
 * alone (process_vm_readv, vmsplice, futex, read and write) is in fixtures/mm-rules.ts.
 */
import { expect, forEachStrategy, newNonce, observed, signedBuffer, test } from '../../fixtures/index.ts';

/** linux/io_uring.h: IORING_REGISTER_BUFFERS; bytes of struct io_uring_params. */
const REGISTER_BUFFERS = 0;
const PARAMS_BYTES = 120;
const SIGABRT = 6;
/** linux/futex.h */
const FUTEX_WAIT = 0;
const FUTEX_WAKE = 1;

const inMemory = new Set(['tmpfs', 'ramfs', 'rootfs']);

/** The kind of file system that a path is on. @param mounts text of /proc/mounts */
function fileSystemOf(path: string, mounts: string): string {
  const kinds = mounts.split('\n').flatMap((line) => {
    const [, place = '', kind = ''] = line.split(' ');
    const folder = place === '/' ? '/' : `${place}/`;
    return place !== '' && `${path}/`.startsWith(folder) ? [{ kind, depth: folder.length }] : [];
  });
  // Of several at one place the last one is seen.
  return kinds.toReversed().toSorted((one, other) => other.depth - one.depth)[0]?.kind ?? 'unknown';
}

forEachStrategy(() => {
  test('GUP-01 O_DIRECT reaches the memory only where it has page references', async ({
    buffers,
    agent,
    target,
  }) => {
    const fileSystem = fileSystemOf(target.directory, await agent.readText('/proc/mounts'));
    // Some take the flag since Linux 6.6, and copy all the same (mm/shmem.c).
    test.skip(inMemory.has(fileSystem), `${fileSystem}, which this target has, is memory: nothing is direct`);
    const opened = await agent.attempt(() => agent.open(`${target.directory}/direct`, 'rdwr,create,direct'));
    test.skip(opened.errno === 'EINVAL', `${fileSystem}, which this target has, takes no O_DIRECT`);
    expect(opened.errno, 'how a file was opened with O_DIRECT').toBeUndefined();
    const { mapping } = await (await buffers.allocate({ bytes: buffers.pageBytes })).map();
    const referenced = !buffers.promises.mappingClass.startsWith('pfn');
    const write = () => agent.request('write-from', opened.ok ?? -1, mapping.address, mapping.bytes, 0);
    await expect([
      await observed('write() with O_DIRECT', referenced ? ['success'] : ['EFAULT'], write),
    ]).toEndAsExpected();
  });

  test('GUP-02 nor can io_uring pin it', async ({ buffers, agent }) => {
    const { mapping } = await (await buffers.allocate({ bytes: 2 * buffers.pageBytes })).map();
    const scratch = await agent.anonymous(buffers.pageBytes);
    const setup = await agent.attempt(() =>
      agent.request<{ returned: string }>('syscall', 'io_uring_setup', 4, scratch.address),
    );
    // EPERM: kernel.io_uring_disabled, also for root (Documentation/admin-guide/sysctl/kernel.rst).
    const refused = setup.errno === 'ENOSYS' || setup.errno === 'EPERM';
    test.skip(refused, `this kernel gives nobody io_uring: ${setup.errno}`);
    expect(setup.errno, 'how io_uring_setup() ended').toBeUndefined();
    const word = agent.hello.pointerBytes === 8 ? 8 : 4;
    const iovec = scratch.part(PARAMS_BYTES + 8, 2 * word);
    await iovec.store(0, mapping.address, word);
    await iovec.store(word, mapping.bytes, word);
    const referenced = !buffers.promises.mappingClass.startsWith('pfn');
    const register = () =>
      agent.request(
        'syscall',
        'io_uring_register',
        Number(setup.ok?.returned),
        REGISTER_BUFFERS,
        iovec.address,
        1,
      );
    // Some kernels take no mapping of any file but those of shared memory (io_uring/rsrc.c: io_pin_pages).
    const accepted = referenced ? ['success', 'EOPNOTSUPP'] : ['EFAULT', 'EOPNOTSUPP'];
    await expect([await observed('io_uring_register of the mapping', accepted, register)]).toEndAsExpected();
  });

  test('GUP-05 two processes meet at a futex in it, or are told that they cannot', async ({
    buffers,
    agent,
  }) => {
    const { mapping } = await (await buffers.allocate({ bytes: buffers.pageBytes })).map();
    await mapping.store(0, 0, 4);
    const wake = () =>
      agent.request<{ returned: string }>('syscall', 'futex', mapping.address, FUTEX_WAKE, 1, 0, 0, 0);
    // kernel/futex/core.c: get_futex_key() knows pages of files, and no memory of the kernel's own.
    if (buffers.promises.mappingClass !== 'file') {
      const wait = () => agent.request('syscall', 'futex', mapping.address, FUTEX_WAIT, 1, 0, 0, 0);
      await expect([
        await observed('waking at a futex', ['EFAULT'], wake),
        await observed('waiting at a futex', ['EFAULT'], wait),
      ]).toEndAsExpected();
      return;
    }
    const child = await agent.fork();
    await child.begin(`syscall futex ${mapping.address} ${FUTEX_WAIT} 0 0 0 0`);
    await expect.poll(async () => (await wake()).returned, { message: 'processes woken' }).toBe('0x1');
    await child.finish();
    await child.exit();
  });

  test('GUP-06 DBG-02 debuggers see and change what the mapping allows, if the driver lets them', async ({
    buffers,
    agent,
    target,
  }) => {
    const { pageBytes, promises } = buffers;
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: 4 * pageBytes });
    const child = await agent.fork();
    const there = buffer.in(child.agent);
    const writable = (await there.map()).mapping;
    const readable = (await there.map({ protection: 'r' })).mapping;
    const memory = await agent.open(`/proc/${child.pid}/mem`, 'rdwr');
    const read = (address: number, bytes: number) => agent.read(memory, bytes, address);
    const write = (address: number) => agent.write(memory, Buffer.from('debugger'), address);
    // mm/memory.c: __access_remote_vm() asks vm_operations_struct.access only with HAVE_IOREMAP_PROT.
    const referenced = !promises.mappingClass.startsWith('pfn');
    const reached = referenced || (promises.debuggable && /64/.test(target.facts.machine));
    if (!reached) {
      await expect([
        await observed('read of /proc/PID/mem', ['EIO'], () => read(writable.address, 8)),
        await observed('write of /proc/PID/mem', ['EIO'], () => write(writable.address)),
      ]).toEndAsExpected();
      return;
    }
    // Also a piece whose start is not the mapping's, and one that crosses pages.
    await writable.page(1).protect('r');
    for (const [at, bytes] of [
      [0, 64],
      [pageBytes + 8, 64],
      [2 * pageBytes, 64],
      [3 * pageBytes - 16, 32],
    ] as const) {
      const seen = await read(writable.address + at, bytes);
      expect(seen.toString('hex'), `${bytes} bytes at ${at}`).toBe(
        (await readable.peek(at, bytes)).toString('hex'),
      );
    }
    await write(writable.address + 2 * pageBytes + 256);
    expect((await readable.peek(2 * pageBytes + 256, 8)).toString()).toBe('debugger');
    // The force that debuggers use must not make read-only memory writable.
    await expect([
      await observed('write to a read-only mapping', ['EIO', 'EACCES'], () => write(readable.address)),
    ]).toEndAsExpected();
    expect(await readable.verifySign(nonce, 0)).toMatchObject({ mismatches: 0 });
    await child.exit();
  });

  test('GUP-06 DBG-02 and no more than one mapping allows: at its end they stop', async ({
    buffers,
    agent,
    target,
  }) => {
    const { pageBytes, promises } = buffers;
    const reached =
      !promises.mappingClass.startsWith('pfn') || (promises.debuggable && /64/.test(target.facts.machine));
    test.skip(!reached, 'debuggers do not reach the memory, which the test before this one sees');
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: 4 * pageBytes });
    const child = await agent.fork();
    const { mapping } = await buffer.in(child.agent).map();
    const { mapping: witness } = await buffer.map();
    const memory = await agent.open(`/proc/${child.pid}/mem`, 'rdwr');
    const across = (page: number) => mapping.address + page * pageBytes - 8;
    // Of one mapping three: the second cannot be written to, the third ends a page early.
    await mapping.page(1).protect('r');
    await mapping.page(3).unmap();
    expect(await agent.write(memory, Buffer.from('debugger, and more'), across(1)), 'bytes written').toBe(8);
    expect((await witness.peek(pageBytes - 8, 8)).toString()).toBe('debugger');
    expect((await agent.read(memory, 64, across(3))).toString('hex'), 'what is read at the end').toBe(
      (await witness.peek(3 * pageBytes - 8, 8)).toString('hex'),
    );
    // Where one mapping ends and the next begins, both are read.
    expect((await agent.read(memory, 16, across(2))).toString('hex')).toBe(
      (await witness.peek(2 * pageBytes - 8, 16)).toString('hex'),
    );
    expect(await witness.part(pageBytes, 3 * pageBytes).verifySign(nonce, 1)).toMatchObject({
      mismatches: 0,
    });
    await child.exit();
  });

  test('DBG-01 a core dump has nothing of the buffer in it', async ({ buffers, agent, target }) => {
    const bytes = 64 * buffers.pageBytes;
    const pattern = '/proc/sys/kernel/core_pattern';
    const core = `${target.directory}/core`;
    const { buffer, nonce } = await signedBuffer(buffers, { bytes });
    const ordinary = await agent.anonymous(bytes);
    const ordinaryNonce = newNonce();
    await ordinary.sign(ordinaryNonce, 0);
    const mapped = await buffer.map();
    const child = await agent.fork();
    // By the target itself: the process that dumps may be this test's last, and the link may break meanwhile.
    const restore = `cat "$1/core_pattern" >${pattern}`;
    const kept = `cat ${pattern} >"$1/core_pattern" && echo 'set -- "\${0%/*}"; ${restore}' >>"$1/at-end"`;
    await target.execOk(['sh', '-c', kept, 'sh', target.directory]);
    try {
      await agent.writeText(pattern, core);
      await agent.writeText(`/proc/${child.pid}/coredump_filter`, '0x7f');
      await child.agent.request('rlimit', 'core', 'unlimited', 'unlimited');
      expect(await mapped.in(child.agent).mapping.verifySign(nonce, 0)).toMatchObject({ mismatches: 0 });
      expect(await child.kill(SIGABRT)).toMatchObject({ signal: 'SIGABRT' });
    } finally {
      await target.execOk(['sh', '-c', restore, 'sh', target.directory]);
    }
    const { files } = { files: [core, `${core}.${child.pid}`] };
    let dump: number | undefined;
    for (const file of files) dump ??= (await agent.attempt(() => agent.open(file, 'rdonly'))).ok;
    expect(dump, 'a core dump').toBeDefined();
    const length = Number(await agent.seek(dump ?? -1, 0, 'end'));
    const dumped = await agent.mmap({ length, protection: 'r', fd: dump ?? -1 });
    const pages = bytes / buffers.pageBytes;
    // Dumped memory lies at page boundaries of the file (fs/binfmt_elf.c).
    const found = async (which: bigint) =>
      (await dumped.readSignatures(which, 0, pages)).filter((page) => page !== null).length;
    expect(await found(ordinaryNonce), 'pages of ordinary memory in the dump').toBe(pages);
    expect(await found(nonce), 'pages of the buffer in the dump').toBe(0);
  });

  test('DBG-04 tracking of referenced and dirty pages changes nothing', async ({
    buffers,
    agent,
    kernelSays,
  }) => {
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: 8 * buffers.pageBytes });
    const mapped = await buffer.map();
    await expect(mapped).toShowItsOwnPages(nonce);
    const clear = await agent.open('/proc/self/clear_refs', 'wronly');
    // fs/proc/task_mmu.c: referenced bits of all, of anonymous, of file pages; dirty bits; the peak of RSS.
    for (const what of ['1', '2', '3', '4', '5']) {
      await agent.write(clear, Buffer.from(what));
      await expect(mapped, `after clearing ${what}`).toShowItsOwnPages(nonce);
      await mapped.mapping.store(8 * buffers.pageBytes - 8, 1);
    }
    await mapped.mapping.pagemap();
    await expect(await buffer.map()).toShowItsOwnPages(nonce);
    expect(
      (await kernelSays()).filter((line) => /WARN|BUG|Bad/.test(line)),
      'what the kernel logged',
    ).toEqual([]);
  });
});
