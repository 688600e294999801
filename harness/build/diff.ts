// SPDX-License-Identifier: MIT
/** Applies a unified diff to a copy of a source tree, exactly or not at all. */
import { LabError } from '../errors.ts';
import { run } from '../process.ts';

/**
 * Fuzz 0: a defect whose surroundings changed is another defect, so its author should look.
 * @param diff with paths as git prints them (`a/driver/module/...`), below `directory`
 * @param what the tree, in the message
 * @throws LabError `DIFF_REJECTED` with patch's words
 */
export async function applyDiff(diff: string, directory: string, what: string): Promise<void> {
  const options = ['--strip=1', '--fuzz=0', '--force', '--no-backup-if-mismatch', '--reject-file=-'];
  const { code, stdout } = await run(['patch', ...options], { cwd: directory, input: diff });
  if (code === 0) return;
  throw new LabError('DIFF_REJECTED', `the diff does not apply to ${what}:\n${stdout.trim()}`, {
    hint: 'make it again against the present source: git diff > the .diff file',
  });
}
