// SPDX-License-Identifier: MIT
/**
 * Is this the machine we mean? Decides about the key a server presents: against a pinned
 * fingerprint, or against known_hosts files. A key nobody vouched for is refused; the error says
 * which command vouches for it.
 */
import { LabError } from '../../errors.ts';
import { formatAddress, type SshAddress } from './address.ts';
import { readKnownHosts } from './known-hosts-file.ts';
import { fingerprint, hostKeyOf, knownHostsName, speaksAbout, type KnownHost } from './known-hosts.ts';

/** What is known beforehand about the key of one host. */
export interface HostKeyPolicy {
  /** The key types known for the host; empty when any type may turn out right. */
  readonly types: readonly string[];
  /** True when a wrong key of one type leaves hope for another: a fingerprint does not tell its type. */
  readonly anyTypeMayMatch: boolean;
  accepts(blob: Buffer): boolean;
  /** The error that explains why none of the keys the server showed is accepted. */
  refusal(presented: readonly Buffer[]): LabError;
}

export interface HostKeySources {
  address: SshAddress;
  /** The one accepted fingerprint, `SHA256:` and base64. known_hosts files are then not asked. */
  hostKey?: string | undefined;
  /** Paths of known_hosts files; one that does not exist counts as empty. */
  knownHosts: readonly string[];
}

/**
 * @throws LabError `SSH_FINGERPRINT` for a pin that is none, `SSH_KNOWN_HOSTS` for a file that
 *   exists and cannot be read
 */
export async function hostKeyPolicy(sources: HostKeySources): Promise<HostKeyPolicy> {
  if (sources.hostKey !== undefined) return pinned(sources.address, parseFingerprint(sources.hostKey));
  const files = await Promise.all(sources.knownHosts.map((file) => readKnownHosts(file)));
  return recorded(sources.address, files.flat(), sources.knownHosts);
}

/** @throws LabError `SSH_FINGERPRINT` when the text is not `SHA256:` and 43 characters of base64 */
export function parseFingerprint(text: string): string {
  const plain = text.trim().replace(/=$/, '');
  if (/^SHA256:[A-Za-z0-9+/]{43}$/.test(plain)) return plain;
  throw new LabError('SSH_FINGERPRINT', `${JSON.stringify(text)} is not a SHA256 fingerprint of a host key`, {
    hint: 'ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub on the target prints it: SHA256:...',
  });
}

function pinned(address: SshAddress, pin: string): HostKeyPolicy {
  return {
    types: [],
    anyTypeMayMatch: true,
    accepts: (blob) => fingerprint(blob) === pin,
    refusal: (presented) => mismatch(address, presented, [`${pin} (pinned)`]),
  };
}

function recorded(address: SshAddress, all: readonly KnownHost[], files: readonly string[]): HostKeyPolicy {
  const name = knownHostsName(address.host, address.port);
  const about = all.filter((entry) => speaksAbout(entry.hosts, name));
  const exact = about.filter((entry) => entry.marker === 'none');
  // Like OpenSSH: on a port of its own, a key known for the host without a port is good enough to
  // accept, but says nothing against another key (two containers may share one address).
  const portless =
    exact.length > 0
      ? []
      : all.filter(
          (entry) => entry.marker === 'none' && speaksAbout(entry.hosts, address.host.toLowerCase()),
        );
  const trusted = [...exact, ...portless];
  const revoked = (blob: Buffer): KnownHost | undefined =>
    about.find((entry) => entry.marker === 'revoked' && entry.key.blob.equals(blob));
  return {
    types: [...new Set(trusted.map((entry) => entry.key.type))],
    anyTypeMayMatch: false,
    accepts: (blob) => revoked(blob) === undefined && trusted.some((entry) => entry.key.blob.equals(blob)),
    refusal: (presented) => {
      const bad = presented.map(revoked).find((entry) => entry !== undefined);
      if (bad !== undefined) return revokedKey(address, bad);
      const expected = exact.map((entry) => `${describeKey(entry.key.blob)} (${entry.where})`);
      if (expected.length > 0) return mismatch(address, presented, expected);
      return unknown(
        address,
        presented,
        files,
        about.find((entry) => entry.marker === 'cert-authority'),
      );
    },
  };
}

/** Type and fingerprint of a key, for people. */
export function describeKey(blob: Buffer): string {
  return `${hostKeyOf(blob).type} ${fingerprint(blob)}`;
}

function listed(label: string, lines: readonly string[]): string {
  return lines.map((line, index) => `\n  ${(index === 0 ? label : '').padEnd(9)} ${line}`).join('');
}

function unknown(
  address: SshAddress,
  presented: readonly Buffer[],
  files: readonly string[],
  authority: KnownHost | undefined,
): LabError {
  const looked = listed('looked in', files.length === 0 ? ['no file: none was named'] : files);
  const ignored =
    authority === undefined
      ? ''
      : listed('ignored', [`${authority.where}: host certificates are not supported`]);
  return new LabError(
    'SSH_HOST_KEY_UNKNOWN',
    `nobody has vouched for the host key of ${formatAddress(address)}` +
      `${listed('presented', presented.map(describeKey))}${looked}${ignored}`,
    { hint: `npx bufrig trust ${formatAddress(address)}` },
  );
}

function mismatch(address: SshAddress, presented: readonly Buffer[], expected: readonly string[]): LabError {
  return new LabError(
    'SSH_HOST_KEY_MISMATCH',
    `${formatAddress(address)} presents another host key than the one recorded for it: ` +
      `the target was set up anew, or another machine answers at its address` +
      `${listed('presented', presented.map(describeKey))}${listed('expected', expected)}`,
    { hint: `find out which; if the new key is right: npx bufrig trust ${formatAddress(address)}` },
  );
}

function revokedKey(address: SshAddress, entry: KnownHost): LabError {
  return new LabError(
    'SSH_HOST_KEY_REVOKED',
    `${formatAddress(address)} presents a host key that is marked as revoked` +
      `${listed('presented', [describeKey(entry.key.blob)])}${listed('revoked by', [entry.where])}`,
    { hint: 'give the target a new host key; a revoked one may be in the wrong hands' },
  );
}
