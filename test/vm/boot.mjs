/** Boots the machine for one job and stays until it is off. */
import { closeSync, existsSync, openSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { makeControlDirectory } from './control-directory.mjs'
import { followFile } from './follow-file.mjs'
import { startContained } from './run-contained.mjs'

const TICK_MILLISECONDS = 100
const POWER_OFF_MILLISECONDS = 10_000
const CONSOLE_LINES = 30
/** As timeout(1). */
const TIMED_OUT = 124

/**
 * Runs the shell script `job` inside, in the working tree, with its output on ours; resolves with its exit
 * status. `commandOf(control)` is the machine's command, `collect(control)` takes what the job left there.
 */
export async function boot({ job, commandOf, end, signal, collect = () => {} }) {
  const control = makeControlDirectory(job)
  try {
    const status = await supervise({ control, command: commandOf(control), end, signal })
    collect(control)
    return status
  } finally {
    rmSync(control, { recursive: true, force: true })
  }
}

async function supervise({ control, command, end, signal }) {
  const output = openSync(join(control, 'console'), 'w')
  const machine = startContained(command, { stdio: ['ignore', output, output] })
  closeSync(output)
  const files = [
    followFile(join(control, 'out'), process.stdout),
    followFile(join(control, 'err'), process.stderr),
  ]
  const isOver = makeIsOver({ control, end, signal })
  let isOff = false
  const off = machine.ended.then(() => {
    isOff = true
  })
  try {
    while (!isOff && !isOver()) {
      await Promise.race([off, setTimeout(TICK_MILLISECONDS)])
      for (const file of files) file.pump()
    }
  } finally {
    machine.kill()
    await off
    for (const file of files) file.pump()
    for (const file of files) file.close()
  }
  signal.throwIfAborted()
  return statusOf(control)
}

/** Whether nobody waits any more, or for nothing: asked until the machine is off. */
function makeIsOver({ control, end, signal }) {
  let deadline = end
  const parent = process.ppid
  let hasEnded = false
  return () => {
    if (existsSync(join(control, 'up'))) rmSync(join(control, 'disk'), { force: true })
    if (!hasEnded && existsSync(join(control, 'status'))) {
      hasEnded = true
      deadline = Date.now() + POWER_OFF_MILLISECONDS
    }
    return signal.aborted || Date.now() > deadline || process.ppid !== parent
  }
}

function statusOf(control) {
  const path = join(control, 'status')
  const status = existsSync(path) ? readFileSync(path, 'utf8').trim() : ''
  if (status !== '') return Number(status)
  console.error(`test machine: it ended without an exit status, or had no time left; its console:`)
  const lines = readFileSync(join(control, 'console'), 'utf8').split('\n')
  console.error(lines.slice(-CONSOLE_LINES).join('\n'))
  return TIMED_OUT
}
