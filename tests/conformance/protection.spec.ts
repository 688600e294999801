// SPDX-License-Identifier: MIT
/** MAP-03 to MAP-07: who may do what to a mapping (mm/mmap.c: do_mmap; mm/mprotect.c: do_mprotect_pkey). */
import { expect, forEachStrategy, observed, signedBuffer, test } from '../../fixtures/index.ts';
import type { Expectation } from '../../fixtures/index.ts';

const VALUE = 0x1122_3344n;

forEachStrategy(() => {
  test('MAP-03 the mode a file was opened in limits what its mappings may do', async ({ buffers }) => {
    const { pageBytes, promises } = buffers;
    const bytes = 2 * pageBytes;
    const { accesses } = promises;
    test.skip(accesses?.length === 1, `its descriptors are always opened ${accesses?.[0]}`);
    const readable = await buffers.others({ access: 'rdonly' }).allocate({ bytes });
    const readOnly = promises.readOnlyFiles === 'allowed' ? ['success'] : promises.readOnlyFiles;
    const calls: Expectation[] = [
      await observed('mmap rw of an O_RDONLY file', ['EACCES'], () => readable.map()),
      await observed('mmap w of an O_RDONLY file', ['EACCES'], () => readable.map({ protection: 'w' })),
      await observed('mmap r of an O_RDONLY file', readOnly, () => readable.map({ protection: 'r' })),
    ];
    if (promises.accesses?.includes('wronly') ?? true) {
      // No mapping can be made that is not readable, so there is none of a file that cannot be read.
      const writable = await buffers.others({ access: 'wronly' }).allocate({ bytes });
      calls.push(
        await observed('mmap r of an O_WRONLY file', ['EACCES'], () => writable.map({ protection: 'r' })),
        await observed('mmap w of an O_WRONLY file', ['EACCES'], () => writable.map({ protection: 'w' })),
        await observed('mmap rw of an O_WRONLY file', ['EACCES'], () => writable.map()),
      );
    }
    if (promises.readOnlyFiles === 'allowed') {
      const { mapping } = await readable.map({ protection: 'r' });
      calls.push(
        await observed('mprotect to rw of what was opened O_RDONLY', ['EACCES'], () => mapping.protect('rw')),
        await observed('a load from it', ['success'], () => mapping.load(0)),
        await observed('a store to it', ['SIGSEGV'], () => mapping.store(0, 1)),
      );
    }
    await expect(calls).toEndAsExpected();
  });

  test('MAP-04 what was attached for reading can never be written to', async ({ buffers }) => {
    test.skip(!(await buffers.haveNames()), 'the driver has no names to attach buffers by');
    const owned = await signedBuffer(buffers, { bytes: 2 * buffers.pageBytes });
    const attached = await buffers.others().attach(owned.buffer, true);
    const calls: Expectation[] = [
      await observed('mmap rw of a read-only attachment', ['EACCES'], () => attached.map()),
      await observed('mmap w of a read-only attachment', ['EACCES'], () => attached.map({ protection: 'w' })),
    ];
    const reading = await attached.map({ protection: 'r' });
    const { mapping } = reading;
    calls.push(
      await observed('mprotect to rw', ['EACCES'], () => mapping.protect('rw')),
      await observed('mprotect of one page to w', ['EACCES'], () => mapping.page(1).protect('w')),
      await observed('a store', ['SIGSEGV'], () => mapping.store(0, 1)),
    );
    await expect(calls).toEndAsExpected();
    await expect(reading).toShowItsOwnPages(owned.nonce);
  });

  test('MAP-05 every access that the protection does not allow raises SIGSEGV and changes nothing', async ({
    buffers,
  }) => {
    const { pageBytes, promises } = buffers;
    const buffer = await buffers.allocate({ bytes: 3 * pageBytes });
    const { mapping: writing } = await buffer.map();
    const calls: Expectation[] = [];
    const protections =
      promises.unreadableMaps === undefined ? (['r', 'none', 'w'] as const) : (['r'] as const);
    for (const [page, protection] of protections.entries()) {
      await writing.store(page * pageBytes, VALUE);
      // The whole range, so that a piece of it tells what the protection of the whole is.
      const { mapping } = await buffer.map({ protection });
      const at = page * pageBytes;
      const load = protection === 'r' ? ['success'] : protection === 'none' ? ['SIGSEGV'] : undefined;
      if (load !== undefined) {
        calls.push(await observed(`a load from a mapping made ${protection}`, load, () => mapping.load(at)));
      }
      const store = protection === 'w' ? ['success'] : ['SIGSEGV'];
      calls.push(
        await observed(`a store to a mapping made ${protection}`, store, () => mapping.store(at, 7)),
      );
      const value = await writing.load(at);
      expect(value, `after a store through a mapping made ${protection}`).toBe(
        protection === 'w' ? 7n : VALUE,
      );
    }
    await expect(calls).toEndAsExpected();
  });

  test('MAP-06 memory that devices write to is executed only where the driver says so', async ({
    buffers,
  }) => {
    const { pageBytes, promises } = buffers;
    const buffer = await buffers.allocate({ bytes: pageBytes });
    const expected = promises.executableMaps === 'allowed' ? ['success'] : promises.executableMaps;
    const calls: Expectation[] = [];
    for (const protection of ['x', 'rx', 'rwx'] as const) {
      if (protection === 'x' && promises.unreadableMaps !== undefined) continue;
      calls.push(await observed(`mmap ${protection}`, expected, () => buffer.map({ protection })));
    }
    const { mapping } = await buffer.map();
    // What mmap() refuses must not be had through mprotect(): VM_MAYEXEC.
    const later = promises.executableMaps === 'allowed' ? ['success'] : ['EACCES'];
    calls.push(await observed('mprotect to rx', later, () => mapping.protect('rx')));
    await expect(calls).toEndAsExpected();
  });

  test('MAP-07 taking rights away and giving them back loses nothing', async ({ buffers }) => {
    const { buffer, nonce } = await signedBuffer(buffers, { bytes: 5 * buffers.pageBytes });
    for (const first of ['touched', 'untouched'] as const) {
      const mapped = await buffer.map();
      const { mapping } = mapped;
      if (first === 'touched') await mapping.touch('read');
      await mapping.protect('none');
      const blind = await observed('a load without rights', ['SIGSEGV'], () => mapping.load(0));
      await mapping.protect('r');
      await expect(mapped, `${first}, read-only again`).toShowItsOwnPages(nonce);
      const reading = await observed('a store without the right', ['SIGSEGV'], () => mapping.store(0, 1));
      await mapping.protect('rw');
      const writing = await observed('a store', ['success'], async () =>
        mapping.store(0, await mapping.load(0)),
      );
      await expect([blind, reading, writing]).toEndAsExpected();
      await expect(mapped, `${first}, writable again`).toShowItsOwnPages(nonce);
    }
  });
});
