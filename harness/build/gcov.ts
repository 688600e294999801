// SPDX-License-Identifier: MIT
/**
 * What a module that counts which of its lines run says about itself: the compiler's own gcov reads the
 * notes of the build and the counts from a kernel (Documentation/dev-tools/gcov.rst).
 */
import { copyFile, readdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { LabError } from '../errors.ts';
import type { FileRun } from '../measure/lines-run.ts';
import { run } from '../process.ts';
import { crossPrefix, type Architecture } from './architectures.ts';
import type { Cache } from './cache.ts';

/** One line of `gcov --json-format`; what is not needed here is left out. */
interface GcovObject {
  files: {
    file: string;
    lines: {
      line_number: number;
      function_name?: string;
      count: number;
      branches: { count: number }[];
    }[];
  }[];
}

/**
 * @param notes folder with the build's `.gcno` files
 * @param counts the kernel's `.gcda` files by their names
 * @returns the module's own files; headers of the kernel are left out
 * @throws LabError `GCOV`
 */
export async function readCounts(
  cache: Cache,
  architecture: Architecture,
  notes: string,
  counts: ReadonlyMap<string, Buffer>,
): Promise<FileRun[]> {
  return cache.scratch(async (folder) => {
    const names = (await readdir(notes)).filter((name) => name.endsWith('.gcno'));
    for (const name of names) await copyFile(join(notes, name), join(folder, name));
    for (const [name, data] of counts) await writeFile(join(folder, basename(name)), data);
    const program = `${crossPrefix(architecture)}gcov`;
    const result = await run([program, '--json-format', '--stdout', '--branch-probabilities', ...names], {
      cwd: folder,
    });
    if (result.code !== 0 || /stamp mismatch|version '/.test(result.stderr)) {
      throw new LabError(
        'GCOV',
        `${program} cannot read what the kernel has counted:\n${result.stderr.trim()}`,
      );
    }
    return result.stdout.split('\n').filter(Boolean).flatMap(filesIn);
  });
}

function filesIn(line: string): FileRun[] {
  const { files }: GcovObject = JSON.parse(line);
  // The module's own have no folder: harness/build/module.ts takes it off.
  const own = files.filter(({ file }) => !file.includes('/') && !file.endsWith('.mod.c'));
  return own.map(({ file, lines }) => ({
    file,
    lines: lines.map(({ line_number, function_name = '', count, branches }) => ({
      line: line_number,
      function: function_name,
      count,
      branches: branches.map((branch) => branch.count),
    })),
  }));
}
