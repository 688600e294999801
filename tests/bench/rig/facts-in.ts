// SPDX-License-Identifier: MIT
/** The machine that a run of the rig was on. */
import { LabError } from '../../../harness/errors.ts';
import type { TargetFacts } from '../../../harness/target/target.ts';
import type { RigResult } from '../../system/rig-run.ts';

/** @throws LabError when no test of the run got as far as a target */
export function factsIn({ summary, output }: RigResult): TargetFacts {
  const [first] = summary.targets;
  if (first === undefined) throw new LabError('BENCH', `the run reached no target:\n${output}`);
  return first.facts;
}
