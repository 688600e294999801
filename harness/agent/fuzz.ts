// SPDX-License-Identifier: MIT
/**
 * Calls that the agent makes up by itself. The seed and a call's number say what it is, given what the
 * calls before it left; so some of the calls of a run are a run of their own, and a failure can be shrunk.
 */
import type { Agent } from './client.ts';
import { described } from './message.ts';
import type { Child } from './child.ts';

/** What a field of an ioctl's argument is to the fuzzer; harness/agent/native/fuzz.c says more. */
export type FuzzFieldKind =
  | 'name'
  | 'bytes'
  | 'alignment'
  | 'place'
  | 'flags'
  | 'choice'
  | 'other'
  | 'tells-name'
  | 'tells-offset'
  | 'tells-number'
  | 'tells-descriptor';

export interface FuzzIoctl {
  name: string;
  request: number;
  /** An argument that the driver may well accept. */
  good: Buffer;
  fields: readonly { offset: number; bytes: number; kind: FuzzFieldKind }[];
}

/** Calls by number, as in `0-9999` or `3,17,20-29`. */
export type CallList = string;

/** How calls ended, by what they were. */
export type Did = Record<string, { ok: number; failed: number }>;

export interface Fuzzed {
  calls: number;
  did: Did;
}

const letters: Record<FuzzFieldKind, string> = {
  name: 'n',
  bytes: 'b',
  alignment: 'a',
  place: 'r',
  flags: 'f',
  choice: 'c',
  other: 's',
  'tells-name': 'N',
  'tells-offset': 'O',
  'tells-number': 'V',
  'tells-descriptor': 'D',
};

/** Tells the agent what the driver understands. Once; its children know it, too. */
export async function describeIoctls(agent: Agent, ioctls: readonly FuzzIoctl[]): Promise<void> {
  for (const { name, request, good, fields } of ioctls) {
    const places = fields.map(({ offset, bytes, kind }) => `${offset}:${bytes}:${letters[kind]}`);
    await agent.request('fuzz-ioctl', name, request, good.toString('hex'), ...places);
  }
}

export async function fuzz(agent: Agent, device: string, seed: number, calls: CallList): Promise<Fuzzed> {
  return agent.request<Fuzzed>('fuzz', device, seed, calls);
}

/** The same in a child that is left at it. */
export async function beginFuzzing(
  child: Child,
  device: string,
  seed: number,
  calls: CallList,
): Promise<void> {
  await child.begin(`fuzz ${device} ${seed} ${calls}`);
}

export async function finishFuzzing(child: Child): Promise<Fuzzed> {
  return described<Fuzzed>(await child.finish());
}

/** The requests that these calls are. All are made but the last, which may well be the one that kills. */
export async function fuzzLines(
  agent: Agent,
  device: string,
  seed: number,
  calls: CallList,
): Promise<string[]> {
  return (await agent.request<{ lines: string[] }>('fuzz-lines', device, seed, calls)).lines;
}

/** @param numbers in ascending order */
export function callList(numbers: readonly number[]): CallList {
  const ranges: [from: number, to: number][] = [];
  for (const number of numbers) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}
