// SPDX-License-Identifier: MIT
/** Applies a unified diff to a copy of a source tree, exactly or not at all. */
import { LabError } from '../errors.ts';
import { CommandFailed, run } from '../process.ts';

/**
 * Fuzz 0: a defect whose surroundings changed is another defect, so its author should look.
 * @param diff with paths as git prints them (`a/driver/module/...`), below `directory`
 * @param what the tree, in the message
 * @throws LabError `DIFF_REJECTED` with patch's words, `COMMAND_FAILED` when it could not do its work
 */
export async function applyDiff(diff: string, directory: string, what: string): Promise<void> {
  const options = ['--strip=1', '--fuzz=0', '--force', '--no-backup-if-mismatch', '--reject-file=-'];
  const command = ['patch', ...options] as const;
  const result = await run(command, { cwd: directory, input: diff });
  if (result.code === 0) return;
  const said = `${result.stdout}${result.stderr}`.trim();
  // patch(1) ends with 2 for a diff that is malformed as for a disk that is full.
  if (result.code === null || (result.code > 1 && !/malformed patch|unexpected end|only garbage/i.test(said)))
    throw new CommandFailed(command, result);
  throw new LabError('DIFF_REJECTED', `the diff does not apply to ${what}:\n${said}`, {
    hint: 'make it again against the present source, as git diff does, with nothing in it of other folders',
  });
}
