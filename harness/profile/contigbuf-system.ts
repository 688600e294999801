// SPDX-License-Identifier: MIT
/** contigbuf in sysfs and debugfs; driver/README.md is the source. */
import { DEVICE } from './contigbuf-call.ts';
import type { Binding, SystemView } from './system.ts';

const instance = (number: number) => `contigbuf${number === 0 ? '' : number}`;

const binding = (number: number): Binding => ({
  driver: '/sys/bus/platform/drivers/contigbuf',
  device: `/sys/class/contigbuf/${instance(number)}/device`,
  mappings: 'keep',
  gone: ['ENODEV'],
});

export const contigbufSystem: SystemView = {
  nodeMode: 0o660,
  shown: ['/sys/class/contigbuf/contigbuf/', '/sys/module/contigbuf/', '/sys/kernel/debug/contigbuf/'],
  alive: {
    buffers: `/sys/class/contigbuf/${instance(0)}/buffers`,
    bytes: `/sys/class/contigbuf/${instance(0)}/bytes`,
  },
  binding: binding(0),
  instances: {
    parameters: ['devices=2'],
    nodes: [DEVICE, `/dev/${instance(1)}`],
    bindings: [binding(0), binding(1)],
    most: { devices: 32, exceeded: ['ENOSPC'] },
  },
  quota: {
    perOpenFile: '/sys/module/contigbuf/parameters/quota_open',
    total: '/sys/module/contigbuf/parameters/quota_total',
    exceeded: ['EDQUOT'],
  },
  addressBits: { parameter: (bits) => `dma_bits=${bits}`, least: 16, most: 64 },
  badParameters: ['devices=17', 'dma_bits=8', 'dma_bits=65'],
};
