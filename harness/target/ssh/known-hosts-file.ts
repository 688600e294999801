// SPDX-License-Identifier: MIT
/** known_hosts files on this machine: read, and written when a user vouches for a host key. */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LabError, messageOf } from '../../errors.ts';
import {
  knownHostsLine,
  knownHostsName,
  parseKnownHosts,
  speaksAbout,
  type HostKey,
  type KnownHost,
} from './known-hosts.ts';

/**
 * The entries of a file; none when there is no such file.
 * @throws LabError `SSH_KNOWN_HOSTS` when it exists and cannot be read
 */
export async function readKnownHosts(file: string): Promise<KnownHost[]> {
  return parseKnownHosts(await readText(file), file);
}

/**
 * Makes these keys the ones known for a host: older entries of the same types for this host alone
 * are replaced, everything else in the file stays as it is. The file is the user's alone (0600).
 * @throws LabError `SSH_KNOWN_HOSTS` when it cannot be written, or another key of the same type stands
 *   in an entry for several hosts
 */
export async function recordHostKeys(
  file: string,
  { host, port }: { host: string; port: number },
  keys: readonly HostKey[],
): Promise<void> {
  const name = knownHostsName(host, port);
  const lines = (await readText(file)).split('\n').filter((line) => line.trim() !== '');
  const kept = lines.filter((line, index) => {
    const [entry] = parseKnownHosts(line, file);
    if (entry === undefined || entry.marker !== 'none' || !speaksAbout(entry.hosts, name)) return true;
    if (!keys.some((key) => key.type === entry.key.type)) return true;
    if (entry.hosts === name || entry.hosts.startsWith('|')) return false;
    throw new LabError(
      'SSH_KNOWN_HOSTS',
      `${file}:${index + 1} also speaks about other hosts: ${entry.hosts}`,
      {
        hint: 'edit that line by hand, then confirm the key again',
      },
    );
  });
  const text = [...kept, ...keys.map((key) => knownHostsLine(host, port, key)), ''].join('\n');
  const draft = `${file}.${randomUUID()}`;
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(draft, text, { mode: 0o600 });
    await rename(draft, file);
  } catch (cause) {
    throw new LabError('SSH_KNOWN_HOSTS', `cannot record the host key: ${messageOf(cause)}`, { cause });
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return '';
    throw new LabError('SSH_KNOWN_HOSTS', `cannot read known host keys: ${messageOf(cause)}`, { cause });
  }
}
