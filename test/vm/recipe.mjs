/** What the scripts that make something in an empty directory have in common. */
import { spawnSync } from 'node:child_process'

/** The exit status where a mirror or a registry does not answer. */
export const UNREACHABLE = 69

/** Not the recipe's fault: a mirror or a registry does not answer. */
class Unreachable extends Error {}

/** Calls `make` with the directory that the command line names, and turns what it throws into an exit status. */
export function runRecipe(make) {
  try {
    make(process.argv[2])
  } catch (error) {
    console.error(error.message)
    process.exitCode = error instanceof Unreachable ? UNREACHABLE : 1
  }
}

/** Runs a command whose output is the recipe's; throws unless it succeeds. */
export function run(command, args) {
  execute(command, args, 'inherit')
}

/** What a command writes on its standard output; throws unless it succeeds. */
export function captured(command, args) {
  return execute(command, args, 'pipe')
}

function execute(command, args, output) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' }
  const options = { stdio: ['ignore', output, 'inherit'], env, encoding: 'utf8' }
  const { status, stdout, error } = spawnSync(command, args, options)
  if (status === 0) return stdout
  throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? `exit status ${status}`}`)
}

/** Runs an action that fails only where a server does not answer. */
export function download(action) {
  try {
    return action()
  } catch (error) {
    throw new Unreachable(error.message)
  }
}
