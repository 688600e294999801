// SPDX-License-Identifier: MIT
/** The decoder of kernel logs: on logs that kernels wrote, on documented formats, and on look-alikes. */
import { readFileSync, readdirSync } from 'node:fs';
import { expect, test } from '@playwright/test';
import { Deadline } from '../../harness/deadline.ts';
import type { Agent } from '../../harness/agent/client.ts';
import { described } from '../../harness/agent/message.ts';
import { DriverError, KernelCrash, LabError } from '../../harness/errors.ts';
import { KernelLog } from '../../harness/kernel-log/follower.ts';
import { parseConsole, parseKmsg, parseRecord, type LogLine } from '../../harness/kernel-log/lines.ts';
import { repeatedLines } from '../../harness/kernel-log/repeated.ts';
import { insistOnSplat, Listening, undeclared, type Said } from '../../harness/kernel-log/listening.ts';
import { findSplats, type Splat } from '../../harness/kernel-log/reports.ts';
import { splatRows, type Category } from '../../harness/kernel-log/splats.ts';
import { KernelLogWatch } from '../../harness/kernel-log/watch.ts';
import type { RemoteProcess, Target } from '../../harness/target/target.ts';
import { documented, lookalikes } from './data/kernel-log/documented.ts';
import { verdicts } from './data/kernel-log/verdicts.ts';

const recorded = new URL('data/kernel-log/recorded/', import.meta.url);

test.describe('recorded logs', () => {
  for (const name of readdirSync(recorded)) {
    test(name, () => {
      const found = findSplats(read(name)).map(({ category, title, place, panic, lines }) => ({
        category,
        title,
        ...(place === undefined ? {} : { place }),
        ...(panic === undefined ? {} : { panic }),
        last: lines.at(-1),
      }));
      expect(verdicts, 'a recorded log needs its verdict in verdicts.ts').toHaveProperty([name]);
      expect(found).toEqual(verdicts[name]);
    });
  }

  test('a report is cut out whole, and nothing else with it', () => {
    const [splat] = findSplats(read('warn.kmsg.log'));
    expect(splat?.lines[0]).toBe('------------[ cut here ]------------');
    expect(splat?.lines[1]).toBe('provoke: told to warn');
    expect(splat?.lines).toHaveLength(35);
    expect(splat?.lines.filter((line) => line.startsWith('bufrig:'))).toEqual([]);
  });

  test('console and /dev/kmsg of one boot tell the same', () => {
    const told = ['console', 'kmsg'].map((kind) =>
      findSplats(read(`null.${kind}.log`)).map(({ title, place, lines }) => ({ title, place, lines })),
    );
    expect(told[0]).toEqual(told[1]);
  });
});

test.describe('documented formats', () => {
  for (const { category, source, lines, title } of documented) {
    test(`${category}: ${source}`, () => {
      const found = findSplats(lines.map((text) => ({ text })));
      expect(found.map((splat) => [splat.category, splat.title])).toEqual([[category, title]]);
      expect(found[0]?.lines).toEqual(lines);
    });
  }
});

test('every row of the table has a log', () => {
  const seen = new Set<Category>(documented.map(({ category }) => category));
  for (const verdict of Object.values(verdicts).flat()) seen.add(verdict.category);
  expect(splatRows.map(({ category }) => category).filter((category) => !seen.has(category))).toEqual([]);
});

test.describe('what is no splat', () => {
  for (const [source, text] of lookalikes) {
    test(`${text.slice(0, 60)} (${source})`, () => {
      expect(findSplats([{ text }])).toEqual([]);
    });
  }

  test('what a program says on the same wire', () => {
    const text = '[    1.000000] hello\nBUG: KASAN: said a program\n[    1.100000] bye\n';
    expect(findSplats(parseConsole(text))).toEqual([]);
  });

  test('a frame of a trace, and a header in the middle of a line', () => {
    const texts = [' kasan_report+0x10/0x20', 'contigbuf: not a BUG: KASAN: at all', '# BUG: Bad page state'];
    expect(findSplats(texts.map((text) => ({ text })))).toEqual([]);
  });
});

