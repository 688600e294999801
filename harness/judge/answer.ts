// SPDX-License-Identifier: MIT
/**
 * IOC-06: what an ioctl gives back. Fields that it documents as results are all written, whatever
 * was in them; everything else is as the caller left it, so no byte of the kernel's own comes along.
 */
import type { Answer, Finding } from './observation.ts';
import { driverFinding, labFinding } from './wording.ts';

/** @param answers of the same call, of which each was filled with another value beforehand */
export function judgeAnswers(answers: readonly Answer[]): Finding[] {
  if (new Set(answers.map(({ filler }) => filler)).size < 2) {
    return [labFinding('evidence', 'a result is told from a leftover by two different fillers')];
  }
  return answers.flatMap(({ call, fields }) =>
    Object.entries(fields).flatMap(([name, { role, before, after }]) => {
      const said = `${call}: ${name}`;
      if (role === 'out') {
        // A result may happen to be one filler, but not both.
        return everyKept(answers, call, name)
          ? [driverFinding('written', `${said} is a result and was not written`)]
          : [];
      }
      if (role === 'in-out' || before === after) return [];
      return [driverFinding('left-alone', `${said} was 0x${before} and came back as 0x${after}`)];
    }),
  );
}

function everyKept(answers: readonly Answer[], call: string, name: string): boolean {
  return answers
    .filter((answer) => answer.call === call)
    .every(({ fields }) => fields[name] !== undefined && fields[name].before === fields[name].after);
}
