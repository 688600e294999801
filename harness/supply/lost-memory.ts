// SPDX-License-Identifier: MIT
/**
 * Memory of the kernel that nobody points to any more, on kernels that look for it
 * (Documentation/dev-tools/kmemleak.rst). What only a module pointed to is lost when the module is gone.
 */
import type { Agent } from '../agent/client.ts';
import { attempt } from '../agent/errors.ts';

const DETECTOR = '/sys/kernel/debug/kmemleak';
/** Milliseconds on hardware for a scan of all memory; under emulation it takes 15 s. */
const SCAN_LIMIT = 60_000;
/** What is younger than 5 s is spared (mm/kmemleak.c: MSECS_MIN_AGE). */
const AGE = 6000;

/** Whether the kernel looks for lost memory; it may have been built for it, and told not to. */
export async function looksForLostMemory(agent: Agent): Promise<boolean> {
  // What it does anyway: whether the word is taken tells whether it is at work.
  return (await attempt(() => tell(agent, 'stack=on'))).errno === undefined;
}

/**
 * Looks twice: what has changed since it was last looked at is spared, too.
 * @returns the kernel's words about each piece of memory; empty when there is none
 * @throws SyscallError when the kernel has stopped looking
 */
export async function lostMemory(agent: Agent): Promise<string[]> {
  const patient = agent.allowing(SCAN_LIMIT);
  await tell(patient, 'scan');
  await patient.request('sleep-ms', AGE);
  await tell(patient, 'scan');
  return (await agent.readText(DETECTOR)).split('\n').filter((line) => line !== '');
}

/** Where the code of a loaded module begins; undefined when nobody says. */
export async function codeOf(agent: Agent, module: string): Promise<bigint | undefined> {
  // Should the target be dead, whoever unloads the module has more to say about that.
  const text = await agent.readText(`/sys/module/${module}/sections/.text`).catch(() => undefined);
  return text === undefined ? undefined : BigInt(text.trim());
}

/**
 * A line with an address in the code of a module that is gone, told as how far behind its beginning.
 * @param bytes how long the code is at most
 */
export function offsetInCode(line: string, code: bigint, bytes = 2n ** 20n): number | undefined {
  const [, address] = /^\s*\[<[0-9a-f]+>\] (0x[0-9a-f]+)$/.exec(line) ?? [];
  if (address === undefined) return undefined;
  const offset = BigInt(address) - code;
  return offset >= 0n && offset < bytes ? Number(offset) : undefined;
}

async function tell(agent: Agent, word: string): Promise<void> {
  await agent.writeText(DETECTOR, word);
}
