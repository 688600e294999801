// SPDX-License-Identifier: MIT
/** Which folder a run leaves its reports in: one that no other run is writing to. */
import { LabError } from '../errors.ts';
import { holdLock } from '../lock.ts';

/** Set for whatever the run starts, by the run that has the folder. */
const HELD = 'BUFRIG_REPORTS_HELD';
const MOST = 100;

/**
 * Takes a folder for this run's reports until this process ends, and for whatever it starts with this environment.
 * @param wanted absolute path; while another run has it, the same with -2 behind it, and so on
 * @param env gets what tells the others
 * @param tell is told when it is another folder
 * @returns absolute path
 * @throws LabError `REPORTS_BUSY` when even the last one is another's
 */
export async function holdReports(
  wanted: string,
  env: Record<string, string | undefined>,
  tell: (line: string) => void,
): Promise<string> {
  if (env[HELD] === wanted) return wanted;
  for (let number = 1; number <= MOST; number++) {
    const folder = number === 1 ? wanted : `${wanted}-${number}`;
    if (!(await holdLock(`reports:${folder}`))) continue;
    if (folder !== wanted)
      tell(`${wanted} belongs to a run that goes on: the reports of this one are in ${folder}`);
    env['BUFRIG_REPORTS'] = folder;
    env[HELD] = folder;
    return folder;
  }
  throw new LabError('REPORTS_BUSY', `${MOST} runs that go on have ${wanted} and the folders after it`, {
    hint: 'end some of them, or set BUFRIG_REPORTS to another folder',
  });
}
