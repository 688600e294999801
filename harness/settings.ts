// SPDX-License-Identifier: MIT
/**
 * What a user can set through the environment, read in one place. playwright.config.ts and the
 * command line pass `process.env` in; nothing else in the project looks at it.
 */
import { userInfo } from 'node:os';
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

/** Those that name a file or a folder of this machine, relative to where the user is; the reports' is to the checkout. */
const PATHS: readonly (keyof typeof variables)[] = [
  'BUFRIG_SSH_KEY',
  'BUFRIG_KERNEL_TREE',
  'BUFRIG_DRIVER_DIFF',
  'BUFRIG_PROFILE',
  'BUFRIG_MODULE',
  'BUFRIG_CACHE',
];

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

/** The variables that are set and name a path, with paths that mean the same from any folder. @param from absolute */
export function absolutePaths(env: Environment, from: string): Environment {
  return Object.fromEntries(
    PATHS.flatMap((name): [string, string][] => {
      const value = filled(env, name);
      // A driver may also be named by a word.
      if (value === undefined || (name === 'BUFRIG_PROFILE' && !isFile(value))) return [];
      return [[name, resolve(from, value)]];
    }),
  );
}

/** The variables that say what runs that are started from here test, and how: all but those of their surroundings. */
export function settingsOfRuns(env: Environment): Record<string, string> {
  const surroundings = ['BUFRIG_REPORTS', 'BUFRIG_CACHE'];
  return Object.fromEntries(
    Object.keys(variables).flatMap((name): [string, string][] => {
      const value = surroundings.includes(name) ? undefined : filled(env, name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** What is set but empty is not set, also for the folders of the XDG base directory specification. */
function filled(env: Environment, name: string): string | undefined {
  const value = env[name]?.trim();
  return value === '' ? undefined : value;
}

function isFile(profile: string): boolean {
  return /\.m?ts$/.test(profile);
}

/** @throws LabError `BAD_SETTING` when a variable makes no sense */
export function settingsFrom(given: Environment, projectFolder: string): Settings {
  const env = { ...given, ...absolutePaths(given, process.cwd()) };
  const get = (name: keyof typeof variables) => filled(env, name);
  const home = filled(env, 'HOME') ?? userInfo().homedir;
  const configFolder = join(filled(env, 'XDG_CONFIG_HOME') ?? join(home, '.config'), 'bufrig');
  const cacheFolder = join(filled(env, 'XDG_CACHE_HOME') ?? join(home, '.cache'), 'bufrig');
  const key = get('BUFRIG_SSH_KEY');
  const address = get('BUFRIG_TARGET');
  if (address !== undefined && !address.startsWith('ssh://')) {
    throw new LabError('BAD_SETTING', `BUFRIG_TARGET is ${address}`, {
      hint: 'give it as ssh://user@host:port',
    });
  }
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
            identities: key === undefined ? [] : [key],
          },
    append: get('BUFRIG_APPEND')?.split(/\s+/) ?? [],
    driverDiff: get('BUFRIG_DRIVER_DIFF'),
    profile: get('BUFRIG_PROFILE') ?? 'contigbuf',
    moduleFile: get('BUFRIG_MODULE'),
    isolation: isolationFrom(get('BUFRIG_ISOLATION')),
    slow: get('BUFRIG_SLOW') !== undefined,
    reports: resolve(projectFolder, get('BUFRIG_REPORTS') ?? 'reports'),
    cacheRoot: cacheFrom(resolve(get('BUFRIG_CACHE') ?? cacheFolder)),
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

/** make(1) and QEMU's options take such a path apart. */
function cacheFrom(path: string): string {
  if (!/[\s,:#$'"\\]/.test(path)) return path;
  throw new LabError('BAD_SETTING', `the cache would be ${path}: kernels cannot be built in such a folder`, {
    hint: 'BUFRIG_CACHE=FOLDER, without blanks and any of , : # $ \' " \\ in it',
  });
}

function isolationFrom(text: string | undefined): Isolation | undefined {
  const isolation = isolations.find((one) => one === text);
  if (text === undefined || isolation !== undefined) return isolation;
  throw new LabError('BAD_SETTING', `BUFRIG_ISOLATION is ${text}`, {
    hint: `one of ${isolations.join(', ')}`,
  });
}
