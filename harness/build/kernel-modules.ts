// SPDX-License-Identifier: MIT
/**
 * Finds kernel modules by name and the order to load them in. A module says itself what it depends
 * on (its .modinfo section), so nothing of the host's is needed and depmod need not have run.
 */
import { execFile } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { LabError } from '../errors.ts';

export interface LoadableModule {
  /** As lsmod shows it: with underscores. */
  name: string;
  /** The module, decompressed. */
  image: Buffer;
}

/** Whether a kernel has this, as a module or built in. @param directory as of {@link modulesInOrder} */
export async function hasModule(directory: string, name: string): Promise<boolean> {
  const [order, builtin] = await Promise.all(
    ['modules.order', 'modules.builtin'].map((list) => readFile(join(directory, list), 'utf8')),
  );
  return `${order}\n${builtin}`.split('\n').some((path) => moduleName(path) === name);
}

/**
 * The modules and all they depend on, each after what it needs. What is built into the kernel is left out.
 * @param directory lib/modules/RELEASE with its modules.order and modules.builtin
 * @throws LabError `KERNEL_MODULE_MISSING` when a name is neither a module nor built in
 */
export async function modulesInOrder(directory: string, names: readonly string[]): Promise<LoadableModule[]> {
  // Not modules.order: it does not say which files are compressed.
  const files = await readdir(join(directory, 'kernel'), { recursive: true });
  const paths = byName(files.filter((file) => /\.ko(\.xz)?$/.test(file)));
  const builtin = byName((await readFile(join(directory, 'modules.builtin'), 'utf8')).split('\n'));
  const images = new Map<string, Buffer>();
  const dependencies = new Map<string, string[]>();

  const queue = names.map(canonical);
  for (const name of queue) {
    if (images.has(name) || builtin.has(name)) continue;
    const path = paths.get(name);
    if (path === undefined) {
      throw new LabError(
        'KERNEL_MODULE_MISSING',
        `this kernel has no module ${name}, built in or not: ${directory}`,
      );
    }
    const image = await readModule(join(directory, 'kernel', path));
    const needed = modinfo(image, 'depends')
      .flatMap((list) => list.split(','))
      .filter(Boolean)
      .map(canonical);
    images.set(name, image);
    dependencies.set(name, needed);
    queue.push(...needed);
  }
  return loadOrder(dependencies).map((name) => ({ name, image: images.get(name) ?? Buffer.alloc(0) }));
}

/** Names sorted so that each comes after its dependencies. Those without an entry of their own are left out. */
export function loadOrder(dependencies: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>();
  const visit = (name: string): void => {
    const needed = dependencies.get(name);
    if (needed === undefined || done.has(name)) return;
    // Added last so that a name is after what it needs; modules cannot depend on each other in a circle.
    for (const one of needed) if (!done.has(one)) visit(one);
    done.add(name);
  };
  for (const name of dependencies.keys()) visit(name);
  return [...done];
}

/** The values of `key` in a module's .modinfo, where `key=value` strings stand between zero bytes. */
export function modinfo(image: Buffer, key: string): string[] {
  const values = [];
  const needle = Buffer.from(`\0${key}=`);
  for (let at = image.indexOf(needle); at >= 0; at = image.indexOf(needle, at + 1)) {
    const start = at + needle.length;
    values.push(image.subarray(start, image.indexOf(0, start)).toString());
  }
  return values;
}

/** `drivers/net/virtio_net.ko` by `virtio_net`. */
function byName(paths: readonly string[]): Map<string, string> {
  return new Map(paths.map((path) => [moduleName(path), path]));
}

function moduleName(path: string): string {
  return canonical(basename(path).replace(/\.ko(\.xz)?$/, ''));
}

function canonical(name: string): string {
  return name.replaceAll('-', '_');
}

/** A module's bytes. Debian compresses them from 6.12 on. */
async function readModule(path: string): Promise<Buffer> {
  if (!path.endsWith('.xz')) return readFile(path);
  const options = { encoding: 'buffer', maxBuffer: 64 * 1024 * 1024 } as const;
  const { stdout } = await promisify(execFile)('xz', ['--decompress', '--stdout', path], options);
  return stdout;
}
