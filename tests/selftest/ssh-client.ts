// SPDX-License-Identifier: MIT
/**
 * A rig to be killed: opens a target, leaves a file and two processes there, says so and goes on for
 * ever. Its argument is the target's options as JSON.
 */
import { Deadline } from '../../harness/deadline.ts';
import { openSshTarget } from '../../harness/target/ssh/target.ts';

const [, , json = ''] = process.argv;
const target = await openSshTarget(JSON.parse(json), Deadline.in(60_000));
await target.put(Buffer.from('left behind'), 'file');
const holder = await target.start(['sh', '-c', 'sleep 1000 & echo started; exec sleep 1001']);
holder.onStdout(() => process.stdout.write(`${target.directory}\n`));
await holder.ended;
