/**
 * A program of the host that serves a container and ends with it, whoever is killed: a watcher of its own waits for the
 * container's end, and the kernel ends the program with the watcher (PR_SET_PDEATHSIG).
 *
 *   tsrun ── launcher, ends at once ── watcher: ppoll(container, program) ── the program
 */
import { CLONE_ARGS_SIZE, cloneArgs } from './compile/kernel-structs.ts'
import type { Slot } from './instruction.ts'
import type { Architecture, Plan } from './plan.ts'
import { PlanBuilder } from './plan-builder.ts'

const SIGCHLD = 17
const SIGKILL = 9
const PR_SET_PDEATHSIG = 1
const CLOSE_RANGE_CLOEXEC = 4
const POLLIN = 1n
const STANDARD_STREAMS = 3

export interface TetheredProgram {
  /** Absolute path. */
  readonly path: string
  readonly args: readonly string[]
  /** `NAME=value`. */
  readonly env: readonly string[]
  /** Where it runs. */
  readonly directory: string
  /** How many descriptors after its standard streams it gets. */
  readonly preserved: number
}

/** Descriptors of the plan: `report`, `tether`, a pidfd, and `kept` more, which the watcher holds and nobody uses. */
export function compileTetheredProgram(
  program: TetheredProgram,
  kept: number,
  architecture: Architecture,
): Plan {
  const b = new PlanBuilder(architecture)
  const report = b.descriptor('report')
  const tether = b.descriptor('tether')
  for (let i = 0; i < kept; i++) b.descriptor(`kept_${i}`)
  b.at('tethered program', () => {
    // No key at the terminal of whoever starts the container is meant for these two.
    b.run('setsid', [], { tolerate: ['EPERM'] })
    emitFork(b, () => b.exit(0))
    const watcher = b.sys('getpid', [])
    emitFork(b, (pid) => emitWatch(b, program, { report, tether, pid }))
    emitProgram(b, program, watcher)
  })
  return b.finish()
}

/** Goes on in the child; the parent runs what `emitParent` emits, which ends it. */
function emitFork(b: PlanBuilder, emitParent: (pid: Slot) => void): void {
  const inChild = b.label()
  const pid = b.sys('clone3', [cloneArgs(b, 0, SIGCHLD), CLONE_ARGS_SIZE])
  b.branch(pid, 'eq', 0, inChild)
  emitParent(pid)
  b.place(inChild)
}

interface Watch {
  readonly report: Slot
  readonly tether: Slot
  readonly pid: Slot
}

function emitWatch(b: PlanBuilder, { preserved }: TetheredProgram, watch: Watch): void {
  const { report, tether, pid } = watch
  const pidfd = b.sys('pidfd_open', [pid, 0])
  // Whoever reads what the program writes is to see its end.
  b.run('close_range', [0, STANDARD_STREAMS + preserved - 1, 0])
  b.run('close', [report])
  const polled = b.words([POLLIN << 32n, POLLIN << 32n])
  b.store(4, polled, 0, tether)
  b.store(4, polled, 8, pidfd)
  b.run('ppoll', [polled, 2, 0, 0, 0])
  b.run('pidfd_send_signal', [pidfd, SIGKILL, 0, 0], { tolerate: ['ESRCH'] })
  b.exit(0)
}

function emitProgram(b: PlanBuilder, program: TetheredProgram, watcher: Slot): void {
  b.run('prctl', [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0])
  // It may have been killed before that.
  const hasParent = b.label()
  b.branch(b.sys('getppid', []), 'eq', watcher, hasParent)
  b.exit(0)
  b.place(hasParent)
  b.run('chdir', [b.string(program.directory)], { note: program.directory })
  b.run('close_range', [STANDARD_STREAMS + program.preserved, 0xffffffff, CLOSE_RANGE_CLOEXEC])
  b.run(
    'execve',
    [b.string(program.path), b.stringArray(program.args), b.stringArray(program.env)],
    { note: program.path },
  )
}