test.describe('one cause, one report', () => {
  test('two CPUs that report at once are kept apart by their callers', () => {
    const [one, two] = [warningOf('T1', 'first'), warningOf('C1', 'second')];
    const mixed = one.flatMap((line, index) => [line, two[index] ?? line]);
    const found = findSplats(mixed);
    expect(found.map(({ place, lines }) => [place, lines.length])).toEqual([
      ['first [first]', 5],
      ['second [second]', 5],
    ]);
  });

  test('a panic much later is a report of its own', () => {
    const lines = [
      { text: 'BUG: non-zero pgtables_bytes on freeing mm: 4096', seconds: 10 },
      { text: 'Kernel panic - not syncing: something else', seconds: 100 },
    ];
    expect(findSplats(lines).map(({ category }) => category)).toEqual(['page-tables', 'panic']);
  });

  test('a report without an end does not swallow the next one after a pause', () => {
    const lines = [
      { text: 'BUG: spinlock bad magic on CPU#1, agent/90', seconds: 10 },
      { text: 'BUG: KASAN: slab-use-after-free in f+0x1/0x2', seconds: 20 },
    ];
    expect(findSplats(lines).map(({ category }) => category)).toEqual(['spinlock', 'kasan']);
  });
});

test.describe('a declared complaint', () => {
  const [warning] = findSplats(warningOf('T1', 'here'));
  const [another] = findSplats(warningOf('T1', 'there'));
  if (warning === undefined || another === undefined) throw new Error('no warnings');
  const facts = { name: 'a guest' };
  const alive = described<Target>({ facts });
  const dead = described<Target>({ facts, whyDead: () => 'QEMU ended' });
  const here = { category: 'warning', title: /\bhere\.c/ } as const;

  test('passes with exactly that one', () => {
    expect(() => insistOnSplat(said([warning]), here, alive)).not.toThrow();
    expect(() => insistOnSplat(said([warning]), { category: 'warning' }, alive)).not.toThrow();
  });

  test('any other is a crash, and none a failure', () => {
    expect(() => insistOnSplat(said([warning, another]), here, alive)).toThrow(KernelCrash);
    expect(() => insistOnSplat(said([warning, warning, another]), { category: 'warning' }, alive)).toThrow(
      KernelCrash,
    );
    expect(() => insistOnSplat(said([another]), here, alive)).toThrow(KernelCrash);
    expect(() => insistOnSplat(said([warning]), { category: 'bug' }, alive)).toThrow(KernelCrash);
    expect(() => insistOnSplat(said([]), here, alive)).toThrow(DriverError);
  });

  test('a panic for a reason of its own is one more complaint, in a report and after it', () => {
    const own = { text: 'Kernel panic - not syncing: contigbuf lost its mind', caller: 'T1' };
    for (const length of [2, 5]) {
      const splats = findSplats([...warningOf('T1', 'here').slice(0, length), own]);
      expect(splats.map(({ category, panic }) => [category, panic])).toEqual([
        ['warning', 'contigbuf lost its mind'],
      ]);
      expect(undeclared(splats, here)).toEqual(splats);
      for (const target of [alive, dead])
        expect(() => insistOnSplat(said(splats, ['the link broke']), here, target)).toThrow(
          /here\.c.*, then a panic: contigbuf lost its mind/,
        );
    }
  });

  test('a panic that follows from it belongs to it', () => {
    const follows = { text: 'Kernel panic - not syncing: kernel: panic_on_warn set ...', caller: 'T1' };
    const splats = findSplats([...warningOf('T1', 'here'), follows]);
    expect(() => insistOnSplat(said(splats, ['the link broke']), here, dead)).not.toThrow();
    const declared: [file: string, category: Category][] = [
      ['oops-panic', 'null-dereference'],
      ['stack-guard', 'stack-overflow'],
      ['stack-protector', 'stack-protector'],
      ['panic', 'panic'],
    ];
    for (const [file, category] of declared) {
      const died = said(findSplats(read(`${file}.console.log`)), ['the link broke']);
      expect(() => insistOnSplat(died, { category }, dead), file).not.toThrow();
    }
  });

  test('a panic of which only the console knows is not overlooked', async () => {
    const texts = warningOf('T1', 'here').map(({ text }) => text);
    const panic = 'Kernel panic - not syncing: contigbuf lost its mind';
    let shown = '';
    const { watch, say } = await watched(async (mark) => {
      if (shown !== '') throw new LabError('LINK_LOST', 'the link broke');
      say(`12,1,1,-;${mark}\n`);
    });
    const target = described<Target>({
      ...{ facts, patience: 1, whyDead: () => 'QEMU ended' },
      console: { text: async () => shown },
    });
    const listening = await Listening.begin(target, watch, 'a test');
    say(texts.map((text, index) => `4,${index + 2},2,-;${text}\n`).join(''));
    shown = [...texts, panic].map((text) => `[    1.000000] ${text}\n`).join('');
    const heard = await listening.conclude('a test');
    expect(heard.splats).toMatchObject([{ category: 'warning', panic: 'contigbuf lost its mind' }]);
    expect(() => insistOnSplat(heard, here, target)).toThrow(KernelCrash);
  });

  test('a log that breaks off is explained by the death that was declared, and by no other', () => {
    const cut = ['the link broke'];
    const panicked = findSplats(read('oops-panic.console.log'));
    const oops = { category: 'null-dereference' } as const;
    expect(() => insistOnSplat(said(panicked, cut), oops, dead)).not.toThrow();
    expect(() => insistOnSplat(said(panicked, cut), oops, alive)).toThrow(LabError);
    expect(() => insistOnSplat(said([warning], cut), here, dead), 'nobody dies of a warning').toThrow(
      LabError,
    );
    expect(() => insistOnSplat(said([], cut), here, dead)).toThrow(LabError);
  });
});

