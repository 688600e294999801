// SPDX-License-Identifier: MIT
/** What one guest more costs, from the first to the fourth: time to its login, and the host's memory. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, rigTest as test, timed } from '../../../fixtures/rig-bench.ts';
import { lineThrough } from '../../../harness/measure/line.ts';
import type { Target } from '../../../harness/target/target.ts';

const GUESTS = 4;
const MIB = 1024 * 1024;

test('guest-growth: time and memory of up to four guests', async ({ boot, record }) => {
  const guests: Target[] = [];
  const points: { guests: number; milliseconds: number; bytes: number }[] = [];
  let milliseconds = 0;
  for (let count = 1; count <= GUESTS; count++) {
    milliseconds += await timed(async () => guests.push(await boot()));
    const each = await Promise.all(guests.map(memoryOf));
    points.push({ guests: count, milliseconds, bytes: each.reduce((sum, bytes) => sum + bytes, 0) });
  }
  const facts = guests[0]?.facts;
  expect(facts).toBeDefined();
  if (facts === undefined) return;
  for (const { plot, unit, value } of [
    {
      plot: 'time to the last login',
      unit: 'ms',
      value: (point: (typeof points)[number]) => point.milliseconds,
    },
    {
      plot: 'memory of all guests',
      unit: 'MiB',
      value: (point: (typeof points)[number]) => point.bytes / MIB,
    },
  ]) {
    for (const point of points) {
      await record(facts, {
        id: `guest-growth/${unit}/${point.guests}`,
        title: `${plot}, ${point.guests} guests`,
        unit,
        better: 'lower',
        samples: [value(point)],
        point: { plot, series: 'guests', x: point.guests, axis: 'guests', shows: 'median' },
      });
    }
    const line = lineThrough(points.map((point) => ({ x: point.guests, y: value(point) })));
    await record(facts, {
      id: `guest-growth/line/${unit}`,
      title: `${plot}: distance from a straight line of ${line.slope.toFixed(0)} ${unit} a guest`,
      unit: 'of the highest',
      better: 'lower',
      samples: [line.deviation],
    });
  }
});

/** Bytes of the host that a guest's emulator has for itself, its share of what is shared included. */
async function memoryOf({ externalMemory }: Target): Promise<number> {
  const folder = dirname(externalMemory?.file ?? '');
  const pid = (await readFile(join(folder, 'qemu.pid'), 'utf8')).trim();
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1]) * 1024;
}
