/** The entry of the command: chooses the personality, runs it, ends with its exit status. */
import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { choosePersonality } from './cli/choose-personality.ts'
import { describeError } from './errors.ts'

/** What is asked for writes with write(2) alone: nothing is pending once it is done. */
let isPrompt = false

async function main(): Promise<number> {
  const argv = process.argv.slice(2)
  const argv0 = basename(process.env.TSRUN_ARGV0 ?? process.argv[1] ?? 'tsrun')
  delete process.env.TSRUN_ARGV0
  if (argv[0] === 'oci') return await runOci(argv.slice(1), argv0)
  const personality = choosePersonality(argv, { argv0, ociContainerExists })
  if (personality === 'oci' || argv[0] === '--version' || argv[0] === '-v')
    return await runOci(argv, argv0)
  ignoreClosedOutput()
  const { runEngineCli } = await import('./cli/engine/engine-cli.ts')
  return await runEngineCli(argv)
}

// A reader that went away (`tsrun images | head`) is no failure of ours, and no stack trace. Not for
// the OCI verbs: process.stdout would make the container's own stdout non-blocking.
function ignoreClosedOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}

// Behind a link named runc it answers as runc does; no other name of a file is worth repeating.
async function runOci(argv: readonly string[], argv0: string): Promise<number> {
  isPrompt = true
  const { runOciCli } = await import('./cli/oci/oci-cli.ts')
  return await runOciCli(argv, argv0 === 'runc' ? 'runc' : 'tsrun')
}

// Where src/runtime/default-root.ts would look, which is not loaded for this.
function ociContainerExists(id: string): boolean {
  if (!/^(?!\.{1,2}$)[A-Za-z0-9_+.-]+$/.test(id)) return false
  return ['/run', process.env.XDG_RUNTIME_DIR ?? ''].some((directory) =>
    existsSync(join(directory, 'tsrun', id)),
  )
}

// Verbs that may still have something to write when they are done: a terminal's last output.
const RELAYING = ['run', 'exec', 'restore']

// Node's orderly way down gives back memory, page by page, that ends with the process anyway.
function end(status: number): void {
  process.exitCode = status
  if (isPrompt && !process.argv.some((word) => RELAYING.includes(word))) process.exit()
}

main().then(end, (error: unknown) => {
  process.stderr.write(`tsrun: ${describeError(error)}\n`)
  process.exitCode = 125
})
