// SPDX-License-Identifier: MIT
/**
 * Which keys to offer to a server, and in which order: key files first, then what the SSH agent
 * holds. A server hangs up after a handful of refusals, so the offer is short and the rest is named.
 */
import { readFile } from 'node:fs/promises';
import type { ParsedKey } from 'ssh2';
import { LabError, messageOf } from '../../errors.ts';
import { fingerprint } from './known-hosts.ts';

/** OpenSSH's MaxAuthTries is 6 and dropbear's 10; one try stays free for the server's own counting. */
const MAX_OFFERS = 5;

/** One key that can be offered. */
export interface Offer {
  /** What it is called in messages: its file, or the agent's comment. */
  label: string;
  key: { from: 'file'; content: Buffer } | { from: 'agent'; key: ParsedKey };
}

export interface Identities {
  offers: Offer[];
  /** Keys that are not offered, each with the reason. */
  leftOut: string[];
}

/** The agent as far as it is asked here: its keys. */
export type ListAgentKeys = () => Promise<ParsedKey[]>;

/**
 * @param files private key files that must be usable
 * @param defaults key files that are tried after those, as far as they exist
 * @throws LabError `SSH_KEY` for one of `files` that cannot be read, or is encrypted and not in the agent
 */
export async function gatherIdentities(
  files: readonly string[],
  defaults: readonly string[],
  listAgentKeys: ListAgentKeys | undefined,
): Promise<Identities> {
  const agent = await agentKeys(listAgentKeys);
  const offers: Offer[] = [];
  const leftOut = [...agent.trouble];
  for (const file of new Set([...files, ...defaults])) {
    const named = files.includes(file);
    const content = await readKey(file, named);
    if (content === undefined) continue;
    const half = publicHalf(content);
    const held = agent.keys.find((key) => half.blob?.equals(key.getPublicSSH()) === true);
    // The same key out of the agent would only cost a second try.
    if (held !== undefined) agent.keys.splice(agent.keys.indexOf(held), 1);
    if (!half.encrypted) offers.push({ label: file, key: { from: 'file', content } });
    else if (held !== undefined) offers.push(agentOffer(held, file));
    else if (named) throw encrypted(file);
    else leftOut.push(`${file}: it is encrypted and the SSH agent does not hold it`);
  }
  for (const key of agent.keys) offers.push(agentOffer(key, key.comment));
  const surplus = offers
    .slice(MAX_OFFERS)
    .map((offer) => `${offer.label}: ${MAX_OFFERS} keys are enough for one try`);
  return { offers: offers.slice(0, MAX_OFFERS), leftOut: [...leftOut, ...surplus] };
}

function agentOffer(key: ParsedKey, name: string): Offer {
  return { label: `${name} (agent, ${fingerprint(key.getPublicSSH())})`, key: { from: 'agent', key } };
}

async function agentKeys(list: ListAgentKeys | undefined): Promise<{ keys: ParsedKey[]; trouble: string[] }> {
  try {
    return { keys: (await list?.()) ?? [], trouble: [] };
  } catch (error) {
    // An agent that has gone away must not stop a login that a key file can do.
    return { keys: [], trouble: [`the SSH agent's keys: ${messageOf(error)}`] };
  }
}

async function readKey(file: string, mustExist: boolean): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (cause) {
    if (!mustExist) return undefined;
    throw new LabError('SSH_KEY', `cannot read the private key: ${messageOf(cause)}`, { cause });
  }
}

/**
 * What a private key file tells without its passphrase. OpenSSH's own format keeps the public half
 * readable (PROTOCOL.key: magic, cipher name, kdf name, kdf options, number of keys, public key).
 */
export function publicHalf(content: Buffer): { encrypted: boolean; blob?: Buffer } {
  const text = content.toString('latin1');
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([A-Za-z0-9+/=\s]*)-----END/.exec(text)?.[1];
  // PEM says it in its first lines, PKCS#8 in the first.
  if (body === undefined) return { encrypted: /ENCRYPTED/.test(text) };
  const raw = Buffer.from(body, 'base64');
  let at = 'openssh-key-v1\0'.length;
  const next = (): Buffer => {
    const length = at + 4 <= raw.length ? raw.readUInt32BE(at) : 0;
    at += 4 + length;
    return raw.subarray(at - length, at);
  };
  const cipher = next().toString('latin1');
  next();
  next();
  at += 4;
  return { encrypted: cipher !== 'none', blob: next() };
}

function encrypted(file: string): LabError {
  return new LabError('SSH_KEY', `the private key ${file} is encrypted, and the SSH agent does not hold it`, {
    hint: `ssh-add ${file}, with SSH_AUTH_SOCK set where the rig runs`,
  });
}
