// SPDX-License-Identifier: MIT
/** What one guest more costs, from the first to the fourth, each ready for a test: time and the host's memory. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { rigTest as test, timed } from '../../../fixtures/rig-bench.ts';
import type { Point } from '../../../harness/measure/line.ts';
import type { ReadyTarget } from '../../../harness/supply/ready-target.ts';
import type { Target, TargetFacts } from '../../../harness/target/target.ts';
import { recordGrowth } from './growth.ts';

const GUESTS = 4;
const ROUNDS = 3;
const MIB = 1024 * 1024;

test('guest-growth: time and memory of up to four guests', async ({ making, record }) => {
  const never = new AbortController().signal;
  // The first one is what the others are restored from, where that can be done.
  await making.dispose(await making.make(never));
  const [time, memory]: [Point[][], Point[][]] = [[], []];
  let facts: TargetFacts | undefined;
  for (let round = 0; round < ROUNDS; round++) {
    const guests: ReadyTarget[] = [];
    const [times, memories]: [Point[], Point[]] = [[], []];
    let taken = 0;
    for (let count = 1; count <= GUESTS; count++) {
      taken += await timed(async () => guests.push(await making.make(never)));
      times.push({ x: count, y: taken });
      const each = await Promise.all(guests.map(({ target }) => memoryOf(target)));
      memories.push({ x: count, y: each.reduce((sum, bytes) => sum + bytes, 0) / MIB });
    }
    facts = guests[0]?.target.facts;
    await Promise.all(guests.map((guest) => making.dispose(guest)));
    time.push(times);
    memory.push(memories);
  }
  if (facts === undefined) return;
  const common = { id: 'guest-growth', axis: 'guests' };
  await recordGrowth(record, facts, {
    ...common,
    what: 'time until all are ready',
    unit: 'ms',
    rounds: time,
  });
  await recordGrowth(record, facts, { ...common, what: 'memory of all guests', unit: 'MiB', rounds: memory });
});

/** Bytes of the host that a guest's emulator has for itself, its share of what is shared included. */
async function memoryOf({ externalMemory }: Target): Promise<number> {
  const file = externalMemory?.file ?? '';
  // A copy's RAM is in its emulator's memory only; another guest's is a file beside the emulator's pid.
  const pid =
    /^\/proc\/(\d+)\/mem$/.exec(file)?.[1] ?? (await readFile(join(dirname(file), 'qemu.pid'), 'utf8'));
  const rollup = await readFile(`/proc/${pid.trim()}/smaps_rollup`, 'utf8');
  return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1]) * 1024;
}
