// SPDX-License-Identifier: MIT
/**
 * The catalogue: every property that a driver which hands buffers to userspace ought to have, with its
 * id and its claim. The coverage page is this table against the tests that ran; a selftest is this
 * table against the tests that exist. An id without a test says here why it has none.
 */

export interface CatalogueEntry {
  /** What a driver that is right does. */
  claim: string;
  /** Why no rig like this one can check it, or no driver like this one can break it. */
  notApplicable?: string;
  /** What is needed before it can be checked; until then it counts as missing. */
  missing?: string;
}

const noReader = 'the drivers described so far read nothing of what is in their buffers';

export const catalogue: Readonly<Record<string, CatalogueEntry>> = {
  'GEO-01': { claim: 'a mapping begins on a page and covers its length, rounded up to pages' },
  'GEO-02': { claim: 'a buffer begins on a physical page, where the driver says' },
  'GEO-03': { claim: 'a buffer is one run of physical memory' },
  'GEO-04': { claim: 'an alignment that is asked for is given or refused' },
  'GEO-05': { claim: 'accesses of any width and alignment work' },
  'GEO-06': { claim: 'sizes are rounded up and never cut off' },
  'GEO-07': { claim: 'buffers that live at once share no memory' },
  'GEO-08': { claim: 'a buffer costs its size in memory, and little more' },
  'GEO-09': { claim: 'the address that is reported is the one a device has to use' },
  'GEO-10': { claim: 'nothing depends on the size of a page' },
  'GEO-11': { claim: 'memory lies where the device’s address bits reach' },

  'ZER-01': { claim: 'a fresh buffer reads as zero to its last byte' },
  'ZER-02': { claim: 'memory that was another’s buffer reads as zero again' },
  'ZER-03': { claim: 'the rest of the last page is zero and nobody else’s' },
  'ZER-04': { claim: 'a device, too, sees a fresh buffer as zero' },
  'ZER-05': { claim: 'an allocation that fails or is interrupted shows nothing' },

  'BND-01': { claim: 'a mapping is not longer than its buffer' },
  'BND-02': { claim: 'no mapping begins at the end of a buffer' },
  'BND-03': { claim: 'no mapping begins behind a buffer' },
  'BND-04': { claim: 'no mapping crosses the end of a buffer' },
  'BND-05': { claim: 'offsets that wrap around lead nowhere' },
  'BND-06': { claim: 'offsets are multiples of a page' },
  'BND-07': { claim: 'lengths of nothing and of everything are refused' },
  'BND-08': { claim: 'a mapping of a part has exactly those pages' },
  'BND-09': { claim: 'a mapping that begins inside shows the pages from there' },
  'BND-10': {
    claim: 'every combination of offset, length and flags ends as a model says',
  },
  'BND-11': { claim: 'an offset that names no buffer leads to none' },
  'BND-12': { claim: 'a range of the aperture lies inside one buffer' },
  'BND-13': { claim: 'a physical range lies inside one buffer of one’s own' },
  'BND-14': { claim: 'neighbouring mappings of two buffers stay two' },
  'BND-15': { claim: 'operations at random leave what a model says' },

  'MAP-01': { claim: 'mappings have the flags of their class' },
  'MAP-02': { claim: 'private mappings are refused, or tell and change nothing' },
  'MAP-03': { claim: 'a mapping has no more rights than its descriptor' },
  'MAP-04': { claim: 'a read-only grant never becomes writable' },
  'MAP-05': { claim: 'protection is what was asked for' },
  'MAP-06': { claim: 'no code is executed from buffers, or it is documented' },
  'MAP-07': { claim: 'taking rights away and giving them back changes nothing else' },
  'MAP-08': { claim: 'mappings do not grow, and move whole' },
  'MAP-09': { claim: 'what is left of a mapping that was cut shows its own pages' },
  'MAP-10': { claim: 'memory comes back once, with the last piece of its mappings' },
  'MAP-11': { claim: 'a mapping that is complete takes no page faults' },
  'MAP-12': { claim: 'a buffer can be mapped as often as the kernel allows' },
  'MAP-13': { claim: 'a mapping that fails leaves nothing' },
  'MAP-14': { claim: 'a mapping put over another one replaces it' },
  'MAP-15': { claim: 'a sealed mapping stays as it is' },
  'MAP-16': { claim: 'the list of mappings tells no address' },
  'MAP-17': { claim: 'hints about addresses do no harm' },
  'MAP-18': { claim: 'advice about memory ends as its class demands' },

  'FRK-01': { claim: 'a child shares its parent’s mappings' },
  'FRK-02': { claim: 'a child’s mapping outlives its parent' },
  'FRK-03': { claim: 'a fork that fails half-way leaves nothing' },
  'FRK-04': { claim: 'execve() ends mappings and closes what says so' },
  'FRK-05': { claim: 'a fork next to threads that fault and unmap is safe' },
  'FRK-06': { claim: 'the end of a thread changes nothing' },

  'LIF-01': { claim: 'a mapping outlives its descriptor, and memory comes back with the last' },
  'LIF-02': { claim: 'freeing a mapped buffer ends as documented' },
  'LIF-03': { claim: 'freeing twice, or what does not exist, is refused' },
  'LIF-04': { claim: 'of two mappings one can go' },
  'LIF-05': { claim: 'a buffer outlives the process that made it' },
  'LIF-06': { claim: 'processes killed at random leave nothing' },
  'LIF-07': { claim: 'over thousands of rounds nothing is lost' },
  'LIF-08': { claim: 'the module stays while a file, a mapping or a dma-buf needs it' },
  'LIF-09': { claim: 'a name that was freed is not soon another’s' },
  'LIF-10': { claim: 'the driver’s own bookkeeping is given back' },
  'LIF-11': { claim: 'a call that fails leaves no descriptor' },

  'SHR-01': { claim: 'a descriptor can be passed on' },
  'SHR-02': { claim: 'copies of a descriptor are one, and a new open file is fresh' },
  'SHR-03': { claim: 'descriptors close on execve() when that was asked for' },
  'SHR-04': { claim: 'two processes see each other’s stores' },
  'SHR-05': { claim: 'attaching by name needs the right to' },
  'SHR-06': { claim: 'read, write, seek and poll answer as documented' },
  'SHR-07': { claim: 'descriptors are taken from a process only with the right to' },

  'GUP-01': {
    claim: 'direct input and output works or is refused, as its class demands',
  },
  'GUP-02': { claim: 'other ways of the kernel to the pages likewise' },
  'GUP-03': { claim: 'a page that the kernel pinned stays until it is unpinned' },
  'GUP-04': { claim: 'pages that are mapped are counted' },
  'GUP-05': { claim: 'a futex in a buffer works or is refused' },
  'GUP-06': { claim: 'debuggers see the memory, or are refused' },
  'GUP-07': {
    claim: 'a buffer can be a guest’s memory',
    notApplicable: 'needs a machine that runs guests of its own',
  },

  'CON-01': { claim: 'processes that allocate, ask and free at once do not disturb each other' },
  'CON-02': { claim: 'unmapping, faulting, freeing and moving at once is safe' },
  'CON-03': { claim: 'a name that is guessed leads to a whole buffer or to none' },
  'CON-04': { claim: 'a mapping made while its buffer is freed is whole or refused' },
  'CON-05': { claim: 'an argument that changes during the call does no harm' },
  'CON-06': { claim: 'locks are always taken in one order' },
  'CON-07': { claim: 'nothing sleeps where it must not' },
  'CON-08': { claim: 'opening while the device goes and comes succeeds or is refused' },
  'CON-09': { claim: 'a new dma-buf can be closed by another thread at once' },
  'CON-10': { claim: 'signals interrupt no call that does not say so' },

  'RES-01': { claim: 'more memory than there is is refused, and nobody pays for it' },
  'RES-02': { claim: 'what fits once fits again' },
  'RES-03': { claim: 'limits are exact, and what is given back counts again' },
  'RES-04': { claim: 'limits hold against processes that race' },
  'RES-05': { claim: 'any allocation inside the driver may fail' },
  'RES-06': { claim: 'memory that others occupy is moved away, or the request is refused' },
  'RES-07': { claim: 'fragmented memory is refused or served in one piece' },
  'RES-08': { claim: 'without a free descriptor nothing is made' },
  'RES-09': { claim: 'a thousand buffers live at once, and failures use up no names' },
  'RES-10': { claim: 'memory is charged to a control group, or documented as not charged' },
  'RES-11': {
    claim: 'locked memory is charged where the driver says so',
    notApplicable: 'no driver described so far charges locked memory',
  },

  'IOC-01': { claim: 'a command with an unknown number is unknown' },
  'IOC-02': { claim: 'a command with another type, size or direction is unknown' },
  'IOC-03': { claim: 'an argument that cannot be read or written is refused, without effect' },
  'IOC-04': { claim: 'reserved fields are zero' },
  'IOC-05': { claim: 'bits and values without a meaning are refused' },
  'IOC-06': { claim: 'results are all written, and nothing else is' },
  'IOC-07': { claim: 'a descriptor that cannot be told is not left behind' },
  'IOC-08': { claim: 'error paths free everything once' },
  'IOC-09': { claim: 'a 32-bit program on a 64-bit kernel is served alike' },
  'IOC-10': { claim: 'an ioctl that succeeds returns 0' },
  'IOC-11': { claim: 'structures may grow' },
  'IOC-12': { claim: 'a descriptor without rights takes no ioctl, and open files have states of their own' },
  'IOC-13': { claim: 'arguments at random get documented errors and leave nothing' },
  'IOC-14': { claim: 'structures lie in memory as documented, on every machine' },
  'IOC-15': { claim: 'the query of version and abilities always says the same' },

  'PRM-01': { claim: 'the node is closed to everybody but its owner and group' },
  'PRM-02': { claim: 'nothing that everybody can read tells where buffers lie' },
  'PRM-03': { claim: 'addresses are told to nobody without the capability' },
  'PRM-04': { claim: 'an address as an offset tells nothing of others’ buffers' },
  'PRM-05': { claim: 'another user’s buffer cannot be used by guessing its name' },
  'PRM-06': { claim: 'root of a user namespace has no right to addresses' },
  'PRM-07': {
    claim: 'security modules see mappings as they are',
    notApplicable: 'that is mm’s doing (security_mmap_file), before the driver is asked',
  },
  'PRM-08': { claim: 'a user without rights gets no more than the limit' },

  'CAC-01': { claim: 'a cache mode is given as it was asked for, or refused' },
  'CAC-02': { claim: 'mapping changes no cache mode' },
  'CAC-03': { claim: 'the CPU’s mapping suits the device’s' },
  'CAC-04': { claim: 'uncached memory takes accesses of any width' },
  'CAC-05': { claim: 'handing over moves the data' },
  'CAC-06': { claim: 'handing over takes the flags that mean something, in any order' },
  'CAC-07': { claim: 'data goes from CPU to device and back' },
  'CAC-08': { claim: 'a range given to an ioctl lies inside the buffer' },
  'CAC-09': {
    claim: 'write-combined stores reach the device before its doorbell',
    notApplicable: 'emulation has no write buffers; needs hardware with a bus master',
  },
  'CAC-10': {
    claim: 'memory of encrypted guests is shared as it must be',
    notApplicable: 'needs a machine with SEV or TDX',
  },
  'CAC-11': {
    claim: 'hibernation leaves buffers alone',
    notApplicable: 'guests have no disk to hibernate to',
  },

  'DBF-01': { claim: 'seeking in a dma-buf tells its size' },
  'DBF-02': { claim: 'a dma-buf has the size of its buffer' },
  'DBF-03': { claim: 'the memory stays when only the dma-buf is left' },
  'DBF-04': { claim: 'mappings of a dma-buf lie inside' },
  'DBF-05': { claim: 'importers are independent of each other' },
  'DBF-06': { claim: 'a dma-buf’s descriptor has the rights and flags that were asked for' },
  'DBF-07': { claim: 'a dma-buf’s locks are taken in one order' },
  'DBF-08': { claim: 'a dma-buf keeps its exporter loaded' },
  'DBF-09': { claim: 'fdinfo tells a dma-buf’s size, exporter and name' },
  'DBF-10': { claim: 'a dma-buf without fences is ready' },
  'DBF-11': { claim: 'exporting over and over leaves nothing' },
  'DBF-12': { claim: 'importers do not need pages' },

  'HUG-01': { claim: 'large pages are used where addresses allow it' },
  'HUG-02': { claim: 'where addresses do not, small pages show the same' },
  'HUG-03': { claim: 'a large page never reaches beyond its buffer' },
  'HUG-04': { claim: 'a large page can be cut' },
  'HUG-05': { claim: 'forking and moving large pages is safe' },
  'HUG-06': { claim: 'a large page read first can be written later' },
  'HUG-07': { claim: 'kernels without large device pages use small ones' },
  'HUG-08': { claim: 'the kernel chooses addresses that suit large pages' },

  'PWR-01': { claim: 'buffers survive suspending' },
  'PWR-02': {
    claim: 'runtime power management leaves buffers alone',
    notApplicable: 'the buffers are memory, and no device is powered for them',
  },
  'PWR-03': { claim: 'mappings keep to what is documented when their device goes' },
  'PWR-04': { claim: 'files that were open when the device went are good for closing only' },
  'PWR-05': { claim: 'unbinding and binding works time after time' },
  'PWR-06': { claim: 'loading and unloading leaves nothing behind' },
  'PWR-07': { claim: 'shutting down with live buffers works' },
  'PWR-08': { claim: 'two devices of one driver know nothing of each other' },

  'DBG-01': { claim: 'a core dump has nothing of a buffer' },
  'DBG-02': { claim: 'a debugger reads what the program would' },
  'DBG-03': { claim: 'performance counters and probes do no harm' },
  'DBG-04': { claim: 'tracking of dirty and idle pages does no harm' },
  'DBG-05': { claim: 'a page that went bad raises a signal' },

  'LOG-01': { claim: 'buffers that come and go say nothing in the kernel’s log' },
  'LOG-02': { claim: 'calls that are refused say nothing in the kernel’s log' },

  'NUM-01': {
    claim: 'memory comes from the node that was asked for',
    notApplicable: 'needs a machine with several memory nodes',
  },
  'NUM-02': { claim: 'buffers do not migrate', notApplicable: 'needs a machine with several memory nodes' },

  'SRC-01': { claim: 'sparse finds nothing in the driver’s source' },

  'TOC-01': { claim: 'the kernel reads nothing twice from shared memory', notApplicable: noReader },
  'TOC-02': { claim: 'addresses in shared memory are checked', notApplicable: noReader },

  'HLP-01': { claim: 'the programs for application authors run as they are' },

  'PRF-01': { claim: 'reading is as fast as from anonymous memory' },
  'PRF-02': { claim: 'writing is as fast as to anonymous memory' },
  'PRF-03': { claim: 'copying is as fast as within anonymous memory' },
  'PRF-04': { claim: 'strided and random access cost what page sizes explain' },
  'PRF-05': { claim: 'uncached and write-combined reads are told as what they are' },
  'PRF-06': { claim: 'mapping and first touch cost what their faults explain' },
  'PRF-07': { claim: 'allocating costs what zeroing does' },
  'PRF-08': { claim: 'an ioctl costs little more than a system call' },
  'PRF-09': { claim: 'handing over costs nothing without importers' },
  'PRF-10': { claim: 'forking costs what page tables explain' },
  'PRF-11': { claim: 'two processes exchange a word as fast as through anonymous memory' },
};
