// SPDX-License-Identifier: MIT
/** Adds to a lost link what the machine itself says about its death. */
import { LabError } from '../../errors.ts';

/** A machine's own account of how it died, or undefined while it lives. */
export type WhyDead = () => string | undefined;

/** Milliseconds the account may come later than the loss: a process's end is noticed after its sockets'. */
const GRACE = 500;

/**
 * @returns the error to throw: a `LINK_LOST` that carries the account when there is one, anything else as it is
 */
export async function explainLoss(error: unknown, whyDead: WhyDead | undefined): Promise<unknown> {
  if (whyDead === undefined || !(error instanceof LabError) || error.code !== 'LINK_LOST') return error;
  for (let waited = 0; whyDead() === undefined && waited < GRACE; waited += 20)
    await new Promise((resolve) => setTimeout(resolve, 20));
  const why = whyDead();
  if (why === undefined) return error;
  const message =
    error.hint === undefined ? error.message : error.message.replace(`\nTry: ${error.hint}`, '');
  return new LabError('LINK_LOST', `${message}: ${why}`, { cause: error });
}
