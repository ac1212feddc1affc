/** A user without root for a test: an entry of its own in passwd(5), subuid(5) and subgid(5), a home and a runtime directory. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { PATIENCE } from './patience.ts'
import { type CommandResult, TSRUN } from './runtime.ts'

export const USER_ID = 4711
export const USER_NAME = 'tsrun-tester'
/** The subordinate ids that the user has unless a test says otherwise. */
export const SUBORDINATE = { start: 300_000, count: 65_536 }

export interface UserOptions {
  /** The text of /etc/subuid and /etc/subgid. */
  readonly subordinate?: string
  /** Shell commands of root in the mount namespace of the command. */
  readonly before?: string
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

export interface OrdinaryUser extends Disposable {
  /** The user's own; all below goes with it. */
  readonly directory: string
  readonly runtimeDirectory: string
  /** tsrun, where the user may run it. */
  readonly tsrun: string
  /** Words that run `argv` as the user. */
  commandLine(argv: readonly string[], options?: UserOptions): readonly [string, ...string[]]
  run(argv: readonly string[], options?: UserOptions): Omit<CommandResult, 'log'>
  /** As {@link run}, and throws unless it succeeds; the result is standard output. */
  succeed(argv: readonly string[], options?: UserOptions): string
}

// The working tree may be where others must not look.
const SCRIPT = `set -e
dir=$1 dist=$2 node=$3; shift 3
mount --bind "$dist" "$dir/dist"
mount --bind "$node" "$dir/node"
for file in passwd subuid subgid; do mount --bind "$dir/etc/$file" "/etc/$file"; done
BEFORE
exec setpriv --reuid ID --regid ID --clear-groups "$@"`

export interface WhoToBe {
  readonly id?: number
  readonly name?: string
  /** One of systemd's, which is there. */
  readonly runtimeDirectory?: string
}

export function makeOrdinaryUser(who: WhoToBe = {}): OrdinaryUser {
  const { id = USER_ID, name: login = USER_NAME } = who
  const directory = mkdtempSync(join(tmpdir(), 'tsrun-user-'))
  chmodSync(directory, 0o755)
  const runtimeDirectory = who.runtimeDirectory ?? join(directory, 'run')
  for (const name of ['dist', 'etc', 'home', 'run']) mkdirSync(join(directory, name))
  for (const name of ['', 'home', 'run']) chownSync(join(directory, name), id, id)
  chmodSync(join(directory, 'run'), 0o700)
  for (const file of ['node', 'etc/subuid', 'etc/subgid']) writeFileSync(join(directory, file), '')
  writeFileSync(
    join(directory, 'etc/passwd'),
    `${readFileSync('/etc/passwd', 'utf8')}${login}:x:${id}:${id}::${directory}/home:/bin/sh\n`,
  )
  const environment = (more: UserOptions['env'] = {}): readonly string[] => [
    `PATH=${process.env.PATH ?? ''}`,
    `HOME=${directory}/home`,
    `XDG_RUNTIME_DIR=${runtimeDirectory}`,
    `TSRUN_NODE=${directory}/node`,
    // What the host has for networks of users decides in the tests of those alone.
    'TSRUN_NETWORK=none',
    ...Object.entries(more).map(([name, value]) => `${name}=${value}`),
  ]
  const commandLine: OrdinaryUser['commandLine'] = (argv, options = {}) => {
    const { subordinate = `${login}:${SUBORDINATE.start}:${SUBORDINATE.count}\n` } = options
    for (const kind of ['subuid', 'subgid'])
      writeFileSync(join(directory, 'etc', kind), subordinate)
    const script = SCRIPT.replaceAll('ID', String(id)).replace('BEFORE', options.before ?? ':')
    const outer = ['-m', '--propagation', 'private', 'sh', '-c', script, 'sh']
    const places = [directory, dirname(TSRUN), process.execPath]
    return ['unshare', ...outer, ...places, 'env', '-i', ...environment(options.env), ...argv]
  }
  const run: OrdinaryUser['run'] = (argv, options = {}) => {
    const [command, ...words] = commandLine(argv, options)
    const { status, stdout, stderr } = spawnSync(command, words, {
      encoding: 'utf8',
      timeout: 60_000 * PATIENCE,
      cwd: options.cwd ?? directory,
    })
    return { status, stdout: stdout ?? '', stderr: stderr ?? '' }
  }
  return {
    directory,
    runtimeDirectory,
    tsrun: join(directory, 'dist', basename(TSRUN)),
    commandLine,
    run,
    succeed(argv, options) {
      const { status, stdout, stderr } = run(argv, options)
      if (status !== 0) throw new Error(`${argv.join(' ')}: ${status}: ${stderr}`)
      return stdout
    },
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  }
}
