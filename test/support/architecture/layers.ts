/** Who may import whom in src/: the layer table, the modules that few may use, and why. */

export interface Layer {
  /**
   * Folders of src/ that this one may import, besides itself, or single files of them, without `.ts`:
   * `native/zstd`.
   */
  readonly mayImport: readonly string[]
  /** No input or output at all: values in, values out. */
  readonly pure?: true
}

const LEAVES = ['util', 'errors', 'log', 'version', 'linux']
const FORMATS = ['oci', 'archive', 'seccomp']
const BASE = [...LEAVES, ...FORMATS]

/** The table of style §6.3. A folder that is not here must be added, with a decision. */
export const LAYERS: Readonly<Record<string, Layer>> = {
  errors: { mayImport: [] },
  version: { mayImport: [] },
  log: { mayImport: ['util', 'errors'] },
  util: { mayImport: ['errors'] },
  linux: { mayImport: ['util', 'errors'], pure: true },
  oci: { mayImport: LEAVES, pure: true },
  archive: { mayImport: LEAVES, pure: true },
  seccomp: { mayImport: [...LEAVES, 'oci'], pure: true },
  dockerfile: { mayImport: [...LEAVES, 'oci'], pure: true },
  // Not each other: config.json is the contract between them.
  spec: { mayImport: BASE, pure: true },
  plan: { mayImport: BASE, pure: true },
  native: { mayImport: [...LEAVES, 'plan'] },
  state: { mayImport: BASE },
  content: { mayImport: [...BASE, 'state'] },
  registry: { mayImport: BASE },
  snapshots: {
    mayImport: [
      ...BASE,
      'native/overlay-mount',
      'native/file-lock',
      'native/sync-filesystem',
      'state',
    ],
  },
  cgroup: { mayImport: [...BASE, 'native', 'state'] },
  network: { mayImport: [...BASE, 'native', 'state'] },
  runtime: { mayImport: [...BASE, 'plan', 'native', 'cgroup', 'state'] },
  // Of `native` only what needs no builder: system calls run in-process are plans too, and stay there.
  images: {
    mayImport: [
      ...BASE,
      'content',
      'registry',
      'snapshots',
      'native/file-batch',
      'native/file-lock',
      'native/xattrs',
      'native/zstd',
    ],
  },
  monitor: { mayImport: [...BASE, 'runtime', 'state'] },
  engine: {
    mayImport: [
      ...BASE,
      'spec',
      'plan',
      'native',
      'state',
      'content',
      'registry',
      'snapshots',
      'cgroup',
      'network',
      'runtime',
      'images',
      'monitor',
      'dockerfile',
    ],
  },
  // Files directly in cli/ serve both command lines.
  cli: { mayImport: [...BASE, 'cli/oci'] },
  // containerd owns images and networks.
  'cli/oci': { mayImport: [...LEAVES, 'oci', 'cli', 'runtime'] },
  'cli/engine': { mayImport: [...BASE, 'cli', 'engine'] },
  'docker-api': { mayImport: [...BASE, 'engine'] },
  shim: { mayImport: [...LEAVES, 'oci', 'runtime'] },
  main: { mayImport: [...LEAVES, 'cli', 'cli/oci', 'cli/engine', 'docker-api', 'shim'] },
  // The library: what `import … from 'tsrun'` gives.
  index: { mayImport: [...LEAVES, 'engine'] },
}

export interface LayerException {
  /** What this one file may import beside what its layer may. */
  readonly mayImport: readonly string[]
  readonly reason: string
}

export const LAYER_EXCEPTIONS: Readonly<Record<string, LayerException>> = {
  'monitor/launch-monitor.ts': {
    mayImport: ['native', 'plan'],
    reason:
      'starts tsrun-monitor as native/executor.ts starts tsrun-init: a sealed executable, exact descriptors, an encoded plan',
  },
}

export interface ModuleBan {
  readonly module: string
  /** Paths below src/ that may import it; a folder ends with `/`. */
  readonly allowed: readonly string[]
  readonly reason: string
}

/** Modules that only the named files may import. A package that is not here may not be imported. */
export const MODULE_BANS: readonly ModuleBan[] = [
  {
    module: 'koffi',
    allowed: ['native/koffi-backend.ts'],
    reason: 'one file to replace for another foreign function interface',
  },
  {
    module: 'bun:ffi',
    allowed: ['native/bun-backend.ts'],
    reason: 'Node has no such module: only the standalone build takes that file',
  },
  {
    module: 'node:child_process',
    allowed: [
      'runtime/hooks.ts',
      'runtime/rootless/run-helper.ts',
      'registry/credential-helper.ts',
      'network/cni/run-plugin.ts',
    ],
    reason: 'containers are started by the executor alone; these run named helper programs',
  },
  {
    module: 'node:worker_threads',
    allowed: [],
    reason: 'a thread of Node costs 10 MB and cannot enter namespaces either',
  },
  {
    module: 'log-update',
    allowed: ['cli/engine/pull-display.ts'],
    reason: 'one file draws on terminals, and loads it when there is something to draw',
  },
  {
    module: 'dockerfile-ast',
    allowed: ['dockerfile/split-instructions.ts'],
    reason: 'an editor’s parser, which takes everything: what it finds is checked there',
  },
  { module: 'yargs', allowed: ['cli/engine/'], reason: 'the OCI command line must start fast' },
  { module: 'node-fetch', allowed: ['registry/'], reason: 'HTTP is the registry client’s' },
  {
    module: 'smol-toml',
    allowed: ['registry/'],
    reason: 'configuration of others; tsrun has none of its own',
  },
  { module: 'tar-stream', allowed: ['archive/'], reason: 'archive/ is the one tar codec' },
]

/** Node modules without input or output, for layers that are pure. */
export const PURE_NODE_MODULES: ReadonlySet<string> = new Set([
  'node:path',
  'node:util',
  'node:assert',
  'node:events',
  'node:stream',
  'node:stream/promises',
  'node:string_decoder',
  // Hashes and codecs: bytes in, bytes out.
  'node:crypto',
  'node:zlib',
  'node:buffer',
])

/** Files that are long because they are data, and why. */
export const LONG_DATA_FILES: Readonly<Record<string, string>> = {
  'linux/syscall-numbers-x86-64.ts': 'the kernel’s system call table',
  'linux/syscall-numbers-aarch64.ts': 'the kernel’s system call table',
  'linux/syscall-numbers-x86.ts': 'the kernel’s system call table',
  'linux/syscall-numbers-arm.ts': 'the kernel’s system call table',
}
