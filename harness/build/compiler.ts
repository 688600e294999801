// SPDX-License-Identifier: MIT
/** The C compiler for an architecture: its name, and which one it is, since that goes into what it makes. */
import { run } from '../process.ts';
import { LabError } from '../errors.ts';
import { architectureFacts, crossPrefix, hostArchitecture, type Architecture } from './architectures.ts';

export interface Compiler {
  /** Prefix of all the tools, for `make CROSS_COMPILE=`. */
  prefix: string;
  command: string;
  /** First line of `--version`. */
  version: string;
}

/** @throws LabError `COMPILER_MISSING` */
export async function compilerFor(architecture: Architecture): Promise<Compiler> {
  const prefix = crossPrefix(architecture);
  const command = `${prefix}gcc`;
  const result = await run([command, '--version']).catch(() => undefined);
  if (result?.code !== 0) {
    const packages =
      architecture === hostArchitecture()
        ? ['gcc', 'libc6-dev']
        : architectureFacts(architecture).crossPackages;
    throw new LabError('COMPILER_MISSING', `there is no working ${command} on this machine`, {
      hint: `apt-get install --no-install-recommends ${packages.join(' ')}`,
    });
  }
  return { prefix, command, version: result.stdout.split('\n')[0] ?? '' };
}
