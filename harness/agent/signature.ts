// SPDX-License-Identifier: MIT
/**
 * The 64 bytes that mark a page, for witnesses that look for them from outside. The twin of
 * native/signature.h; a selftest compares them. All words are little-endian and 64 bits wide.
 */
import { randomBytes } from 'node:crypto';

export const SIGNATURE_BYTES = 64;

const WORDS = 8;
const GOLDEN_GAMMA = 0x9e3779b97f4a7c15n;
const MASK = 0xffff_ffff_ffff_ffffn;

/** The finalizer of splitmix64: a bijection on 64-bit words. */
export function mix(value: bigint): bigint {
  let z = value & MASK;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK;
  return z ^ (z >> 31n);
}

/** A nonce for one signing: 64 random bits, never 0. */
export function newNonce(): bigint {
  return randomBytes(8).readBigUInt64LE() || 1n;
}

/** The signature of page `page` under `nonce`, as it lies at the start of that page. */
export function signatureOf(nonce: bigint, page: number): Buffer {
  const signature = Buffer.alloc(SIGNATURE_BYTES);
  signature.writeBigUInt64LE(headOf(nonce), 0);
  signature.writeBigUInt64LE((nonce ^ BigInt(page)) & MASK, 8);
  for (let word = 2; word < WORDS; word += 1)
    signature.writeBigUInt64LE(
      mix(nonce + GOLDEN_GAMMA * (BigInt(WORDS) * BigInt(page) + BigInt(word))),
      8 * word,
    );
  return signature;
}

/** The first word, the same in every page of this nonce: what a scanner looks for. */
export function headOf(nonce: bigint): bigint {
  return mix(nonce);
}

/** The page a signature with this second word belongs to; any number up to 2^64 if it is none. */
export function pageIndexOf(secondWord: bigint, nonce: bigint): number {
  return Number((secondWord ^ nonce) & MASK);
}

/** Word `index` of the pattern the agent writes for this seed. */
export function patternWord(seed: bigint, index: number): bigint {
  return mix(seed + GOLDEN_GAMMA * BigInt(index + 1));
}
