/** A pull never holds a blob in memory: the peak of a pull of 400 MB. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startRegistry } from '../support/docker-registry.ts'
import { makeImage, pushImage } from '../support/make-image.ts'
import { TSRUN } from '../support/runtime.ts'
import { file } from '../support/tar-builder.ts'

test('tsrun pull of 400 MB in four layers stays below 300 MB of memory', async () => {
  await using registry = await startRegistry()
  const root = mkdtempSync(join(tmpdir(), 'tsrun-memory-'))
  try {
    const noise = randomBytes(10_000_000)
    const layers = [0, 1, 2, 3].map((n) =>
      Array.from({ length: 10 }, (_, i) =>
        file(`f${n}-${i}`, Buffer.concat([Buffer.from(`${n}${i}`), noise])),
      ),
    )
    await pushImage(registry.host, 'large', 'latest', makeImage(layers))
    const args = [
      '--data-root',
      join(root, 'data'),
      '--state-root',
      join(root, 'state'),
      'pull',
      '-q',
      `${registry.host}/large`,
    ]
    const child = spawn(TSRUN, args, { stdio: 'ignore' })
    let peak = 0
    const timer = setInterval(() => {
      peak = Math.max(peak, peakOf(child.pid ?? 0))
    }, 20)
    const status = await new Promise((resolve) => child.once('exit', resolve))
    clearInterval(timer)
    expect(status).toBe(0)
    expect(peak).toBeGreaterThan(0)
    expect(peak).toBeLessThan(300_000)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
})

/** VmHWM in kB (proc_pid_status(5)); 0 once the process is gone. */
function peakOf(pid: number): number {
  try {
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  } catch {
    // It ended between two looks.
    return 0
  }
}
