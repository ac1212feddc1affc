import type { WriteStream } from 'node:tty'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { PullDisplay } from '../../../../src/cli/engine/pull-display.ts'

const A = `sha256:${'a'.repeat(64)}`
const B = `sha256:${'b'.repeat(64)}`

function stream(isTTY: boolean): { text: () => string; stream: WriteStream } {
  let written = ''
  const fake = {
    isTTY,
    columns: 60,
    rows: 10,
    write(text: string) {
      written += text
      return true
    },
  }
  return { text: () => written, stream: fake as unknown as WriteStream }
}

type Event = Parameters<PullDisplay['show']>[0]
const layer = (digest: string, phase: 'downloading' | 'done', bytes: number): Event => ({
  type: 'layer',
  digest,
  phase,
  bytes,
  size: 1000,
})

describe('PullDisplay', () => {
  afterEach(() => vi.unstubAllEnvs())

  it('prints a line for each step of a layer where there is no terminal', async () => {
    const { text, stream: output } = stream(false)
    using display = new PullDisplay(output, false)
    for (const event of [
      layer(A, 'downloading', 0),
      layer(A, 'downloading', 500),
      layer(A, 'done', 1000),
    ])
      display.show(event)
    await display.end()
    expect(text()).toBe('aaaaaaaaaaaa: downloading (1kB)\naaaaaaaaaaaa: done (1kB)\n')
  })

  it('draws a bar for each layer on a terminal, and leaves the last state', async () => {
    vi.stubEnv('TERM', 'xterm')
    const { text, stream: output } = stream(true)
    using display = new PullDisplay(output, false)
    display.show(layer(A, 'downloading', 500))
    display.show(layer(B, 'done', 1000))
    await display.end()
    expect(text()).toContain('aaaaaaaaaaaa  [===============               ] 500B / 1kB')
    expect(text()).toContain('bbbbbbbbbbbb  done')
    // Hiding the cursor would take handlers for signals.
    expect(text()).not.toContain('\u001b[?25l')
    expect(process.listenerCount('SIGINT')).toBe(0)
  })

  it('prints nothing when it is quiet, nor where nothing was to do', async () => {
    const { text, stream: output } = stream(true)
    using quiet = new PullDisplay(output, true)
    quiet.show(layer(A, 'done', 1000))
    await quiet.end()
    using idle = new PullDisplay(output, false)
    await idle.end()
    expect(text()).toBe('')
  })
})
