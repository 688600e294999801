// SPDX-License-Identifier: MIT
/**
 * Builds the C programs that run on a target: the agent, and the example programs of the driver.
 * Static, so that they need nothing of the target but its kernel.
 */
import { readFile, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LabError } from '../errors.ts';
import { run } from '../process.ts';
import type { Architecture } from './architectures.ts';
import type { Cache } from './cache.ts';
import { compilerFor } from './compiler.ts';
import { contentKey, directoryKey } from './content-hash.ts';

const FLAGS = ['-std=gnu11', '-O2', '-g', '-static', '-Wall', '-Wextra', '-Werror'];

/**
 * Builds the rig's agent from all C files in harness/agent/native.
 * @returns path of the executable in the cache
 * @throws LabError `COMPILER_MISSING`, `BUILD_FAILED`
 */
export async function buildAgent(cache: Cache, architecture: Architecture): Promise<string> {
  const directory = fileURLToPath(new URL('../agent/native', import.meta.url));
  const names = await readdir(directory).catch(() => []);
  const sources = names.filter((name) => name.endsWith('.c')).toSorted();
  return compile(
    cache,
    architecture,
    'agent',
    sources.map((name) => join(directory, name)),
    [directory],
  );
}

/**
 * Builds one program from one C file.
 * @param includeDirectories where its headers are, for example driver/uapi
 * @returns path of the executable in the cache, named after the source without `.c`
 * @throws LabError `COMPILER_MISSING`, `BUILD_FAILED`
 */
export async function buildProgram(
  cache: Cache,
  architecture: Architecture,
  source: string,
  includeDirectories: readonly string[] = [],
): Promise<string> {
  return compile(cache, architecture, basename(source, '.c'), [source], includeDirectories);
}

async function compile(
  cache: Cache,
  architecture: Architecture,
  name: string,
  sources: readonly string[],
  includeDirectories: readonly string[],
): Promise<string> {
  if (sources.length === 0) throw new LabError('BUILD_FAILED', `there are no C files to build ${name} from`);
  const compiler = await compilerFor(architecture);
  const parts: (string | Buffer)[] = [compiler.version, FLAGS.join(' '), name];
  for (const source of sources) parts.push(basename(source), await readFile(source));
  for (const directory of includeDirectories) parts.push(await directoryKey(directory));
  const key = contentKey(...parts).slice(0, 16);
  const entry = await cache.entry('program', `${name}-${architecture}-${key}`, async (directory) => {
    cache.progress(`compiling ${name} for ${architecture}`);
    const includes = includeDirectories.flatMap((include) => ['-I', include]);
    const output = join(directory, name);
    await insist(`building ${name} for ${architecture}`, [
      compiler.command,
      ...FLAGS,
      ...includes,
      '-o',
      output,
      ...sources,
      '-pthread',
    ]);
  });
  return join(entry, name);
}

/** Runs a compiler; what it says is the error. */
async function insist(doing: string, argv: [string, ...string[]]): Promise<void> {
  const result = await run(argv);
  if (result.code === 0) return;
  throw new LabError('BUILD_FAILED', `${doing} failed:\n${result.stderr.trim()}`);
}
