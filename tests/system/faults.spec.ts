// SPDX-License-Identifier: MIT
/** Three of the faults of `npm run faults`, one of each kind: a dead guest, a dead agent, a driver in somebody else's hands. */
import { join } from 'node:path';
import { runFaults, type FaultResult } from '../../harness/faults/campaign.ts';
import { faults } from '../../harness/faults/faults.ts';
import { guests } from '../../harness/target/guests.ts';
import { projectFolder } from './rig-run.ts';
import { expect, test } from './system-test.ts';

for (const id of ['guest-killed', 'agent-killed', 'module-held']) {
  test(`${id}: the lab takes the blame, and the rest goes on`, async ({ rig }) => {
    const results: FaultResult[] = [];
    await runFaults(
      faults.filter((fault) => fault.id === id),
      {
        project: projectFolder,
        guest: guests[0].name,
        folder: join(rig.folder, 'faults'),
        signal: new AbortController().signal,
        environment: process.env,
        onResult: (result) => {
          results.push(result);
          return Promise.resolve();
        },
      },
    );
    expect(results).toMatchObject([{ id, wrong: [], outcome: 'right' }]);
  });
}
