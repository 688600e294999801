// SPDX-License-Identifier: MIT
/**
 * OpenSSH's known_hosts format: reading entries, finding those that speak about one host, and
 * writing one line. Format: sshd(8), section SSH_KNOWN_HOSTS FILE FORMAT.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** A host's public key. */
export interface HostKey {
  /** For example `ssh-ed25519`; for RSA `ssh-rsa`, whatever the signature algorithm. */
  type: string;
  /** The key as SSH sends it; base64 of this is what known_hosts holds. */
  blob: Buffer;
}

/** One line that could be read. */
export interface KnownHost {
  marker: 'none' | 'revoked' | 'cert-authority';
  /** The first field: patterns separated by commas, or one hashed name. */
  hosts: string;
  key: HostKey;
  /** `file:line`, for messages. */
  where: string;
}

/** Reads the blob that a server presents. The type is its first string. */
export function hostKeyOf(blob: Buffer): HostKey {
  const length = blob.length < 4 ? 0 : blob.readUInt32BE(0);
  return { type: blob.subarray(4, 4 + length).toString('latin1'), blob };
}

/** `SHA256:` and unpadded base64, as ssh-keygen -l prints it. */
export function fingerprint(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}

/** How known_hosts spells a host and port: bare for port 22, `[host]:port` otherwise. */
export function knownHostsName(host: string, port: number): string {
  return port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
}

/** Every readable entry of a file. Lines that make no sense are left out, as OpenSSH does. */
export function parseKnownHosts(text: string, file: string): KnownHost[] {
  return text.split('\n').flatMap((line, index) => {
    const entry = parseLine(line.trim(), `${file}:${index + 1}`);
    return entry === undefined ? [] : [entry];
  });
}

function parseLine(line: string, where: string): KnownHost | undefined {
  if (line === '' || line.startsWith('#')) return undefined;
  const fields = line.split(/[ \t]+/);
  const marker = fields[0]?.startsWith('@') === true ? fields.shift()?.slice(1) : 'none';
  if (marker !== 'none' && marker !== 'revoked' && marker !== 'cert-authority') return undefined;
  const [hosts, type, encoded] = fields;
  if (hosts === undefined || type === undefined || encoded === undefined) return undefined;
  const blob = Buffer.from(encoded, 'base64');
  // The type is stated twice; an entry that contradicts itself is damaged.
  return hostKeyOf(blob).type === type ? { marker, hosts, key: { type, blob }, where } : undefined;
}

/** Does an entry's first field speak about this name (as {@link knownHostsName} spells it)? */
export function speaksAbout(hosts: string, name: string): boolean {
  if (hosts.startsWith('|')) return matchesHashed(hosts, name);
  let matched = false;
  for (const pattern of hosts.split(',')) {
    const negated = pattern.startsWith('!');
    if (!matchesPattern(negated ? pattern.slice(1) : pattern, name)) continue;
    // A negated pattern that matches rules the whole line out, wherever it stands.
    if (negated) return false;
    matched = true;
  }
  return matched;
}

function matchesHashed(hosts: string, name: string): boolean {
  const [, version, salt, hash] = hosts.split('|');
  if (version !== '1' || salt === undefined || hash === undefined) return false;
  const expected = Buffer.from(hash, 'base64');
  const actual = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest();
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

function matchesPattern(pattern: string, name: string): boolean {
  const source = pattern
    .toLowerCase()
    .replace(/[\\^$.|+()[\]{}]/g, String.raw`\$&`)
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's').test(name);
}

/** One line that makes `key` known for a host. */
export function knownHostsLine(host: string, port: number, key: HostKey): string {
  return `${knownHostsName(host, port)} ${key.type} ${key.blob.toString('base64')}`;
}
