/**
 * The directory through which a job goes into the machine and its output comes out. It has a short path
 * without spaces: the kernel's command line carries it.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tree } from './paths.mjs'

const PREFIX = 'tsrun-vm-'

/** A new one that holds `script`, to be removed by its maker; those of makers that were killed go now. */
export function makeControlDirectory(script) {
  removeAbandoned()
  const directory = mkdtempSync(join(tmpdir(), PREFIX))
  const files = {
    owner: `${process.pid} ${startTime(process.pid)}`,
    tree,
    job: script,
    out: '',
    err: '',
  }
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content)
  return directory
}

function removeAbandoned() {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(PREFIX))) {
    const owner = join(tmpdir(), name, 'owner')
    // Without that file it is being made.
    if (!existsSync(owner)) continue
    const [pid, start] = readFileSync(owner, 'utf8').split(' ')
    if (startTime(pid) !== start) rmSync(join(tmpdir(), name), { recursive: true, force: true })
  }
}

// Field 22 of proc_pid_stat(5): with the number it names one process for good.
function startTime(pid) {
  const stat = `/proc/${pid}/stat`
  return existsSync(stat) ? readFileSync(stat, 'utf8').split(') ')[1].split(' ')[19] : undefined
}
