// SPDX-License-Identifier: MIT
/** The table of faults. A further one is one more row. */
import { setTimeout as sleep } from 'node:timers/promises';
import { contigbuf } from '../profile/contigbuf.ts';
import { LINES, lineSocket } from '../target/qemu/lines.ts';
import type { Fault, Scene } from './fault.ts';
import type { RunningGuest } from './running-guest.ts';
import { cutPort, cutUnixSocket, whyNoShutdown } from './sockets.ts';

/** Of the selection: many requests in a row for seconds, a screen to look at, a module to load and unload. */
const BUSY = 'LIF-01 memory comes back when the last mapping goes';
const SCREEN = 'GEO-09 the screen shows the 1920 x 1080 picture at the address that was told';
const MODULE = 'PWR-06 loading and unloading 5 times leaves nothing behind';

/** What runs while something breaks: tests before, in the same file and after those. */
export const SELECTION =
  '(fd-per-buffer.*(BND-03|LIF-01|ZER-01)|GEO-09|PWR-06 loading and unloading 5 times)';

/** Milliseconds of a pause that a lab may have, on a host that is busy with other things. */
const PAUSE = 30_000;

/** Milliseconds after its beginning in which a test is at its requests; measured: it takes 1 to 2.5 s in all. */
const UNDER_WAY = 400;

const inBusy = 'in the middle of LIF-01';

