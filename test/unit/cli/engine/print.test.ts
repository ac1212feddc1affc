import { expect, it } from 'vitest'
import { escapeLines } from '../../../../src/cli/engine/print.ts'

it('escapeLines() escapes what steers a terminal, and JSON stays the same JSON', () => {
  expect(escapeLines('a\tb\n\u001b[31mc\r\n')).toBe('a\tb\n\\u001b[31mc\\r\n')
  const object = { label: 'x\u001b[2J\u009b31m\u202e\u2028 ä €' }
  const text = `${JSON.stringify(object, undefined, 2)}\n`
  expect(JSON.parse(escapeLines(text))).toEqual(object)
  expect(escapeLines(text)).toMatch(/^[\n\x20-\x7eä€]*$/)
})
