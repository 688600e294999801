// SPDX-License-Identifier: MIT
/**
 * Requests that the agent makes over and over by itself. Only counts come back, so a hundred thousand
 * calls cost one line; and children that were told to repeat run at the same time.
 */
import { LabError } from '../errors.ts';
import type { Child } from './child.ts';
import type { Agent } from './client.ts';
import { described, encodeRequest, type Argument } from './message.ts';

/** A request as its verb and arguments, as `agent.request` takes them. */
export type Step = readonly [verb: string, ...args: Argument[]];

/** What came of one step in all rounds. */
export interface Repeated {
  /** Times it succeeded. */
  ok: number;
  /** Times it failed, by errno or signal; all beyond the first 15 kinds under `others`. */
  failed: Record<string, number>;
}

/** The argument of an ioctl as a step takes it. */
export function ioctlStep(fd: number, request: number | bigint, data: Buffer): Step {
  return ['ioctl', fd, request, data.toString('hex')];
}

/** What an ioctl left in its argument in the same round, to be used in a later step. */
export interface Left {
  /** As an argument of its own. */
  number: string;
  /** As bytes, in the middle of another ioctl's argument in hexadecimal. */
  bytes: string;
}

/**
 * @param step its place in the round, from 1
 * @param offset of the field in the ioctl's argument
 * @param bytes of the field, at most 8
 */
export function leftBy(step: number, offset: number, bytes: number): Left {
  const place = `${step}:${offset}:${bytes}`;
  return { number: `$${place}`, bytes: `<${place}>` };
}

/** Makes the steps one after the other, `times` times. @returns in the order of the steps */
export async function repeat(agent: Agent, times: number, steps: readonly Step[]): Promise<Repeated[]> {
  return (await asked(agent, times, steps)).steps;
}

/**
 * Makes the steps once.
 * @returns nanoseconds that each step took on the target, reading the request included
 * @throws LabError when one of them fails: then there is nothing that was measured
 */
export async function timeSteps(agent: Agent, steps: readonly Step[]): Promise<number[]> {
  const { steps: outcomes, ns } = await asked(agent, 1, steps);
  const failed = outcomes.findIndex(({ ok }) => ok === 0);
  if (failed >= 0) {
    const how = Object.keys(outcomes[failed]?.failed ?? {}).join();
    throw new LabError('MEASURED_WRONG', `a timed request failed with ${how}: ${steps[failed]?.join(' ')}`);
  }
  return ns;
}

async function asked(agent: Agent, times: number, steps: readonly Step[]) {
  const args = steps.flatMap((step, index) => (index === 0 ? [...step] : [';', ...step]));
  return agent.request<{ steps: Repeated[]; ns: number[] }>('repeat', times, ...args);
}

/** The same, in a child that is left at it. */
export async function beginRepeating(child: Child, times: number, steps: readonly Step[]): Promise<void> {
  await child.begin(
    `repeat ${times} ${steps.map(([verb, ...args]) => encodeRequest(verb, args)).join(' ; ')}`,
  );
}

/** What a child came to that {@link beginRepeating} left at it. */
export async function finishRepeating(child: Child): Promise<Repeated[]> {
  return described<{ steps: Repeated[] }>(await child.finish()).steps;
}
