/** The way into a cgroup for a process that was made elsewhere (cgroup-v2.rst "Processes"). */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf, TsrunError } from '../errors.ts'

/** Moves a process that waits for us there: what init's maker may do where the process itself may not. */
export function enterCgroup(cgroup: string, pid: number): void {
  try {
    writeFileSync(join(cgroup, 'cgroup.procs'), String(pid), { flag: 'r+' })
  } catch (cause) {
    const code = errnoCodeOf(cause) ?? ''
    throw new TsrunError(
      'failed-precondition',
      `cannot move the process into the cgroup ${cgroup}: ${code}`,
      {
        cause,
        errno: code,
        ...(code === 'EACCES'
          ? {
              hint: 'only what runs in the part of the tree that is delegated may be moved there: use --systemd-cgroup, or start this with systemd-run --user --scope -p Delegate=yes',
            }
          : {}),
      },
    )
  }
}
