// SPDX-License-Identifier: MIT
/** contigbuf in sysfs and debugfs; driver/README.md is the source. */
import { DEVICE } from './contigbuf-call.ts';
import { busReach, snoops } from './contigbuf-tree.ts';
import { DriverError } from '../errors.ts';
import type { CacheMode, StrategyName } from './profile.ts';
import type { Binding, Listed, OpenFile, SystemView } from './system.ts';

const instance = (number: number) => `contigbuf${number === 0 ? '' : number}`;

const binding = (number: number): Binding => ({
  driver: '/sys/bus/platform/drivers/contigbuf',
  device: `/sys/class/contigbuf/${instance(number)}/device`,
  mappings: 'keep',
  gone: ['ENODEV'],
});

const cacheModes: Readonly<Record<string, CacheMode>> = {
  coherent: 'coherent',
  cached: 'cached',
  wc: 'write-combined',
};

/** A line of names, then one for each buffer. */
function listed(text: string): Listed[] {
  const [names = '', ...lines] = text.split('\n').filter(Boolean);
  return lines.map((line) => {
    const values = line.split(' ');
    const of = (name: string) => values[names.split(' ').indexOf(name)] ?? '';
    const cache = cacheModes[of('cache')];
    if (cache === undefined) throw new DriverError('LISTING', `a buffer is listed as ${line}`);
    return {
      name: Number(of('id')) || undefined,
      requestedBytes: Number(of('bytes')),
      allocatedBytes: Number(of('allocated')),
      memory: of('backend'),
      cache,
      physicalAddress: Number(of('phys')),
      openFiles: Number(of('files')),
      mappings: Number(of('maps')),
    };
  });
}

const strategies: Readonly<Record<string, StrategyName>> = {
  fd: 'fd-per-buffer',
  cookie: 'offset-cookie',
  aperture: 'offset-aperture',
  physical: 'offset-physical',
};

/** A name and a tab before each value; a line for each buffer. */
function openFile(fdinfo: string): OpenFile {
  const values = (name: string) =>
    [...fdinfo.matchAll(new RegExp(`^${name}:\\t(.*)$`, 'gm'))].map(([, value = '']) => value);
  const [naming = ''] = values('naming');
  const buffers = values('buffer').map((value) => {
    const [id, bytes] = value.split(' ').map(Number);
    return { name: id === 0 ? undefined : id, allocatedBytes: bytes ?? Number.NaN };
  });
  return { chargedBytes: Number(values('charged')[0]), strategy: strategies[naming], buffers };
}

export const contigbufSystem: SystemView = {
  snoops,
  busReach,
  nodeMode: 0o660,
  shown: ['/sys/class/contigbuf/contigbuf/', '/sys/module/contigbuf/', '/sys/kernel/debug/contigbuf/'],
  alive: {
    buffers: `/sys/class/contigbuf/${instance(0)}/buffers`,
    bytes: `/sys/class/contigbuf/${instance(0)}/bytes`,
  },
  counted: {
    made: `/sys/class/contigbuf/${instance(0)}/allocated`,
    refused: `/sys/class/contigbuf/${instance(0)}/refused`,
  },
  listing: { file: '/sys/kernel/debug/contigbuf/contigbuf/buffers', read: listed },
  openFile,
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
