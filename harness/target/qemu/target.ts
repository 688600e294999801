// SPDX-License-Identifier: MIT
/** The QEMU kind of target: boot a guest, then it is a machine reached by SSH. */
import { copyFile, appendFile, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { architectureFacts } from '../../build/architectures.ts';
import { insistOnHost } from '../../build/host.ts';
import { baseInitramfs } from '../../build/initramfs.ts';
import { guestKernel } from '../../build/guest-kernel.ts';
import { newHostKey, newLoginKey, perRunArchive } from '../../build/per-run.ts';
import { Deadline } from '../../deadline.ts';
import { LabError } from '../../errors.ts';
import { runOk } from '../../process.ts';
import { Undo } from '../../undo.ts';
import type { OpenContext } from '../open.ts';
import type { QemuSpec } from '../spec.ts';
import { sshTargetOver } from '../ssh/target.ts';
import { waitForSsh } from '../ssh/wait.ts';
import type { Target } from '../target.ts';
import { chooseAccelerator, patienceUnder, type Accelerator, type AcceleratorName } from './accelerator.ts';
import { Guest } from './guest.ts';
import { machineNamed } from './machines.ts';
import { RunFolder } from './run-folder.ts';

/** Milliseconds from QEMU's start to a login that a guest may take on hardware; measured: 0.5 to 1 s under KVM. */
const BOOT_LIMIT = 12_000;
/** Milliseconds in which a guest's kernel must have said its first word under KVM. */
const KVM_PROBE_LIMIT = 15_000;
/** What the guest's init prints when its SSH server listens (harness/build/guest/init). */
const READY = 'bufrig: ready';

/**
 * Boots a guest and logs in.
 * @throws LabError `HOST_INCOMPLETE`, `GUEST_DIED`, `GUEST_NOT_READY` with the console's last lines; those of fetching and of SSH
 */
export async function openQemuTarget(spec: QemuSpec, context: OpenContext): Promise<Target> {
  const { cache } = context;
  const machine = machineNamed(spec.machine);
  const { architecture } = machine;
  await insistOnHost(architecture, spec.programs ?? architecture, context.settings.searchPath);
  const kernel = await guestKernel(cache, { architecture, ...spec.kernel }, context.settings.searchPath);
  const initramfs = await baseInitramfs(cache, { kernel });
  const login = newLoginKey();
  const hostKey = newHostKey();

  const prepare = async (undo: Undo): Promise<RunFolder> => {
    const folder = await RunFolder.create(spec.memoryMiB * 1024 * 1024);
    undo.add("remove the guest's folder", () => folder.dispose());
    await copyFile(initramfs.file, folder.file('initramfs'));
    const perRun = perRunArchive({ hostKey, authorizedKeys: [login.publicLine] });
    await appendFile(folder.file('initramfs'), perRun);
    await writeFile(folder.file('login-key'), login.privateOpenssh, { mode: 0o600 });
    return folder;
  };
  const start = async (folder: RunFolder, undo: Undo, accelerator: AcceleratorName, deadline: Deadline) => {
    const guest = await Guest.start(
      folder,
      {
        machine,
        accelerator,
        kernel: kernel.image,
        initramfs: folder.file('initramfs'),
        cpus: spec.cpus,
        memoryMiB: spec.memoryMiB,
        append: [...spec.append, ...context.settings.append],
      },
      deadline,
    );
    undo.add('stop QEMU', () => guest.stop());
    return guest;
  };

  const version = await qemuVersion(architectureFacts(architecture).qemu.program);
  const accelerator = await chooseAccelerator(machine, version, cache, async () => {
    context.announce(`${spec.name}: trying whether a guest makes progress under KVM`);
    const undo = new Undo();
    try {
      const folder = await prepare(undo);
      const deadline = context.deadline.atMost(KVM_PROBE_LIMIT);
      // QEMU itself gives up on a KVM that lies; that is an answer too.
      const guest = await start(folder, undo, 'kvm', deadline).catch(() => undefined);
      return (await guest?.makesProgress(deadline)) ?? false;
    } finally {
      await undo.run();
    }
  });
  announceAccelerator(spec, accelerator, context);

  const undo = new Undo();
  return undo.onFailure(async () => {
    const patience = patienceUnder[accelerator.name];
    const deadline = context.deadline.atMost(BOOT_LIMIT * patience);
    const folder = await prepare(undo);
    const begun = performance.now();
    const guest = await start(folder, undo, accelerator.name, deadline);
    await waitUntilReady(spec, guest, deadline);
    const connection = await waitForSsh(
      {
        name: spec.name,
        address: { user: 'root', host: '127.0.0.1', port: await guest.sshPort(deadline) },
        identities: [folder.file('login-key')],
        hostKey: hostKey.fingerprint,
        knownHosts: [],
        patience,
      },
      deadline,
      () => guest.whyDead(),
    );
    return sshTargetOver(
      connection,
      {
        kernelTree: kernel.tree,
        kernelModules: kernel.modules,
        accelerator: accelerator.name,
        programs: spec.programs,
        details: {
          accelerator: `${accelerator.name} (${accelerator.reason})`,
          'boot to login': `${((performance.now() - begun) / 1000).toFixed(1)} s`,
          QEMU: version,
          machine: spec.machine,
          CPU: machine.cpu[accelerator.name],
          'kernel package': `${kernel.package.name} ${kernel.package.version}`,
          fingerprint: hostKey.fingerprint,
          'login key': folder.file('login-key'),
          'kernel package sha256': kernel.package.sha256,
        },
        console: guest.console,
        externalMemory: guest.externalMemory,
        busMaster:
          machine.fwCfgWitness === undefined
            ? undefined
            : { registers: machine.fwCfgWitness, reaches: guest.externalMemory.regions },
        whyDead: () => guest.whyDead(),
        onClose: () => undo.run(),
      },
      deadline,
    );
  });
}

function announceAccelerator(spec: QemuSpec, accelerator: Accelerator, context: OpenContext): void {
  if (accelerator.name === 'kvm') return;
  context.announce(`${spec.name}: software emulation, no KVM: ${accelerator.reason}`);
}

async function waitUntilReady(spec: QemuSpec, guest: Guest, deadline: Deadline): Promise<void> {
  while (!guest.console.textNow().includes(READY)) {
    const why = guest.whyDead();
    if (why !== undefined) throw new LabError('GUEST_DIED', `${spec.name} died while booting: ${why}`);
    if (deadline.expired) {
      const waited = (deadline.total / 1000).toFixed(0);
      throw new LabError(
        'GUEST_NOT_READY',
        `${spec.name} opened no SSH within ${waited} s of booting; ${guest.lastConsoleLines().join('\n')}`,
      );
    }
    await sleep(20);
  }
}

/** For example `7.2.22`. */
async function qemuVersion(program: string): Promise<string> {
  const { stdout } = await runOk([program, '--version'], { deadline: Deadline.in(10_000) });
  return /version (\S+)/.exec(stdout)?.[1] ?? stdout.trim();
}
