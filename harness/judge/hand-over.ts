// SPDX-License-Identifier: MIT
/**
 * CAC-05: whether a call handed memory over as it had to (Documentation/core-api/dma-api.rst, part Id). More
 * bytes of the buffer than were asked for, or both directions for one, cost time and lose nothing.
 */
import type { Finding, HandingOver, HandOver } from './observation.ts';
import { driverFinding, hex, labFinding, size } from './wording.ts';

/** Every device got the whole range, in its direction; and none got what is no part of the buffer. */
export function judgeHandOver({ call, buffer, wanted, seen }: HandingOver): Finding[] {
  const { to, direction, devices, offset, bytes } = wanted;
  if (seen.some(({ ranges }) => ranges.some((range) => !isSound(range))))
    return [labFinding('evidence', `${call}: ranges that are none: ${JSON.stringify(seen)}`)];
  const all = buffer.address ?? seen[0]?.ranges[0]?.address ?? 0;
  const complaint = (message: string): Finding[] => [
    driverFinding(
      'hand-over',
      `${call}: ${message}\nhanded over: ${seen.map(described).join('; ') || 'nothing'}`,
    ),
  ];
  const beyond = seen.find(({ ranges }) =>
    ranges.some((each) => each.address < all || each.address + each.bytes > all + buffer.bytes),
  );
  if (beyond !== undefined)
    return complaint(`what is no part of the buffer (${size(buffer.bytes)} at ${hex(all)}) was handed over`);
  const whole = seen.filter(
    (one) =>
      one.to === to &&
      (one.direction === direction || one.direction === 'both') &&
      covers(one, all + offset, bytes),
  );
  if (whole.length === devices) return [];
  return complaint(
    `${size(bytes)} from byte ${offset} on went ${whole.length} times to the ${to}, for ${direction}, ` +
      `expected ${devices}, once for each device that has the buffer`,
  );
}

function isSound({ address, bytes }: HandOver['ranges'][number]): boolean {
  return Number.isSafeInteger(address) && Number.isSafeInteger(bytes) && bytes > 0;
}

/** Ranges of a list lie one behind the other for a buffer that is contiguous, and somewhere for another. */
function covers({ ranges }: HandOver, from: number, bytes: number): boolean {
  let reached = from;
  for (const { address, bytes: length } of ranges.toSorted((a, b) => a.address - b.address)) {
    if (address > reached) return false;
    reached = Math.max(reached, address + length);
  }
  return reached >= from + bytes;
}

function described({ device, to, direction, ranges }: HandOver): string {
  const which = ranges.map(({ address, bytes }) => `${bytes} bytes at ${hex(address)}`).join(', ');
  return `${which} to the ${to}, ${direction}, for ${device}`;
}
