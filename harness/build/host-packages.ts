// SPDX-License-Identifier: MIT
/** Brings what this machine lacks from Debian's archive, or says how, when the rig may not. */
import { LabError } from '../errors.ts';
import { run } from '../process.ts';
import { installCommand, unmet, type HostNeed } from './host.ts';

/** The machine lacks packages and the rig may not install them. The message is the command to run. */
export class HostIncomplete extends LabError {
  constructor(missing: readonly HostNeed[]) {
    const lacks = missing.map(({ provides, purpose }) => `  ${provides} to ${purpose}`);
    super(
      'HOST_INCOMPLETE',
      `this machine lacks\n${[...new Set(lacks)].join('\n')}\nand there is no right to install packages`,
      { hint: `sudo apt-get update && sudo ${installCommand(missing).join(' ')}` },
    );
  }
}

export interface InstallOptions {
  searchPath: readonly string[];
  /** Called with one line when something slow begins. */
  say: (line: string) => void;
  /** What to put before a command so that root runs it; found out unless given. */
  asRoot?: readonly string[] | undefined;
}

/**
 * Installs what is missing of the needs.
 * @returns how many were missing
 * @throws HostIncomplete; LabError `HOST_INSTALL` with the words of apt-get
 */
export async function provide(needs: readonly HostNeed[], options: InstallOptions): Promise<number> {
  const { searchPath, say } = options;
  const missing = await unmet(needs, searchPath);
  if (missing.length === 0) return 0;
  const asRoot = options.asRoot ?? (await rootPrefix());
  const [first, ...before] = asRoot;
  if (first === undefined) throw new HostIncomplete(missing);
  const [program, ...rest] = installCommand(missing);
  // Another apt may be at work: on a machine that has just been made, or in another worker of this run.
  const patient = ['-o', 'DPkg::Lock::Timeout=600', '-o', 'Dpkg::Use-Pty=0'];
  const quiet = [first, ...before, 'env', 'DEBIAN_FRONTEND=noninteractive', program, ...patient] as const;
  say('reading the package index');
  // A third party's broken source must not stand in the way: what counts is whether the install works.
  const update = await run([...quiet, 'update']);
  say(`installing ${rest.filter((word) => !/^(install|-)/.test(word)).join(' ')}`);
  const install = await run([...quiet, ...rest]);
  const still = await unmet(needs, searchPath);
  if (install.code !== 0 || still.length > 0) {
    const said = [update, install].map(({ stderr }) => stderr.trim()).join('\n');
    throw new LabError('HOST_INSTALL', `apt-get ${rest.join(' ')} did not bring what is needed:\n${said}`, {
      hint: 'run it by hand and look',
    });
  }
  return missing.length;
}

/** Empty when there is no way to be root. */
async function rootPrefix(): Promise<string[]> {
  if (process.getuid?.() === 0) return ['env'];
  const sudo = await run(['sudo', '-n', 'true']).catch(() => undefined);
  return sudo?.code === 0 ? ['sudo', '-n'] : [];
}
