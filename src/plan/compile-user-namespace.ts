/** A program as root of a new user namespace, with mounts of its own: how a user without root runs the engine. */
import { MS_SLAVE } from '../linux/mount-flags.ts'
import { CLONE_NEWNS, CLONE_NEWUSER } from '../linux/namespaces.ts'
import { AT_FDCWD } from '../linux/open-flags.ts'
import { emitCloseOnExec } from './compile/exec-process.ts'
import { emitBlockSignals, emitClone } from './compile/namespaces.ts'
import { directoryFlags } from './compile/path-in-root.ts'
import { emitRecord, emitSync } from './compile/report-records.ts'
import { emitSetAttributes } from './compile/rootfs.ts'
import type { HostFeatures } from './host-features.ts'
import type { Architecture, Plan } from './plan.ts'
import { PlanBuilder } from './plan-builder.ts'

export interface Program {
  /** Absolute path. */
  readonly path: string
  readonly args: readonly string[]
  /** `NAME=value`. */
  readonly env: readonly string[]
}

/**
 * The launcher waits for the program and ends it when the caller has gone. Between its `mappings` and its `ready`
 * the caller writes the maps. Nobody else is in the namespace: the program stays dumpable all the time.
 */
export function compileUserNamespace(
  program: Program,
  { architecture, features }: { architecture: Architecture; features: HostFeatures },
): Plan {
  const b = new PlanBuilder(architecture)
  const report = b.descriptor('report')
  const options = {
    architecture,
    features,
    supervise: true,
    tethered: true,
    preservedFds: 0,
    console: false,
  }
  emitBlockSignals(b)
  b.at('user namespace', () =>
    emitClone(b, report, options, {
      flags: CLONE_NEWUSER | CLONE_NEWNS,
      sharesMemory: false,
    }),
  )
  emitSync(b, report, 'mappings')
  b.at('user namespace', () => {
    b.run('setresgid', [0, 0, 0])
    b.run('setresuid', [0, 0, 0])
    // What is unmounted on the host goes here too; what is mounted here stays here.
    const host = b.sys('openat', [AT_FDCWD, b.string('/'), directoryFlags(b), 0])
    emitSetAttributes(b, host, { propagation: MS_SLAVE }, true)
  })
  emitSync(b, report, 'ready')
  emitRecord(b, report, 'starting', 0)
  b.at('program', () => {
    emitCloseOnExec({ b, options })
    const args = [b.string(program.path), b.stringArray(program.args), b.stringArray(program.env)]
    b.run('execve', args, { note: program.path })
  })
  return b.finish()
}
