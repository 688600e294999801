// SPDX-License-Identifier: MIT
/**
 * The source of a kernel module, laid out for a build: the module's directory and those it includes
 * from keep their places relative to each other below one top directory, as they have them in the
 * checkout. A mutation of the driver is a unified diff against that layout.
 */
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { LabError } from '../errors.ts';
import { runOk } from '../process.ts';
import { applyDiff } from './diff.ts';
import { contentKey, directoryKey, filesBelow } from './content-hash.ts';

export interface ModuleSource {
  /** Directory with the module's Kbuild or Makefile. */
  source: string;
  /** Directories it includes from, for example driver/uapi. */
  extraSources?: readonly string[] | undefined;
  /** A unified diff with paths as git prints them (`a/driver/module/...`), applied before the build. */
  diff?: string | undefined;
}

/** A key for every byte that goes into the build. @throws LabError `MODULE_SOURCE` */
export async function moduleSourceKey(request: ModuleSource): Promise<string> {
  const parts = [];
  for (const directory of directoriesOf(request)) {
    const names = await filesBelow(directory).catch(() => []);
    if (names.length === 0) throw noSource(directory, 'does not exist or is empty');
    parts.push(basename(directory), await directoryKey(directory));
  }
  const names = await filesBelow(request.source);
  if (!names.includes('Kbuild') && !names.includes('Makefile')) {
    throw noSource(request.source, 'has neither a Kbuild file nor a Makefile');
  }
  return contentKey(...parts, request.diff ?? '');
}

/**
 * Copies the source below `into` and applies the diff.
 * @returns the module's directory in the copy
 * @throws LabError `DIFF_REJECTED` when the diff does not apply as it is
 */
export async function layOutModuleSource(request: ModuleSource, into: string): Promise<string> {
  const top = topOf(request);
  for (const directory of directoriesOf(request)) {
    for (const name of await filesBelow(directory)) {
      const copy = join(into, relative(top, directory), name);
      await mkdir(dirname(copy), { recursive: true });
      const original = join(directory, name);
      // Writable even when the checkout is read-only; a script stays executable.
      const mode = (await stat(original)).mode | 0o600;
      await writeFile(copy, await readFile(original), { mode });
    }
  }
  if (request.diff !== undefined) await applyDiff(request.diff, into, "the module's source");
  return join(into, relative(top, resolve(request.source)));
}

/** The laid-out source as a tar archive, for a build elsewhere; `module` is the module's directory in it. */
export async function moduleSourceTar(
  request: ModuleSource,
  scratch: string,
): Promise<{ tar: Buffer; module: string }> {
  const layout = join(scratch, 'layout');
  await mkdir(layout, { recursive: true });
  const module = relative(layout, await layOutModuleSource(request, layout));
  const file = join(scratch, 'source.tar');
  await runOk(['tar', '-C', layout, '--format=ustar', '--owner=0', '--group=0', '-cf', file, '.']);
  return { tar: await readFile(file), module };
}

function directoriesOf(request: ModuleSource): string[] {
  return [request.source, ...(request.extraSources ?? [])].map((directory) => resolve(directory));
}

/** The directory above the deepest one that holds all sources, so that its own name is part of the paths. */
function topOf(request: ModuleSource): string {
  const directories = directoriesOf(request).map((directory) => dirname(directory));
  let common = directories[0] ?? '/';
  while (!directories.every((one) => one === common || one.startsWith(`${common}/`)))
    common = dirname(common);
  return dirname(common);
}

function noSource(directory: string, what: string): LabError {
  return new LabError('MODULE_SOURCE', `the module's source ${directory} ${what}`);
}