test.describe('lines', () => {
  test('a record of /dev/kmsg in all its parts', () => {
    expect(parseRecord('14,1210,5368,c,caller=T90;rcu: \\x091-....: \\xc3\\xa9 \\x5c')).toEqual({
      level: 6,
      sequence: 1210,
      seconds: 0.005368,
      caller: 'T90',
      text: 'rcu: \t1-....: é \\',
    });
    expect(parseRecord('KERNEL PANIC')).toBeUndefined();
  });

  test('the dictionary of a record belongs to it and is not a line', () => {
    const lines = parseKmsg(
      '6,1,5,-;pl061 registered\n SUBSYSTEM=amba\n DEVICE=+amba:9030000.pl061\n6,2,6,-;next\n',
    );
    expect(lines.map(({ text }) => text)).toEqual(['pl061 registered', 'next']);
    expect(lines[0]?.dictionary).toEqual({ SUBSYSTEM: 'amba', DEVICE: '+amba:9030000.pl061' });
  });

  test('a console line with carriage returns, a level, a caller, and a program in front', () => {
    const text =
      'Segmentation fault<4>[    2.168618][  T90] Call trace:\r\r\nnoise\r\n[   12.000001]  f+0x1/0x2\r\n';
    expect(parseConsole(text)).toEqual([
      { text: 'Call trace:', seconds: 2.168618, caller: 'T90' },
      { text: ' f+0x1/0x2', seconds: 12.000001 },
    ]);
  });

  test('a console whose kernel stamps nothing is taken as it is', () => {
    expect(parseConsole('BUG: KASAN: x\n').map(({ text }) => text)).toEqual(['BUG: KASAN: x']);
  });
});

test.describe('the log between bookmarks', () => {
  const from = '12,1,10,-;bufrig: mark a';
  const to = '12,4,40,-;bufrig: mark b';
  const inside = ['4,2,20,-;inside', ' DEVICE=c1:3', '4,3,30,-;too'];

  test('is what the kernel said between them', () => {
    const slice = followed('4,0,5,-;before', from, ...inside, to, '4,5,50,-;after').slice('a', 'b');
    expect(slice.lines.map(({ text }) => text)).toEqual(['inside', 'too']);
    expect(slice).toMatchObject({ complete: true, missing: [] });
  });

  test('is not complete when records were lost', () => {
    const slice = followed(from, ...inside, '4,9,50,-;after a gap', '12,10,60,-;bufrig: mark b').slice(
      'a',
      'b',
    );
    expect(slice).toMatchObject({ complete: false, missing: ['the kernel overwrote 5 records unread'] });
  });

  test('is not complete when a bookmark is missing, and says why', () => {
    const log = followed(from, ...inside);
    log.end(new LabError('LINK_LOST', 'the link broke'));
    expect(log.slice('a', 'b').missing).toEqual(['the bookmark "b" is not in the log: the link broke']);
    expect(log.slice('x').missing).toEqual(['the bookmark "x" is not in the log']);
    expect(followed(to.replace('4,', '0,'), from).slice('a', 'b').complete).toBe(false);
  });

  test('records lost outside of it do not matter', () => {
    const slice = followed('4,0,1,-;early', '12,8,10,-;bufrig: mark a', '12,9,40,-;bufrig: mark b').slice(
      'a',
      'b',
    );
    expect(slice.complete).toBe(true);
  });

  test('a wait ends when the bookmark comes, when the log ends, and at its deadline', async () => {
    const log = followed(from);
    await log.waitFor('a', Deadline.in(1000));
    const coming = log.waitFor('b', Deadline.in(10_000));
    log.feed(to);
    await coming;
    await expect(log.waitFor('c', Deadline.in(10))).rejects.toThrow('waiting for the bookmark "c"');
    const cut = log.waitFor('c', Deadline.in(10_000));
    log.end(new LabError('LINK_LOST', 'the link broke'));
    await expect(cut).rejects.toThrow('the link broke');
    await expect(log.waitFor('d', Deadline.in(10_000))).rejects.toThrow('the link broke');
  });
});

