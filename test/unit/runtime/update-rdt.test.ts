import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { writeSchemata } from '../../../src/runtime/update-rdt.ts'
import { createTempDir } from '../../support/temp-dir.ts'

// No machine of ours has resctrl: a folder stands in for the class.
test('writeSchemata() writes the lines that are given, into the class', () => {
  using temp = createTempDir()
  const control = join(temp.path, 'class')
  const monitor = join(control, 'mon_groups/c')
  mkdirSync(monitor, { recursive: true })
  writeSchemata({ groups: [control, monitor], own: [] }, ['', 'MB:0=20'])
  expect(readFileSync(join(control, 'schemata'), 'utf8')).toBe('MB:0=20\n')
  const gone = { groups: [join(temp.path, 'gone')], own: [] }
  expect(() => writeSchemata(gone, ['L3:0=f'])).toThrow('cannot write "L3:0=f" to')
})
