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

/**
 * What a kernel's .config says its compiler can do and which option stands for it. Kernels are
 * configured with the compiler of their own release; a module is built with this machine's.
 */
const OPTIONS: readonly { symbol: string; option: string }[] = [
  { symbol: 'CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT', option: '-fmin-function-alignment=8' },
];

/** The symbols of a .config that this compiler does not live up to; to be unset for the build. */
export async function unsupportedOptions(compiler: Compiler, config: string): Promise<string[]> {
  const unsupported = [];
  for (const { symbol, option } of OPTIONS) {
    if (!config.includes(`\n${symbol}=y\n`)) continue;
    const tried = await run([compiler.command, option, '-S', '-x', 'c', '/dev/null', '-o', '/dev/null']);
    if (tried.code !== 0) unsupported.push(symbol);
  }
  return unsupported;
}
