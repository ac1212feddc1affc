import { describe, expect, it } from 'vitest'
import { painterFor } from '../../../src/cli/colour.ts'

describe('painterFor()', () => {
  it.each([
    [true, {}, true],
    [false, {}, false],
    [true, { NO_COLOR: '1' }, false],
    [true, { NO_COLOR: '' }, true],
    [true, { TERM: 'dumb' }, false],
    [true, { CLICOLOR: '0' }, false],
    [false, { CLICOLOR_FORCE: '1' }, true],
    [false, { CLICOLOR_FORCE: '0' }, false],
    [false, { CLICOLOR_FORCE: '1', NO_COLOR: '1' }, false],
  ])('terminal %s with %j colours: %s', (isTTY, env, expected) => {
    const text = painterFor({ isTTY }, env)('red', 'x')
    expect(text).toBe(expected ? '\u001b[31mx\u001b[39m' : 'x')
  })
})