export const faults: readonly Fault[] = [
  {
    id: 'link-cut',
    what: 'the SSH link is cut in the middle of a call',
    when: inBusy,
    must: 'LIF-01 is infra: link lost, with the call that had no answer; QEMU and guest run',
    victim: BUSY,
    promised: {
      outcome: 'infra',
      cause: /LINK_LOST.*no answer yet to: .*the SSH connection is gone: the server closed/s,
    },
    impossible: whyNoShutdown,
    inject: async (scene) => {
      const guest = await inTheMiddle(scene);
      await cutPort(guest.pid, guest.port);
    },
  },
  {
    id: 'line-cut',
    what: 'the lines into the guest, beyond which the agents are, are cut in the middle of a call',
    when: inBusy,
    must: 'LIF-01 is infra: link lost, with the call that had no answer; QEMU and guest run',
    victim: BUSY,
    promised: {
      outcome: 'infra',
      cause: /LINK_LOST.*no answer yet to: .*line \d into the guest is gone/s,
    },
    impossible: whyNoShutdown,
    inject: async (scene) => {
      const guest = await inTheMiddle(scene);
      for (let number = 1; number <= LINES; number++)
        await cutUnixSocket(guest.pid, `${guest.folder}/${lineSocket(number)}`);
    },
  },
  {
    id: 'link-silent',
    what: "the guest's network card and its lines go down: every link stays and is silent",
    when: inBusy,
    must: 'LIF-01 is infra: no answer for as long as a hang would have been noticed, and the kernel is seen to be well',
    victim: BUSY,
    promised: {
      outcome: 'infra',
      cause: /LINK_LOST.*did not answer for \d+ s.*it is the link that is dead/s,
    },
    inject: async (scene) => {
      const guest = await inTheMiddle(scene);
      // The command's own answer has to come back first.
      await guest.sh(`(sleep 0.3; ${FALL_SILENT}) >/dev/null 2>&1 </dev/null &`);
    },
  },
  {
    id: 'guest-killed',
    what: 'QEMU is killed',
    when: inBusy,
    must: 'LIF-01 is infra: link lost, with how QEMU ended',
    victim: BUSY,
    promised: { outcome: 'infra', cause: /LINK_LOST.*QEMU was killed by SIGKILL/s },
    inject: async (scene) => {
      process.kill((await inTheMiddle(scene)).pid, 'SIGKILL');
    },
  },
  {
    id: 'guest-paused',
    what: 'the guest stands still for 30 s (SIGSTOP, SIGCONT)',
    when: inBusy,
    must: 'LIF-01 passes, half a minute late; the guest does not take itself for locked up',
    victim: BUSY,
    promised: { outcome: 'pass', atLeastSeconds: PAUSE / 1000 },
    inject: async (scene) => {
      const { pid } = await inTheMiddle(scene);
      process.kill(pid, 'SIGSTOP');
      await sleep(PAUSE);
      process.kill(pid, 'SIGCONT');
    },
  },
  {
    id: 'guest-stopped',
    what: 'the guest stands still for good (SIGSTOP)',
    when: inBusy,
    must: 'LIF-01 is infra: no answer, and QEMU is seen to be stopped',
    victim: BUSY,
    promised: { outcome: 'infra', cause: /LINK_LOST.*did not answer for \d+ s.*QEMU is stopped/s },
    inject: async (scene) => {
      process.kill((await inTheMiddle(scene)).pid, 'SIGSTOP');
    },
  },
  {
    id: 'guest-disk-full',
    what: "the guest's disk is full",
    when: 'before GEO-09 puts its program there',
    must: 'GEO-09 is infra: no space left on device, and on which',
    victim: SCREEN,
    promised: { outcome: 'infra', cause: /TARGET_DISK.*no space left on device/is },
    inject: async (scene) => {
      const guest = await scene.guestIn(SCREEN);
      await whileWorkersStand(scene, () => guest.sh(FILL));
    },
  },
  {
    id: 'agent-killed',
    what: 'the agent of the test is killed in the guest',
    when: inBusy,
    must: 'LIF-01 is infra: the agent ended by SIGKILL, with the request it was at',
    victim: BUSY,
    promised: { outcome: 'infra', cause: /AGENT_DIED.*ended \(SIGKILL\)/s },
    inject: async (scene) => {
      const guest = await inTheMiddle(scene);
      await guest.sh(KILL_USER, contigbuf.device);
    },
  },
  {
    id: 'scribe-killed',
    what: "the agent that writes the bookmarks into the kernel's log is killed",
    when: inBusy,
    must: 'LIF-01 is infra: the log is not complete, so its silence proves nothing',
    victim: BUSY,
    promised: { outcome: 'infra', cause: /KERNEL_LOG.*is not complete.*ended \(SIGKILL\)/s },
    inject: async (scene) => {
      const guest = await inTheMiddle(scene);
      await whileWorkersStand(scene, () => guest.sh(KILL_SCRIBE));
    },
  },
  {
    id: 'control-cut',
    what: 'the control connection to QEMU (QMP) is cut',
    when: 'before GEO-09 looks at the screen',
    must: 'GEO-09 is infra: the control connection is gone; the guest goes all the same',
    victim: SCREEN,
    promised: { outcome: 'infra', cause: /QMP_LOST/ },
    impossible: whyNoShutdown,
    inject: async (scene) => {
      const guest = await scene.guestIn(SCREEN);
      await cutUnixSocket(guest.pid, `${guest.folder}/qmp.sock`);
    },
  },
  {
    id: 'worker-killed',
    what: 'the process that runs the test is killed',
    when: inBusy,
    must: 'LIF-01 is infra: the worker ended; its guest goes with it',
    victim: BUSY,
    promised: { outcome: 'infra', cause: /worker process exited unexpectedly/ },
    inject: async (scene) => {
      await inTheMiddle(scene);
      for (const pid of scene.processes('workerProcessEntry')) process.kill(pid, 'SIGKILL');
    },
  },
  {
    id: 'runner-disk-full',
    what: "the runner's disk for what is temporary is full",
    when: 'while LIF-01 runs, until it is over',
    must: 'LIF-01 is infra: its evidence cannot be kept; once there is room the rest passes',
    victim: BUSY,
    smallDisk: 'temporary',
    promised: { outcome: 'infra', cause: /ENOSPC/ },
    inject: async (scene) => {
      await scene.guestIn(BUSY);
      await scene.fillDisk();
      await scene.endOf(BUSY);
      // What is kept of a test is kept after the last word about it in the log; so it is over when the next begins.
      await scene.guestIn(MODULE);
      await scene.emptyDisk();
    },
  },
  {
    id: 'reports-disk-full',
    what: "the runner's disk for the reports is full",
    when: 'from the middle of LIF-01 to the end',
    must: 'the run says on the terminal that the lab is red and why, and ends with 125',
    victim: BUSY,
    smallDisk: 'reports',
    promised: { outcome: 'told', cause: /summary could not be written: ENOSPC/ },
    inject: async (scene) => {
      await scene.guestIn(BUSY);
      await scene.fillDisk();
    },
  },
  {
    id: 'device-held',
    what: 'a process that is none of the test opens the device',
    when: inBusy,
    must: 'LIF-01 is infra: what the driver has alive afterwards is held by that process, by name',
    victim: BUSY,
    promised: { outcome: 'infra', cause: /MODULE_HELD.*held by .*process \d+ \(sh/s },
    inject: async (scene) => {
      const guest = await inTheMiddle(scene);
      await whileWorkersStand(scene, () => guest.sh(HOLD, contigbuf.device));
    },
  },
  {
    id: 'module-held',
    what: 'the module does not unload: a process that is none of the test uses it',
    when: 'while PWR-06 loads and unloads it',
    must: 'PWR-06 is infra: the module is held by that process, by name',
    victim: MODULE,
    promised: { outcome: 'infra', cause: /MODULE_HELD.*held by .*process \d+ \(sh/s },
    inject: async (scene) => {
      const guest = await scene.guestIn(MODULE);
      await guest.sh(HOLD, contigbuf.device);
    },
  },
  {
    id: 'two-runs',
    what: 'the same tests run twice at once',
    when: 'from the beginning',
    must: 'both pass, each with guests of its own',
    victim: BUSY,
    promised: { outcome: 'pass' },
    inject: (scene) => scene.startTwin(),
  },
];

/** Neither QEMU nor who is connected to it is told. */
const FALL_SILENT = `ip link set eth0 down
cd /sys/bus/virtio/drivers/virtio_console
for device in virtio[0-9]*; do echo "$device" >unbind; done`;

/** A file system in memory that is as large as what is in it. */
const FILL = `set -- $(stat -f -c '%b %f %S' /)
mount -o "remount,size=$((($1 - $2) * $3 / 1024))k" / || grep ' / ' /proc/mounts >&2
if dd if=/dev/zero of=/full bs=4096 count=1 2>/dev/null; then rm /full; echo "still room: $*" >&2; exit 1; fi
rm -f /full`;

/** $1: the device. Of those who have it open, any; waits until there is one. */
const KILL_USER = `while :; do
	for process in /proc/[0-9]*; do
		if ls -l "$process/fd" 2>/dev/null | grep -q -e "-> $1"; then kill -9 "\${process#/proc/}"; exit; fi
	done
done`;

/** The first agent there was: bookmarks begin before the driver is loaded. */
const KILL_SCRIBE = `for pid in $(ls /proc | grep -x '[0-9]*' | sort -n); do
	case $(tr '\\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null) in *-agent' ') kill -9 "$pid"; exit ;; esac
done
exit 1`;

/** $1: the device. Keeps it open until the guest goes, as soon as it can be opened. */
const HOLD = `hold() { while ! (exec 3<"$1" && while :; do sleep 1; done); do :; done; }
hold "$1" >/dev/null 2>&1 </dev/null &`;

/** The guest of the busy test, in the middle of its requests: what comes before them takes a fraction of a second. */
async function inTheMiddle(scene: Scene): Promise<RunningGuest> {
  const guest = await scene.guestIn(BUSY);
  await sleep(UNDER_WAY);
  return guest;
}

/** Does something to the guest of a test before the test goes on, however fast it is: the worker stands still meanwhile. */
async function whileWorkersStand(scene: Scene, work: () => Promise<unknown>): Promise<void> {
  const workers = scene.processes('workerProcessEntry');
  for (const pid of workers) process.kill(pid, 'SIGSTOP');
  try {
    await work();
  } finally {
    for (const pid of workers) process.kill(pid, 'SIGCONT');
  }
}
