import { describe, expect, it } from 'vitest'
import { BuildDisplay } from '../../../../src/cli/engine/build-display.ts'

describe('BuildDisplay', () => {
  it('of a quiet build shows the last lines of the step that fails, and keeps no more', () => {
    let shown = ''
    const display = new BuildDisplay((text) => {
      shown += text
    }, 'quiet')
    display.show({ type: 'step', id: 1, name: 'RUN yes' })
    const bytes = Buffer.from('some words of a line\n'.repeat(1000))
    for (let i = 0; i < 100; i++) display.show({ type: 'output', id: 1, bytes })
    display.show({ type: 'output', id: 1, bytes: Buffer.from('the last words\n') })
    expect(shown).toBe('')
    display.show({ type: 'done', id: 1, how: 'failed', seconds: 1 })
    const lines = shown.split('\n')
    expect(shown.length).toBeLessThan(66 * 1024)
    expect(shown.length).toBeGreaterThan(63 * 1024)
    expect(lines[0]).toBe('[earlier lines are left out]')
    expect(lines[1]).toMatch(/^#1 [\d.]+ some words of a line$/)
    expect(lines.at(-2)).toMatch(/ the last words$/)
  })

  it('shows all of a short one', () => {
    let shown = ''
    const display = new BuildDisplay((text) => {
      shown += text
    }, 'quiet')
    display.show({ type: 'step', id: 1, name: 'RUN false' })
    display.show({ type: 'output', id: 1, bytes: Buffer.from('no\n') })
    display.show({ type: 'done', id: 1, how: 'failed', seconds: 1 })
    expect(shown).toMatch(/^#1 RUN false\n#1 [\d.]+ no\n$/)
  })
})
