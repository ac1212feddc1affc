/** Runs a program of the host that has more rights than we: by an absolute path, without our environment. */
import { spawn } from 'node:child_process'

const STDERR_LIMIT = 4096

export interface HelperResult {
  /** Exit status; -1 when a signal ended it. */
  readonly status: number
  readonly stderr: string
}

/** Waits for its end. Throws what kept it from being started. */
export function runHelper(path: string, args: readonly string[]): Promise<HelperResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(path, args, { env: {}, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] })
    let stderr = ''
    child.stderr.on('data', (chunk: Buffer) => {
      if (stderr.length < STDERR_LIMIT) stderr += chunk.toString()
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ status: code ?? -1, stderr }))
  })
}
