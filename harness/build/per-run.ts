// SPDX-License-Identifier: MIT
/**
 * What is a guest's own: who it is (its SSH host key), who may log in, and the rig's programs. A small
 * archive to append to the base one.
 */
import { createHash, generateKeyPairSync } from 'node:crypto';
import { cpioArchive, directoriesFor } from './cpio.ts';

export interface HostKey {
  /** The key pair in dropbear's own file format. */
  dropbear: Buffer;
  /** The public key in SSH's wire format (RFC 8709, section 4), as the server sends it. */
  publicBlob: Buffer;
  /** `SHA256:...` as `ssh-keygen -l` prints it. */
  fingerprint: string;
  /** `ssh-ed25519 AAAA...`, as in known_hosts after the address. */
  publicLine: string;
}

export interface LoginKey {
  /** The private key as PEM (PKCS #8). */
  privatePem: string;
  /** The private key in OpenSSH's file format, for ssh and for libraries that read only that. */
  privateOpenssh: string;
  /** One line for authorized_keys. */
  publicLine: string;
}

/** A new ed25519 host key for a guest. */
export function newHostKey(): HostKey {
  const { seed, point, publicBlob } = newEd25519();
  return {
    // dropbear's signkey.c: the type's name, then seed and public key as one string of 64 bytes.
    dropbear: Buffer.concat([sshString(TYPE), sshString(Buffer.concat([seed, point]))]),
    publicBlob,
    fingerprint: `SHA256:${createHash('sha256').update(publicBlob).digest('base64').replace(/=+$/, '')}`,
    publicLine: `${TYPE} ${publicBlob.toString('base64')}`,
  };
}

/** A new ed25519 key to log in with. */
export function newLoginKey(): LoginKey {
  const { pem, seed, point, publicBlob } = newEd25519();
  return {
    privatePem: pem,
    privateOpenssh: opensshPrivateKey(seed, point, publicBlob),
    publicLine: `${TYPE} ${publicBlob.toString('base64')} bufrig`,
  };
}

/**
 * The archive of one guest: host key, and the same authorized keys for root and for `tester`.
 * @param run.authorizedKeys lines of authorized_keys(5)
 * @param run.programs by absolute path; for root alone
 * @returns bytes to append to the base archive, see {@link baseInitramfs}
 */
export function perRunArchive(run: {
  hostKey: HostKey;
  authorizedKeys: readonly string[];
  programs?: readonly { path: string; data: Buffer }[];
}): Buffer {
  const keys = run.authorizedKeys.map((line) => `${line}\n`).join('');
  const programs = (run.programs ?? []).map(({ path, data }) => ({ path: path.replace(/^\//, ''), data }));
  const hostKeyPath = 'etc/dropbear/dropbear_ed25519_host_key';
  return cpioArchive([
    ...directoriesFor([hostKeyPath, ...programs.map(({ path }) => path)]),
    { path: hostKeyPath, kind: 'file', mode: 0o600, data: run.hostKey.dropbear },
    { path: 'root/.ssh', kind: 'directory', mode: 0o700 },
    { path: 'root/.ssh/authorized_keys', kind: 'file', mode: 0o600, data: keys },
    { path: 'home/tester/.ssh', kind: 'directory', mode: 0o700, owner: 1000 },
    { path: 'home/tester/.ssh/authorized_keys', kind: 'file', mode: 0o600, owner: 1000, data: keys },
    ...programs.map(({ path, data }) => ({ path, kind: 'file' as const, mode: 0o700, data })),
  ]);
}

const TYPE = 'ssh-ed25519';

/** A key pair as its raw halves of 32 bytes each. */
function newEd25519(): { pem: string; seed: Buffer; point: Buffer; publicBlob: Buffer } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const seed = Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url');
  const point = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
  return {
    pem: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    seed,
    point,
    publicBlob: Buffer.concat([sshString(TYPE), sshString(point)]),
  };
}

/** Length in four bytes, then the bytes (RFC 4251, section 5). */
function sshString(data: string | Buffer): Buffer {
  const bytes = Buffer.from(data);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** OpenSSH's PROTOCOL.key, unencrypted. */
function opensshPrivateKey(seed: Buffer, point: Buffer, publicBlob: Buffer): string {
  const check = Buffer.alloc(8, 0x42); // the same number twice; it only tells a wrong passphrase
  const secret = Buffer.concat([
    check,
    sshString(TYPE),
    sshString(point),
    sshString(Buffer.concat([seed, point])),
    sshString('bufrig'),
  ]);
  const padding = Buffer.from([1, 2, 3, 4, 5, 6, 7].slice(0, (8 - (secret.length % 8)) % 8));
  const one = Buffer.from([0, 0, 0, 1]);
  const file = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    sshString('none'),
    sshString('none'),
    sshString(''),
    one,
    sshString(publicBlob),
    sshString(Buffer.concat([secret, padding])),
  ]);
  const lines = file.toString('base64').match(/.{1,70}/g) ?? [];
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines.join('\n')}\n-----END OPENSSH PRIVATE KEY-----\n`;
}
