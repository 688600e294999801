// SPDX-License-Identifier: MIT
/**
 * From an address to a logged-in SSH client whose host key is trusted. Which key a server shows is
 * up to what it is asked for, so it may take more than one visit to see the right one.
 */
import type { CipherAlgorithm, Client, OpenSSHAgent, ParsedKey, ServerHostKeyAlgorithm } from 'ssh2';
import type { Deadline } from '../../deadline.ts';
import { LabError } from '../../errors.ts';
import { formatAddress, type SshAddress } from './address.ts';
import { hostKeyPolicy, type HostKeyPolicy } from './host-keys.ts';
import { gatherIdentities } from './identities.ts';
import { hostKeyOf, type HostKey } from './known-hosts.ts';
import { logIn, reachPort, STEP_LIMITS, type Login } from './ladder.ts';
import { LoginAttempt } from './login.ts';

/** What is used of the ssh2 package; connection.ts loads it and hands it in. */
export type Ssh2 = Pick<typeof import('ssh2'), 'Client' | 'OpenSSHAgent'>;

/** How to reach a machine, how to know it, and as whom to log in. */
export interface ConnectionOptions {
  /** The target's name, for messages. */
  name: string;
  address: SshAddress;
  /** Private key files to log in with; each must be usable. */
  identities: readonly string[];
  /** Private key files to try after those, as far as they exist. */
  defaultIdentities?: readonly string[] | undefined;
  /** Path of the SSH agent's socket. */
  agentSocket?: string | undefined;
  /** The accepted host key's fingerprint, `SHA256:...`; known_hosts files are then not asked. */
  hostKey?: string | undefined;
  /** known_hosts files to look the host key up in. */
  knownHosts: readonly string[];
  /** Factor on every time limit; 1 on real hardware. */
  patience?: number | undefined;
  /** Milliseconds a port may stay silent, instead of the usual limit; for one of many attempts. */
  bannerLimit?: number | undefined;
  /** The login shell is the rig's own and needs no trial. */
  knownShell?: boolean | undefined;
  /** Milliseconds of silence after which the link counts as lost, instead of 8 s times the patience. */
  silence?: number | undefined;
  /** Gives the attempt up. */
  signal?: AbortSignal | undefined;
}

/** Milliseconds of silence after which the link counts as lost, on real hardware. */
const SILENCE = 8000;
/** Keepalives that go unanswered meanwhile. The silence may have begun as long before the first as the next one waits. */
export const KEEPALIVES = 9;

/** Milliseconds of silence after which this link counts as lost. */
export function silenceOf({
  silence,
  patience = 1,
}: Pick<ConnectionOptions, 'silence' | 'patience'>): number {
  return silence ?? SILENCE * patience;
}

/**
 * Best first. dropbear has no GCM; of what it has ChaCha20 takes least where the processor has no
 * instructions for AES, or an emulator that is slow at them.
 */
const CIPHERS: CipherAlgorithm[] = [
  'aes128-gcm@openssh.com',
  'aes256-gcm@openssh.com',
  'chacha20-poly1305@openssh.com',
  'aes128-ctr',
  'aes192-ctr',
  'aes256-ctr',
];

/** Signature algorithms for a host key type, best first; the bare name is what old servers have. */
const RSA: ServerHostKeyAlgorithm[] = ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa'];
const HOST_KEY_TYPES: Record<string, ServerHostKeyAlgorithm[]> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': RSA,
};

const ALL_TYPES = Object.keys(HOST_KEY_TYPES);

/** A client that is in. */
export interface Entry {
  client: Client;
  /** The server's identification line. */
  banner: string;
  hostKey: HostKey;
}

/** @throws the errors of Connection.open up to the login */
export async function enter(ssh2: Ssh2, options: ConnectionOptions, deadline: Deadline): Promise<Entry> {
  const policy = await hostKeyPolicy(options);
  const agent = options.agentSocket === undefined ? undefined : new ssh2.OpenSSHAgent(options.agentSocket);
  const limit = deadline.atMost(STEP_LIMITS.banner);
  const identities = await gatherIdentities(
    options.identities,
    options.defaultIdentities ?? [],
    agent && (() => limit.race(listAgentKeys(agent), 'asking the SSH agent for its keys')),
  );
  const agentFor = (key: ParsedKey): OpenSSHAgent =>
    oneKeyAgent(new ssh2.OpenSSHAgent(options.agentSocket ?? ''), key);
  return meet(
    ssh2,
    options,
    policy,
    () => new LoginAttempt(options.address.user, identities, agentFor),
    deadline,
  );
}

