// SPDX-License-Identifier: MIT
/**
 * The reference models: what mm and a driver ought to answer. The random address space is tried on this
 * machine's kernel with files for buffers, which must agree with the model, and with one that lies.
 */
import { rulesFor } from '../../fixtures/mm-rules.ts';
import { refusals, type MapCase } from '../../fixtures/map-model.ts';
import { fuzzAddressSpace } from '../../fixtures/address-space-fuzz.ts';
import type { Buffers } from '../../fixtures/buffers.ts';
import type { Agent } from '../../harness/agent/client.ts';
import { DriverBuffer } from '../../harness/profile/buffer.ts';
import type { AllocatedBuffer, AllocationRequest } from '../../harness/profile/profile.ts';
import { contigbuf } from '../../harness/profile/contigbuf.ts';
import { Whereabouts } from '../../harness/witness/whereabouts.ts';
import { expect, test } from './agent-on-host.ts';

const PAGE = 16_384;
const whole: MapCase = { bufferPages: 3, first: 0, pages: 3, shared: true, protection: 'rw' };

const errors = (change: Partial<MapCase>, start = 0n, promises = contigbuf.properties) =>
  refusals({ ...whole, ...change }, start, PAGE, promises);
const accepted = (flags: string[], release: string, call: string) =>
  rulesFor({ flags }, release).find((rule) => rule.call.startsWith(call))?.accepted;

const nothing = () => Promise.resolve();

test.describe('ranges', () => {
  test('what lies inside is mapped, what does not is refused', () => {
    expect(errors({})).toEqual([]);
    expect(errors({ first: 2, pages: 1 })).toEqual([]);
    expect(errors({ first: 2, pages: 2 })).toEqual(['EINVAL']);
    expect(errors({ first: 3, pages: 1 })).toEqual(['EINVAL']);
    expect(errors({ first: -1, pages: 1 }, 1n << 40n)).toEqual(['EINVAL']);
    expect(errors({ pages: 0, first: 99 })).toEqual(['EINVAL']);
  });

  test('offsets that wrap may be refused before the driver sees them', () => {
    expect(errors({ first: -1, pages: 2 })).toEqual(['EINVAL', 'EOVERFLOW']);
    expect(errors({ first: -1, pages: 1 })).toEqual(['EINVAL', 'EOVERFLOW']);
    expect(errors({ first: -2, pages: 1 })).toEqual(['EINVAL']);
  });

  test('several reasons to refuse give several errors to accept', () => {
    expect(errors({ protection: 'rx' })).toEqual(['EPERM']);
    expect(errors({ shared: false, protection: 'r' })).toEqual(['EINVAL']);
    expect(errors({ first: 9, protection: 'x' })).toEqual(['EINVAL', 'EPERM']);
    const whatever = { ...contigbuf.properties, privateMaps: 'allowed', subOffset: false } as const;
    expect(errors({ shared: false }, 0n, whatever)).toEqual([]);
    expect(errors({ first: 1, pages: 1 }, 0n, whatever)).toEqual(['EINVAL']);
  });
});

test.describe('what mm decides', () => {
  test('goes by the class that VmFlags tell', () => {
    expect(accepted(['rd', 'pf', 'io', 'de', 'dd'], '6.1.0', 'madvise dontneed')).toEqual(['EINVAL']);
    expect(accepted(['rd', 'mm', 'de', 'dd'], '6.1.0', 'madvise dontneed')).toEqual(['success']);
    expect(accepted(['rd'], '6.1.0', 'mremap, one page more')).toEqual(['success']);
    expect(accepted(['rd', 'de'], '6.1.0', 'mremap, one page more')).toEqual(['EFAULT']);
  });

  test('and by the kernel where they differ', () => {
    const lazy = ['rd', 'pf', 'de', 'dd'];
    expect(accepted(lazy, '6.12.117+deb12', 'madvise dofork')).toEqual(['success']);
    expect(accepted(lazy, '6.17.3', 'madvise dofork')).toEqual(['success', 'EINVAL']);
    expect(accepted(lazy, '7.3.4+deb13', 'madvise dofork')).toEqual(['EINVAL']);
    expect(accepted(['pf', 'io'], '6.1.0-56-arm64', 'madvise dofork')).toEqual(['EINVAL']);
  });
});

test.describe('random address spaces', () => {
  /** Files in memory in place of buffers. @param lie pages by which the largest one is off */
  const files = (agent: Agent, lie: number): Buffers => {
    const allocate = async ({ bytes }: AllocationRequest): Promise<DriverBuffer> => {
      const path = `/dev/shm/bufrig-selftest-${agent.hello.pid}`;
      const fd = await agent.open(path, 'rdwr,create,truncate');
      const { pageBytes } = agent;
      await agent.request('truncate', fd, Number(bytes) + lie * pageBytes);
      const allocated: AllocatedBuffer = {
        fd,
        mmapOffset: 0n,
        requestedBytes: Number(bytes),
        allocatedBytes: Number(bytes),
        close: nothing,
        free: nothing,
        release: nothing,
      };
      // The next one is another file.
      const name = await agent.anonymous(pageBytes);
      await name.poke(0, Buffer.from(`${path}\0`));
      await agent.request('syscall', 'unlinkat', -100, name.address, 0);
      return new Shifted(agent, 'file', allocated, new Whereabouts([], pageBytes), lie);
    };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return { allocate } as unknown as Buffers;
  };

  class Shifted extends DriverBuffer {
    readonly #lie: number;

    constructor(agent: Agent, label: string, allocated: AllocatedBuffer, where: Whereabouts, lie: number) {
      super(agent, label, allocated, where);
      this.#lie = lie;
    }

    /** One page further when the whole is longer and the place is not the first: a sub-offset ignored. */
    override offsetOf(at: bigint): bigint {
      return this.#lie > 0 && at > 0n ? 0n : super.offsetOf(at);
    }
  }

  test('this kernel and the model agree', async ({ agent }) => {
    for (const seed of [1, 2, 3]) {
      expect(await fuzzAddressSpace(files(agent, 0), agent, seed, 3000)).toEqual({ operations: 3000 });
    }
  });

  test('an offset that is ignored is found, and told in a few requests', async ({ agent }) => {
    const { failure } = await fuzzAddressSpace(files(agent, 1), agent, 1, 3000);
    const program = failure?.program.filter((line) =>
      /^(mmap|store|load|mprotect|munmap|mremap) /.test(line),
    );
    expect(failure?.seen).not.toBe(failure?.expected);
    expect(program?.length).toBeLessThan(40);
    // At the end somebody reads a page and sees what was stored through another one.
    expect(program?.at(-1)).toMatch(/^load .* -> ok \d+$/);
  });
});
