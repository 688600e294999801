// SPDX-License-Identifier: MIT
/** PRM-02, MAP-16: what everybody may read tells nobody where buffers lie. */
import type { Disclosure, Finding } from './observation.ts';
import { driverFinding, hex, labFinding } from './wording.ts';

/** Fewer digits turn up by chance. */
const LEAST_DIGITS = 5;

/** None of the texts contains one of the addresses, as address or page frame number, in any base in use. */
export function judgeDisclosure({ addresses, pageBytes, texts }: Disclosure): Finding[] {
  if (addresses.length === 0) return [labFinding('evidence', 'no address is known to look for')];
  if (texts.length === 0) return [labFinding('evidence', 'there was nothing to look at')];
  return texts.flatMap(({ source, text }) => {
    const numbers = numbersIn(text);
    const told = addresses.filter((address) => spellings(address, pageBytes).some((one) => numbers.has(one)));
    return told.map((address) =>
      driverFinding('disclosure', `${source} tells the physical address ${hex(address)}`),
    );
  });
}

function spellings(address: number, pageBytes: number): string[] {
  const frame = Math.floor(address / pageBytes);
  return [address.toString(16), String(address), frame.toString(16), String(frame)].filter(
    (digits) => digits.length >= LEAST_DIGITS,
  );
}

/** Every run of hexadecimal digits, without what zeroes and prefix stand before it. */
function numbersIn(text: string): Set<string> {
  const found = text.toLowerCase().match(/(0x)?[0-9a-f]+/g) ?? [];
  return new Set(found.map((number) => number.replace(/^(0x)?0*/, '')));
}