test('what comes again and again is told once, whatever numbers are in it', () => {
  const lines = [1, 2, 3].flatMap((n) => [
    `x x${n}: buffer ${n} of 0x${n}000 bytes at 00000000abcd${n}000`,
    'eth0: up',
  ]);
  expect(repeatedLines([...lines, 'once'], 3)).toEqual([lines[0], lines[1]]);
  expect(repeatedLines([...lines, 'eth0: up'], 4)).toEqual(['eth0: up']);
  expect(repeatedLines(['a1', 'b1'], 2)).toEqual([]);
});

function read(name: string): LogLine[] {
  const text = readFileSync(new URL(name, recorded), 'utf8');
  return name.endsWith('.kmsg.log') ? parseKmsg(text) : parseConsole(text);
}

/** A warning of five lines, each marked as said by `caller`. */
function warningOf(caller: string, name: string): LogLine[] {
  return [
    '------------[ cut here ]------------',
    `WARNING: CPU: 0 PID: 1 at ${name}.c:1 ${name}+0x1/0x2`,
    'Call trace:',
    ` ${name}+0x1/0x2 [${name}]`,
    '---[ end trace 0000000000000000 ]---',
  ].map((text) => ({ text, caller }));
}

function said(splats: Splat[], missing: string[] = []): Said {
  return { lines: [], splats, missing, console: undefined };
}

function followed(...lines: string[]): KernelLog {
  const log = new KernelLog();
  for (const line of lines) log.feed(line);
  return log;
}

for (const [arch, words] of [
  ['arm64', 'Internal error: Oops - BUG: 00000000f2000800 [#1] SMP'],
  ['arm', 'Internal error: Oops: 805 [#1] SMP ARM'],
  ['x86', 'Oops: 0002 [#1] PREEMPT SMP PTI'],
] as const) {
  test(`a task that the kernel of ${arch} has lost is told once, and to who asks later`, async () => {
    const { watch, say } = await watched();
    let told = 0;
    watch.onTaskLost(() => (told += 1));
    say('4,1,10,-;WARNING: CPU: 0 PID: 7 at lib/x.c:3 f+0x1/0x2\n6,2,11,-;a list [#x] of [#2]things\n');
    expect([told, watch.taskLost], 'who only warns has lost nobody').toEqual([0, false]);
    // In two pieces, as it may come over a wire.
    say(`0,3,12,-;${words.slice(0, 12)}`);
    say(`${words.slice(12)}\n0,4,13,-;${words.replace('#1', '#2')}\n`);
    watch.onTaskLost(() => (told += 10));
    expect([told, watch.taskLost]).toEqual([11, true]);
  });
}

/** A watch, and the kernel that it hears; `mark` is what comes of its bookmarks. */
async function watched(
  mark?: (text: string) => Promise<void>,
): Promise<{ watch: KernelLogWatch; say: (text: string) => void }> {
  const listeners: ((chunk: Buffer) => void)[] = [];
  const process: Partial<RemoteProcess> = {
    onStdout: (listener) => void listeners.push(listener),
    ended: new Promise(() => {}),
  };
  const target = { facts: { name: 'guest' }, start: async () => process } as unknown as Target;
  const watch = await KernelLogWatch.start(target, 'agent', described<Agent>({ mark }));
  return { watch, say: (text) => listeners.forEach((hear) => hear(Buffer.from(text))) };
}
