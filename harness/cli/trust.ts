// SPDX-License-Identifier: MIT
/**
 * `bufrig trust ssh://user@host:port`: the one way a host key becomes known to the rig. A person
 * confirms the fingerprint at the terminal, or a script names it.
 */
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { Deadline } from '../deadline.ts';
import { LabError, messageOf } from '../errors.ts';
import { formatAddress, parseAddress, type SshAddress } from '../target/ssh/address.ts';
import { presentedHostKeys } from '../target/ssh/connection.ts';
import { parseFingerprint } from '../target/ssh/host-keys.ts';
import { readKnownHosts, recordHostKeys } from '../target/ssh/known-hosts-file.ts';
import { fingerprint, knownHostsName, speaksAbout, type HostKey } from '../target/ssh/known-hosts.ts';

export interface TrustIo {
  stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  stdout: NodeJS.WritableStream;
  /** The rig's own known_hosts file, where a confirmed key is written. */
  knownHosts: string;
}

export const TRUST_USAGE = 'bufrig trust ssh://user@host:port [--fingerprint SHA256:...]';

/** Milliseconds to reach the machine. */
const LIMIT = 30_000;

/**
 * Shows the host keys of a machine and records those that are confirmed.
 * @param argv what follows the verb
 * @returns exit code: 0 when the machine is trusted now, 1 when the user said no
 * @throws LabError `USAGE`, `SSH_ADDRESS`, `SSH_FINGERPRINT`, `SSH_HOST_KEY_MISMATCH`,
 *   `NOT_CONFIRMED` when there is nobody to ask, `SSH_KNOWN_HOSTS`, and what keeps a machine from being reached
 */
export async function trust(argv: readonly string[], io: TrustIo): Promise<number> {
  const { address, expected } = readArguments(argv);
  const shown = formatAddress(address);
  const keys = await presentedHostKeys(address, Deadline.in(LIMIT));
  const before = await recordedKeys(io.knownHosts, address);
  io.stdout.write(
    `${shown} shows\n${keys.map((key) => `  ${describe(key)}${note(key, before)}\n`).join('')}`,
  );
  const chosen = expected === undefined ? keys : keys.filter((key) => fingerprint(key.blob) === expected);
  if (chosen.length === 0)
    throw new LabError('SSH_HOST_KEY_MISMATCH', `${shown} has no host key with the fingerprint ${expected}`, {
      hint: 'compare with ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub on the machine itself',
    });
  const changed = chosen.some((key) => isChanged(key, before));
  if (!changed && chosen.some((key) => isRecorded(key, before))) {
    io.stdout.write('already trusted\n');
    return 0;
  }
  if (expected === undefined && !(await confirmed(io, changed))) {
    io.stdout.write('not trusted; nothing was changed\n');
    return 1;
  }
  await recordHostKeys(io.knownHosts, address, chosen);
  io.stdout.write(`trusted from now on; recorded in ${io.knownHosts}\n`);
  return 0;
}

function readArguments(argv: readonly string[]): { address: SshAddress; expected: string | undefined } {
  const { positionals, values } = parse(argv);
  const [address, ...more] = positionals;
  if (address === undefined || more.length > 0) throw usage('it takes one address');
  const expected = values.fingerprint === undefined ? undefined : parseFingerprint(values.fingerprint);
  return { address: parseAddress(address), expected };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { fingerprint: { type: 'string' } },
    });
  } catch (error) {
    throw usage(messageOf(error));
  }
}

function usage(why: string): LabError {
  return new LabError('USAGE', `trust: ${why}`, { hint: TRUST_USAGE });
}

async function recordedKeys(file: string, address: SshAddress): Promise<HostKey[]> {
  const name = knownHostsName(address.host, address.port);
  const entries = await readKnownHosts(file);
  return entries
    .filter((entry) => entry.marker === 'none' && speaksAbout(entry.hosts, name))
    .map((entry) => entry.key);
}

function describe(key: HostKey): string {
  return `${key.type.padEnd(20)} ${fingerprint(key.blob)}`;
}

/** What the record says about a key that is shown. */
function note(key: HostKey, before: readonly HostKey[]): string {
  if (isRecorded(key, before)) return '  (trusted)';
  const old = before.filter(({ type }) => type === key.type).map(({ blob }) => fingerprint(blob));
  return isChanged(key, before) ? `  (CHANGED: ${old.join(', ')} is recorded)` : '';
}

function isRecorded(key: HostKey, before: readonly HostKey[]): boolean {
  return before.some((old) => old.blob.equals(key.blob));
}

/** Another key of this type is recorded, and this one is not. */
function isChanged(key: HostKey, before: readonly HostKey[]): boolean {
  return !isRecorded(key, before) && before.some(({ type }) => type === key.type);
}

async function confirmed(io: TrustIo, changed: boolean): Promise<boolean> {
  if (io.stdin.isTTY !== true)
    throw new LabError(
      'NOT_CONFIRMED',
      'trust: nobody is here to confirm the key: the input is no terminal',
      {
        hint: 'compare the fingerprint with the machine itself and give it: --fingerprint SHA256:...',
      },
    );
  const question = changed ? 'Trust the new keys instead of the recorded ones?' : 'Trust this machine?';
  const terminal = createInterface({ input: io.stdin, output: io.stdout });
  try {
    // The end of the input (Ctrl-D) leaves a question without an answer; that is no yes.
    const ended = new Promise<string>((resolve) => terminal.once('close', () => resolve('')));
    const asked = terminal.question(
      `Compare with the machine itself (its console, its label). ${question} [y/N] `,
    );
    const answer = await Promise.race([asked, ended]);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}
