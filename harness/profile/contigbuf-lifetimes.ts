// SPDX-License-Identifier: MIT
/** Whole lives of contigbuf's buffers, one for each strategy, as the agent repeats them by itself. */
import { ioctlStep, leftBy, type Left, type Step } from '../agent/repeat.ts';
import * as abi from './contigbuf-abi.ts';
import { DEVICE } from './contigbuf-call.ts';
import type { Layout } from './layout.ts';
import type { LifetimePlan } from './profile.ts';

/** asm-generic/fcntl.h. */
const O_RDWR = 2;
const {
  CONTIGBUF_IOC_ALLOC: ALLOC,
  CONTIGBUF_IOC_EXPORT: EXPORT,
  CONTIGBUF_IOC_FREE: FREE,
  CONTIGBUF_IOC_RESOLVE: RESOLVE,
} = abi.requests;

/** Many buffers on one open file: id and offset are what the driver answers. */
export function lifetimeOnOneFile(naming: number, plan: LifetimePlan): Step[] {
  const id = left(2, abi.alloc, 'id');
  const resolved = naming === abi.naming.CONTIGBUF_NAMING_PHYSICAL;
  const offset = resolved ? left(3, abi.resolve, 'phys_addr') : left(2, abi.alloc, 'offset');
  return [
    ...opened(plan, naming),
    ...(resolved ? [ofBuffer(plan, RESOLVE, abi.resolve, id)] : []),
    ...mapped(plan, plan.fd, offset.number),
    ofBuffer(plan, FREE, abi.free, id),
    ['close', plan.fd],
  ];
}

/** An open file for the buffer. */
export function lifetimeOnItsOwnFile(plan: LifetimePlan): Step[] {
  return [
    ...opened(plan, abi.naming.CONTIGBUF_NAMING_FD),
    ...mapped(plan, plan.fd, 0),
    ofBuffer(plan, FREE, abi.free),
    ['close', plan.fd],
  ];
}

/** The same with a dma-buf, which is what is mapped. */
export function lifetimeAsDmaBuf(plan: LifetimePlan): Step[] {
  const argument = { size: abi.exportArgument.bytes, fd_flags: O_RDWR };
  const dmaBuf = left(3, abi.exportArgument, 'fd').number;
  return [
    ...opened(plan, abi.naming.CONTIGBUF_NAMING_FD),
    ioctlStep(plan.fd, EXPORT, abi.exportArgument.encode(argument)),
    ...mapped(plan, dmaBuf, 0),
    ['close', dmaBuf],
    ofBuffer(plan, FREE, abi.free),
    ['close', plan.fd],
  ];
}

/** The first two steps. */
function opened({ fd, bytes }: LifetimePlan, naming: number): Step[] {
  const argument = abi.alloc.encode({ size: abi.alloc.bytes, bytes, naming });
  return [['open', DEVICE, 'rdwr'], ioctlStep(fd, ALLOC, argument)];
}

function mapped(
  { bytes, pages, address }: LifetimePlan,
  fd: number | string,
  offset: number | string,
): Step[] {
  return [
    ['mmap', bytes, 'rw', 'shared,fixed-noreplace', fd, offset, address],
    ['touch', address, pages, 'write'],
    ['munmap', address, bytes],
  ];
}

function left(step: number, layout: Layout, field: string): Left {
  const { offset, bytes } = placeOf(layout, field);
  return leftBy(step, offset, bytes);
}

/** A call that only names a buffer. @param id the one that the file is bound to unless given */
function ofBuffer({ fd }: LifetimePlan, request: number, layout: Layout, id?: Left): Step {
  const data = layout.encode({ size: layout.bytes }).toString('hex');
  const { offset, bytes } = placeOf(layout, 'id');
  const named = id && `${data.slice(0, 2 * offset)}${id.bytes}${data.slice(2 * (offset + bytes))}`;
  return ['ioctl', fd, request, named ?? data];
}

function placeOf(layout: Layout, field: string): { offset: number; bytes: number } {
  const place = layout.places().find(({ name }) => name === field);
  if (place === undefined) throw new TypeError(`${layout.name} has no field ${field}`);
  return place;
}