/** Visits until a trusted host key was shown, or no key type is left to ask for. */
async function meet(
  ssh2: Ssh2,
  options: ConnectionOptions,
  policy: HostKeyPolicy,
  attempt: () => LoginAttempt,
  deadline: Deadline,
): Promise<Entry> {
  const presented: Buffer[] = [];
  const known = ALL_TYPES.filter((type) => policy.types.includes(type));
  for (let types = known.length > 0 ? known : ALL_TYPES; ;) {
    const client = new ssh2.Client();
    const visit = await knock(client, options, types, policy, attempt(), deadline);
    if (visit.kind === 'in') return { client, banner: visit.banner, hostKey: hostKeyOf(visit.key) };
    if (visit.kind === 'host-key') presented.push(visit.key);
    const seen = presented.map((blob) => hostKeyOf(blob).type);
    const rest = ALL_TYPES.filter((type) => !seen.includes(type));
    // A server that lacks the types known for it is asked for any, to be able to show what it has.
    const goOn = visit.kind === 'no-common-host-key' ? types.length < rest.length : policy.anyTypeMayMatch;
    if (!goOn || rest.length === 0) throw policy.refusal(presented);
    types = rest;
  }
}

/** One visit: TCP, identification, host key, login. The socket stays open only when we are in. */
async function knock(
  client: Client,
  options: ConnectionOptions,
  types: readonly string[],
  policy: Pick<HostKeyPolicy, 'accepts'>,
  attempt: LoginAttempt,
  deadline: Deadline,
): Promise<Login> {
  const { address, patience = 1 } = options;
  const who = `${options.name} (${formatAddress(address)})`;
  const limit = (step: keyof typeof STEP_LIMITS): Deadline => deadline.atMost(STEP_LIMITS[step] * patience);
  const socket = await reachPort(address, who, limit('connect'), options.signal);
  let visit: Login | undefined;
  try {
    visit = await logIn(client, socket, {
      who,
      accepts: (blob) => policy.accepts(blob),
      notLetIn: (why, cut) => attempt.refused(who, why, cut),
      banner: deadline.atMost(options.bannerLimit ?? STEP_LIMITS.banner * patience),
      login: limit('login'),
      config: {
        username: address.user,
        authHandler: attempt.next,
        algorithms: {
          serverHostKey: types.flatMap((type) => HOST_KEY_TYPES[type] ?? []),
          cipher: CIPHERS,
        },
        keepaliveInterval: silenceOf(options) / (KEEPALIVES + 1),
        keepaliveCountMax: KEEPALIVES,
        readyTimeout: 0,
      },
    });
    return visit;
  } finally {
    if (visit?.kind !== 'in') socket.destroy();
  }
}

/**
 * Every host key a server shows, one per type, without logging in and without trusting any.
 * @throws the errors of Connection.open up to the key exchange
 */
export async function lookAtHostKeys(
  ssh2: Ssh2,
  address: SshAddress,
  deadline: Deadline,
): Promise<HostKey[]> {
  const options = { name: 'target', address, identities: [], knownHosts: [] };
  const noKeys = { offers: [], leftOut: [] };
  const found: HostKey[] = [];
  for (let types = ALL_TYPES; types.length > 0;) {
    const nobody = new LoginAttempt(address.user, noKeys, () => new ssh2.OpenSSHAgent(''));
    const visit = await knock(new ssh2.Client(), options, types, { accepts: () => false }, nobody, deadline);
    if (visit.kind !== 'host-key') break;
    const key = hostKeyOf(visit.key);
    found.push(key);
    types = types.filter((type) => type !== key.type);
  }
  if (found.length > 0) return found;
  throw new LabError(
    'SSH_HANDSHAKE',
    `${formatAddress(address)}: the server has no host key of a type known here`,
  );
}

function listAgentKeys(agent: OpenSSHAgent): Promise<ParsedKey[]> {
  return new Promise((resolve, reject) => {
    agent.getIdentities((error, keys) => {
      if (error === undefined || error === null) resolve((keys ?? []).filter(isParsed));
      else reject(error);
    });
  });
}

/** The package's types allow other shapes of a public key; an agent's answer has only this one. */
function isParsed(key: unknown): key is ParsedKey {
  return typeof key === 'object' && key !== null && 'getPublicSSH' in key;
}

/** ssh2 offers all keys of an agent in a row; this one knows a single key. */
function oneKeyAgent(agent: OpenSSHAgent, key: ParsedKey): OpenSSHAgent {
  agent.getIdentities = (answer) => answer(undefined, [key]);
  return agent;
}
