// SPDX-License-Identifier: MIT
/** What a guest is made of: found, fetched or built before the first one of its kind is started. */
import { createHash } from 'node:crypto';
import { appendFile, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { architectureFacts } from '../../build/architectures.ts';
import { guestNeeds } from '../../build/host.ts';
import { provide } from '../../build/host-packages.ts';
import { baseInitramfs } from '../../build/initramfs.ts';
import { guestKernel } from '../../build/guest-kernel.ts';
import type { DebianKernel } from '../../build/kernel.ts';
import { hasModule } from '../../build/kernel-modules.ts';
import { newHostKey, newLoginKey, perRunArchive } from '../../build/per-run.ts';
import { buildAgent } from '../../build/program.ts';
import { Deadline } from '../../deadline.ts';
import { runOk } from '../../process.ts';
import { Undo } from '../../undo.ts';
import type { OpenContext } from '../open.ts';
import type { QemuSpec } from '../spec.ts';
import { chooseAccelerator, patienceUnder, type Accelerator, type AcceleratorName } from './accelerator.ts';
import { deviceTreeWith } from './device-tree.ts';
import { Guest, type GuestOptions, type GuestRam } from './guest.ts';
import { LINES } from './lines.ts';
import { machineNamed, type Machine } from './machines.ts';
import { RunFolder } from './run-folder.ts';

/** Milliseconds in which a guest's kernel must have said its first word under KVM. */
const KVM_PROBE_LIMIT = 15_000;
/** Directory in the guest that is the rig's own when it is made; a RAM disk like everything there. */
export const GUEST_DIRECTORY = '/var/bufrig';

/** The kernel's driver of virtio ports. */
const LINE_MODULE = 'virtio_console';

/** The rig's agent, which a guest has from the start. */
export interface GuestProgram {
  /** Path in the guest. */
  path: string;
  content: Buffer;
  sha256: string;
}

export interface Recipe {
  spec: QemuSpec;
  machine: Machine;
  kernel: DebianKernel;
  /** Path of the file system that all guests of this kernel share. */
  initramfs: string;
  agent: GuestProgram;
  /** For example `7.2.22`. */
  qemuVersion: string;
  accelerator: Accelerator;
  /** Factor on deadlines. */
  patience: number;
  /** Kernel arguments beside the rig's own. */
  append: string[];
  /** Path of the device tree, if it is not the machine's own. */
  deviceTree?: string | undefined;
  /** How many lines lead into a guest: none where its kernel knows no virtio ports, or the spec wants none. */
  lines: number;
}

/** Who a guest is and who may log in: files on the host, see {@link layOut}. */
export interface GuestFiles {
  initramfs: string;
  /** Private key to log in with, only for the user to read. */
  loginKey: string;
  /** The host key's, `SHA256:...`. */
  fingerprint: string;
}

/** @throws LabError `HOST_INCOMPLETE`, those of fetching and building */
export async function recipeFor(
  spec: QemuSpec,
  context: Omit<OpenContext, 'deadline'>,
  deadline: Deadline,
): Promise<Recipe> {
  const { cache, settings, announce } = context;
  const machine = machineNamed(spec.machine);
  const { architecture } = machine;
  const programs = spec.programs ?? architecture;
  const host = { searchPath: settings.searchPath, say: announce };
  await provide(guestNeeds(architecture, programs), host);
  const kernel = await guestKernel(cache, { architecture, ...spec.kernel }, settings.searchPath);
  const hasLines = await hasModule(kernel.modules, LINE_MODULE);
  const { file: initramfs } = await baseInitramfs(cache, { kernel, modules: hasLines ? [LINE_MODULE] : [] });
  const agent = programIn(GUEST_DIRECTORY, await readFile(await buildAgent(cache, programs)));
  const qemuVersion = await versionOf(architectureFacts(architecture).qemu.program);
  const append = [...spec.append, ...settings.append];
  const lines = hasLines && spec.lines !== false ? LINES : 0;
  const parts = { spec, machine, kernel, initramfs, agent, qemuVersion, append, lines };
  const accelerator = await chooseAccelerator(machine, qemuVersion, cache, () => {
    announce(`${spec.name}: trying whether a guest makes progress under KVM`);
    const trial = { ...parts, accelerator: { name: 'kvm' as const, reason: '' }, patience: 1 };
    return makesProgress(trial, deadline.atMost(KVM_PROBE_LIMIT));
  });
  if (accelerator.name !== 'kvm') announce(`${spec.name}: software emulation, no KVM: ${accelerator.reason}`);
  const deviceTree =
    spec.deviceTree === undefined
      ? undefined
      : await deviceTreeWith(
          spec.deviceTree,
          { ...spec, machine, accelerator: accelerator.name },
          { qemuVersion, cache, host },
        );
  const patience = patienceUnder[accelerator.name] * (spec.slowness ?? 1);
  return { ...parts, accelerator, patience, deviceTree };
}

/** Writes what is a guest's own into a folder on the host: new keys, and its file system with them in it. */
export async function layOut(recipe: Recipe, directory: string): Promise<GuestFiles> {
  await mkdir(directory, { recursive: true });
  const login = newLoginKey();
  const hostKey = newHostKey();
  const files = { initramfs: join(directory, 'initramfs'), loginKey: join(directory, 'login-key') };
  const { agent } = recipe;
  const own = perRunArchive({
    hostKey,
    authorizedKeys: [login.publicLine],
    programs: [{ path: agent.path, data: agent.content }],
  });
  await copyFile(recipe.initramfs, files.initramfs);
  await appendFile(files.initramfs, own);
  await writeFile(files.loginKey, login.privateOpenssh, { mode: 0o600 });
  return { ...files, fingerprint: hostKey.fingerprint };
}

export function guestOptions(recipe: Recipe, initramfs: string, ram: GuestRam): GuestOptions {
  const { machine, accelerator, kernel, spec, append, deviceTree, lines } = recipe;
  const { cpus, memoryMiB } = spec;
  return {
    ...{ machine, accelerator: accelerator.name, kernel: kernel.image, initramfs },
    ...{ cpus, memoryMiB, append, ram, deviceTree, lines },
  };
}

/** Bytes of a guest's RAM. */
export function ramBytes({ spec }: Pick<Recipe, 'spec'>): number {
  return spec.memoryMiB * 1024 * 1024;
}

async function makesProgress(recipe: Recipe, deadline: Deadline): Promise<boolean> {
  const undo = new Undo();
  try {
    const folder = await RunFolder.create(ramBytes(recipe));
    undo.add("remove the guest's folder", () => folder.dispose());
    const { initramfs } = await layOut(recipe, folder.path);
    const options = guestOptions(recipe, initramfs, { file: folder.file('ram'), as: 'file' });
    // QEMU itself gives up on a KVM that lies; that is an answer too.
    const guest = await Guest.start(folder, options, deadline).catch(() => undefined);
    if (guest !== undefined) undo.add('stop QEMU', () => guest.stop());
    return (await guest?.makesProgress(deadline)) ?? false;
  } finally {
    await undo.run();
  }
}

function programIn(directory: string, content: Buffer): GuestProgram {
  const sha256 = createHash('sha256').update(content).digest('hex');
  return { path: `${directory}/${sha256.slice(0, 16)}-agent`, content, sha256 };
}

async function versionOf(program: string): Promise<string> {
  const { stdout } = await runOk([program, '--version'], { deadline: Deadline.in(10_000) });
  return /version (\S+)/.exec(stdout)?.[1] ?? stdout.trim();
}

export type { AcceleratorName };
