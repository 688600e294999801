// SPDX-License-Identifier: MIT
/**
 * What a user can set through the environment, read in one place. playwright.config.ts and the
 * command line pass `process.env` in; nothing else in the project looks at it.
 */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { LabError } from './errors.ts';
import { isolations, type Isolation } from './supply/isolation.ts';
import type { SshSpec } from './target/spec.ts';

export type Environment = Record<string, string | undefined>;

/** The variables, for `npx bufrig help` and the README. */
export const variables = {
  BUFRIG_TARGET:
    'ssh://user@host:port of the machine that --project=board runs on, if not the guest of npx bufrig up',
  BUFRIG_HOST_KEY: "fingerprint of that machine's host key, SHA256:... (else known_hosts decides)",
  BUFRIG_SSH_KEY: 'private key file for that machine (else the SSH agent and ~/.ssh/id_*)',
  BUFRIG_KERNEL_TREE: "build tree of that machine's kernel (else its own /lib/modules/.../build)",
  BUFRIG_TARGET_DIR: 'where on that machine the rig makes its directory (else /tmp)',
  BUFRIG_DRIVER_DIFF: 'unified diff applied to a copy of the driver before it is built',
  BUFRIG_PROFILE:
    'driver under test: a name in harness/profile/profiles.ts, or the path of a profile of your own',
  BUFRIG_MODULE: 'module that is built already, for a profile that does not build one',
  BUFRIG_APPEND: 'kernel arguments added on every QEMU guest, separated by blanks',
  BUFRIG_ISOLATION: 'what tests share: `test` (nothing), `file` or `worker`; the target decides unless given',
  BUFRIG_SLOW: 'when set, tests tagged @slow run too; they are left out otherwise',
  BUFRIG_REPORTS: 'folder for all reports (else reports/)',
  BUFRIG_CACHE: 'folder for kernels, packages and builds (else ~/.cache/bufrig)',
} as const;

export interface Settings {
  /** The machine named by BUFRIG_TARGET. */
  board: SshSpec | undefined;
  /** Further kernel arguments for guests. */
  append: string[];
  driverDiff: string | undefined;
  /** The driver under test: a name in the table, or the absolute path of a file that ends in `.ts` or `.mts`. */
  profile: string;
  /** A module that is built already. */
  moduleFile: string | undefined;
  /** What tests share; the target decides unless given. */
  isolation: Isolation | undefined;
  /** Whether tests that take long run too. */
  slow: boolean;
  /** Absolute path. */
  reports: string;
  cacheRoot: string;
  /** Folders in which programs are looked for. */
  searchPath: string[];
  ssh: SshSettings;
}

/** What every SSH connection of this user shares. */
export interface SshSettings {
  /** Socket of the SSH agent. */
  agentSocket: string | undefined;
  /** Private keys that OpenSSH would try, whether they exist or not. */
  defaultIdentities: string[];
  /** Files that say which host keys are known; the rig's own is the first. */
  knownHosts: [string, ...string[]];
}

/** @throws LabError `BAD_SETTING` when a variable contradicts itself */
export function settingsFrom(env: Environment, projectFolder: string): Settings {
  const get = (name: keyof typeof variables) => {
    const value = env[name]?.trim();
    return value === '' ? undefined : value;
  };
  const home = env['HOME'] ?? homedir();
  const configFolder = join(env['XDG_CONFIG_HOME'] ?? join(home, '.config'), 'bufrig');
  const key = get('BUFRIG_SSH_KEY');
  const address = get('BUFRIG_TARGET');
  if (address !== undefined && !address.startsWith('ssh://')) {
    throw new LabError('BAD_SETTING', `BUFRIG_TARGET is ${address}`, {
      hint: 'give it as ssh://user@host:port',
    });
  }
  const diff = get('BUFRIG_DRIVER_DIFF');
  const profile = get('BUFRIG_PROFILE') ?? 'contigbuf';
  const module = get('BUFRIG_MODULE');
  return {
    board:
      address === undefined
        ? undefined
        : {
            kind: 'ssh',
            name: 'board',
            address,
            hostKey: get('BUFRIG_HOST_KEY'),
            kernelTree: get('BUFRIG_KERNEL_TREE'),
            directory: get('BUFRIG_TARGET_DIR'),
            identities: key === undefined ? [] : [resolve(key)],
          },
    append: get('BUFRIG_APPEND')?.split(/\s+/) ?? [],
    driverDiff: diff === undefined ? undefined : resolve(diff),
    profile: /\.m?ts$/.test(profile) ? resolve(profile) : profile,
    moduleFile: module === undefined ? undefined : resolve(module),
    isolation: isolationFrom(get('BUFRIG_ISOLATION')),
    slow: get('BUFRIG_SLOW') !== undefined,
    reports: resolve(projectFolder, get('BUFRIG_REPORTS') ?? 'reports'),
    cacheRoot: resolve(get('BUFRIG_CACHE') ?? join(env['XDG_CACHE_HOME'] ?? join(home, '.cache'), 'bufrig')),
    searchPath: env['PATH']?.split(':').filter((part) => part !== '') ?? [],
    ssh: {
      agentSocket: env['SSH_AUTH_SOCK'],
      defaultIdentities: ['id_ed25519', 'id_ecdsa', 'id_rsa'].map((name) => join(home, '.ssh', name)),
      knownHosts: [
        join(configFolder, 'known_hosts'),
        join(home, '.ssh', 'known_hosts'),
        '/etc/ssh/ssh_known_hosts',
      ],
    },
  };
}

function isolationFrom(text: string | undefined): Isolation | undefined {
  const isolation = isolations.find((one) => one === text);
  if (text === undefined || isolation !== undefined) return isolation;
  throw new LabError('BAD_SETTING', `BUFRIG_ISOLATION is ${text}`, {
    hint: `one of ${isolations.join(', ')}`,
  });
}
