/** Which command line is meant: the OCI runtime's (runc's) or the engine's (docker's). They share words. */
import { TsrunError } from '../errors.ts'
import { type FlagTable, type ParsedArguments, parseArguments } from './oci/arguments.ts'
import { CREATE_FLAGS, EXEC_FLAGS, RUN_FLAGS, UPDATE_FLAGS } from './oci/flag-tables.ts'

export type Personality = 'oci' | 'engine'

export interface PersonalityFacts {
  /** The name tsrun was called by. */
  readonly argv0: string
  /** Whether the default OCI root has a container with this id. */
  readonly ociContainerExists: (id: string) => boolean
}

const OCI_NAMES = new Set(['runc', 'tsrun-oci'])

/** Flags before the verb that the engine does not have. */
const OCI_GLOBALS: FlagTable = {
  flags: {
    root: 'string',
    log: 'string',
    'log-format': 'string',
    'systemd-cgroup': 'boolean',
    rootless: 'string',
    criu: 'string',
    'cgroup-manager': 'string',
    debug: 'boolean',
    'debug-timings': 'boolean',
  },
}

const OCI_ONLY = new Set([
  'state',
  'delete',
  'list',
  'spec',
  'features',
  'checkpoint',
  'restore',
  'resume',
])

interface SharedVerb {
  readonly table: FlagTable
  /** Flags that the engine's command of this name does not have. */
  readonly own: readonly string[]
  /** The first positional argument is a container id in both command lines. */
  readonly takesId: boolean
  /** The engine's command takes no positional argument at all. */
  readonly idMeansOci?: true
}

const OWN_CREATE = [
  'bundle',
  'console-socket',
  'pid-file',
  'no-pivot',
  'no-new-keyring',
  'preserve-fds',
  'pidfd-socket',
]

const SHARED: ReadonlyMap<string, SharedVerb> = new Map([
  ['create', { table: CREATE_FLAGS, own: OWN_CREATE, takesId: false }],
  ['run', { table: RUN_FLAGS, own: [...OWN_CREATE, 'keep', 'no-subreaper'], takesId: false }],
  [
    'exec',
    {
      table: EXEC_FLAGS,
      own: ['process', 'console-socket', 'pid-file', 'preserve-fds', 'ignore-paused'],
      takesId: true,
    },
  ],
  ['update', { table: UPDATE_FLAGS, own: ['resources'], takesId: true }],
  ['start', { table: { flags: {} }, own: [], takesId: true }],
  [
    'kill',
    { table: { flags: { all: 'boolean' }, aliases: { a: 'all' } }, own: ['all'], takesId: true },
  ],
  [
    'ps',
    { table: { flags: { format: 'string' }, aliases: { f: 'format' } }, own: [], takesId: true },
  ],
  [
    'events',
    {
      table: { flags: { interval: 'string', stats: 'boolean' } },
      own: ['interval', 'stats'],
      takesId: true,
      idMeansOci: true,
    },
  ],
  ['pause', { table: { flags: {} }, own: [], takesId: true }],
])

/** Decides by the name, the globals, the verb, its flags, and last by whose container the id names. */
export function choosePersonality(argv: readonly string[], facts: PersonalityFacts): Personality {
  if (OCI_NAMES.has(facts.argv0)) return 'oci'
  const globals = tryParse(argv, OCI_GLOBALS)
  if (globals === undefined) return 'engine'
  if (Object.keys(OCI_GLOBALS.flags).some((flag) => flag !== 'debug' && globals.has(flag)))
    return 'oci'
  const [verb, ...rest] = globals.positional
  if (verb === undefined) return 'engine'
  if (OCI_ONLY.has(verb)) return 'oci'
  const shared = SHARED.get(verb)
  // Flags that runc does not know are the engine's.
  const parsed = shared === undefined ? undefined : tryParse(rest, shared.table)
  if (shared === undefined || parsed === undefined) return 'engine'
  if (shared.own.some((flag) => parsed.has(flag))) return 'oci'
  const id = parsed.positional[0]
  if (id !== undefined && shared.idMeansOci === true) return 'oci'
  return shared.takesId && id !== undefined && facts.ociContainerExists(id) ? 'oci' : 'engine'
}

function tryParse(argv: readonly string[], table: FlagTable): ParsedArguments | undefined {
  try {
    return parseArguments(argv, table)
  } catch (error) {
    if (error instanceof TsrunError) return undefined
    throw error
  }
}
